//! The mappings of this process, and whether they may have transparent huge pages (Linux).

/// Whether the system has any; if not, this is printed.
pub fn system_has_huge_pages() -> bool {
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    let has = match std::fs::read_to_string(path) {
        Ok(text) => !text.contains("[never]"),
        Err(_) => false,
    };
    if !has {
        println!("not run: this system has no transparent huge pages");
    }
    has
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum HugePages {
    /// As the system does it by default.
    Unsaid,
    /// `MADV_HUGEPAGE`
    Wanted,
    /// `MADV_NOHUGEPAGE`
    Unwanted,
}

/// What was asked for behind this address.
pub fn huge_pages(address: usize) -> HugePages {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut here = false;
    for line in maps.lines() {
        if let Some(range) = range(line) {
            here = range.contains(&address);
        } else if let (true, Some(flags)) = (here, line.strip_prefix("VmFlags:")) {
            let has = |flag| flags.split_whitespace().any(|each| each == flag);
            return match (has("hg"), has("nh")) {
                (true, false) => HugePages::Wanted,
                (false, true) => HugePages::Unwanted,
                _ => HugePages::Unsaid,
            };
        }
    }
    panic!("nothing is mapped at {address:#x}:\n{maps}");
}

/// Of the first line of a mapping: `5581f000-55820000 rw-p ..`.
fn range(line: &str) -> Option<std::ops::Range<usize>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}
