//! The `ledger` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    billing_ledger::cli::run()
}
