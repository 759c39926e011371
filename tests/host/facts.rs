//! Facts that several documents state: each has one owner, and the documents are compared with it.
//! Features belong to `Cargo.toml`, variables to `build/env.rs`, releases to the bindings and the pins,
//! figures to `bench/published/` and `bench/counts.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn features_are_those_of_the_manifest() {
    let manifest = features("Cargo.toml");
    assert!(manifest.len() > 15, "{:?}", manifest);
    for page in ["README.md", "docs/building.md"] {
        let rows = table(&read(page), "| feature |");
        assert_eq!(names(rows.iter().map(|row| &row[0])), manifest, "{}", page);
    }
    // The build script reads all except those that are accepted for users of other crates.
    let rows = table(&read("README.md"), "| feature |");
    let no_effect = rows.iter().filter(|row| row[1].contains("no effect"));
    let without_effect = names(no_effect.map(|row| &row[0]));
    let env = read("build/env.rs");
    let mut of_the_build: BTreeSet<String> = calls(&env, "feature(\"");
    of_the_build = of_the_build
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    assert!(of_the_build.is_disjoint(&without_effect));
    of_the_build.extend(without_effect.clone());
    assert_eq!(of_the_build, manifest, "build/env.rs");
    // `mi-malloc` forwards each.
    let safe = read("mi-malloc/Cargo.toml");
    let own = features("mi-malloc/Cargo.toml");
    for name in &manifest {
        assert!(own.contains(name), "mi-malloc lacks {}", name);
        let passed_on = safe.contains(&format!("\n{} = [\"mi-malloc-sys/{}\"]", name, name));
        assert_ne!(passed_on, without_effect.contains(name), "{}", name);
    }
}

#[test]
fn variables_are_those_that_the_build_reads() {
    let read_by_build = calls(&read("build/env.rs"), "user(\"");
    assert!(read_by_build.len() > 4, "{:?}", read_by_build);
    let rows = table(&read("docs/building.md"), "| variable | effect |");
    let mut described = names(rows.iter().map(|row| &row[0]));
    described.retain(|name| name.contains('_'));
    assert_eq!(described, read_by_build, "docs/building.md");
    let readme = read("README.md");
    let named = readme
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("MIMALLOC_SYS_"))
        .map(str::to_string)
        .collect();
    let ours = |name: &&String| name.starts_with("MIMALLOC_SYS_");
    let expected: BTreeSet<String> = read_by_build.iter().filter(ours).cloned().collect();
    assert_eq!(expected, named, "README.md");
}

/// `mimalloc 3.6.0` in a document is the release that is bound.
#[test]
fn releases_are_those_of_the_bindings() {
    let (v3, v2) = (bound("src/extended/v3.rs"), bound("src/extended/v2.rs"));
    let manifest = read("Cargo.toml");
    let version = format!("+{}\"", v3);
    let versioned = |line: &str| line.starts_with("version = ") && line.ends_with(&version);
    assert!(manifest.lines().any(versioned), "Cargo.toml");
    for page in [
        "README.md",
        "mi-malloc/README.md",
        "mi-malloc/src/lib.rs",
        "src/lib.rs",
        "c_src/README.md",
        "CHANGELOG.md",
    ] {
        let text = read(page);
        assert!(text.contains(&v3) && text.contains(&v2), "{}", page);
    }
    let mut found = 0;
    for page in documents() {
        for after in read(&page).split("mimalloc ").skip(1) {
            let release = |c: char| !c.is_ascii_digit() && c != '.';
            let release = after.split(release).next().unwrap().trim_end_matches('.');
            if release.matches('.').count() == 2 && !release.starts_with('0') {
                found += 1;
                assert!(release == v3 || release == v2, "{}: {}", page, release);
            }
        }
    }
    assert!(found > 8, "only {} releases were found", found);
    // The packages that carry them.
    let page = read("c_src/README.md");
    for folder in ["pin", "witness"] {
        let manifest = read(&format!("c_src/{}/manifest.toml", folder));
        let pin = manifest.lines().find(|line| line.contains(" = \"="));
        let (name, version) = pin.unwrap().split_once(" = \"=").unwrap();
        let named = format!("`{}` {}", name, version.trim_end_matches('"'));
        assert!(
            page.contains(&named),
            "c_src/README.md does not name {}",
            named
        );
    }
}

