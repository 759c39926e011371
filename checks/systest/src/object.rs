//! Reads object files and archives.

use object::read::archive::ArchiveFile;
use object::{File, Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeSet;
use std::path::Path;

/// The `count` numbers of 64 bits that the object file holds under the name `table`.
pub fn numbers(content: &[u8], table: &str, count: usize) -> Result<Vec<u64>, String> {
    let words = |error: object::Error| format!("an object file cannot be read: {error}");
    let file = File::parse(content).map_err(words)?;
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok(table));
    let symbol = symbol.ok_or_else(|| format!("the object file has no `{table}`"))?;
    let section = symbol.section_index().ok_or("the table is in no section")?;
    let section = file.section_by_index(section).map_err(words)?;
    let start = (symbol.address() - section.address()) as usize;
    let data = section.data().map_err(words)?;
    let table = data
        .get(start..start + 8 * count)
        .ok_or("the table is too short")?;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    Ok(table.chunks_exact(8).map(number).collect())
}

/// The global symbols that the members of an archive define.
pub fn symbols(archive: &Path) -> Result<BTreeSet<String>, String> {
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", archive.display());
    let content = std::fs::read(archive).map_err(|error| words(&error))?;
    let members = ArchiveFile::parse(&*content).map_err(|error| words(&error))?;
    let mut names = BTreeSet::new();
    for member in members.members() {
        let data = member
            .and_then(|member| member.data(&*content))
            .map_err(|error| words(&error))?;
        let file = File::parse(data).map_err(|error| words(&error))?;
        let defined = file
            .symbols()
            .filter(|symbol| symbol.is_definition() && symbol.is_global());
        names.extend(defined.filter_map(|symbol| symbol.name().ok().map(String::from)));
    }
    Ok(names)
}
