//! Decides, from a [`Config`] alone, how upstream's C is compiled and linked.
//!
//! A pure function: no environment, no file, no compiler. A test mounts this room and its
//! neighbours (`modes`, `platform`, `arch`, `tools`, `lto`) and checks the plan of every target and
//! feature, so whoever reads them knows every flag their C gets. "Upstream" in the comments is
//! `CMakeLists.txt` of the line concerned, unless a file is named.

use super::arch;
use super::config::{Config, Define, Target};
use super::lto;
use super::modes;
use super::platform;
use super::tools;

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

/// A library that is linked if the compiled object calls functions whose names start so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    pub calls: String,
    pub library: String,
}

/// A header without which the build would fail far from its cause, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub advice: String,
}

/// A definition that is right only if the platform has a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub header: String,
    pub define: String,
}

/// The whole of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub language: Language,
    pub opt_level: String,
    pub defines: Vec<Define>,
    /// For gcc, clang and their kin.
    pub flags: Vec<Flag>,
    /// The same for Microsoft's `cl` and its double `clang-cl`.
    pub cl_flags: Vec<String>,
    /// For the gcc and clang family, after all others, also after the user's.
    pub appended: Vec<String>,
    pub headers: Vec<Header>,
    pub probes: Vec<Probe>,
    /// Why no other compiler than clang will do.
    pub clang_only: Option<String>,
    /// Compile `src/fork.c`, which includes `static.c`: if the locks of the release are known.
    pub fork: bool,
    /// Compile `src/global.c`, which includes `fork.c`: if the release is one that it fits.
    pub entries: bool,
    /// Compile `src/secure.c` instead, under the same condition.
    pub secure_entries: bool,
    /// Beside them, the usual case of a small block is Rust code, if the C compiler agrees with
    /// `src/global/inlined.c`, or on v2 `inlined_v2.c`.
    pub inlined: bool,
    /// The program can carry options (`src/program_options.h`): if the release is one that it fits.
    pub program_options: bool,
    /// The object is LLVM bitcode, which only a clang not newer than rustc's LLVM can give.
    pub bitcode: bool,
    /// Leave the assembly beside the object.
    pub assembly: bool,
    /// The C looks at the bytes behind a block, or tells a tool of them, and must know where it ends.
    pub exact_size: bool,
    /// Linked after the archive, in this order.
    pub libraries: Vec<String>,
    pub helpers: Vec<Helper>,
    pub warnings: Vec<String>,
}

/// Plans a build, or says why there cannot be one.
pub fn plan(config: &Config) -> Result<Plan, String> {
    supported(&config.target)?;
    let mut plan = Plan {
        language: Language::C,
        opt_level: "3".to_string(),
        defines: Vec::new(),
        flags: Vec::new(),
        cl_flags: Vec::new(),
        appended: Vec::new(),
        headers: Vec::new(),
        probes: Vec::new(),
        clang_only: None,
        fork: false,
        entries: false,
        secure_entries: false,
        inlined: false,
        program_options: true,
        bitcode: false,
        assembly: config.features.asm,
        exact_size: false,
        libraries: Vec::new(),
        helpers: Vec::new(),
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
    platform::compiler(&mut plan);
    platform::helpers(config, &mut plan);
    arch::architecture(config, &mut plan);
    tools::tools(config, &mut plan)?;
    lto::bitcode(config, &mut plan)?;
    plan.take_over(&config.defines);
    modes::alignment(&plan)?;
    plan.exact_size = modes::exact_size(&plan);
    modes::fork(config, &mut plan);
    modes::entries(config, &mut plan);
    modes::inlined(config, &mut plan);
    Ok(plan)
}

/// mimalloc needs an operating system that hands out pages of memory, and upstream has four kinds
/// of it (`src/prim`): Unix, Windows, Emscripten (a Unix to Rust) and WASI.
fn supported(target: &Target) -> Result<(), String> {
    if target.unix || target.os == "windows" || target.os == "wasi" {
        return Ok(());
    }
    Err(format!(
        "The target {} has no operating system that mimalloc could take memory from.\n\
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

    /// Definitions of the user, in the place of ours: a compiler warns of two for one name.
    fn take_over(&mut self, defines: &[Define]) {
        let named = |ours: &Define| defines.iter().any(|define| define.name == ours.name);
        self.defines.retain(|ours| !named(ours));
        self.defines.extend(defines.iter().cloned());
    }

    fn last(&self, name: &str) -> Option<&Define> {
        self.defines.iter().rev().find(|define| define.name == name)
    }

    /// Whether a definition is there and not 0, as `#if` sees it.
    pub fn is_on(&self, name: &str) -> bool {
        self.last(name)
            .map_or(false, |define| define.value.as_deref() != Some("0"))
    }

    /// Whether a name is defined as 0.
    pub fn is_off(&self, name: &str) -> bool {
        self.last(name).is_some() && !self.is_on(name)
    }

    /// What a name is defined as.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.last(name)?.value.as_deref()
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

    pub fn cl_flag(&mut self, text: &str) {
        self.cl_flags.push(text.to_string());
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
