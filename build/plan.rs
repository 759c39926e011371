//! Decides, from a [`Config`] alone, how upstream's C is compiled and linked.
//!
//! A pure function: no environment, no file, no compiler. `tests/host/build_plan.rs` mounts the pure modules (`pure.rs`) and checks
//! the plan of every target and feature, so its tables show every flag that the C gets. "Upstream" in the comments is
//! `CMakeLists.txt` of the major version concerned, unless a file is named.

use super::arch;
use super::config::{self, Config, Define, Target};
use super::fast_path::{self, FastPath};
use super::instrumentation;
use super::lto;
use super::modes;
use super::platform;

/// The language `static.c` is compiled as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cxx17,
}

/// A compiler option of the gcc and clang family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub text: String,
    /// Passed only to a compiler that takes it.
    pub if_supported: bool,
}

/// A compiler runtime library, linked only if the object calls functions whose names start with `calls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeLib {
    pub calls: String,
    pub library: String,
}

/// A header without which the build would fail with an obscure error, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredHeader {
    pub name: String,
    pub advice: String,
}

/// A header that the platform may have, and upstream's definition for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalHeader {
    pub header: String,
    pub define: String,
}

/// Everything that was decided about a build before the compiler was asked for its arguments. What they change
/// (`CFLAGS`) is an `arguments::Adaptation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub language: Language,
    pub opt_level: String,
    pub defines: Vec<Define>,
    /// For gcc, clang and compatible compilers.
    pub flags: Vec<Flag>,
    /// For gcc alone, in addition, if it takes them.
    pub gcc_flags: Vec<String>,
    /// Instead of these, for Microsoft's `cl` and the compatible `clang-cl`.
    pub msvc_flags: Vec<String>,
    pub required_headers: Vec<RequiredHeader>,
    pub optional_headers: Vec<OptionalHeader>,
    /// Why no other compiler than clang will do.
    pub clang_only: Option<String>,
    /// Hold mimalloc's locks across a `fork`: start from `src/fork.c` even without entry points.
    pub fork: bool,
    /// The code that allocates and frees for `MiMalloc`, unless the compiler's arguments or answers forbid it.
    pub fast_path: FastPath,
    /// Compile `src/upstream.c`: options of the program, purges, reuse, huge blocks, pages of single blocks, free blocks,
    /// huge pages, callbacks. With the pinned release.
    pub wraps_upstream: bool,
    /// Whether a thread retains pages of single blocks (`src/singleton_pages.h`): `#[cfg(mi_retained_pages)]`.
    pub retained_pages: bool,
    /// The object is LLVM bitcode, which only a clang not newer than rustc's LLVM can write.
    pub bitcode: bool,
    /// Leave the assembly beside the object.
    pub assembly: bool,
    /// Linked after the archive, in this order.
    pub libraries: Vec<String>,
    pub runtime_libs: Vec<RuntimeLib>,
    pub warnings: Vec<String>,
}

/// Plans a build, or returns why there cannot be one.
pub fn decide(config: &Config) -> Result<Plan, String> {
    supported(&config.target)?;
    let release = config.release();
    let mut plan = Plan {
        language: Language::C,
        opt_level: "3".to_string(),
        defines: Vec::new(),
        flags: Vec::new(),
        gcc_flags: Vec::new(),
        msvc_flags: Vec::new(),
        required_headers: Vec::new(),
        optional_headers: Vec::new(),
        clang_only: None,
        fork: false,
        fast_path: FastPath::default(),
        wraps_upstream: release.is_pinned && release.version.has_known_calls(),
        retained_pages: false,
        bitcode: false,
        assembly: config.features.asm,
        libraries: Vec::new(),
        runtime_libs: Vec::new(),
        warnings: Vec::new(),
    };
    if config.features.v2 && config.features.v3 {
        plan.warn("the features `v2` and `v3` are both on: v3 is built");
    }
    platform::language(config, &mut plan);
    modes::checks(config, &mut plan);
    modes::statistics(config, &mut plan);
    modes::small_pages(config, &mut plan);
    modes::mitigations(config, &mut plan);
    modes::override_malloc(config, &mut plan);
    modes::exit(config, &mut plan);
    modes::page_map(config, &mut plan);
    platform::thread_locals(config, &mut plan);
    platform::huge_pages(config, &mut plan);
    platform::profiler(config, &mut plan);
    platform::system(config, &mut plan);
    platform::compiler(config, &mut plan);
    platform::runtime_libs(config, &mut plan);
    arch::architecture(config, &mut plan);
    instrumentation::tools(config, &mut plan)?;
    lto::bitcode(config, &mut plan)?;
    plan.apply_user_defines(&config.defines);
    fast_path::alignment(&plan)?;
    modes::singleton_pages(config, &mut plan);
    modes::fork(config, &mut plan);
    plan.fast_path = fast_path::decide(config, &plan);
    fast_path::definitions(&mut plan);
    plan.warnings.extend(release.version.warning(config.major));
    if plan.bitcode {
        release.version.allows_bitcode()?;
    }
    Ok(plan)
}

/// mimalloc needs an operating system that allocates pages of memory, and upstream supports four kinds
/// (`src/prim`): Unix, Windows, Emscripten (a Unix to Rust) and WASI.
fn supported(target: &Target) -> Result<(), String> {
    if target.unix || target.os == "windows" || target.os == "wasi" {
        return Ok(());
    }
    Err(format!(
        "The target {} has no operating system that could provide memory to mimalloc.\n\
         Use another allocator there, and depend on this crate for the other targets only:\n\
         [target.'cfg(not(target_os = \"{}\"))'.dependencies]",
        target.triple, target.os
    ))
}

impl Plan {
    pub fn define(&mut self, name: &str, value: impl ToString) {
        self.defines.push(Define {
            name: name.to_string(),
            value: Some(value.to_string()),
        });
    }

    /// Definitions of the user replace ours: a compiler warns of two for one name.
    fn apply_user_defines(&mut self, defines: &[Define]) {
        let named = |ours: &Define| defines.iter().any(|define| define.name == ours.name);
        self.defines.retain(|ours| !named(ours));
        self.defines.extend(defines.iter().cloned());
    }

    /// Whether a name is defined and not 0, as `#if` sees it.
    pub fn is_on(&self, name: &str) -> bool {
        config::is_on(&self.defines, name)
    }

    /// What a name is defined as.
    pub fn value(&self, name: &str) -> Option<&str> {
        config::value(&self.defines, name)
    }

    pub fn flag(&mut self, text: &str) {
        self.flags.push(Flag {
            text: text.to_string(),
            if_supported: false,
        });
    }

    pub fn flag_if_supported(&mut self, text: &str) {
        self.flags.push(Flag {
            text: text.to_string(),
            if_supported: true,
        });
    }

    pub fn gcc_flag(&mut self, text: &str) {
        self.gcc_flags.push(text.to_string());
    }

    pub fn msvc_flag(&mut self, text: &str) {
        self.msvc_flags.push(text.to_string());
    }

    pub fn library(&mut self, name: &str) {
        self.libraries.push(name.to_string());
    }

    pub fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_string());
    }

    pub fn no_effect(&mut self, feature: &str, reason: &str) {
        self.warnings.push(format!(
            "the feature `{}` has no effect: {}",
            feature, reason
        ));
    }
}
