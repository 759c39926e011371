//! Compares headers and bindings: finds what only one side has, and the questions to the compilers about all else.
//!
//! Pure: reads no file and starts no program.

use crate::c_api::{CApi, CField, CItem, CKind, CTypeKind};
use crate::c_types::{self, CType, SCALARS, c_type};
use crate::exceptions::{Exception, Side};
use crate::fault::{Fault, Sort};
use crate::macros::Argument;
use crate::question::Question;
use crate::rust_api::{RustApi, RustField, RustFunction, RustItem, RustStruct};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Comparison {
    pub faults: Vec<Fault>,
    pub questions: Vec<Question>,
    /// How many items of each kind the headers have, without the exceptions.
    pub counts: BTreeMap<Count, usize>,
    pub exceptions: usize,
    /// How many `extern` functions have their symbol in the library.
    pub linked: usize,
    /// C functions that the crate provides as Rust functions, because upstream defines no symbol.
    pub replaced: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    Functions,
    InlineFunctions,
    TypedMacros,
    FunctionMacros,
    Types,
    EnumConstants,
    MacroConstants,
}

/// Compares; `symbols` are those of the built library, where there is one.
pub fn compare(
    header: &CApi,
    binding: &RustApi,
    exceptions: &[&Exception],
    symbols: Option<&BTreeSet<String>>,
) -> Comparison {
    let mut comparer = Comparer {
        header,
        binding,
        symbols,
        result: Comparison::default(),
    };
    comparer.exceptions(exceptions);
    let excepted = |name: &str, side| exceptions.iter().any(|e| e.name == name && e.side == side);
    for (name, item) in header {
        match binding.get(name) {
            Some(bound) => comparer.item(name, item, bound),
            None if excepted(name, Side::Header) => continue,
            None => comparer.fault(Sort::HeaderOnly, name, described(item)),
        }
        *comparer.result.counts.entry(count(item)).or_default() += 1;
    }
    for name in binding.keys() {
        if !header.contains_key(name) && !excepted(name, Side::Binding) {
            comparer.fault(Sort::BindingOnly, name, "no header declares it".into());
        }
    }
    comparer.scalars();
    comparer.result.exceptions = exceptions.len();
    comparer.result
}

fn count(item: &CItem) -> Count {
    match &item.kind {
        CKind::Function { inline: false, .. } => Count::Functions,
        CKind::Function { inline: true, .. } => Count::InlineFunctions,
        CKind::Macro {
            call: Some(call), ..
        } if call.type_parameter().is_some() => Count::TypedMacros,
        CKind::Macro { .. } => Count::FunctionMacros,
        CKind::Constant => Count::MacroConstants,
        CKind::Enumerator(_) => Count::EnumConstants,
        CKind::Type(_) => Count::Types,
    }
}

struct Comparer<'a> {
    header: &'a CApi,
    binding: &'a RustApi,
    symbols: Option<&'a BTreeSet<String>>,
    result: Comparison,
}

