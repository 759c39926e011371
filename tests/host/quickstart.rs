//! The quickstart example as a user runs it: what it prints, what it refuses and its exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn words_are_counted() {
    let folder = Folder::new("words");
    folder.write(
        "a.txt",
        "The cat. The dog's bone, and the CAT'S bone; 'quoted' 12 x86 _id\n",
    );
    folder.write("deeper/b.txt", "Über über ÜBER the\n");
    let printed = succeeds(&[folder.path()]);
    assert!(
        printed.starts_with("16 words, 10 of them different, in 87 B of text\n2 files\n"),
        "{}",
        printed
    );
    // By count, and words of the same count by name.
    assert_eq!(
        ranking(&printed),
        [
            (4, "the"),
            (3, "über"),
            (2, "bone"),
            (1, "_id"),
            (1, "and"),
            (1, "cat"),
            (1, "cat's"),
            (1, "dog's"),
            (1, "quoted"),
            (1, "x86"),
        ]
        .map(|(count, word)| (count, word.to_string()))
    );
}

#[test]
fn a_large_file_is_cut_between_words_only() {
    let folder = Folder::new("large");
    folder.write("large.txt", "one twenty-two threehundred\n".repeat(40_000));
    folder.write("one-word.txt", "x".repeat(300_000));
    let printed = succeeds(&[folder.path()]);
    let counted = ranking(&printed);
    assert_eq!(
        counted[..4],
        ["one", "threehundred", "twenty", "two"].map(|word| (40_000, word.to_string()))
    );
    assert_eq!(counted[4], (1, "x".repeat(300_000)));
    assert_eq!(counted.len(), 5);
}

#[test]
fn files_that_are_not_text_are_reported() {
    let folder = Folder::new("kinds");
    folder.write("utf8.txt", "plain\n");
    folder.write("latin1.txt", b"caf\xe9 plain\n");
    folder.write("image.png", b"\x89PNG\0\0hidden\n");
    let printed = succeeds(&[folder.path()]);
    assert!(
        printed.contains(
            "3 files, of which 1 not in UTF-8 (what is not was read as gaps between words), \
             1 skipped as not text\n"
        ),
        "{}",
        printed
    );
    assert_eq!(
        ranking(&printed),
        [(2, "plain"), (1, "caf")].map(|(count, word)| (count, word.to_string()))
    );
}

