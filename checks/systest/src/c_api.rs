//! What the headers declare, parsed by a C parser from the output of the preprocessor.
//!
//! Everything in the headers themselves counts, whatever its name; what they include from elsewhere
//! does not.

use crate::macros::{self, Call};
use crate::text;
use lang_c::ast::*;
use lang_c::driver::{Config, Flavor, parse_preprocessed};
use lang_c::span::Node;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

pub type CApi = BTreeMap<String, CItem>;

pub struct CItem {
    /// The declaration, on one line.
    pub text: String,
    pub kind: CKind,
}

pub enum CKind {
    Function {
        inline: bool,
        parameters: Vec<String>,
    },
    /// A macro with parameters; with the call that it consists of, if that is all it does.
    Macro {
        parameters: Vec<String>,
        call: Option<Call>,
    },
    /// A macro without parameters.
    Constant,
    /// A constant of the enumeration with this name.
    Enumerator(String),
    Type(CTypeKind),
}

pub enum CTypeKind {
    Enumeration,
    /// The fields in their order.
    Struct(Vec<CField>),
    /// A struct that the headers do not define.
    Opaque,
    Function,
    /// Another name for some type.
    Alias,
}

#[derive(Clone)]
pub struct CField {
    pub name: String,
    /// The declaration, on one line.
    pub text: String,
}

/// Reads the given headers of the folder `include`.
pub fn c_api(include: &Path, headers: &[String]) -> Result<CApi, String> {
    let preprocessed = Preprocessed::new(&preprocess(include, headers)?, include);
    let config = Config {
        flavor: Flavor::GnuC11,
        ..Config::with_gcc()
    };
    let parsed = parse_preprocessed(&config, preprocessed.source.clone());
    let unit = parsed
        .map_err(|error| format!("the headers cannot be parsed: {error}"))?
        .unit;
    let mut reader = Reader {
        text: &preprocessed,
        api: CApi::new(),
        structs: BTreeMap::new(),
    };
    for declaration in &unit.0 {
        reader.declaration(declaration);
    }
    let Reader {
        mut api, structs, ..
    } = reader;
    // A struct's body may follow its typedef.
    for item in api.values_mut() {
        if let CKind::Type(kind @ CTypeKind::Opaque) = &mut item.kind {
            let tag = item
                .text
                .strip_prefix("typedef struct ")
                .and_then(|t| t.split(' ').next());
            if let Some(fields) = tag.and_then(|tag| structs.get(tag)) {
                *kind = CTypeKind::Struct(fields.clone());
            }
        }
    }
    for (name, definition) in preprocessed.macros {
        api.insert(name, definition);
    }
    Ok(api)
}

fn preprocess(include: &Path, headers: &[String]) -> Result<String, String> {
    let includes: Vec<String> = headers
        .iter()
        .map(|name| format!("#include \"{name}\"\n"))
        .collect();
    // -dD keeps the macro definitions. Attributes and assertions are not part of the API.
    let output = crate::run::with_input(
        Command::new("gcc")
            .args([
                "-E",
                "-dD",
                "-D__attribute__(x)=",
                "-DNDEBUG",
                "-x",
                "c",
                "-",
                "-I",
            ])
            .arg(include),
        &includes.concat(),
    )?;
    Ok(output)
}

/// The parts of the preprocessor's output.
struct Preprocessed {
    /// The text without definitions.
    source: String,
    macros: BTreeMap<String, CItem>,
    /// The offsets at which text of the headers begins, or text from elsewhere.
    origins: Vec<(usize, bool)>,
}

