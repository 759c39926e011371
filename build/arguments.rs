//! The final options of the C compiler: those of the plan and the user's together, of which the last one wins; and what
//! follows from them. Pure functions: they change no plan.
//!
//! The user's are those of `CFLAGS` and of its forms for one target, which come last (with older `cc` first), and
//! those after the compiler's name in `CC`, which come first. They are mostly meant for all C code of a program or of
//! a distribution, and not for this library in particular: what does not fit it is overridden by an option after them,
//! or refused.

use super::config::{self, Config, Define};
use super::fast_path::{self, FastPath};
use super::modes;
use super::plan::{Language, Plan};

/// What the arguments add to a plan, or take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adaptation {
    /// Options for the gcc and clang family, after all others, also after the user's.
    pub appended: Vec<String>,
    /// The code for `MiMalloc` that they leave.
    pub fast_path: FastPath,
    /// Whether pages of single blocks are still retained.
    pub retained_pages: bool,
    /// Besides those of the plan.
    pub warnings: Vec<String>,
}

/// Adapts a plan to all arguments of a compiler of the gcc and clang family, in their order.
pub fn adapt(config: &Config, plan: &Plan, arguments: &[String]) -> Result<Adaptation, String> {
    refuse(config, arguments)?;
    let defines = defined(arguments);
    let mut adaptation = Adaptation::new(plan, &defines);
    let to = &mut adaptation;
    link_time(plan, arguments, to);
    position(config, arguments, to);
    language(plan, arguments, to);
    override_malloc(&defines, arguments, to);
    runtimes(config, arguments, to);
    Ok(adaptation)
}

/// The same for Microsoft's compiler, of whose arguments only definitions count.
pub fn adapt_definitions(plan: &Plan, arguments: &[String]) -> Adaptation {
    Adaptation::new(plan, &defined(arguments))
}

/// The definitions that result from `-D` and `-U` (with Microsoft's compiler also `/D` and `/U`).
fn defined(arguments: &[String]) -> Vec<Define> {
    let mut defines: Vec<Define> = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (option, rest) = match argument.get(..2) {
            Some(option) => (option, &argument[2..]),
            None => continue,
        };
        let is_definition = match option {
            "-D" | "/D" => true,
            "-U" | "/U" => false,
            _ => continue,
        };
        let text = match rest {
            "" => arguments.next().map_or("", String::as_str),
            joined => joined,
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        defines.retain(|define| define.name != name);
        if is_definition {
            defines.push(Define {
                name: name.to_string(),
                value,
            });
        }
    }
    defines
}