#[test]
fn times_are_those_of_the_published_runs() {
    let all = read("bench/published/results.json");
    let large = read("bench/published/large/results.json");
    let musl = read("bench/published/musl/results.json");
    let programs = read("bench/published/programs/results.json");
    let page = read("docs/performance.md");
    let readme = table(&read("README.md"), "| compared with |");
    let several = columns(&table(&page, "| | mimalloc 0.1.52"));
    let blocks = columns(&table(&page, "| | mimalloc 0.1.52 | mimalloc3"));
    let of_musl = "| | mimalloc 0.1.52 | mimalloc3 0.1.59 | mimalloc-pprof 1.1.1 | tikv";
    let of_musl = columns(&table(&page, of_musl));
    let whole = "| | mimalloc 0.1.52 | mimalloc3 0.1.59 | mimalloc-pprof 1.1.1 | snmalloc-rs 0.7.6 | tikv-jemallocator 0.7.0 | system |";
    let whole = columns(&table(&page, whole));
    let mut compared = 0;
    let mut compare = |stated: &str, json: &str, ours: &str, header: &str| {
        let id = allocator(json, header);
        let median = round(mean_ratio(json, ours, &id, "median_ns"));
        let least = round(mean_ratio(
            json,
            ours,
            &id,
            name_in(json, "min_ns", "least_ns"),
        ));
        let is_right = stated == median || stated == format!("{} ({})", median, least);
        assert!(
            is_right,
            "{}: {}, not {} ({})",
            header, stated, median, least
        );
        compared += 1;
    };
    for row in &readme[1..] {
        compare(plotted(&row[1]), &all, "v3", &row[0]);
        compare(plotted(&row[2]), &large, "v3", &row[0]);
        compare(plotted(&row[3]), &programs, "v3", &row[0]);
    }
    for column in &several[1..] {
        compare(&column[1], &all, "v3", &column[0]);
        compare(&column[2], &all, "lto", &column[0]);
        compare(&column[3], &all, "large", &column[0]);
    }
    for column in &of_musl[1..] {
        compare(&column[1], &musl, "v3", &column[0]);
    }
    for column in &whole[1..] {
        compare(&column[1], &programs, "v3", &column[0]);
        let id = allocator(&programs, &column[0]);
        let peak = round(mean_ratio(&programs, "v3", &id, "peak_kib"));
        assert_eq!(column[2], peak, "{}", column[0]);
    }
    for column in &blocks[1..] {
        compare(&column[1], &large, "v3", &column[0]);
        let peak = gibibytes(&large, &allocator(&large, &column[0]));
        assert_eq!(column[2], peak, "{}", column[0]);
    }
    let peak = gibibytes(&large, "v3");
    let stated = &blocks[0][2];
    assert!(stated.contains(&peak), "{} is not {}", stated, peak);
    assert_eq!(compared, 3 * 5 + 3 * 7 + 5 + 6 + 7);
    let readme = read("README.md");
    for (count, counted, json) in [
        ("fifteen workloads", 15, &all),
        ("fifteen workloads", 15, &musl),
        ("thirteen with large blocks", 13, &large),
        ("twelve whole programs", 12, &programs),
    ] {
        assert_eq!(workloads(json).len(), counted, "{}", count);
        assert!(
            readme.contains(count),
            "README.md does not state: {}",
            count
        );
    }
    for count in ["Fifteen workloads", "Thirteen workloads", "Twelve programs"] {
        assert!(page.contains(count), "the page does not state: {}", count);
    }
}

/// Minima, since the medians vary more.
#[test]
fn times_of_idioms_are_those_of_the_published_runs() {
    let rows = table(&read("docs/performance.md"), "| compiled with |");
    let profiles = ["lto", "abort", "size", "no-lto", "units"];
    assert_eq!(rows.len(), 1 + profiles.len());
    for (row, profile) in rows[1..].iter().zip(profiles) {
        let json = read(&format!("bench/published/idioms/{}/results.json", profile));
        assert_eq!(workloads(&json).len(), 12, "{}", profile);
        for (stated, header) in row.iter().zip(&rows[0]).skip(1) {
            let least = mean_ratio(&json, "v3", &allocator(&json, header), "min_ns");
            assert_eq!(*stated, round(least), "{} of {}", header, profile);
        }
    }
}

/// The figure of a cell of the README's plot, whose bar must have that length.
fn plotted(cell: &str) -> &str {
    let (bar, figure) = cell[1..].split_once("` ").unwrap();
    let dark = bar.chars().filter(|c| *c == '█').count();
    let expected = (figure.parse::<f64>().unwrap() * 20.0).round() as usize;
    assert_eq!((dark, bar.chars().count()), (expected, 20), "{}", cell);
    figure
}

