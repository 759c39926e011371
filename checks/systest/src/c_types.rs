//! The table from Rust's types to C's, and C's way to write a type.

use crate::rust_api::{RustApi, RustItem};
use crate::source::last_segment;
use crate::text;
use std::collections::BTreeSet;
use syn::{GenericArgument, PathArguments, PointerMutability, Type};

/// A scalar type: its name in the crate, an expression for the probe, and its name in C.
///
/// Size, alignment and sign of each pair are compared on every ABI, so the table itself is checked.
pub struct Scalar {
    pub rust: &'static str,
    pub path: &'static str,
    pub c: &'static str,
    pub integer: bool,
}

const fn integer(rust: &'static str, path: &'static str, c: &'static str) -> Scalar {
    Scalar {
        rust,
        path,
        c,
        integer: true,
    }
}

pub const SCALARS: &[Scalar] = &[
    integer("c_char", "cty::c_char", "char"),
    integer("c_uchar", "cty::c_uchar", "unsigned char"),
    integer("c_int", "cty::c_int", "int"),
    integer("c_uint", "cty::c_uint", "unsigned int"),
    integer("c_long", "cty::c_long", "long"),
    integer("c_ulong", "cty::c_ulong", "unsigned long"),
    integer("c_longlong", "cty::c_longlong", "long long"),
    integer("c_ulonglong", "cty::c_ulonglong", "unsigned long long"),
    integer("i32", "i32", "int32_t"),
    integer("u32", "u32", "uint32_t"),
    integer("i64", "i64", "int64_t"),
    integer("u64", "u64", "uint64_t"),
    integer("usize", "usize", "size_t"),
    integer("wchar_t", "libc::wchar_t", "wchar_t"),
    Scalar {
        rust: "bool",
        path: "bool",
        c: "bool",
        integer: false,
    },
    Scalar {
        rust: "f64",
        path: "f64",
        c: "double",
        integer: false,
    },
];

#[derive(Clone, Debug, PartialEq)]
pub enum CType {
    Named(String),
    Pointer {
        to: Box<CType>,
        to_const: bool,
    },
    Function {
        parameters: Vec<CType>,
        result: Box<CType>,
    },
    /// An array; its length follows from the layout.
    Array(Box<CType>),
}

impl CType {
    pub fn void() -> CType {
        CType::Named("void".into())
    }

    pub fn pointer(self) -> CType {
        CType::Pointer {
            to: Box::new(self),
            to_const: false,
        }
    }

    /// The type as C writes it: `void (*)(const char *)`.
    pub fn text(&self) -> String {
        self.declare("", false)
    }

    /// The declaration of `name` with this type: `void mi_free(void *)`.
    pub fn declaration(&self, name: &str) -> String {
        self.declare(name, false)
    }

    /// In C, a type surrounds the name that it declares: `inner` is the text in that place.
    fn declare(&self, inner: &str, is_const: bool) -> String {
        let constness = if is_const { "const " } else { "" };
        match self {
            CType::Named(name) if inner.is_empty() => format!("{constness}{name}"),
            CType::Named(name) => format!("{constness}{name} {inner}"),
            CType::Pointer { to, to_const } => {
                let inner = format!("*{constness}{inner}");
                match **to {
                    CType::Function { .. } | CType::Array(_) => {
                        to.declare(&format!("({inner})"), *to_const)
                    }
                    _ => to.declare(&inner, *to_const),
                }
            }
            CType::Function { parameters, result } => {
                let mut list: Vec<String> = parameters.iter().map(CType::text).collect();
                if list.is_empty() {
                    list.push("void".into());
                }
                result.declare(&format!("{inner}({})", list.join(", ")), false)
            }
            CType::Array(element) => element.declare(&format!("{inner}[]"), is_const),
        }
    }

    /// The crate's own types that occur in it.
    pub fn names(&self, into: &mut BTreeSet<String>) {
        match self {
            CType::Named(name) => {
                if name != "void" && SCALARS.iter().all(|scalar| scalar.c != name) {
                    into.insert(name.clone());
                }
            }
            CType::Pointer { to, .. } => to.names(into),
            CType::Array(element) => element.names(into),
            CType::Function { parameters, result } => {
                parameters
                    .iter()
                    .for_each(|parameter| parameter.names(into));
                result.names(into);
            }
        }
    }
}

/// The C type of a Rust type, or the fault.
///
/// `generic` are type parameters that are in scope: a pointer to one is a `void*` in C.
pub fn c_type(type_: &Type, api: &RustApi, generic: &[String]) -> Result<CType, String> {
    let unknown = || {
        Err(format!(
            "the Rust type `{}` has no C type in the table",
            text::rust(type_)
        ))
    };
    match type_ {
        Type::Paren(inner) => c_type(&inner.elem, api, generic),
        Type::Ptr(pointer) => Ok(CType::Pointer {
            to: Box::new(c_type(&pointer.elem, api, generic)?),
            to_const: matches!(pointer.mutability, PointerMutability::Const(_)),
        }),
        Type::Array(array) => Ok(CType::Array(Box::new(c_type(&array.elem, api, generic)?))),
        Type::Path(path) => {
            if let Some(function) = callback(type_) {
                return Ok(function_type(function, api)?.pointer());
            }
            let name = last_segment(&path.path);
            if name == "c_void" || generic.contains(&name) {
                return Ok(CType::void());
            }
            if let Some(scalar) = SCALARS.iter().find(|scalar| scalar.rust == name) {
                return Ok(CType::Named(scalar.c.into()));
            }
            match api.get(&name) {
                // C's typedef names the function, Rust's alias the pointer to it.
                Some(RustItem::Alias(target)) if callback(target).is_some() => {
                    Ok(CType::Named(name).pointer())
                }
                Some(RustItem::Alias(_) | RustItem::Struct(_)) => Ok(CType::Named(name)),
                _ => unknown(),
            }
        }
        _ => unknown(),
    }
}

/// The function pointer inside `Option<unsafe extern "C" fn(..)>`.
pub fn callback(type_: &Type) -> Option<&syn::TypeFnPtr> {
    let Type::Path(path) = type_ else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(Type::FnPtr(function)) if last.ident == "Option" => Some(function),
        _ => None,
    }
}

/// The C function type of a Rust function pointer.
pub fn function_type(function: &syn::TypeFnPtr, api: &RustApi) -> Result<CType, String> {
    let abi = function
        .abi
        .as_ref()
        .and_then(|abi| abi.name.as_ref())
        .map(|name| name.value());
    if abi.as_deref() != Some("C") || function.unsafety.is_none() {
        return Err("a callback that is not `unsafe extern \"C\"`".into());
    }
    let parameters = function
        .inputs
        .iter()
        .map(|argument| c_type(&argument.ty, api, &[]));
    let result = match &function.output {
        syn::ReturnType::Default => CType::void(),
        syn::ReturnType::Type(_, type_) => c_type(type_, api, &[])?,
    };
    Ok(CType::Function {
        parameters: parameters.collect::<Result<_, _>>()?,
        result: Box::new(result),
    })
}
