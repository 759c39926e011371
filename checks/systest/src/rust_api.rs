//! The crate's public items in the form in which they are compared with the header.

use crate::source::{Public, Surface};
use crate::text;
use std::collections::BTreeMap;
use syn::{Item, Type};

pub type RustApi = BTreeMap<String, RustItem>;

pub enum RustItem {
    Function(RustFunction),
    Constant(Type),
    Alias(Type),
    Struct(RustStruct),
    /// An item that C does not have.
    Other(&'static str),
}

pub struct RustFunction {
    /// The ABI of a function of an `extern` block; a function written in Rust has none.
    pub foreign: Option<String>,
    pub type_parameters: Vec<String>,
    pub parameters: Vec<(String, Type)>,
    /// `None` means `()`.
    pub result: Option<Type>,
}

pub struct RustStruct {
    pub repr_c: bool,
    pub fields: Vec<RustField>,
}

pub struct RustField {
    pub name: String,
    pub public: bool,
    pub type_: Type,
}

pub fn rust_api(surface: &Surface) -> RustApi {
    surface
        .items
        .iter()
        .map(|(name, item)| (name.clone(), rust_item(item)))
        .collect()
}

fn rust_item(item: &Public) -> RustItem {
    match item {
        Public::Foreign(item, abi) => RustItem::Function(function(&item.sig, Some(abi.clone()))),
        Public::Item(Item::Fn(item)) => RustItem::Function(function(&item.sig, None)),
        Public::Item(Item::Const(item)) => RustItem::Constant((*item.ty).clone()),
        Public::Item(Item::Type(item)) => RustItem::Alias((*item.ty).clone()),
        Public::Item(Item::Struct(item)) => RustItem::Struct(structure(item)),
        Public::Item(Item::Enum(_)) => RustItem::Other("a Rust enum"),
        Public::Item(Item::Mod(_)) => RustItem::Other("a module"),
        Public::Item(Item::Static(_)) => RustItem::Other("a static"),
        Public::Item(Item::Trait(_)) => RustItem::Other("a trait"),
        Public::Item(_) => RustItem::Other("something else"),
    }
}

fn function(signature: &syn::Signature, foreign: Option<String>) -> RustFunction {
    let parameter = |argument: &syn::FnArg| match argument {
        syn::FnArg::Typed(argument) => (text::rust(&argument.pat), (*argument.ty).clone()),
        syn::FnArg::Receiver(_) => panic!("a public function with a receiver"),
    };
    RustFunction {
        foreign,
        type_parameters: signature
            .generics
            .type_params()
            .map(|p| p.ident.to_string())
            .collect(),
        parameters: signature.inputs.iter().map(parameter).collect(),
        result: match &signature.output {
            syn::ReturnType::Default => None,
            syn::ReturnType::Type(_, type_) => Some((**type_).clone()),
        },
    }
}

fn structure(item: &syn::ItemStruct) -> RustStruct {
    let repr_c = item.attrs.iter().any(|attribute| {
        let text = text::rust(attribute);
        attribute.path().is_ident("repr") && (text.contains("(C") || text.contains("(transparent"))
    });
    let field = |(index, field): (usize, &syn::Field)| RustField {
        name: field
            .ident
            .as_ref()
            .map_or(index.to_string(), |name| name.to_string()),
        public: matches!(field.vis, syn::Visibility::Public(_)),
        type_: field.ty.clone(),
    };
    RustStruct {
        repr_c,
        fields: item.fields.iter().enumerate().map(field).collect(),
    }
}
