#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

fn main() -> std::process::ExitCode {
    workloads::runner::main(Default::default())
}
