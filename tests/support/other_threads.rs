//! For tests that count what the whole process allocates.

/// Waits until each other thread of the process sleeps. The one that runs the tests still has something
/// to note down when a test begins, and under `override` that is counted, too.
pub fn wait_until_idle() {
    #[cfg(target_os = "linux")]
    while !others_sleep() {
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
fn others_sleep() -> bool {
    let own = unsafe { libc::syscall(libc::SYS_gettid) }.to_string();
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|thread| thread.unwrap())
        .filter(|thread| thread.file_name() != own.as_str())
        .all(|thread| {
            // `number (name) S ...`; a thread that has just ended has no file any more.
            std::fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| {
                stat.rsplit(") ").next().unwrap().starts_with('S')
            })
        })
}
