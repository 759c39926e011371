//! Turns a plan into a run of the C compiler.

use super::plan::{Language, Plan};
use super::sources::Sources;

/// Compiles `static.c`, the one file that includes all others, into `libmimalloc.a` in `OUT_DIR`.
pub fn compile(plan: &Plan, sources: &Sources) -> Result<(), String> {
    let mut build = cc::Build::new();
    build
        .file(sources.root.join("src/static.c"))
        .include(sources.root.join("include"))
        .warnings(false)
        .cpp(plan.language == Language::Cxx17);
    match plan.opt_level.parse() {
        Ok(level) => build.opt_level(level),
        Err(_) => build.opt_level_str(&plan.opt_level), // "s" and "z"
    };
    for define in &plan.defines {
        build.define(&define.name, define.value.as_deref());
    }
    let compiler = build.try_get_compiler().map_err(no_compiler)?;
    if compiler.is_like_msvc() {
        // A .c file is C to cl and clang-cl unless they are told otherwise.
        build.flag("/TP").flag("/std:c++17").flag("/Zc:__cplusplus");
    } else {
        if plan.language == Language::Cxx17 {
            build.flag("-xc++").flag("-std=c++17");
        }
        for flag in &plan.flags {
            if flag.if_supported {
                build.flag_if_supported(&flag.text);
            } else {
                build.flag(&flag.text);
            }
        }
    }
    build.try_compile("mimalloc").map_err(|error| {
        format!(
            "The C compiler failed on {}:\n{}\n\
             If the compiler is too old or not the one you want, name another one in CC (or CC_<target>).",
            sources.root.join("src/static.c").display(),
            error
        )
    })
}

fn no_compiler(error: cc::Error) -> String {
    format!(
        "No C compiler was found: {}\n\
         Install one (Debian and Ubuntu: `apt-get install gcc`; Fedora: `dnf install gcc`; Alpine: `apk add gcc musl-dev`;\n\
         macOS: `xcode-select --install`; Windows: the C++ build tools of Visual Studio), or name yours in CC.",
        error
    )
}
