#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

/// Has mimalloc purge what is due, four times in a second, whatever the program does meanwhile.
#[cfg(feature = "purge")]
fn purge() {
    use std::{hint::black_box, thread, time::Duration};
    thread::spawn(|| {
        // mimalloc knows a thread from its first allocation on; before it, `mi_collect` does nothing there.
        drop(black_box(Box::new(0u8)));
        loop {
            thread::sleep(Duration::from_millis(250));
            // SAFETY: always safe to call, and no callback is registered that it could run.
            unsafe { mi_malloc_sys::mi_collect(false) };
        }
    });
}

fn main() -> std::process::ExitCode {
    #[cfg(feature = "purge")]
    purge();
    workloads::runner::main(Default::default())
}
