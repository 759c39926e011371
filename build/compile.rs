//! Turns a plan into a run of the C compiler.

use super::arguments::{self, Adaptation};
use super::clang;
use super::config::{Config, Major};
use super::env;
use super::fast_path::{self, Code, FastPath};
use super::lto;
use super::object::{self, Object};
use super::plan::{Flag, Language, Plan, RuntimeLib};
use super::sources::Sources;
use super::units::{self, Unit};
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// What only the compiler, its arguments or the compiled object show: what to link, and the code that `MiMalloc` uses.
pub struct Compiled {
    pub fast_path: FastPath,
    pub retained_pages: bool,
    /// Besides those that `cc` has printed.
    pub commands: Vec<String>,
    /// Besides those of the plan.
    pub warnings: Vec<String>,
    pub libraries: Vec<String>,
    pub folders: Vec<PathBuf>,
    /// The C files of this package that the compiler has read.
    pub own: Vec<PathBuf>,
}

/// Compiles `static.c`, the one file that includes all others, into `libmimalloc.a` in `OUT_DIR`;
/// or files of this package, which include each other and then upstream's (`build.rs`).
///
/// The compiler's arguments have a say in what the plan decided: the user's are among them, and the last one wins. So has
/// the compiler's answer about the fast path in Rust.
pub fn compile(config: &Config, plan: &Plan, sources: &Sources) -> Result<Compiled, String> {
    let upstream = sources.root.join("src");
    // Before the source, and before what it includes.
    let first = Some(env::manifest_dir().join("src/thread.h")).filter(|_| plan.bitcode);
    let mut build = cc::Build::new();
    build
        .include(sources.root.join("include"))
        .include(&upstream)
        .warnings(false)
        .cpp(plan.language == Language::Cxx17);
    match plan.opt_level.parse() {
        Ok(level) => build.opt_level(level),
        Err(_) => build.opt_level_str(&plan.opt_level), // "s" and "z"
    };
    for define in &plan.defines {
        build.define(&define.name, define.value.as_deref());
    }
    let mut compiler = build.try_get_compiler().map_err(no_compiler)?;
    if plan.bitcode {
        if let Some(clang) = clang::for_bitcode(&compiler)? {
            build.compiler(clang);
            compiler = build.try_get_compiler().map_err(no_compiler)?;
        }
    }
    // In a folder of the build's own: `zig cc` leaves a file even for this.
    let mut version = compiler.to_command();
    version.arg("--version").current_dir(env::out_dir());
    if let Err(error) = version.output() {
        return Err(no_compiler(not_run(&compiler, error)));
    }
    if compiler.is_like_msvc() {
        for flag in &plan.msvc_flags {
            build.flag(flag);
        }
        if plan.assembly {
            let listing = format!("/Fa{}", env::out_dir().join("static.asm").display());
            build.flag(&listing);
        }
    } else {
        // Debug information and assertions contain names of files. Without this machine's folders in those
        // names the library is the same wherever it is built. (The last map that matches is used.)
        let maps = [
            (env::out_dir(), "out".to_string()),
            (env::manifest_dir(), "mi-malloc-sys".to_string()),
            (
                sources.root.clone(),
                format!("mimalloc-{}", sources.release.version),
            ),
        ];
        let maps = maps
            .iter()
            .map(|(folder, name)| format!("-ffile-prefix-map={}={}", folder.display(), name));
        let of_gcc = plan.gcc_flags.iter().filter(|_| compiler.is_like_gnu());
        let optional = maps.chain(of_gcc.cloned()).map(|text| Flag {
            text,
            if_supported: true,
        });
        let flags: Vec<Flag> = plan.flags.iter().cloned().chain(optional).collect();
        let accepts_all = accepts_optional(&compiler, &flags)?;
        for flag in &flags {
            if flag.if_supported && !accepts_all {
                build.flag_if_supported(&flag.text);
            } else {
                build.flag(&flag.text);
            }
        }
        if let Some(header) = &first {
            let header = header.display().to_string();
            build.flag("-include").flag(&header);
        }
        if plan.assembly {
            build.flag("-save-temps=obj"); // beside the object, which is in OUT_DIR
        }
    }
    if let (Some(reason), false) = (&plan.clang_only, compiler.is_like_clang()) {
        return Err(format!(
            "{}\nThe compiler is {}. Install clang and name it in CC (or CC_<target>).",
            reason,
            compiler.path().display()
        ));
    }
    for header in &plan.required_headers {
        if !has_header(&compiler, &header.name)? {
            return Err(format!(
                "The C compiler finds no <{}>: {}",
                header.name, header.advice
            ));
        }
    }
    for optional in &plan.optional_headers {
        if has_header(&compiler, &optional.header)? {
            build.define(&optional.define, "1");
        }
    }
    let compiler = build.try_get_compiler().map_err(no_compiler)?;
    // From the command, because `Tool::args` leaves out what follows the program in CC.
    let arguments: Vec<String> = compiler
        .to_command()
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let mut adaptation = if compiler.is_like_msvc() {
        arguments::adapt_definitions(plan, &arguments)
    } else {
        arguments::adapt(config, plan, &arguments)?
    };
    let mut fast_path = adaptation.fast_path.clone();

    let files = units::own_files(config.major, plan, fast_path.code);
    let folder = env::manifest_dir();
    let units: Vec<(Unit, PathBuf)> =
        units::of_files(config.major, plan, &files, compiler.is_like_msvc())
            .into_iter()
            .map(|unit| {
                let own = unit.file.map(|file| folder.join(file));
                (unit, own.unwrap_or_else(|| upstream.join("static.c")))
            })
            .collect();
    let mut own: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
    own.extend(first);
    // The thread-local variable that the Rust code reads, and the file that asserts what it assumes.
    let (default_heap, assertions) = match config.major {
        Major::V3 => ("__mi_theap_default", "src/global/inlined.c"),
        Major::V2 => ("_mi_heap_default", "src/global/inlined_v2.c"),
    };
    // At the same time as the library, which takes a hundred times as long.
    let assertions_file = env::manifest_dir().join(assertions);
    let check = match fast_path.code {
        Code::Rust { .. } => Some(start_syntax_check(
            &compiler,
            &adaptation,
            &assertions_file,
        )?),
        _ => None,
    };
    let mut archived = archive(&build, &compiler, &adaptation, &units)?;
    if lto::is_elf(&config.target) {
        let mut object = object::of_archive(&read_archive()?);
        if object.is_intermediate() && arguments::end_link_time(plan, &mut adaptation) {
            archived = archive(&build, &compiler, &adaptation, &units)?;
            object = object::of_archive(&read_archive()?);
        }
        check_object(config, plan, &compiler, &object)?;
        if !object.has_initial_exec(default_heap) {
            let reason = "the object's thread-local variables are not of the model initial-exec";
            fast_path = fast_path.without_rust(config.major, reason.to_string());
        }
    }
    if let Some(check) = check {
        let output = check
            .wait_with_output()
            .map_err(|error| not_run(&compiler, error))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let reason = fast_path::failed_assertion(assertions, &text);
            fast_path = fast_path.without_rust(config.major, reason);
        }
        own.push(assertions_file);
    }
    Ok(Compiled {
        fast_path,
        retained_pages: adaptation.retained_pages,
        commands: archived.commands,
        warnings: [adaptation.warnings, archived.warnings].concat(),
        libraries: runtime_libs(&plan.runtime_libs)?,
        folders: folders(plan, &compiler),
        own,
    })
}

