//! The examples as a user runs them, and the values that they print. (`quickstart` has its own module.)

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn heap_per_request() {
    let printed = run("heap_per_request", &[]);
    contains(&printed, "10000 requests took 3179640 blocks");
    // Each field is a name, a value and an entry.
    let rows: Vec<Vec<usize>> = printed
        .lines()
        .filter_map(|line| line.split_whitespace().map(|n| n.parse().ok()).collect())
        .collect();
    assert_eq!(rows.len(), 9, "{}", printed);
    for row in rows {
        let (request, fields) = (row[0], 1 + row[0] * 37 % 211);
        assert_eq!(row[..3], [request, fields, 3 * fields], "{}", printed);
        assert!(row[3] > 50 * fields, "{}", printed);
    }
    let pages = numbers(line(&printed, "pages in use"));
    assert!(pages[1] <= pages[0] + 10, "{}", printed);
}

#[test]
#[cfg(unix)]
fn arena() {
    let printed = run("arena", &[]);
    contains(&printed, "arena of 64 MiB at 0x");
    contains(&printed, "10000 tiles of 295 MiB in all");
    let tiles = numbers(line(&printed, " were evicted"));
    assert_eq!(tiles[0] + tiles[2], 10_000, "{}", printed);
    assert!((32..=64).contains(&tiles[1]), "{}", printed);
}

#[test]
fn plugin_thread() {
    // The parent is large, and its memory must not count as the example's.
    let ballast = std::hint::black_box(vec![1u8; 256 << 20]);
    let printed = run("plugin_thread", &[]);
    drop(ballast);
    if cfg!(feature = "override") {
        contains(&printed, "not run: with `override`");
        return;
    }
    contains(
        &printed,
        "a plugin answered 5700000, and leaked 100000 blocks",
    );
    contains(&printed, "20 plugins leaked 122 MiB in all");
    let peak = numbers(line(&printed, "the host's memory was"))[0];
    if cfg!(target_os = "linux") {
        assert!((6..100).contains(&peak), "{}", printed);
    }
}

#[test]
fn thread_runtime() {
    let printed = run("thread_runtime", &[]);
    contains(
        &printed,
        "4 threads parsed 20000 expressions of 1311700 nodes",
    );
    if cfg!(mi_v3) {
        contains(&printed, "the heap allocated 1311700 blocks");
    }
}

#[test]
fn occupancy() {
    let picture = scratch("occupancy.svg");
    let printed = run("occupancy", &[&picture]);
    let mut sizes = Vec::new();
    let (mut used, mut blocks) = (0, 0);
    for row in printed.lines().filter(|line| line.contains(" B ")) {
        let row = numbers(row);
        assert!(row[1] <= row[2], "{}", printed);
        assert_eq!(row[3], 100 * row[1] / row[2], "{}", printed);
        sizes.push(row[0]);
        used += row[1];
        blocks += row[2];
    }
    assert_eq!(sizes, [8, 16, 32, 64, 128, 256, 512, 1024], "{}", printed);
    assert!(blocks > used && used > 10_000, "{}", printed);

    // A square for each block, one of each kind in the legend, and a background.
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    let count = |what: &str| svg.matches(what).count();
    assert_eq!(count("<rect "), blocks + 3);
    assert_eq!(count("fill=\"#264653\""), used + 1);
    assert_eq!(count("fill=\"white\""), 1);
    assert_eq!(count("<title>"), 1);
    for label in ["block in use", "free block"] {
        assert_eq!(count(&format!(">{}<", label)), 1);
    }
    // Each size is labelled once.
    for size in sizes {
        assert_eq!(count(&format!(">{} B<", size)), 1);
    }
}

#[test]
fn live_stats() {
    let printed = run("live_stats", &[]);
    contains(&printed, "statistics at http://127.0.0.1:");
    let rows: Vec<Vec<usize>> = printed
        .lines()
        .filter(|line| line.contains(" records,"))
        .map(numbers)
        .collect();
    let records: Vec<usize> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(records, [0, 50_000, 100_000, 150_000, 0], "{}", printed);
    for pair in rows[..4].windows(2) {
        assert!(pair[0][1] < pair[1][1], "{}", printed);
    }

    let output = Command::new(example("live_stats"))
        .arg("port")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    contains(
        &String::from_utf8_lossy(&output.stderr),
        "Usage: live_stats [PORT]",
    );
}