impl Preprocessed {
    fn new(output: &str, include: &Path) -> Preprocessed {
        let mut result = Preprocessed {
            source: String::new(),
            macros: BTreeMap::new(),
            origins: Vec::new(),
        };
        let mut of_headers = false;
        for line in output.lines() {
            if let Some(definition) = line.strip_prefix("#define ") {
                if of_headers {
                    let (name, item) = definition_of(definition);
                    result.macros.insert(name, item);
                }
            } else if let Some(name) = line.strip_prefix("#undef ") {
                result.macros.remove(name.trim());
            } else if let Some(file) = line
                .strip_prefix("# ")
                .and_then(|rest| rest.split('"').nth(1))
            {
                of_headers = Path::new(file).starts_with(include);
                result.origins.push((result.source.len(), of_headers));
            } else {
                result.source.push_str(line);
                result.source.push('\n');
            }
        }
        result
    }

    fn of_headers(&self, offset: usize) -> bool {
        let after = self.origins.partition_point(|(start, _)| *start <= offset);
        after > 0 && self.origins[after - 1].1
    }

    fn slice<T>(&self, node: &Node<T>) -> String {
        text::c(&self.source[node.span.start..node.span.end])
    }
}

/// The name and the rest of a `#define`.
fn definition_of(definition: &str) -> (String, CItem) {
    let end = definition.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (name, rest) = definition.split_at(end.unwrap_or(definition.len()));
    let kind = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((parameters, body)) => {
            let parameters: Vec<String> = parameters
                .split(',')
                .map(|parameter| parameter.trim().to_string())
                .filter(|parameter| !parameter.is_empty())
                .collect();
            let call = macros::call(&parameters, body);
            CKind::Macro { parameters, call }
        }
        None => CKind::Constant,
    };
    (
        name.into(),
        CItem {
            text: text::c(&format!("#define {definition}")),
            kind,
        },
    )
}

struct Reader<'a> {
    text: &'a Preprocessed,
    api: CApi,
    /// The fields of every struct that has a tag.
    structs: BTreeMap<String, Vec<CField>>,
}

impl Reader<'_> {
    fn add<T>(&mut self, name: &str, node: &Node<T>, kind: CKind) {
        self.api.insert(
            name.into(),
            CItem {
                text: self.text.slice(node),
                kind,
            },
        );
    }

    fn declaration(&mut self, declaration: &Node<ExternalDeclaration>) {
        if !self.text.of_headers(declaration.span.start) {
            return;
        }
        match &declaration.node {
            ExternalDeclaration::StaticAssert(_) => {}
            ExternalDeclaration::FunctionDefinition(definition) => {
                let declarator = &definition.node.declarator;
                let kind = CKind::Function {
                    inline: true,
                    parameters: parameters(declarator),
                };
                let head =
                    self.text.source[declaration.span.start..declarator.span.end].to_string();
                let name = name(declarator).expect("a function has a name");
                self.api.insert(
                    name.into(),
                    CItem {
                        text: text::c(&head),
                        kind,
                    },
                );
            }
            ExternalDeclaration::Declaration(inner) => self.plain(inner),
        }
    }

    fn plain(&mut self, declaration: &Node<Declaration>) {
        let Declaration {
            specifiers,
            declarators,
        } = &declaration.node;
        let is_typedef = specifiers.iter().any(|specifier| match &specifier.node {
            DeclarationSpecifier::StorageClass(class) => {
                class.node == StorageClassSpecifier::Typedef
            }
            _ => false,
        });
        let type_ = specifiers
            .iter()
            .find_map(|specifier| match &specifier.node {
                DeclarationSpecifier::TypeSpecifier(type_) => Some(&type_.node),
                _ => None,
            });
        let names: Vec<&str> = declarators
            .iter()
            .filter_map(|d| name(&d.node.declarator))
            .collect();
        match type_ {
            Some(TypeSpecifier::Struct(structure)) => self.structure(structure),
            Some(TypeSpecifier::Enum(enumeration)) => {
                let of = names
                    .first()
                    .copied()
                    .or(identifier(&enumeration.node.identifier));
                for constant in &enumeration.node.enumerators {
                    let name = &constant.node.identifier.node.name;
                    self.add(
                        name,
                        constant,
                        CKind::Enumerator(of.unwrap_or_default().into()),
                    );
                }
            }
            _ => {}
        }
        for declarator in declarators {
            let declarator = &declarator.node.declarator;
            let Some(name) = name(declarator) else {
                continue;
            };
            let is_function = is_function(declarator);
            let kind = match (is_typedef, type_) {
                (true, _) if is_function => CKind::Type(CTypeKind::Function),
                (true, Some(TypeSpecifier::Enum(_))) => CKind::Type(CTypeKind::Enumeration),
                (true, Some(TypeSpecifier::Struct(structure)))
                    if declarator.node.derived.is_empty() =>
                {
                    CKind::Type(match &structure.node.declarations {
                        Some(_) => CTypeKind::Struct(self.fields(&structure.node)),
                        None => CTypeKind::Opaque,
                    })
                }
                (true, _) => CKind::Type(CTypeKind::Alias),
                (false, _) if is_function => CKind::Function {
                    inline: false,
                    parameters: parameters(declarator),
                },
                (false, _) => panic!("the headers declare a variable, `{name}`"),
            };
            self.add(name, declaration, kind);
        }
    }

    fn structure(&mut self, structure: &Node<StructType>) {
        if let (Some(tag), Some(_)) = (
            identifier(&structure.node.identifier),
            &structure.node.declarations,
        ) {
            let fields = self.fields(&structure.node);
            self.structs.insert(tag.into(), fields);
        }
    }

    fn fields(&self, structure: &StructType) -> Vec<CField> {
        let mut fields = Vec::new();
        for declaration in structure.declarations.iter().flatten() {
            let StructDeclaration::Field(field) = &declaration.node else {
                continue;
            };
            for declarator in &field.node.declarators {
                let Some(name) = declarator.node.declarator.as_ref().and_then(name) else {
                    continue;
                };
                fields.push(CField {
                    name: name.into(),
                    text: self.text.slice(declaration),
                });
            }
        }
        fields
    }
}