/// The name of the object, and of what the compiler leaves beside it.
fn object_of(unit: &Unit) -> PathBuf {
    let part = unit.part.map_or(String::new(), |part| format!("-{}", part));
    env::out_dir().join(format!("mimalloc{}.o", part))
}

/// How an archive was made, except what `cc` has printed itself.
#[derive(Default)]
struct Archived {
    commands: Vec<String>,
    warnings: Vec<String>,
}

/// Compiles translation units, all at the same time, into `libmimalloc.a`.
fn archive(
    build: &cc::Build,
    compiler: &cc::Tool,
    adaptation: &Adaptation,
    units: &[(Unit, PathBuf)],
) -> Result<Archived, String> {
    let mut build = build.clone();
    let mut archived = Archived::default();
    if let ([(_, source)], true) = (units, adaptation.appended.is_empty()) {
        return build
            .file(source)
            .try_compile("mimalloc")
            .map(|()| archived)
            .map_err(|error| failed(source, error));
    }
    // `cc` has no place behind the user's options, and starts one compiler after the other.
    let mut started = Vec::new();
    for (unit, source) in units {
        let mut command = with_appended(compiler, adaptation);
        if let Some(part) = unit.part {
            command.arg(format!("-DMI_MALLOC_SYS_PART={}", part));
        }
        command.arg("-c").arg(source).arg("-o").arg(object_of(unit));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::piped()).spawn();
        started.push((source, command, child));
    }
    let mut failures = Vec::new();
    for (source, command, child) in started {
        match checked(&command, child.and_then(Child::wait_with_output)) {
            Ok(said) => archived.warnings.extend(said.lines().map(str::to_string)),
            Err(said) => failures.push(failed(source, said)),
        }
        archived.commands.push(format!("{:?}", command));
    }
    if !failures.is_empty() {
        return Err(failures.join("\n"));
    }
    for (unit, _) in units {
        build.object(object_of(unit));
    }
    build
        .try_compile("mimalloc")
        .map(|()| archived)
        .map_err(|error| failed(&env::out_dir().join("libmimalloc.a"), error))
}

