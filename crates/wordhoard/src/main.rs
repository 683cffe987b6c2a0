//! `wordhoard`: see `wordhoard --help`.

// Buffers are freed on another thread than the one that made them, and this allocator gives such memory back: with 200 streams the server
// has a third of what it has with mimalloc.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    wordhoard::cli::run()
}