/// With a port as argument, it serves the statistics of a running program.
#[test]
fn live_stats_serves_changing_numbers() {
    let mut server = Killed(
        Command::new(example("live_stats"))
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut printed = String::new();
    let output = server.0.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut printed).unwrap();
    let address = printed.trim().rsplit("http://").next().unwrap();
    let address = address.trim_end_matches('/');
    let pages = || -> usize {
        let mut connection = TcpStream::connect(address).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", address);
        connection.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{}", response);
        // { "total": .., "peak": .., "current": .. }
        numbers(line(&response, "\"pages\":"))[2]
    };
    // The number rises and falls and rises again, with a period of two and a half seconds.
    let start = Instant::now();
    for wanted in [101..1000, 0..30, 101..1000] {
        while !wanted.contains(&pages()) {
            let waited = start.elapsed() < Duration::from_secs(60);
            assert!(waited, "{} pages and not {:?}", pages(), wanted);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A program that is killed at the end of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn heap_profile() {
    let name = scratch("heap_profile");
    let printed = run("heap_profile", &[&name]);
    if cfg!(mi_v2) {
        contains(&printed, "needs v3");
        return;
    }
    contains(&printed, "10000000 bytes really in use");
    let bytes = numbers(line(&printed, " bytes in sampled blocks"));
    assert!((1_000_000..=10_100_000).contains(&bytes[1]), "{}", printed);
    assert!(bytes[0] > 2 * bytes[1], "{}", printed);

    if cfg!(not(target_os = "linux")) {
        println!("not run: names are checked on Linux only");
        return;
    }
    let message = name.with_extension("0001.pb");
    names("pprof", &message, &|allocated| {
        let index = if allocated {
            "alloc_bytes"
        } else {
            "inuse_bytes"
        };
        let index = format!("-sample_index={}", index);
        ["-top", "-cum", "-nodecount=1000", "-nodefraction=0", &index]
            .map(String::from)
            .to_vec()
    });
    let text = name.with_extension("0001.heap");
    names("google-pprof", &text, &|allocated| {
        let kind = if allocated {
            "--alloc_space"
        } else {
            "--inuse_space"
        };
        ["--text", "--cum", kind].map(String::from).to_vec()
    });
}

/// A viewer of profiles names the functions that allocated. `arguments` returns the arguments for allocated bytes or
/// for bytes in use.
fn names(viewer: &str, profile: &Path, arguments: &dyn Fn(bool) -> Vec<String>) {
    if Command::new(viewer).arg("--help").output().is_err() {
        println!("not run: there is no `{}`", viewer);
        return;
    }
    let percent = |allocated: bool, function: &str| {
        let output = Command::new(viewer)
            .args(arguments(allocated))
            .args([&example("heap_profile"), profile])
            .output()
            .unwrap();
        let table = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && table.contains("%"),
            "{}: {}\n{}{}",
            viewer,
            output.status,
            table,
            errors
        );
        // Flat, its percentage, their sum, cumulative, its percentage, and the name.
        let rows = table.lines().filter(|row| row.contains(function));
        let cumulative = rows.map(|row| {
            let column = row.split_whitespace().nth(4).unwrap();
            column.trim_end_matches('%').parse().unwrap()
        });
        cumulative.fold(0.0, f64::max)
    };
    let kept = percent(false, "fill_cache");
    assert!(kept > 90.0, "{}: {} % of what is in use", viewer, kept);
    let parsed = [false, true].map(|allocated| percent(allocated, "parse_lines"));
    assert!(
        parsed[0] < 5.0 && parsed[1] > 50.0,
        "{}: {:?}",
        viewer,
        parsed
    );
}

#[test]
fn memory_by_task() {
    let printed = run("memory_by_task", &[]);
    if cfg!(mi_v2) {
        contains(&printed, "needs v3");
        return;
    }
    for (task, allocated, in_use) in [("sessions", 27_343, 6_835), ("index", 29_296, 29_296)] {
        let row = numbers(line(&printed, task));
        assert_eq!((row[0], row[2]), (allocated, in_use), "{}", printed);
        assert!(row[1].abs_diff(allocated) < allocated / 4, "{}", printed);
        assert!(row[3].abs_diff(in_use) < in_use / 4, "{}", printed);
    }
    // The rate that `mi_profiler_start` derives from `initial_sample_rate`.
    contains(
        &printed,
        "first sample: 1 where the profiler was started, 65536 elsewhere",
    );
}

/// Runs an example, which must succeed, and returns what it printed.
fn run(name: &str, arguments: &[&Path]) -> String {
    let output = Command::new(example(name))
        .args(arguments)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} ended with {}\n{}{}",
        name,
        output.status,
        printed,
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// The program that `cargo test` has built beside this one.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap(); // of target/debug/deps/examples-0123
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo test`, or `cargo build --examples` first",
        program.display()
    );
    program
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn contains(printed: &str, what: &str) {
    assert!(printed.contains(what), "{:?} is not in:\n{}", what, printed);
}

/// The line that contains `what`.
fn line<'a>(printed: &'a str, what: &str) -> &'a str {
    printed
        .lines()
        .find(|line| line.contains(what))
        .unwrap_or_else(|| panic!("{:?} is not in:\n{}", what, printed))
}

/// The whole numbers of a text.
fn numbers(text: &str) -> Vec<usize> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}
