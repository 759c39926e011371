//! The public surface as text, one line for each item, so that a change shows in review.

use crate::source::{Public, Surface};
use crate::text;
use std::path::{Path, PathBuf};
use syn::{Attribute, ImplItem, Item, Visibility};

/// Where the snapshot of a major version is recorded.
pub fn file(major: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../api/{major}.txt"))
}

/// The snapshot of the present crate.
pub fn of_crate(major: &str) -> Result<String, String> {
    Ok(snapshot(&crate::surface(
        &crate::crate_root(),
        &crate::cfgs_of(major),
    )?))
}

/// Grouped by kind, then by name; the fields of a struct follow it in their order.
pub fn snapshot(surface: &Surface) -> String {
    let mut lines = Vec::new();
    for (name, item) in &surface.items {
        match item {
            Public::Foreign(item, abi) => {
                // By its public name, which a renaming re-export may have changed.
                let mut signature = item.sig.clone();
                signature.ident = syn::Ident::new(name, signature.ident.span());
                let signature = text::rust(&signature);
                lines.push(format!(
                    "extern \"{abi}\" {signature}{}",
                    deprecated(&item.attrs)
                ));
            }
            Public::Item(item) => describe(name, item, &mut lines),
        }
    }
    let mut impls = Vec::new();
    for block in &surface.impls {
        let type_ = text::rust(&block.self_ty);
        // An `impl` for an item that users cannot name does not concern them.
        if !surface.items.contains_key(&type_) {
            continue;
        }
        match &block.trait_ {
            Some((name, _)) => impls.push(format!("impl {} for {type_}", text::rust(name))),
            None => impls.extend(block.items.iter().filter_map(|item| method(&type_, item))),
        }
    }
    impls.sort();
    lines.append(&mut impls);
    let kind = |line: &String| line.split(' ').next().unwrap_or_default().to_string();
    lines.sort_by_key(kind); // stable, so the order within a kind stays
    lines.join("\n") + "\n"
}

fn describe(name: &str, item: &Item, lines: &mut Vec<String>) {
    match item {
        Item::Fn(item) => {
            let signature = text::rust(&item.sig);
            lines.push(format!("rust {signature}{}", deprecated(&item.attrs)));
        }
        Item::Const(item) => {
            let (type_, value) = (text::rust(&item.ty), text::rust(&item.expr));
            lines.push(format!(
                "const {name}: {type_} = {value}{}",
                deprecated(&item.attrs)
            ));
        }
        Item::Type(item) => {
            let target = text::rust(&item.ty);
            lines.push(format!("type {name} = {target}{}", deprecated(&item.attrs)));
        }
        Item::Struct(item) => {
            lines.push(format!(
                "struct {name}{}{}",
                shape(&item.attrs),
                deprecated(&item.attrs)
            ));
            for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                let field_name = field
                    .ident
                    .as_ref()
                    .map_or("0".into(), |name| name.to_string());
                lines.push(format!(
                    "struct {name}.{field_name}: {}",
                    text::rust(&field.ty)
                ));
            }
        }
        Item::Macro(_) => lines.push(format!("macro {name}!")),
        other => lines.push(format!("item {name}: {}", text::rust(other))),
    }
}

fn method(type_: &str, item: &ImplItem) -> Option<String> {
    match item {
        ImplItem::Fn(item) if is_public(&item.vis) => {
            Some(format!("impl {type_} {}", text::rust(&item.sig)))
        }
        ImplItem::Const(item) if is_public(&item.vis) => Some(format!(
            "impl {type_} const {}: {}",
            item.ident,
            text::rust(&item.ty)
        )),
        _ => None,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The attributes that users of a struct can notice.
fn shape(attributes: &[Attribute]) -> String {
    let noticed = |attribute: &&Attribute| {
        ["derive", "non_exhaustive", "repr"]
            .iter()
            .any(|name| attribute.path().is_ident(name))
    };
    attributes
        .iter()
        .filter(noticed)
        .map(|a| format!(" {}", text::rust(a)))
        .collect()
}

fn deprecated(attributes: &[Attribute]) -> &'static str {
    let deprecated = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("deprecated"));
    if deprecated { " #[deprecated]" } else { "" }
}

/// How two snapshots differ: the lines that only one of them has, or their order.
pub fn difference(recorded: &str, found: &str) -> Vec<String> {
    let only_in = |one: &str, other: &str, sign: char| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = only_in(recorded, found, '-');
    lines.extend(only_in(found, recorded, '+'));
    if lines.is_empty() && recorded != found {
        lines.push("the same lines in another order".into());
    }
    lines
}
