//! The compiled object in an archive, as far as the build depends on it. Pure functions.
//!
//! Arguments show only part of it. A wrapper of the compiler, its configuration file or its defaults may add options,
//! and the object shows the result.

use super::config::Target;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Elf(Elf),
    /// LLVM's intermediate code.
    Bitcode,
    /// Another format, or none.
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elf {
    /// 64 bits.
    pub wide: bool,
    pub machine: u16,
    /// Only gcc's intermediate code: a linker without gcc's plug-in finds nothing in it.
    pub slim: bool,
    /// Functions that other objects can call.
    pub functions: Vec<String>,
    /// Thread-local variables that other objects can use.
    pub thread_locals: Vec<String>,
    /// Some code calls the loader for the address of a thread-local variable (x86-64 and aarch64 only).
    pub dynamic_tls: bool,
}

impl Object {
    /// Code that is compiled further when the program is linked.
    pub fn is_intermediate(&self) -> bool {
        match self {
            Object::Elf(elf) => elf.slim,
            Object::Bitcode => true,
            Object::Other => false,
        }
    }

    /// What another member of the archive adds. `Other` are the archive's own tables, and what is not expected in it.
    fn and(self, other: Object) -> Object {
        match (self, other) {
            (Object::Other, other) => other,
            (first, Object::Other) => first,
            (Object::Elf(mut elf), Object::Elf(other)) => {
                elf.slim |= other.slim;
                elf.dynamic_tls |= other.dynamic_tls;
                elf.functions.extend(other.functions);
                elf.thread_locals.extend(other.thread_locals);
                Object::Elf(elf)
            }
            (_, _) => Object::Bitcode,
        }
    }

    /// Whether Rust code can read a thread-local variable of C by the initial-exec model, as the C does itself.
    pub fn has_initial_exec(&self, variable: &str) -> bool {
        match self {
            Object::Elf(elf) => {
                !elf.dynamic_tls && elf.thread_locals.iter().any(|name| name == variable)
            }
            _ => false,
        }
    }
}

/// The objects of an archive, as if they were one.
pub fn of_archive(bytes: &[u8]) -> Object {
    const HEADER: usize = 60;
    let mut all = Object::Other;
    let mut at = b"!<arch>\n".len();
    while let Some(header) = bytes.get(at..at + HEADER) {
        let size = std::str::from_utf8(&header[48..58]).unwrap_or("");
        let size = match size.trim().parse::<usize>() {
            Ok(size) => size,
            Err(_) => break,
        };
        let start = at + HEADER;
        let member = bytes.get(start..start.saturating_add(size)).unwrap_or(&[]);
        all = all.and(object(member));
        at = start.saturating_add(size + size % 2);
    }
    all
}

pub fn object(bytes: &[u8]) -> Object {
    // The second is how Apple wraps it.
    if bytes.starts_with(b"BC\xC0\xDE") || bytes.starts_with(&[0xDE, 0xC0, 0x17, 0x0B]) {
        return Object::Bitcode;
    }
    elf(bytes).map_or(Object::Other, Object::Elf)
}

fn elf(bytes: &[u8]) -> Option<Elf> {
    const SYMBOLS: u64 = 2;
    const RELOCATIONS: u64 = 4;
    const FUNCTION: u64 = 2;
    const THREAD_LOCAL: u64 = 6;
    let file = Reader::new(bytes)?;
    let mut elf = Elf {
        wide: file.wide,
        machine: file.number(18, 2)? as u16,
        ..Elf::default()
    };
    let mut intermediate = false;
    let sections = file.sections()?;
    let names = sections.get(file.number(if file.wide { 62 } else { 50 }, 2)? as usize)?;
    for section in &sections {
        intermediate |= file
            .text(names.offset, section.name)?
            .starts_with(b".gnu.lto_");
        if section.kind == SYMBOLS {
            let texts = sections.get(section.link)?;
            for at in section.entries(if file.wide { 24 } else { 16 }) {
                // Name, information and section: in another order in the narrow form.
                let (info, place) = if file.wide { (4, 6) } else { (12, 14) };
                let info = file.number(at + info, 1)?;
                let is_local = info >> 4 == 0;
                if is_local || file.number(at + place, 2)? == 0 {
                    continue;
                }
                let name = file.text(texts.offset, file.number(at, 4)? as usize)?;
                let name = String::from_utf8_lossy(name).into_owned();
                match info & 15 {
                    FUNCTION => elf.functions.push(name),
                    THREAD_LOCAL => elf.thread_locals.push(name),
                    _ => {}
                }
            }
        }
        if section.kind == RELOCATIONS && file.wide {
            for at in section.entries(24) {
                elf.dynamic_tls |= is_dynamic_tls(elf.machine, file.number(at + 8, 4)?);
            }
        }
    }
    elf.slim = intermediate && elf.functions.is_empty();
    Some(elf)
}

