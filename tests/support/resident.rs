//! The memory of this process, as Linux sees it.

/// Address space and resident memory, in bytes.
pub fn memory() -> [usize; 2] {
    status(["VmSize:", "VmRSS:"])
}

/// The most resident memory at one time, in bytes.
pub fn peak() -> usize {
    status(["VmHWM:"])[0]
}

fn status<const N: usize>(names: [&str; N]) -> [usize; N] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    names.map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    })
}

/// Resident memory, in bytes.
pub fn resident() -> usize {
    memory()[1]
}
