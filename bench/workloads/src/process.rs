//! What the operating system says about this process. Systems without these files have no figures.

/// A line of `/proc/self/status` in KiB: `VmHWM` is the peak of resident memory, `VmRSS` what is
/// resident now.
pub fn status_kib(key: &str) -> Option<u64> {
    kib("/proc/self/status", key)
}

/// How much of the resident memory are transparent huge pages.
pub fn huge_pages_kib() -> Option<u64> {
    kib("/proc/self/smaps_rollup", "AnonHugePages:")
}

/// The line of `file` that begins with `key`, which has its figure in KiB.
pub fn kib(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
