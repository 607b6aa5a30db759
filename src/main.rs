//! The `ledger` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A webhook is hundreds of small pieces of memory, taken by one thread and given back by another;
/// the C library's allocator took a quarter of the service's processor time for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    billing_ledger::cli::run()
}