impl Comparer<'_> {
    fn fault(&mut self, sort: Sort, name: &str, text: String) {
        self.result.faults.push(Fault {
            sort,
            name: name.into(),
            text,
        });
    }

    fn differs(&mut self, name: &str, text: impl Into<String>) {
        self.fault(Sort::Differs, name, text.into());
    }

    fn ask(&mut self, question: Question) {
        self.result.questions.push(question);
    }

    fn ask_number(&mut self, name: &str, what: impl Into<String>, c: String, rust: String) {
        self.ask(Question::number(name, what, c, rust));
    }

    /// Queries whether the C expression `pointer` points to the type of the binding.
    fn ask_type(&mut self, name: &str, header: &str, pointer: &str, claim: Result<CType, String>) {
        let claim = match claim {
            Ok(claim) => claim,
            Err(reason) => return self.differs(name, reason),
        };
        let mut types = BTreeSet::new();
        claim.names(&mut types);
        // A type that the header lacks would fail the whole compilation.
        let is_type = |name: &&String| {
            !matches!(
                self.header.get(*name),
                Some(CItem {
                    kind: CKind::Type(_),
                    ..
                })
            )
        };
        match types.iter().find(is_type) {
            Some(missing) => self.differs(
                name,
                format!("uses `{missing}`, which the header does not have"),
            ),
            None => self.ask(Question::type_(name, header, pointer, &claim)),
        }
    }

    fn exceptions(&mut self, exceptions: &[&Exception]) {
        for exception in exceptions {
            let (has, other) = match exception.side {
                Side::Header => (
                    self.header.contains_key(exception.name),
                    self.binding.contains_key(exception.name),
                ),
                Side::Binding => (
                    self.binding.contains_key(exception.name),
                    self.header.contains_key(exception.name),
                ),
            };
            if !has || other {
                let text = format!(
                    "the exception ({}) is not needed any more",
                    exception.reason
                );
                self.fault(Sort::Other, exception.name, text);
            }
        }
    }

    fn item(&mut self, name: &str, item: &CItem, bound: &RustItem) {
        match (&item.kind, bound) {
            (CKind::Function { inline, parameters }, RustItem::Function(function)) => {
                self.linkage(name, *inline, function);
                self.parameter_order(name, parameters, function);
                let claim = function_claim(function, self.binding);
                self.ask_type(name, &item.text, &format!("&{name}"), claim);
            }
            (
                CKind::Macro {
                    parameters,
                    call: Some(_),
                },
                RustItem::Function(function),
            ) => {
                self.macro_(name, item, parameters, function);
            }
            (CKind::Constant, RustItem::Constant(_)) => self.value(name),
            (CKind::Enumerator(enumeration), RustItem::Constant(type_)) => {
                self.value(name);
                let type_ = crate::text::rust(type_);
                if !enumeration.is_empty() && type_ != *enumeration {
                    self.differs(name, format!("is of type {type_} instead of {enumeration}"));
                }
            }
            (CKind::Type(kind), bound) => self.type_(name, item, kind, bound),
            _ => self.differs(
                name,
                format!("the binding is of another kind; header: {}", item.text),
            ),
        }
    }

    /// A function is an `extern` function exactly if the library has its symbol.
    fn linkage(&mut self, name: &str, inline: bool, function: &RustFunction) {
        if let Some(abi) = function.foreign.as_ref().filter(|abi| *abi != "C") {
            self.differs(name, format!("is declared `extern \"{abi}\"`"));
        }
        if !function.type_parameters.is_empty() {
            self.differs(name, "is generic");
        }
        let defined = self.symbols.map(|symbols| symbols.contains(name));
        match (inline, &function.foreign, defined) {
            (true, Some(_), _) => {
                self.differs(name, "is inline in the header, extern in the binding")
            }
            (false, Some(_), Some(false)) => self.differs(
                name,
                "the library does not define it, so a use of it fails to link",
            ),
            (false, None, Some(true)) => self.differs(
                name,
                "the library defines it, but the binding is a Rust function",
            ),
            (false, Some(_), Some(true)) => self.result.linked += 1,
            (false, None, _) => self.result.replaced.push(name.into()),
            _ => {}
        }
    }

    /// Types do not distinguish `(size, alignment)` from `(alignment, size)`; names do.
    fn parameter_order(&mut self, name: &str, in_header: &[String], function: &RustFunction) {
        for (index, (parameter, _)) in function.parameters.iter().enumerate() {
            let elsewhere = in_header.iter().position(|other| other == parameter);
            if let Some(place) = elsewhere.filter(|place| *place != index) {
                let text = format!(
                    "parameter `{parameter}` is number {} in the header and {} in the binding",
                    place + 1,
                    index + 1
                );
                return self.differs(name, text);
            }
        }
    }

    /// A macro that is a call: the binding must pass what the called function takes.
    fn macro_(&mut self, name: &str, item: &CItem, in_header: &[String], function: &RustFunction) {
        let CKind::Macro {
            call: Some(call), ..
        } = &item.kind
        else {
            return;
        };
        let type_parameter = call.type_parameter();
        let values: Vec<&String> = in_header
            .iter()
            .filter(|name| Some(name.as_str()) != type_parameter)
            .collect();
        if function.parameters.len() != values.len() {
            let (found, wanted) = (function.parameters.len(), values.len());
            return self.differs(name, format!("takes {found} arguments instead of {wanted}"));
        }
        if function.type_parameters.len() != type_parameter.iter().len() {
            return self.differs(
                name,
                format!("has the wrong type parameters; {}", item.text),
            );
        }
        let returns_type = matches!(
            &function.result,
            Some(syn::Type::Ptr(to)) if function.type_parameters.contains(&crate::text::rust(&to.elem))
        );
        if call.casts != returns_type {
            return self.differs(name, format!("returns something else; {}", item.text));
        }
        let claim = function_claim(function, self.binding).map(|claim| {
            let CType::Function { parameters, result } = claim else {
                unreachable!()
            };
            let argument = |argument: &Argument| match argument {
                Argument::SizeOf(_) => CType::Named("size_t".into()),
                Argument::Parameter(parameter) => {
                    let place = values.iter().position(|value| *value == parameter);
                    parameters[place.expect("a call passes its macro's parameters")].clone()
                }
            };
            CType::Function {
                parameters: call.arguments.iter().map(argument).collect(),
                result,
            }
        });
        self.ask_type(name, &item.text, &format!("&{}", call.callee), claim);
    }

    fn value(&mut self, name: &str) {
        self.ask_number(name, "the value", name.into(), name.into());
    }

    fn type_(&mut self, name: &str, item: &CItem, kind: &CTypeKind, bound: &RustItem) {
        let null = format!("({name} *)0");
        match (kind, bound) {
            (CTypeKind::Function, RustItem::Alias(target)) => {
                let claim = match c_types::callback(target) {
                    Some(function) => c_types::function_type(function, self.binding),
                    None => Err("is not `Option<unsafe extern \"C\" fn(..)>`".into()),
                };
                self.ask_type(name, &item.text, &null, claim);
            }
            (CTypeKind::Alias, RustItem::Alias(target)) => {
                self.ask_type(name, &item.text, &null, c_type(target, self.binding, &[]));
            }
            // C chooses the integer type of an enumeration by its constants (unsigned with gcc, int
            // with MSVC), so the crate's signed alias is compared in size and alignment only.
            (CTypeKind::Enumeration, RustItem::Alias(_)) => self.size(name),
            (CTypeKind::Opaque, RustItem::Struct(structure)) => {
                self.repr(name, structure);
                if structure.fields.iter().any(|field| field.public) {
                    self.differs(name, "is opaque in the header, and has public fields here");
                }
            }
            (CTypeKind::Struct(fields), RustItem::Struct(structure)) => {
                self.repr(name, structure);
                self.size(name);
                self.fields(name, fields, structure);
            }
            _ => self.differs(
                name,
                format!("is another kind of type; header: {}", item.text),
            ),
        }
    }

    fn repr(&mut self, name: &str, structure: &RustStruct) {
        if !structure.repr_c {
            self.differs(name, "is not `repr(C)`");
        }
    }

    fn size(&mut self, name: &str) {
        self.ask_number(name, "the size", format!("sizeof({name})"), size_of(name));
        self.ask_number(
            name,
            "the alignment",
            format!("_Alignof({name})"),
            align_of(name),
        );
    }

    fn fields(&mut self, name: &str, in_header: &[CField], structure: &RustStruct) {
        let full = |field: &str| format!("{name}.{field}");
        let mut same_fields = true;
        for field in in_header {
            if structure
                .fields
                .iter()
                .all(|bound| bound.name != field.name)
            {
                same_fields = false;
                self.fault(Sort::HeaderOnly, &full(&field.name), field.text.clone());
            }
        }
        for bound in &structure.fields {
            if in_header.iter().all(|field| field.name != bound.name) {
                same_fields = false;
                let text = "no such field in the header".into();
                self.fault(Sort::BindingOnly, &full(&bound.name), text);
            }
        }
        for bound in &structure.fields {
            if let Some(field) = in_header.iter().find(|field| field.name == bound.name) {
                // With a field too many or too few, all fields after it have moved; that need not be reported.
                self.field(name, field, bound, same_fields);
            }
        }
    }

    fn field(&mut self, structure: &str, field: &CField, bound: &RustField, with_offset: bool) {
        let name = &field.name;
        let full = format!("{structure}.{name}");
        if !bound.public {
            return self.differs(&full, "is private");
        }
        let place = format!("(({structure} *)0)->{name}");
        let (pointer, claim) = match c_type(&bound.type_, self.binding, &[]) {
            // The length of an array follows from the sizes of the field and of the element.
            Ok(CType::Array(element)) => (format!("&{place}[0]"), Ok(*element)),
            claim => (format!("&{place}"), claim),
        };
        self.ask_type(&full, &field.text, &pointer, claim);
        if with_offset {
            let rust = format!("offset!({structure}, {name})");
            self.ask_number(
                &full,
                "the offset",
                format!("offsetof({structure}, {name})"),
                rust,
            );
        }
        let rust = format!("size_of_field!({structure}, {name})");
        self.ask_number(&full, "the size", format!("sizeof({place})"), rust);
    }

    fn scalars(&mut self) {
        for scalar in SCALARS {
            let (c, rust) = (scalar.c, scalar.path);
            self.ask_number(
                scalar.rust,
                "the size",
                format!("sizeof({c})"),
                size_of(rust),
            );
            self.ask_number(
                scalar.rust,
                "the alignment",
                format!("_Alignof({c})"),
                align_of(rust),
            );
            if scalar.integer {
                let c = format!("(({c})-1 < ({c})0)");
                let rust = format!("(!(0 as {rust}) < (0 as {rust}))");
                self.ask_number(scalar.rust, "the sign", c, rust);
            }
        }
    }
}

fn size_of(type_: &str) -> String {
    format!("core::mem::size_of::<{type_}>()")
}

fn align_of(type_: &str) -> String {
    format!("core::mem::align_of::<{type_}>()")
}

fn described(item: &CItem) -> String {
    match &item.kind {
        CKind::Enumerator(enumeration) => format!("a constant of {enumeration}"),
        // A struct without its body.
        _ => item
            .text
            .split('{')
            .next()
            .unwrap_or(&item.text)
            .trim()
            .into(),
    }
}

fn function_claim(function: &RustFunction, api: &RustApi) -> Result<CType, String> {
    let generic = &function.type_parameters;
    let parameters = function
        .parameters
        .iter()
        .map(|(_, type_)| c_type(type_, api, generic));
    let result = match &function.result {
        Some(type_) => c_type(type_, api, generic)?,
        None => CType::void(),
    };
    Ok(CType::Function {
        parameters: parameters.collect::<Result<_, _>>()?,
        result: Box::new(result),
    })
}
