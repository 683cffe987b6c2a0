//! `wordhoard`: see `wordhoard --help`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wordhoard::cli::run()
}