/// The README's section on when another allocator is better repeats what these texts state.
#[test]
fn disadvantages_are_those_of_the_other_texts() {
    let readme = read("README.md");
    let section = readme.split("\n## When not to use it\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for (here, path, there) in [
        (
            "1.24 of snmalloc's time",
            "docs/performance.md",
            "1.24 of snmalloc's time",
        ),
        (
            "none takes more than 1.03 of the fastest allocator's time",
            "docs/performance.md",
            "at most 1.03 of the fastest allocator's time in each of the thirteen by the medians",
        ),
        (
            "4.0 GiB instead of 4.2",
            "docs/performance.md",
            "(this crate: 4.2 GiB) | 6.5 GiB | 5.3 GiB | 6.5 GiB | 8.6 GiB | 4.6 GiB | 7.7 GiB | 4.0 GiB |",
        ),
        (
            "retain 498 MiB after five seconds, and 403 if their threads call `on_thread_idle`",
            "mi-malloc/README.md",
            "| all together | 29 | 403 | 498 |",
        ),
        (
            "164 MiB remain",
            "mi-malloc/README.md",
            "164 MiB remain in all",
        ),
        ("79 MiB instead of 42", "mi-malloc/README.md", "42 MiB | 0.30 s, 0.56 s, 79 MiB |"),
        (
            "31 with `MIMALLOC_PAGE_RECLAIM_ON_FREE=0`",
            "mi-malloc/README.md",
            "With `MIMALLOC_PAGE_RECLAIM_ON_FREE=0` the peak is 31 MiB",
        ),
        (
            "5.1 seconds",
            "bench/README.md",
            "| mi-malloc-sys | 5.1 (5.0) |",
        ),
    ] {
        assert!(section.contains(here), "README.md does not state: {}", here);
        assert!(read(path).contains(there), "{} does not state: {}", path, there);
    }
}

#[test]
fn instructions_are_the_recorded_ones() {
    let kept = read("bench/counts.json");
    let count = |operation: &str, build: &str| {
        let from = kept
            .split(&format!("\"{}\": {{", operation))
            .nth(1)
            .unwrap();
        format!("{:.0}", number(from.split('}').next().unwrap(), build))
    };
    let rows = table(&read("docs/performance.md"), "| allocated and freed");
    let operations = [
        "raw", "vec-80", "zeroed", "grow", "aligned", "vec-4k", "vec-32k", "buffer",
    ];
    for (row, operation) in rows[1..].iter().zip(operations) {
        assert_eq!(row[1], count(operation, "v3"), "{}", row[0]);
        assert_eq!(row[3], count(operation, "v2"), "{}, v2", row[0]);
    }
    let readme = read("README.md");
    for stated in [
        format!("32 bytes takes {} instructions", count("raw", "v3")),
        format!("{} on v2", count("raw", "v2")),
        format!("{} with `secure`", count("raw", "secure")),
    ] {
        assert!(
            readme.contains(&stated),
            "README.md does not state: {}",
            stated
        );
    }
}

#[test]
fn memory_at_rest_is_that_of_the_published_run() {
    let run = read("bench/published/memory/results.json");
    let rows = table(&read("mi-malloc/README.md"), "| program | in use |");
    let retained = name_in(&run, "retained_kib", "rest_kib");
    let programs: Vec<&str> = run.split("\"program\": \"").skip(1).collect();
    let columns: [&str; 7] = [
        "ours+idle",
        "ours+purge",
        "v3",
        "mimalloc",
        "mimalloc-pprof",
        "jemalloc+background",
        "system",
    ];
    let mebibytes = |figures: &[f64]| format!("{:.0}", figures.iter().sum::<f64>() / 1024.0);
    let mut all = vec![Vec::new(); columns.len() + 1];
    assert_eq!(rows.len(), programs.len() + 2);
    for (row, program) in rows[1..].iter().zip(&programs) {
        let name = program.split('"').next().unwrap();
        assert!(row[0].starts_with(&format!("`{}`", name)), "{}", row[0]);
        all[0].push(number(program, "in_use_kib"));
        for (column, id) in columns.iter().enumerate() {
            let cell = program.split(&format!("\"{}\": {{", id)).nth(1).unwrap();
            let after_five_seconds = cell.split(&format!("\"{}\"", retained)).nth(1).unwrap();
            let figure = after_five_seconds.split("\"median\"").nth(2).unwrap();
            all[column + 1].push(leading(figure));
        }
        for (column, figures) in all.iter().enumerate() {
            let last = &figures[figures.len() - 1..];
            assert_eq!(row[column + 1], mebibytes(last), "{}", row[0]);
        }
    }
    let sums: Vec<String> = all.iter().map(|figures| mebibytes(figures)).collect();
    assert_eq!(rows[rows.len() - 1][1..], sums[..]);
}

/// Runs before 2026-12 use other names for some figures.
fn name_in<'a>(json: &str, name: &'a str, older: &'a str) -> &'a str {
    if json.contains(&format!("\"{}\"", name)) {
        name
    } else {
        older
    }
}