/// Refuses other machines, calling conventions and layouts: no later option makes them work.
fn refuse(config: &Config, arguments: &[String]) -> Result<(), String> {
    let target = &config.target;
    let unfit = |option: &str, reason: &str| {
        Err(format!(
            "The C compiler gets `{}`, {}.\n\
             Take it out of CFLAGS, of its forms for a target such as CFLAGS_<target>, and of CC.",
            option, reason
        ))
    };
    let sizes = ["-m64", "-m32", "-mx32", "-m16"];
    let fitting = match target.arch.as_str() {
        "x86_64" if target.triple.ends_with("x32") => Some("-mx32"),
        "x86_64" => Some("-m64"),
        "x86" => Some("-m32"),
        _ => None,
    };
    if let (Some(fitting), Some(size)) = (fitting, last(arguments, |a| sizes.contains(&a))) {
        if size != fitting {
            let reason = format!("and so makes code that {} cannot run", target.triple);
            return unfit(size, &reason);
        }
    }

    let windows = target.os == "windows";
    let layouts = [
        ("-fshort-enums", "-fno-short-enums", true),
        ("-fshort-wchar", "-fno-short-wchar", !windows),
        ("-fpack-struct", "-fno-pack-struct", true),
        ("-freg-struct-return", "-fpcc-struct-return", true),
        ("-mabi=ms", "-mabi=sysv", !windows),
        ("-mabi=sysv", "-mabi=ms", windows),
        ("-mregparm=", "-mregparm=0", true),
        ("-mrtd", "-mno-rtd", true),
        ("-malign-double", "-mno-align-double", true),
        ("-fleading-underscore", "-fno-leading-underscore", true),
    ];
    for (on, off, unlike_rust) in layouts {
        let found = last(arguments, |a| a.starts_with(on) || a == off);
        match found {
            Some(option) if unlike_rust && option != off => {
                return unfit(
                    option,
                    "and so calls functions or lays out values in another way than Rust does",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Intermediate code only if `MIMALLOC_SYS_LTO` is set. mimalloc is one file or two, so link-time optimisation of the C
/// alone gains nothing, and a linker needs that compiler's plug-in: without it gcc's objects are empty, which a
/// shared library shows only when it is loaded. (`cc` passes `-flto` to clang too, if rustc leaves bitcode.)
fn link_time(plan: &Plan, arguments: &[String], to: &mut Adaptation) {
    let kind = |argument: &str| argument.starts_with("-flto") && is_kind(argument);
    let in_effect = last(arguments, |a| kind(a) || a == NO_LTO);
    if !plan.bitcode {
        if let Some(in_effect) = in_effect.filter(|in_effect| *in_effect != NO_LTO) {
            to.append(NO_LTO, in_effect, ONLY_BY_VARIABLE);
        }
        return;
    }
    let mut flags = plan.flags.iter().map(|flag| flag.text.clone());
    if let (Some(asked), Some(in_effect)) = (flags.find(|flag| kind(flag)), in_effect) {
        if in_effect != asked {
            to.append(&asked, in_effect, "MIMALLOC_SYS_LTO says so");
        }
    }
}

/// The same where not an argument, but a wrapper of the compiler or its configuration enables it. Returns whether the
/// option is new.
pub fn end_link_time(plan: &Plan, to: &mut Adaptation) -> bool {
    let is_new = !plan.bitcode && !to.appended.iter().any(|option| option == NO_LTO);
    if is_new {
        to.append(NO_LTO, "all else", ONLY_BY_VARIABLE);
    }
    is_new
}

const NO_LTO: &str = "-fno-lto";
const ONLY_BY_VARIABLE: &str = "only MIMALLOC_SYS_LTO optimises it together with the Rust code";

/// `-flto` or `-flto=thin`, but not `-flto-partition=none`.
fn is_kind(argument: &str) -> bool {
    let rest = &argument["-flto".len()..];
    rest.is_empty() || rest.starts_with('=')
}

/// Rust's own code can become part of a shared library, or of a position-independent program, so the C must be
/// position-independent. (`cc` has passed the option, where there is one. A relocation model for rustc applies to the C
/// too.)
fn position(config: &Config, arguments: &[String], to: &mut Adaptation) {
    let anywhere = ["-fPIC", "-fpic"];
    let others = [
        "-fPIE", "-fpie", "-fno-PIC", "-fno-pic", "-fno-PIE", "-fno-pie",
    ];
    let chosen = |flag: &String| flag.contains("relocation-model");
    let asked = arguments.iter().any(|a| anywhere.contains(&a.as_str()));
    if !asked || config.rust_flags.iter().any(chosen) {
        return;
    }
    let in_effect = last(arguments, |a| anywhere.contains(&a) || others.contains(&a));
    if let Some(in_effect) = in_effect.filter(|in_effect| others.contains(in_effect)) {
        to.append(
            "-fPIC",
            in_effect,
            "the Rust code around it may become a shared library",
        );
    }
}

/// Upstream is written in C11, which compilers accept in every mode but those of C90. As C++ it would need
/// C++'s library.
fn language(plan: &Plan, arguments: &[String], to: &mut Adaptation) {
    if plan.language != Language::C {
        return;
    }
    let reason = "it is written in the C of 2011";
    if let Some(at) = arguments.iter().rposition(|a| a.starts_with("-x")) {
        let apart = arguments.get(at + 1).map_or("", String::as_str);
        let language = match &arguments[at][2..] {
            "" => apart,
            joined => joined,
        };
        if !["c", "none"].contains(&language) {
            to.append("-xc", &format!("-x {}", language), reason);
        }
    }
    let fits = |standard: &str| {
        let old = ["-ansi", "89", "90", ":199409"];
        !old.iter().any(|end| standard.ends_with(end)) && !standard.contains("++")
    };
    let in_effect = last(arguments, |a| a == "-ansi" || a.starts_with("-std="));
    if let Some(in_effect) = in_effect.filter(|in_effect| !fits(in_effect)) {
        to.append("-std=gnu11", in_effect, reason);
    }
    // The meaning of `extern inline` in C90: no other file finds such a function, nor does the program.
    let (on, off) = ("-fgnu89-inline", "-fno-gnu89-inline");
    if last(arguments, |a| a == on || a == off) == Some(on) {
        to.append(off, on, reason);
    }
}

/// Where mimalloc is the program's `malloc`, the compiler must not generate calls of `malloc` in it.
fn override_malloc(defines: &[Define], arguments: &[String], to: &mut Adaptation) {
    if !config::is_on(defines, "MI_MALLOC_OVERRIDE") {
        return;
    }
    // It may treat mimalloc's own `malloc` as the built-in function, and turn it into a call of itself.
    let (on, off) = (["-fbuiltin", "-fbuiltin-malloc"], "-fno-builtin-malloc");
    let is_one = |a: &str| on.contains(&a) || a == off || a == "-fno-builtin";
    let in_effect = last(arguments, is_one).unwrap_or("-DMI_MALLOC_OVERRIDE");
    if !in_effect.starts_with("-fno-") {
        to.append(off, in_effect, "it defines malloc itself");
    }
    let (on, off) = ("-femulated-tls", "-fno-emulated-tls");
    if last(arguments, |a| a == on || a == off) == Some(on) {
        let reason = "emulated thread-locals call malloc, which is mimalloc's";
        to.append(off, on, reason);
    }
}

/// Instrumented code calls a runtime library of the compiler, which rustc does not link by itself.
fn runtimes(config: &Config, arguments: &[String], to: &mut Adaptation) {
    let sanitizers = sanitizers(arguments);
    if !sanitizers.is_empty() {
        let reason = fast_path::sanitized(&sanitizers.join(","));
        to.fast_path = to.fast_path.clone().without_rust(config.major, reason);
    }
    let planned = |name: &str| {
        config.sanitizers.iter().any(|other| other == name)
            || name == "address" && config.track.as_deref() == Some("asan")
    };
    let unplanned: Vec<&str> = sanitizers.into_iter().filter(|n| !planned(n)).collect();
    let mut needed = Vec::new();
    if !unplanned.is_empty() {
        needed.push(format!("-fsanitize={}", unplanned.join(",")));
    }
    let coverage = [
        "--coverage",
        "-fprofile-arcs",
        "-fprofile-generate",
        "-fprofile-instr-generate",
        "-fcs-profile-generate",
    ];
    let off = [
        "-fno-profile-arcs",
        "-fno-profile-generate",
        "-fno-profile-instr-generate",
    ];
    let by_rustc = |flag: &String| flag.contains("profile-generate");
    if !config.rust_flags.iter().any(by_rustc) {
        let in_effect = last(arguments, |a| {
            coverage.iter().any(|option| a.starts_with(option)) || off.contains(&a)
        });
        let in_effect = in_effect.filter(|option| !off.contains(option));
        needed.extend(in_effect.map(str::to_string));
    }
    for option in needed {
        to.warnings.push(format!(
            "the C compiler gets `{}`: the program must link the compiler's runtime for it, \
             with RUSTFLAGS=-Clink-arg={}",
            option, option
        ));
    }
}

/// The sanitizers that are on in the end.
fn sanitizers(arguments: &[String]) -> Vec<&str> {
    let mut on: Vec<&str> = Vec::new();
    for argument in arguments {
        if let Some(names) = argument.strip_prefix("-fsanitize=") {
            on.extend(names.split(','));
        } else if argument == "-fno-sanitize=all" {
            on.clear();
        } else if let Some(names) = argument.strip_prefix("-fno-sanitize=") {
            on.retain(|name| !names.split(',').any(|off| off == *name));
        }
    }
    on
}

impl Adaptation {
    /// The definitions that the C gets decide which code it has and `MiMalloc` may use, whoever defined them.
    fn new(plan: &Plan, defines: &[Define]) -> Adaptation {
        Adaptation {
            appended: Vec::new(),
            fast_path: plan.fast_path.clone().with_definitions(defines),
            retained_pages: plan.retained_pages && modes::allow_retained_pages(defines),
            warnings: Vec::new(),
        }
    }

    /// Overrides an option by a later one, with a warning.
    fn append(&mut self, option: &str, in_effect: &str, reason: &str) {
        self.appended.push(option.to_string());
        self.warnings.push(format!(
            "the C compiler gets `{}` after {}: {}",
            option, in_effect, reason
        ));
    }
}

fn last(arguments: &[String], is: impl Fn(&str) -> bool) -> Option<&str> {
    let found = arguments.iter().rev().find(|argument| is(argument));
    found.map(String::as_str)
}