#[test]
fn several_paths_and_one_that_begins_with_a_dash() {
    let folder = Folder::new("paths");
    folder.write("one.txt", "first");
    folder.write("-two.txt", "second");
    folder.write("unread.txt", "third");
    let output = quickstart()
        .current_dir(folder.path())
        .args(["one.txt", "--", "-two.txt"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(
        ranking(&text(&output.stdout)),
        [(1, "first"), (1, "second")].map(|(count, word)| (count, word.to_string()))
    );
}

#[test]
fn the_statistics_are_those_of_the_program() {
    let printed = succeeds::<&Path>(&[]); // its own C sources
    assert!(number(&printed, "words,") > 10_000, "{}", printed);
    assert!(ranking(&printed).iter().any(|(_, word)| word == "size_t"));

    let version = if cfg!(mi_v2) { "2.5.2" } else { "3.6.0" };
    if std::env::var_os("MIMALLOC_SYS_SOURCE_DIR").is_none() {
        assert!(
            printed.contains(&format!("mimalloc {}\n", version)),
            "{}",
            printed
        );
    }
    for (what, place) in [
        ("a Box of 100 bytes", "in its heap, in a block of 1"), // 100 bytes or a little more
        ("the Vec of all words", "in its heap"),
        ("a local variable", "not in its heap"),
    ] {
        let line = line_of(&printed, what);
        assert!(line[what.len()..].trim().starts_with(place), "{}", line);
    }

    let threads = number(&printed, "threads,");
    assert!(threads >= 2);
    let [total, peak, now] = row(
        &printed,
        if cfg!(mi_v2) {
            "other threads"
        } else {
            "threads"
        },
    );
    // A thread without work allocates nothing, so mimalloc does not count it.
    let main = if cfg!(mi_v2) { 0 } else { 1 };
    let total: u64 = total.parse().unwrap();
    assert!(main < total && total <= threads + main, "{}", printed);
    assert!(peak.parse::<u64>().unwrap() <= total, "{}", printed);
    assert_eq!(now, main.to_string());

    let [pages, ..] = row(&printed, "pages");
    assert!(pages.replace(',', "").parse::<u64>().unwrap() > 10);
    for memory in ["committed", "reserved"] {
        let [total, ..] = row(&printed, memory);
        assert!(
            total.ends_with("MiB") || total.ends_with("GiB"),
            "{}",
            printed
        );
    }
    // Each word is its own String at first, so the program allocated more blocks than it found words.
    if cfg!(mi_v3) {
        let blocks = line_of(&printed, "blocks")
            .split_whitespace()
            .nth(1)
            .unwrap();
        let blocks: u64 = blocks.replace(',', "").parse().unwrap();
        assert!(blocks > number(&printed, "words,"), "{}", printed);
    }
    assert!(printed.contains("\npeak memory "));
    assert!(printed.contains("\nprocess time "));
}

#[test]
fn numbers_of_the_allocator_are_consistent() {
    let printed = succeeds::<&Path>(&[]);
    let table = printed.split("\n\n").nth(3).unwrap();
    let mut names = Vec::new();
    for line in table.lines().skip(1).filter(|line| !line.contains(':')) {
        let (name, cells) = line.split_at(14);
        let cells: Vec<f64> = cells
            .split("  ")
            .filter_map(|cell| amount(cell.trim()))
            .collect();
        match cells[..] {
            [] => assert!(line.contains('-'), "{}", printed),
            [total] => assert!(total > 0.0, "{}", printed),
            [total, peak, now] => assert!(total >= peak && peak >= now, "{}", printed),
            _ => panic!("{}", printed),
        }
        names.push((name.trim(), cells));
    }
    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let expected = if cfg!(mi_v2) {
        [
            "requested",
            "allocated",
            "committed",
            "reserved",
            "pages",
            "other threads",
        ]
    } else {
        [
            "allocated",
            "blocks",
            "committed",
            "reserved",
            "pages",
            "threads",
        ]
    };
    assert_eq!(names, expected);
}

#[test]
#[cfg(target_os = "linux")]
fn the_peak_is_the_programs_own() {
    // What `getrusage` reports for a program includes the memory of the program that started it.
    let ballast = std::hint::black_box(vec![1u8; 256 << 20]);
    let printed = succeeds::<&Path>(&[]);
    drop(ballast);
    let peak = printed.split("\npeak memory ").nth(1).unwrap().trim();
    let peak = amount(peak).unwrap();
    assert!(peak > 1e6 && peak < 200e6, "{}", printed);
}

#[test]
fn help_is_printed() {
    for option in ["-h", "--help"] {
        let printed = succeeds(&[option]);
        assert!(
            printed.starts_with("Usage: quickstart [PATH...]\n"),
            "{}",
            printed
        );
    }
}

#[test]
fn bad_arguments_are_refused() {
    let folder = Folder::new("bad");
    folder.write("empty/nothing.txt", "");
    folder.write("numbers/digits.txt", "1 2 3\n");
    folder.write("binary/zeros", b"\0\0\0");
    let inside = |name: &str| folder.path().join(name);

    fails(
        &["--colour".as_ref()],
        2,
        "unknown option `--colour`\n\nUsage:",
    );
    fails(&["".as_ref()], 2, "a path is empty");
    fails(&[&inside("nowhere")], 1, "nowhere` cannot be read: ");
    // One bad path among valid ones suffices.
    fails(
        &[&inside("numbers"), &inside("gone")],
        1,
        "gone` cannot be read: ",
    );
    fails(&[&inside("empty")], 1, "empty`: 1 file\n");
    fails(&[&inside("numbers")], 1, "there is no text in `");
    fails(&[&inside("binary")], 1, "1 file, 1 skipped as not text\n");
    // Permissions do not apply to the superuser, but nobody can read this file from its beginning.
    if cfg!(target_os = "linux") {
        fails(
            &["/proc/self/mem".as_ref()],
            1,
            "`/proc/self/mem` cannot be read: ",
        );
    }
}

#[test]
#[cfg(unix)]
fn a_closed_output_is_no_failure() {
    use std::process::Stdio;
    let mut child = quickstart()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(text(&output.stderr), "");
}

fn succeeds<P: AsRef<std::ffi::OsStr>>(arguments: &[P]) -> String {
    let output = quickstart().args(arguments).output().unwrap();
    // No progress is shown without a terminal.
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success(), "{:?}", output.status);
    text(&output.stdout)
}

fn fails(arguments: &[&Path], code: i32, message: &str) {
    let output: Output = quickstart().args(arguments).output().unwrap();
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}", printed);
    assert!(printed.starts_with("quickstart: "), "{}", printed);
    assert!(
        printed.contains(message),
        "{:?} is not in {:?}",
        message,
        printed
    );
    assert!(output.stdout.is_empty());
}

/// The program that `cargo test` has built beside this one.
fn quickstart() -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap(); // of target/debug/deps/quickstart-0123
    let program = profile
        .join("examples/quickstart")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo test`, or `cargo build --example quickstart` first",
        program.display()
    );
    Command::new(program)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The table of words: lines of a count and a word, after the first empty line.
fn ranking(printed: &str) -> Vec<(u64, String)> {
    let table = printed.split("\n\n").nth(1).unwrap();
    table
        .lines()
        .map(|line| {
            let (count, word) = line.trim_start().split_once("  ").unwrap();
            (count.replace(',', "").parse().unwrap(), word.to_string())
        })
        .collect()
}

fn line_of<'a>(printed: &'a str, name: &str) -> &'a str {
    printed
        .lines()
        .map(str::trim_start)
        .find(|line| line.starts_with(name))
        .unwrap_or_else(|| panic!("no line begins with {:?}:\n{}", name, printed))
}

/// The number before `what` in the summary.
fn number(printed: &str, what: &str) -> u64 {
    let before = printed.split(what).next().unwrap();
    let number = before.split_whitespace().last().unwrap();
    number.replace(',', "").parse().unwrap()
}

/// The columns of a line of the statistics; those that are bytes have a unit.
fn row(printed: &str, name: &str) -> [String; 3] {
    let cells: Vec<&str> = line_of(printed, name)[name.len()..]
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    match cells[..] {
        [total, peak, now] => [total, peak, now].map(str::to_string),
        _ => panic!("{:?} has not three columns:\n{}", name, printed),
    }
}

/// `1,234` or `1.5 KiB`.
fn amount(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "B"));
    let number: f64 = number.replace(',', "").parse().ok()?;
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = units.iter().position(|name| *name == unit)?;
    Some(number * 1024f64.powi(power as i32))
}

/// A folder for one test, empty at its beginning and removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("quickstart-{}", name));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