fn with_appended(compiler: &cc::Tool, adaptation: &Adaptation) -> Command {
    let mut command = compiler.to_command();
    command.args(&adaptation.appended);
    command
}

/// The compiler's messages, as the error if it fails.
fn checked(command: &Command, output: io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|error| format!("{:?}: {}", command.get_program(), error))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{:?}\n{}", command, said))
}

fn failed(source: &Path, error: impl Display) -> String {
    format!(
        "The C compiler failed on {}:\n{}\n\
         If the compiler is too old or not the one you want, name another one in CC (or CC_<target>).",
        source.display(),
        error
    )
}

/// Whether a linker can use the result, for an ELF target: a wrapper or a configuration file may have options that only
/// the object shows.
fn check_object(
    config: &Config,
    plan: &Plan,
    compiler: &cc::Tool,
    object: &Object,
) -> Result<(), String> {
    let compiler = compiler.path().display();
    let elf = match object {
        Object::Bitcode if plan.bitcode => return Ok(()),
        _ if plan.bitcode => {
            return Err(format!(
                "MIMALLOC_SYS_LTO asks for bitcode, and {} made {}.\n\
                 Take -ffat-lto-objects out of CFLAGS, look for a wrapper or a configuration file of that compiler that has it or \
                 -fno-lto, or unset the variable.",
                compiler,
                object::describe(object)
            ))
        }
        Object::Elf(elf) if !object.is_intermediate() => elf,
        Object::Other => return Err(other_machine(config, &compiler, object)),
        _ => {
            return Err(format!(
                "{} made intermediate code for link-time optimisation, also with -fno-lto, and a linker finds no function in it.\n\
                 Turn that off in the wrapper or the configuration file of that compiler, or name another one in CC (or CC_<target>).",
                compiler
            ))
        }
    };
    if !object::is_for(elf, &config.target) {
        return Err(other_machine(config, &compiler, object));
    }
    if !elf.functions.iter().any(|name| name == "mi_version") {
        return Err(format!(
            "{} made an object in which other code finds no function mi_version.\n\
             Look for options in CFLAGS that rename functions or drop them (-fwhole-program).",
            compiler
        ));
    }
    Ok(())
}

fn other_machine(config: &Config, compiler: &impl Display, object: &Object) -> String {
    format!(
        "{} made {}, and the target is {}.\n\
         Name a compiler for that target in CC_{}, and look for another target in CFLAGS.",
        compiler,
        object::describe(object),
        config.target.triple,
        config.target.triple.replace('-', "_")
    )
}

/// Starts a check of a file for errors, with all options that the library is compiled with.
fn start_syntax_check(
    compiler: &cc::Tool,
    adaptation: &Adaptation,
    file: &Path,
) -> Result<Child, String> {
    with_appended(compiler, adaptation)
        .arg("-fsyntax-only")
        .arg(file)
        .current_dir(env::out_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_run(compiler, error))
}

