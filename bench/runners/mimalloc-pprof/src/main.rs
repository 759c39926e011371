#[global_allocator]
static GLOBAL: mimalloc_pprof::MiMalloc = mimalloc_pprof::MiMalloc;

fn main() -> std::process::ExitCode {
    workloads::runner::main(Default::default())
}
