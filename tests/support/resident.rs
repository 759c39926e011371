//! The memory of this process, as Linux sees it.

/// Address space and resident memory, in bytes.
pub fn memory() -> [usize; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    ["VmSize:", "VmRSS:"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    })
}

/// Resident memory, in bytes.
pub fn resident() -> usize {
    memory()[1]
}