/// Whether the compiler accepts all optional flags: one run instead of one for each. If it does not, its messages do not
/// show which it refuses, and `cc` has to probe each.
fn accepts_optional(compiler: &cc::Tool, flags: &[Flag]) -> Result<bool, String> {
    let file = env::out_dir().join("flags.c");
    fs::write(&file, "int flags;\n").map_err(|error| format!("{}: {}", file.display(), error))?;
    let optional = flags.iter().filter(|flag| flag.if_supported);
    let mut command = compiler.to_command();
    command
        .args(optional.map(|flag| &flag.text))
        .arg("-c")
        .arg(&file)
        .arg("-o")
        .arg(file.with_extension("o"))
        .current_dir(env::out_dir());
    let output = command.output().map_err(|error| not_run(compiler, error))?;
    Ok(output.status.success() && output.stderr.is_empty())
}

/// Whether the preprocessor finds a header.
fn has_header(compiler: &cc::Tool, header: &str) -> Result<bool, String> {
    let file = env::out_dir().join("header.c");
    fs::write(&file, format!("#include <{}>\n", header))
        .map_err(|error| format!("{}: {}", file.display(), error))?;
    let mut command = compiler.to_command();
    command.arg("-E").arg(&file);
    if !compiler.is_like_msvc() {
        // zig would leave its output in the package's folder.
        command.arg("-o").arg(file.with_extension("i"));
    }
    succeeds(compiler, command)
}

fn succeeds(compiler: &cc::Tool, mut command: Command) -> Result<bool, String> {
    command
        .output()
        .map(|output| output.status.success())
        .map_err(|error| not_run(compiler, error))
}

fn not_run(compiler: &cc::Tool, error: impl Display) -> String {
    format!("{}: {}", compiler.path().display(), error)
}

/// The libraries whose functions are called: a call is an undefined symbol, and so a name in the archive.
fn runtime_libs(runtime_libs: &[RuntimeLib]) -> Result<Vec<String>, String> {
    if runtime_libs.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = read_archive()?;
    Ok(runtime_libs
        .iter()
        .filter(|runtime_lib| calls(&bytes, &runtime_lib.calls))
        .map(|runtime_lib| runtime_lib.library.clone())
        .collect())
}

fn read_archive() -> Result<Vec<u8>, String> {
    let archive = env::out_dir().join("libmimalloc.a");
    fs::read(&archive).map_err(|error| format!("{}: {}", archive.display(), error))
}

/// Whether there is a function whose name starts with `start`. Debug information has other such names: the variables of
/// gcc's <stdatomic.h>, such as `__atomic_load_ptr`.
fn calls(bytes: &[u8], start: &str) -> bool {
    let variables: [&[u8]; 3] = [b"_ptr", b"_tmp", b"_val"];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes
        .windows(start.len())
        .enumerate()
        .filter(|(_, window)| *window == start.as_bytes())
        .map(|(at, _)| {
            bytes[at..]
                .split(|byte| !is_name(byte))
                .next()
                .unwrap_or(&[])
        })
        .any(|name| !variables.iter().any(|end| name.ends_with(end)))
}

/// WASI's emulation libraries are beside the C library, where Rust does not search.
fn folders(plan: &Plan, compiler: &cc::Tool) -> Vec<PathBuf> {
    plan.libraries
        .iter()
        .filter(|library| library.starts_with("wasi-emulated-"))
        .filter_map(|library| folder_of(compiler.to_command(), &format!("lib{}.a", library)))
        .collect()
}

/// gcc and clang answer with the bare name if they do not find the file.
fn folder_of(mut compiler: Command, file: &str) -> Option<PathBuf> {
    let output = compiler
        .arg(format!("-print-file-name={}", file))
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    let path = Path::new(path.trim());
    if path.is_absolute() && path.is_file() {
        path.parent().map(Path::to_path_buf)
    } else {
        None
    }
}

fn no_compiler(error: impl Display) -> String {
    format!(
        "No C compiler was found: {}\n\
         Install one (Debian and Ubuntu: `apt-get install gcc`; Fedora: `dnf install gcc`; Alpine: `apk add gcc musl-dev`;\n\
         macOS: `xcode-select --install`; Windows: the C++ build tools of Visual Studio), or name yours in CC.",
        error
    )
}
