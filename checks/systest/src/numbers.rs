//! Queries both compilers: each writes its answers as a table of numbers into an object file.
//!
//! Nothing is linked or run, so every target works for which there are compilers.

use crate::c_compiler::CCompiler;

use crate::object;
use crate::question::Question;
use crate::rust_compiler::RustCompiler;
use std::path::Path;

const TABLE: &str = "systest_numbers";

/// The answers of a C compiler.
pub fn ask_c(
    questions: &[Question],
    compiler: &CCompiler,
    include: &Path,
    headers: &[String],
    scratch: &Path,
) -> Result<Vec<u64>, String> {
    let mut source =
        String::from("#include <stddef.h>\n#include <stdint.h>\n#include <stdbool.h>\n");
    for header in headers {
        source += &format!("#include \"{header}\"\n");
    }
    source += &format!("const unsigned long long {TABLE}[] = {{\n");
    for question in questions {
        source += &format!("  (unsigned long long)({}),\n", question.c);
    }
    source += "};\n";
    object::numbers(
        &compiler.compile(&source, Some(include), scratch)?,
        TABLE,
        questions.len(),
    )
}

/// The answers of the Rust compiler about the crate that it has compiled as `subject`.
pub fn ask_rust(
    questions: &[Question],
    compiler: &RustCompiler,
    dependencies: &[&str],
) -> Result<Vec<u64>, String> {
    let mut source = String::from(HELPERS);
    source += &format!(
        "#[no_mangle]\npub static {TABLE}: [u64; {}] = [\n",
        questions.len()
    );
    for question in questions {
        source += &format!("    ({}) as u64,\n", question.rust);
    }
    source += "];\n";
    let object = compiler.object(&source, &[&["subject"], dependencies].concat())?;
    object::numbers(&object, TABLE, questions.len())
}

/// `core::mem::offset_of` is newer than the oldest compiler that this must support.
const HELPERS: &str = r#"
#![no_std]
#![allow(non_upper_case_globals)]
use subject::*;

const fn distance<S, F>(start: *const S, field: *const F) -> isize {
    unsafe { (field as *const u8).offset_from(start as *const u8) }
}
const fn size_of_pointee<T>(_: *const T) -> usize {
    core::mem::size_of::<T>()
}
macro_rules! offset {
    ($type:ty, $field:ident) => {{
        const VALUE: core::mem::MaybeUninit<$type> = core::mem::MaybeUninit::uninit();
        let start = VALUE.as_ptr();
        distance(start, unsafe { core::ptr::addr_of!((*start).$field) })
    }};
}
macro_rules! size_of_field {
    ($type:ty, $field:ident) => {{
        const VALUE: core::mem::MaybeUninit<$type> = core::mem::MaybeUninit::uninit();
        size_of_pointee(unsafe { core::ptr::addr_of!((*VALUE.as_ptr()).$field) })
    }};
}
"#;