/// The workloads of a `results.json` that count in means: of those for scaling only the last, with all
/// processors (`counted` in bench/driver).
fn workloads(json: &str) -> Vec<&str> {
    let rows: Vec<&str> = json.split("\"workload\": \"").skip(1).collect();
    let is_last = |at: usize| {
        !rows
            .get(at + 1)
            .map_or(false, |next| next.starts_with("scale-"))
    };
    let counted = |at: &usize| !rows[*at].starts_with("scale-") || is_last(*at);
    (0..rows.len()).filter(counted).map(|at| rows[at]).collect()
}

fn figure(workload: &str, allocator: &str, name: &str) -> Option<f64> {
    let cell = workload.split(&format!("\"{}\": {{", allocator)).nth(1)?;
    Some(number(cell.split('}').next()?, name))
}

fn mean_ratio(json: &str, ours: &str, theirs: &str, name: &str) -> f64 {
    let rows = workloads(json);
    let logarithm = |row: &&str| Some((figure(row, ours, name)? / figure(row, theirs, name)?).ln());
    let logarithms: Vec<f64> = rows.iter().filter_map(logarithm).collect();
    assert_eq!(logarithms.len(), rows.len(), "{} and {}", ours, theirs);
    (logarithms.iter().sum::<f64>() / rows.len() as f64).exp()
}

fn gibibytes(json: &str, allocator: &str) -> String {
    let peak = |row: &&str| figure(row, allocator, "peak_kib").unwrap();
    let sum: f64 = workloads(json).iter().map(peak).sum();
    format!("{:.1} GiB", sum / 1024.0 / 1024.0)
}

fn round(ratio: f64) -> String {
    format!("{:.2}", ratio)
}

/// The allocator's name in the run, by a column's header. If the header has a version, it must be that of the run.
fn allocator(json: &str, header: &str) -> String {
    if header.contains("background thread") {
        return "jemalloc+background".into();
    }
    if header.contains(' ') {
        let is_of_the_run = json.contains(&format!("\"versions\": \"{}", header));
        assert!(is_of_the_run, "the run has no {}", header);
    }
    match header.split(' ').next().unwrap() {
        "snmalloc-rs" => "snmalloc".into(),
        "tikv-jemallocator" => "jemalloc".into(),
        name => name.into(),
    }
}

/// The number behind `"name": `.
fn number(json: &str, name: &str) -> f64 {
    leading(json.split(&format!("\"{}\"", name)).nth(1).unwrap())
}

fn leading(json: &str) -> f64 {
    let json = json.trim_start_matches(&[':', ' '][..]);
    let end = json.find(|c: char| !c.is_ascii_digit() && c != '.');
    json[..end.unwrap_or(json.len())].parse().unwrap()
}

/// `30600` as `3.6.0`.
fn bound(path: &str) -> String {
    let text = read(path);
    let number = text.split("MI_MALLOC_VERSION: c_int = ").nth(1).unwrap();
    let number: u32 = number.split(';').next().unwrap().parse().unwrap();
    format!(
        "{}.{}.{}",
        number / 10_000,
        number / 100 % 100,
        number % 100
    )
}

/// The cells of the Markdown table whose first line begins with `header`, without the rule below it. Cells must
/// not contain a vertical bar.
fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(header));
    let lines = lines.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_string()).collect()
    };
    let rows: Vec<_> = lines
        .filter(|line| !line.starts_with("|--"))
        .map(cells)
        .collect();
    assert!(rows.len() > 1, "there is no table {}", header);
    rows
}

fn columns(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let column = |at: usize| rows.iter().map(|row| row[at].clone()).collect();
    (0..rows[0].len()).map(column).collect()
}

/// The texts in backquotes.
fn names<'a>(cells: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let quoted = |cell: &'a String| cell.split('`').skip(1).step_by(2);
    cells.flat_map(quoted).map(str::to_string).collect()
}

/// First arguments of calls such as `feature("V2")`.
fn calls(code: &str, call: &str) -> BTreeSet<String> {
    let arguments = code.split(call).skip(1);
    arguments
        .map(|rest| rest.split('"').next().unwrap().to_string())
        .collect()
}

fn features(manifest: &str) -> BTreeSet<String> {
    let text = read(manifest);
    let section = text.split("\n[features]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let declared = section.lines().filter_map(|line| line.split_once(" = "));
    let names = declared.map(|(name, _)| name.trim_start_matches("# ").to_string());
    names.filter(|name| !name.contains(' ')).collect()
}

/// Texts about the bound releases.
fn documents() -> Vec<String> {
    let mut pages = vec![
        "README.md".to_string(),
        "CHANGELOG.md".into(),
        "c_src/README.md".into(),
        "checks/upstream/README.md".into(),
        "mi-malloc/README.md".into(),
        "mi-malloc/src/lib.rs".into(),
    ];
    for folder in ["docs", "src/guide"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            pages.push(format!("{}/{}", folder, name));
        }
    }
    pages
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{}: {}", path, error))
        .replace("\r\n", "\n") // a checkout on Windows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
