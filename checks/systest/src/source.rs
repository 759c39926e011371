//! The crate's source text: follows the modules, applies `cfg`, and finds what is public at the root.
//!
//! Only as much of Rust as a `-sys` crate needs: items, glob re-exports and renames. Anything else in
//! the crate's root is an error here, so nothing is left out silently.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token, UseTree, Visibility};

/// The configuration that `#[cfg(..)]` is evaluated in: names, and names with values.
#[derive(Default)]
pub struct Cfg(BTreeSet<(String, Option<String>)>);

impl Cfg {
    /// Parses the lines of `rustc --print cfg`: `unix`, `target_os="linux"`.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Cfg {
        let entry = |line: &str| match line.split_once('=') {
            Some((name, value)) => (name.into(), Some(value.trim_matches('"').into())),
            None => (line.into(), None),
        };
        Cfg(lines.into_iter().map(entry).collect())
    }

    fn holds(&self, condition: &Meta) -> bool {
        match condition {
            Meta::Path(name) => self.0.contains(&(last_segment(name), None)),
            Meta::NameValue(pair) => {
                let syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(value),
                    ..
                }) = &pair.value
                else {
                    panic!("a cfg value that is not a string");
                };
                self.0
                    .contains(&(last_segment(&pair.path), Some(value.value())))
            }
            Meta::List(list) => {
                let inner = nested(list);
                match last_segment(&list.path).as_str() {
                    "all" => inner.iter().all(|meta| self.holds(meta)),
                    "any" => inner.iter().any(|meta| self.holds(meta)),
                    "not" => !self.holds(&inner[0]),
                    other => panic!("unknown cfg operator `{other}`"),
                }
            }
        }
    }

    /// Applies `cfg` and `cfg_attr`: false means that the item does not exist.
    fn apply(&self, attributes: &mut Vec<Attribute>) -> bool {
        let mut result = Vec::new();
        for attribute in attributes.drain(..) {
            let conditional = attribute.path().is_ident("cfg_attr");
            if !conditional && !attribute.path().is_ident("cfg") {
                result.push(attribute);
                continue;
            }
            let Meta::List(list) = &attribute.meta else {
                panic!("cfg without a condition")
            };
            let inner = nested(list);
            let holds = self.holds(&inner[0]);
            if conditional && holds {
                for meta in inner.into_iter().skip(1) {
                    result.push(syn::parse_quote!(#[#meta]));
                }
            } else if !conditional && !holds {
                return false;
            }
        }
        *attributes = result;
        true
    }
}

fn nested(list: &syn::MetaList) -> Vec<Meta> {
    let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    inner.expect("a list of conditions").into_iter().collect()
}

pub fn last_segment(path: &syn::Path) -> String {
    path.segments
        .last()
        .expect("a path has a segment")
        .ident
        .to_string()
}

/// A public item.
#[derive(Clone)]
pub enum Public {
    /// A function of an `extern` block, with the block's ABI.
    Foreign(syn::ForeignItemFn, String),
    Item(Item),
}

/// The public items of a crate.
pub struct Surface {
    /// The items in the root, by their names there.
    pub items: BTreeMap<String, Public>,
    /// All `impl` blocks, in any module.
    pub impls: Vec<syn::ItemImpl>,
}

/// Reads the crate whose root module is the file `root`.
pub fn read(root: &Path, cfg: &Cfg) -> Surface {
    let folder = root.parent().expect("a file is in a folder");
    let root = Module::read(root, folder, cfg);
    let (mut pool, mut impls) = (BTreeMap::new(), Vec::new());
    root.collect(&mut pool, &mut impls);
    let mut shown = BTreeMap::new();
    root.exports(&[], &root, &mut BTreeSet::new(), &mut shown);
    // An exported macro is in the root, whichever module defines it.
    for (name, item) in &pool {
        if let Public::Item(Item::Macro(_)) = item {
            shown.insert(name.clone(), name.clone());
        }
    }
    let item = |name: &String| {
        let item = pool.get(name);
        item.cloned()
            .unwrap_or_else(|| panic!("re-export of `{name}`, which is not of this crate"))
    };
    let items = shown
        .iter()
        .map(|(shown, original)| (shown.clone(), item(original)))
        .collect();
    Surface { items, impls }
}

struct Module {
    items: Vec<Item>,
    children: BTreeMap<String, Module>,
}

impl Module {
    /// Reads a module from its file; its children are in `folder`.
    fn read(file: &Path, folder: &Path, cfg: &Cfg) -> Module {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let parsed = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", file.display()));
        Module::new(parsed.items, folder, cfg)
    }

    fn new(items: Vec<Item>, folder: &Path, cfg: &Cfg) -> Module {
        let mut module = Module {
            items: Vec::new(),
            children: BTreeMap::new(),
        };
        for mut item in items {
            if !cfg.apply(attributes(&mut item)) {
                continue;
            }
            match &mut item {
                Item::ForeignMod(block) => block.items.retain_mut(|item| match item {
                    syn::ForeignItem::Fn(function) => cfg.apply(&mut function.attrs),
                    _ => panic!("an extern block with something else than functions"),
                }),
                Item::Struct(structure) => {
                    let fields = std::mem::replace(&mut structure.fields, syn::Fields::Unit);
                    structure.fields = with_cfg(fields, cfg);
                }
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let below = folder.join(&name);
                    let child = match child.content.take() {
                        Some((_, items)) => Module::new(items, &below, cfg),
                        None => Module::read(&module_file(folder, &name), &below, cfg),
                    };
                    module.children.insert(name, child);
                }
                _ => {}
            }
            module.items.push(item);
        }
        module
    }

    /// Puts every public item of this module and those below it into `pool`.
    fn collect(&self, pool: &mut BTreeMap<String, Public>, impls: &mut Vec<syn::ItemImpl>) {
        let mut add = |name: &syn::Ident, item| {
            let other = pool.insert(name.to_string(), item);
            assert!(other.is_none(), "two public items are called `{name}`");
        };
        for item in &self.items {
            match item {
                Item::ForeignMod(block) => {
                    for function in foreign_functions(block) {
                        let abi = block
                            .abi
                            .name
                            .as_ref()
                            .map_or("C".into(), |name| name.value());
                        add(&function.sig.ident, Public::Foreign(function.clone(), abi));
                    }
                }
                Item::Impl(block) => impls.push(block.clone()),
                Item::Use(_) => {}
                Item::Macro(rules) => {
                    let exported =
                        |attribute: &Attribute| attribute.path().is_ident("macro_export");
                    let name = rules.ident.as_ref();
                    if let Some(name) = name.filter(|_| rules.attrs.iter().any(exported)) {
                        add(name, Public::Item(item.clone()));
                    }
                }
                _ => {
                    if let Some(name) = public_name(item) {
                        add(name, Public::Item(item.clone()));
                    }
                }
            }
        }
        for child in self.children.values() {
            child.collect(pool, impls);
        }
    }

    /// The public names of the module at `path`, each with the name that the item has where it is defined.
    fn exports(
        &self,
        path: &[String],
        root: &Module,
        seen: &mut BTreeSet<Vec<String>>,
        shown: &mut BTreeMap<String, String>,
    ) {
        if !seen.insert(path.to_vec()) {
            return;
        }
        for item in &self.items {
            match item {
                Item::ForeignMod(block) => {
                    for function in foreign_functions(block) {
                        let name = function.sig.ident.to_string();
                        shown.insert(name.clone(), name);
                    }
                }
                Item::Use(import) if is_public(&import.vis) => {
                    for leaf in leaves(&import.tree, Vec::new()) {
                        match leaf {
                            Leaf::Glob(prefix) => {
                                let target = absolute(path, &prefix);
                                root.at(&target).exports(&target, root, seen, shown);
                            }
                            Leaf::Name {
                                shown: name,
                                original,
                            } => {
                                shown.insert(name, original);
                            }
                        }
                    }
                }
                _ => {
                    if let Some(name) = public_name(item) {
                        shown.insert(name.to_string(), name.to_string());
                    }
                }
            }
        }
    }

    fn at(&self, path: &[String]) -> &Module {
        path.iter().fold(self, |module, name| {
            let child = module.children.get(name);
            child.unwrap_or_else(|| panic!("`pub use` of the unknown module `{name}`"))
        })
    }
}

