#[global_allocator]
static GLOBAL: mimalloc3::MiMalloc = mimalloc3::MiMalloc;

fn main() -> std::process::ExitCode {
    workloads::runner::main(Default::default())
}
