//! What the operating system says about this process.

/// A line of `/proc/self/status` in KiB: `VmHWM` is the peak of resident memory, `VmRSS` what is
/// resident now. Systems without that file have no figure.
pub fn status_kib(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
