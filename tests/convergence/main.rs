//! The same state whatever the delivery. Random lives of the simulator are told as webhooks in any
//! order, repeatedly, in several API versions, and folded as the runner folds them; what comes out
//! is compared with the straight delivery and with the simulator's own truth.
//!
//! Nothing in here does I/O: a life costs milliseconds, so that thousands of them fit into a test
//! run. The same through HTTP and PostgreSQL is `tests/e2e/convergence`. `LEDGER_SOAK=1` lives a
//! million lives.
//!
//! To compare one more thing with the truth, give it a line in `truth.rs`; `lives.rs` decides what
//! lives are like, `delivery.rs` how they are told.

#![cfg(test)]

mod delivery;
mod ledger;
mod lives;
mod property;
mod truth;

/// How many cases to try: few by default, many with `LEDGER_SOAK=1`.
fn cases(few: u32, many: u32) -> u32 {
    if std::env::var_os("LEDGER_SOAK").is_some_and(|value| value == "1") { many } else { few }
}