/// The relocations of the models general-dynamic and local-dynamic, in code: with `__tls_get_addr` or with
/// descriptors.
fn is_dynamic_tls(machine: u16, relocation: u64) -> bool {
    match machine {
        X86_64 => matches!(relocation, 19 | 20 | 34 | 35 | 45),
        AARCH64 => matches!(relocation, 512..=538 | 560..=569),
        _ => false,
    }
}

struct Section {
    name: usize,
    kind: u64,
    offset: usize,
    size: usize,
    link: usize,
}

impl Section {
    fn entries(&self, size: usize) -> impl Iterator<Item = usize> {
        let start = self.offset;
        (0..self.size / size).map(move |number| start.saturating_add(number * size))
    }
}

/// Numbers of either width and order.
struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Reader<'a>> {
        if !bytes.starts_with(b"\x7FELF") {
            return None;
        }
        Some(Reader {
            bytes,
            wide: *bytes.get(4)? == 2,
            big_endian: *bytes.get(5)? == 2,
        })
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        })
    }

    fn text(&self, table: usize, at: usize) -> Option<&'a [u8]> {
        let rest = self.bytes.get(table.checked_add(at)?..)?;
        rest.split(|byte| *byte == 0).next()
    }

    fn sections(&self) -> Option<Vec<Section>> {
        let (at, word, each, count) = if self.wide {
            (40, 8, 64, 60)
        } else {
            (32, 4, 40, 48)
        };
        let start = self.number(at, word)? as usize;
        let section = |number: usize| -> Option<Section> {
            let at = start.checked_add(number.checked_mul(each)?)?;
            // Two numbers of 4 bytes, then words.
            let field = |index: usize| Some(self.number(at + 8 + index * word, word)? as usize);
            Some(Section {
                name: self.number(at, 4)? as usize,
                kind: self.number(at + 4, 4)?,
                offset: field(2)?,
                size: field(3)?,
                link: self.number(at + 8 + 4 * word, 4)? as usize,
            })
        };
        let count = match self.number(count, 2)? {
            0 => section(0)?.size, // too many for the header
            count => count as usize,
        };
        (0..count).map(section).collect()
    }
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Rust's names of processors, and ELF's numbers.
const MACHINES: [(&str, u16); 15] = [
    ("x86", 3),
    ("x86_64", X86_64),
    ("arm", 40),
    ("aarch64", AARCH64),
    ("riscv32", 243),
    ("riscv64", 243),
    ("powerpc", 20),
    ("powerpc64", 21),
    ("s390x", 22),
    ("loongarch64", 258),
    ("mips", 8),
    ("mips64", 8),
    ("mips32r6", 8),
    ("mips64r6", 8),
    ("sparc64", 43),
];

/// Whether the object has code for the target. True for a processor that is not listed.
pub fn is_for(elf: &Elf, target: &Target) -> bool {
    let narrow = ["x32", "ilp32", "abin32"];
    let wide = (target.arch.contains("64") || target.arch == "s390x")
        && !narrow.iter().any(|end| target.triple.ends_with(end));
    MACHINES
        .iter()
        .find(|(arch, _)| *arch == target.arch)
        .map_or(true, |(_, machine)| {
            elf.machine == *machine && elf.wide == wide
        })
}

/// What an object is, for a message.
pub fn describe(object: &Object) -> String {
    match object {
        Object::Elf(elf) => {
            let bits = if elf.wide { 64 } else { 32 };
            let arch = MACHINES
                .iter()
                .find(|(_, machine)| *machine == elf.machine)
                .map_or("another machine", |(arch, _)| arch);
            format!("{}-bit code for {}", bits, arch)
        }
        Object::Bitcode => "LLVM bitcode".to_string(),
        Object::Other => "no ELF file".to_string(),
    }
}
