//! `options!`: run-time options that a program carries.

use crate::mi_option_t;
use cty::{c_int, c_long};

/// One option of [`options!`](crate::options!) and its value, for crates whose own macro passes options on.
///
/// Not upstream's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ProgramOption {
    option: c_int,
    value: c_long,
}

impl ProgramOption {
    /// `value` is in the unit of the constant `option`.
    ///
    /// # Panics
    ///
    /// If there is no such option, which in a constant is a compile error.
    pub const fn new(option: mi_option_t, value: c_long) -> ProgramOption {
        assert!(
            option >= 0 && option < crate::_mi_option_last,
            "mi_malloc_sys::options!: this is not the constant of an option"
        );
        ProgramOption { option, value }
    }
}

/// The source of an option's value: see [`option_source`].
///
/// Not upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionSource {
    /// The build's default.
    Default,
    /// [`options!`](crate::options!) of the program.
    Program,
    /// An environment variable.
    Environment,
    /// [`mi_option_set`](crate::mi_option_set), [`mi_option_set_default`](crate::mi_option_set_default) or one of
    /// their relatives.
    RunTime,
}

/// The source of the current value of `option`.
///
/// mimalloc itself does not record it. This crate's C records the value and its source when mimalloc initialises the
/// option, as a rule before `main`; a value that differs from it was set later. If the same value was set again, the
/// first source is still reported.
///
/// `None` if there is no such option; and always if mimalloc is not compiled by this crate, or not of the release that
/// it pins, like the rest of [`options!`](crate::options!).
///
/// Any thread may call it. Not upstream's.
pub fn option_source(option: mi_option_t) -> Option<OptionSource> {
    #[cfg(mi_program_options)]
    {
        extern "C" {
            fn mi_malloc_sys_option_source(option: c_int) -> c_int;
        }
        // SAFETY: the C accepts any number. For an option it calls `mi_option_get`, which any thread may call.
        match unsafe { mi_malloc_sys_option_source(option) } {
            1 => Some(OptionSource::Default),
            2 => Some(OptionSource::Program),
            3 => Some(OptionSource::Environment),
            4 => Some(OptionSource::RunTime),
            _ => None,
        }
    }
    #[cfg(not(mi_program_options))]
    {
        let _ = option;
        None
    }
}

/// The options of [`options!`](crate::options!), as the C reads them (`program_options.h`).
#[doc(hidden)]
#[repr(C)]
#[derive(Debug)]
pub struct ProgramOptions {
    count: usize,
    values: *const ProgramOption,
}

// SAFETY: the pointer is to a `'static` slice of plain data, and nothing writes through it.
unsafe impl Sync for ProgramOptions {}

impl ProgramOptions {
    pub const fn new(values: &'static [ProgramOption]) -> ProgramOptions {
        let mut index = 0;
        while index < values.len() {
            let mut earlier = 0;
            while earlier < index {
                assert!(
                    values[earlier].option != values[index].option,
                    "mi_malloc_sys::options!: the same option is set twice"
                );
                earlier += 1;
            }
            index += 1;
        }
        ProgramOptions {
            count: values.len(),
            values: values.as_ptr(),
        }
    }
}

/// Sets run-time options for this program, in force before the first allocation.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;
///
/// mi_malloc_sys::options! {
///     mi_option_purge_delay = 100,
///     mi_option_allow_thp = 0,
/// }
///
/// fn main() {
///     let delay = unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) };
///     assert_eq!(delay, 100);
/// }
/// ```
///
/// Write it once in a program, in the place of an item. The names are the constants `mi_option_…` of this crate.
/// The values are constant expressions of type `c_long`, in the unit that the constant's documentation states: a size
/// that mimalloc keeps in KiB is written in KiB.
///
/// In order of precedence, highest first, an option's value is that of [`mi_option_set`](crate::mi_option_set), of the environment
/// variable, of [`mi_option_set_default`](crate::mi_option_set_default), of this macro, of the build. Options that
/// mimalloc reads only when the process starts work too, such as `mi_option_allow_thp` or
/// `mi_option_reserve_os_memory`, and so do all with the feature `override`.
///
/// A crate with a macro of its own for options passes a constant slice of [`ProgramOption`] instead:
///
/// ```
/// use mi_malloc_sys::{mi_option_purge_delay, ProgramOption};
///
/// mi_malloc_sys::options! { ..&[ProgramOption::new(mi_option_purge_delay, 100)] }
/// # fn main() {}
/// ```
///
/// # Where it may stand
///
/// In the program itself, or in any crate that it is linked from. A shared library (`cdylib`) that contains this crate
/// has options of its own. A library for other programs should leave options to them: there can be one
/// `options!` only.
///
/// # Errors
///
/// * An option that this version does not have is a compile error, as is one that is set twice, and a value that is no
///   constant.
/// * Two `options!` in one program are a link error: `mi_malloc_sys_program_options` is defined twice. Only with Rust's
///   thin LTO on a processor other than x86, Arm and RISC-V may the error be missing, and one of the two be in force.
/// * With a mimalloc that is not compiled by this crate, or not of the release that it pins
///   (`MIMALLOC_SYS_USE_PKG_CONFIG`, `MIMALLOC_SYS_SOURCE_DIR`), the macro is a compile error: nothing would read the
///   values.
/// * A crate that forbids `unsafe_code` cannot contain it, since it defines a symbol for the linker. One that denies
///   `unsafe_code` can.
///
/// # Cost
///
/// A few words of constant data. The values are read once, when mimalloc initialises an option.
#[cfg(mi_program_options)]
#[macro_export]
macro_rules! options {
    ($($option:ident = $value:expr),* $(,)?) => {
        $crate::options! { ..&[$($crate::ProgramOption::new($crate::$option, $value)),*] }
    };
    (..$values:expr) => {
        #[allow(unsafe_code)]
        const _: () = {
            const VALUES: &[$crate::ProgramOption] = $values;
            #[no_mangle]
            #[allow(non_upper_case_globals)]
            static mi_malloc_sys_program_options: $crate::ProgramOptions =
                $crate::ProgramOptions::new(VALUES);
            // Of a name that differs from crate to crate, so that the linker takes this object even if another
            // one has options too, and reports them.
            #[used]
            static OPTIONS: &$crate::ProgramOptions = &mi_malloc_sys_program_options;
        };
        // Thin LTO takes one of two equal names and drops the other, but not a label. (Inline assembly is not
        // stable on other processors, or was not with Rust 1.63.)
        #[cfg(any(
            target_arch = "x86",
            target_arch = "x86_64",
            target_arch = "arm",
            target_arch = "aarch64",
            target_arch = "riscv64"
        ))]
        ::core::arch::global_asm!(
            ".globl mi_malloc_sys_program_has_options",
            "mi_malloc_sys_program_has_options:"
        );
    };
}

/// Sets run-time options for this program; not in this build.
#[cfg(not(mi_program_options))]
#[macro_export]
macro_rules! options {
    ($($tokens:tt)*) => {
        ::core::compile_error!(
            "mi_malloc_sys::options! has no effect in this build, since mimalloc is the system's (MIMALLOC_SYS_USE_PKG_CONFIG) \
             or not the release that mi-malloc-sys pins (MIMALLOC_SYS_SOURCE_DIR). Unset that variable, or set the options \
             in the environment."
        );
    };
}