fn identifier(node: &Option<Node<Identifier>>) -> Option<&str> {
    node.as_ref().map(|node| node.node.name.as_str())
}

fn name(declarator: &Node<Declarator>) -> Option<&str> {
    match &declarator.node.kind.node {
        DeclaratorKind::Abstract => None,
        DeclaratorKind::Identifier(identifier) => Some(&identifier.node.name),
        DeclaratorKind::Declarator(inner) => name(inner),
    }
}

/// Whether a function is declared, not a pointer to one: there is no `*` beside its name.
fn is_function(declarator: &Node<Declarator>) -> bool {
    let inner_pointer = match &declarator.node.kind.node {
        DeclaratorKind::Declarator(inner) => !inner.node.derived.is_empty(),
        _ => false,
    };
    !inner_pointer && parameter_list(declarator).is_some()
}

fn parameter_list(declarator: &Node<Declarator>) -> Option<&FunctionDeclarator> {
    declarator
        .node
        .derived
        .iter()
        .find_map(|derived| match &derived.node {
            DerivedDeclarator::Function(function) => Some(&function.node),
            _ => None,
        })
}

/// The names of a function's parameters; an empty name where there is none.
fn parameters(declarator: &Node<Declarator>) -> Vec<String> {
    let list = &parameter_list(declarator)
        .expect("a function has parameters")
        .parameters;
    let is_void = |parameter: &Node<ParameterDeclaration>| {
        parameter.node.declarator.is_none()
            && parameter
                .node
                .specifiers
                .iter()
                .any(|specifier| match &specifier.node {
                    DeclarationSpecifier::TypeSpecifier(type_) => type_.node == TypeSpecifier::Void,
                    _ => false,
                })
    };
    list.iter()
        .filter(|parameter| !is_void(parameter))
        .map(|parameter| {
            parameter
                .node
                .declarator
                .as_ref()
                .and_then(name)
                .unwrap_or("")
                .into()
        })
        .collect()
}
