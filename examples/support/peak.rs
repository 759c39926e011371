//! The peak of a process's memory, for the examples that print it.

/// The most memory that this process had resident at one time, in bytes.
///
/// Linux has it in `/proc/self/status`. The `peak_rss` of `mi_process_info` comes from `getrusage`, and Linux
/// keeps that value across `exec`: a program that was started by a large process, such as Cargo, would print the
/// memory of that process.
pub fn peak_memory() -> usize {
    high_water_mark().unwrap_or_else(|| {
        let (mut peak, none) = (0, std::ptr::null_mut());
        // SAFETY: `peak` can be written, and the other numbers are not wanted.
        unsafe {
            mi_malloc_sys::mi_process_info(none, none, none, none, &mut peak, none, none, none)
        };
        peak
    })
}

/// `VmHWM`, the "high water mark", in a file that only Linux has.
fn high_water_mark() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
