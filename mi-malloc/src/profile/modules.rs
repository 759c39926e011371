//! Where the code of the program and of its libraries is: in memory, and in which file. A viewer needs both to find
//! the name of a function.

use std::string::String;
use std::vec::Vec;

/// A part of a file that is mapped as code.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    pub start: usize,
    pub end: usize,
    /// In the file, of what is at `start`.
    pub offset: u64,
    pub file: String,
    /// The linker's number of the build in hexadecimal digits, or empty. Viewers compare it with that of the file.
    pub build_id: String,
}

/// The code that is loaded now, the program's own first: viewers take the first one for it.
///
/// From the dynamic linker, which also knows it without `/proc`.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub fn loaded() -> Vec<Module> {
    let mut modules = Vec::new();
    let argument: *mut Vec<Module> = &mut modules;
    // SAFETY: `elf::add` has the signature, and gets what it expects.
    unsafe { libc::dl_iterate_phdr(Some(elf::add), argument.cast()) };
    modules
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod elf {
    use super::Module;
    use core::ffi::c_void;
    use core::fmt::Write;
    use core::slice;
    use cty::c_int;
    use std::ffi::CStr;
    use std::string::String;
    use std::vec::Vec;

    // Of the ELF format.
    const PT_LOAD: u32 = 1;
    const PT_NOTE: u32 = 4;
    const PF_X: u32 = 1;
    const NT_GNU_BUILD_ID: u32 = 3;

    const PAGE: usize = 4096; // file and memory agree in this part of an address, also where pages are larger

    /// Called for the program and each library.
    pub unsafe extern "C" fn add(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        modules: *mut c_void,
    ) -> c_int {
        // SAFETY: both pointers are valid during the call, and so are the name and the headers.
        let (modules, base, name, headers) = unsafe {
            let info = &*info;
            let headers = match info.dlpi_phdr.is_null() {
                true => &[],
                false => slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()),
            };
            let name = match info.dlpi_name.is_null() {
                true => Vec::new(),
                false => CStr::from_ptr(info.dlpi_name.cast()).to_bytes().to_vec(),
            };
            let modules = &mut *modules.cast::<Vec<Module>>();
            (modules, info.dlpi_addr as usize, name, headers)
        };
        // The program itself comes first, on Linux without a name.
        let program = modules.is_empty().then(|| std::env::current_exe().ok());
        let file = match program.flatten() {
            Some(program) => program.to_string_lossy().into_owned(),
            None => String::from_utf8_lossy(&name).into_owned(),
        };
        let at = |address: usize| base.wrapping_add(address);
        let is_loaded = |start: usize, size: usize| {
            headers.iter().any(|header| {
                let loaded = header.p_vaddr as usize;
                header.p_type == PT_LOAD
                    && loaded <= start
                    && size <= header.p_filesz as usize
                    && start - loaded <= header.p_filesz as usize - size
            })
        };
        let mut build_id = String::new();
        for header in headers.iter().filter(|header| header.p_type == PT_NOTE) {
            let (start, size) = (header.p_vaddr as usize, header.p_memsz as usize);
            if build_id.is_empty() && is_loaded(start, size) {
                // SAFETY: a part of what is loaded, and such notes are only read.
                let notes = unsafe { slice::from_raw_parts(at(start) as *const u8, size) };
                for byte in find_build_id(notes).unwrap_or(&[]) {
                    let _ = write!(build_id, "{:02x}", byte);
                }
            }
        }
        for header in headers {
            if header.p_type == PT_LOAD && header.p_flags & PF_X != 0 {
                let (start, size) = (at(header.p_vaddr as usize), header.p_memsz as usize);
                let before = start % PAGE;
                modules.push(Module {
                    start: start - before,
                    end: start.saturating_add(size),
                    #[allow(clippy::unnecessary_cast)] // 32 bits on 32-bit systems
                    offset: (header.p_offset as u64).saturating_sub(before as u64),
                    file: file.clone(),
                    build_id: build_id.clone(),
                });
            }
        }
        0
    }

    /// A note is three numbers (the sizes of its name and of its content, and its type), the name and the content,
    /// each padded to four bytes.
    fn find_build_id(mut notes: &[u8]) -> Option<&[u8]> {
        let padded = |size: u32| Some((size as usize).checked_add(3)? & !3);
        loop {
            let number = |at: usize| {
                let bytes = notes.get(at..at + 4)?;
                Some(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            };
            let (name_size, size, kind) = (number(0)?, number(4)?, number(8)?);
            let content = 12usize.checked_add(padded(name_size)?)?;
            let next = content.checked_add(padded(size)?)?;
            let name = notes.get(12..12 + name_size as usize)?;
            if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
                return notes.get(content..content + size as usize);
            }
            notes = notes.get(next..)?;
        }
    }

    #[cfg(test)]
    mod tests {
        use super::find_build_id;

        #[test]
        fn build_id_among_notes() {
            let note = |name: &[u8], kind: u32, content: &[u8]| {
                let mut note = std::vec::Vec::new();
                for number in [name.len() as u32, content.len() as u32, kind] {
                    note.extend(number.to_ne_bytes());
                }
                for part in [name, content] {
                    note.extend(part);
                    note.resize((note.len() + 3) / 4 * 4, 0);
                }
                note
            };
            let (other, wanted) = (note(b"Xen\0", 3, &[9; 5]), note(b"GNU\0", 3, &[1, 2, 3]));
            let notes = [other.clone(), note(b"GNU\0", 1, &[]), wanted].concat();
            assert_eq!(find_build_id(&notes), Some(&[1, 2, 3][..]));
            for end in 0..notes.len() - 1 {
                assert_eq!(find_build_id(&notes[..end]), None, "{}", end);
            }
            assert_eq!(find_build_id(&other), None);
            assert_eq!(find_build_id(&[255; 64]), None);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub fn loaded() -> Vec<Module> {
    Vec::new()
}
