#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "purge")]
    let _background = mi_malloc::purge::Background::start(std::time::Duration::from_millis(250))
        .expect("a thread that purges");
    workloads::runner::main(workloads::runner::Hooks {
        #[cfg(feature = "idle")]
        idle: Some(mi_malloc::purge::on_thread_idle),
        ..Default::default()
    })
}