fn module_file(folder: &Path, name: &str) -> PathBuf {
    let flat = folder.join(format!("{name}.rs"));
    if flat.exists() {
        flat
    } else {
        folder.join(name).join("mod.rs")
    }
}

fn with_cfg(mut fields: syn::Fields, cfg: &Cfg) -> syn::Fields {
    let list = match &mut fields {
        syn::Fields::Named(named) => &mut named.named,
        syn::Fields::Unnamed(unnamed) => &mut unnamed.unnamed,
        syn::Fields::Unit => return fields,
    };
    let kept = std::mem::take(list).into_iter().filter_map(|mut field| {
        let there = cfg.apply(&mut field.attrs);
        there.then_some(field)
    });
    *list = kept.collect();
    fields
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn foreign_functions(block: &syn::ItemForeignMod) -> impl Iterator<Item = &syn::ForeignItemFn> {
    block.items.iter().filter_map(|item| match item {
        syn::ForeignItem::Fn(function) if is_public(&function.vis) => Some(function),
        _ => None,
    })
}

/// The name of an item that is declared `pub`.
fn public_name(item: &Item) -> Option<&syn::Ident> {
    let (visibility, name) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Mod(item) => (&item.vis, &item.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        Item::ExternCrate(_) | Item::Impl(_) | Item::Macro(_) | Item::Use(_) => return None,
        _ => panic!("an item that this tool cannot read in the crate's source"),
    };
    is_public(visibility).then_some(name)
}

fn attributes(item: &mut Item) -> &mut Vec<Attribute> {
    match item {
        Item::Const(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        Item::ExternCrate(item) => &mut item.attrs,
        Item::Fn(item) => &mut item.attrs,
        Item::ForeignMod(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        Item::Macro(item) => &mut item.attrs,
        Item::Mod(item) => &mut item.attrs,
        Item::Static(item) => &mut item.attrs,
        Item::Struct(item) => &mut item.attrs,
        Item::Trait(item) => &mut item.attrs,
        Item::Type(item) => &mut item.attrs,
        Item::Union(item) => &mut item.attrs,
        Item::Use(item) => &mut item.attrs,
        _ => panic!("an item that this tool cannot read"),
    }
}

enum Leaf {
    Glob(Vec<String>),
    Name { shown: String, original: String },
}

/// The single imports of a `use` tree.
fn leaves(tree: &UseTree, mut prefix: Vec<String>) -> Vec<Leaf> {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            leaves(&path.tree, prefix)
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .flat_map(|tree| leaves(tree, prefix.clone()))
            .collect(),
        UseTree::Glob(_) => vec![Leaf::Glob(prefix)],
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            vec![Leaf::Name {
                shown: name.clone(),
                original: name,
            }]
        }
        UseTree::Rename(rename) => vec![Leaf::Name {
            shown: rename.rename.to_string(),
            original: rename.ident.to_string(),
        }],
    }
}

/// The module that `prefix` means when it is written in the module at `path`.
fn absolute(path: &[String], prefix: &[String]) -> Vec<String> {
    match prefix.first().map(String::as_str) {
        Some("crate") => prefix[1..].to_vec(),
        Some("self") => [path, &prefix[1..]].concat(),
        _ => [path, prefix].concat(),
    }
}
