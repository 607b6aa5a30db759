//! The same state whatever the delivery. Random lives of the simulator are told as webhooks in any
//! order, repeatedly, in several API versions, and folded as the runner folds them; what comes out
//! is compared with the straight delivery and with the simulator's own truth.
//!
//! Nothing but `runner.rs` does I/O: a life costs milliseconds, so that thousands of them fit into
//! a test run. The same through HTTP and PostgreSQL is `tests/e2e/convergence`. A life that is told
//! in one order is a delivery: there are four thousand of them, and with `LEDGER_SOAK=1` a million.
//!
//! To compare one more thing with the truth, give it a line in `truth.rs`, or in `statuses.rs` if
//! it's a status, in `history.rs` if it's what was; `lives.rs` decides what lives are like,
//! `delivery.rs` how they are told, and `census.rs` what they must reach.

#![cfg(test)]

mod census;
mod delivery;
mod drops;
mod found;
mod fuzz;
mod history;
mod late;
mod ledger;
mod lives;
mod oracle;
mod positions;
mod prefixes;
mod property;
mod runner;
#[path = "../schemas.rs"]
mod schemas;
mod statuses;
mod truth;
mod undecided;
mod versions;

use proptest::test_runner::{Config, RngSeed};

/// The service's allocator: a third of the time went into another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many cases to try: few by default, many with `LEDGER_SOAK=1`, as many as `PROPTEST_CASES`
/// says where it is set. What fails is printed whole.
fn config(few: u32, many: u32) -> Config {
    let config = Config::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config.cases,
        None if is_soak() => many,
        None => few,
    };
    Config { cases, failure_persistence: None, ..config }
}

/// The same with cases that a number chooses, also where a seed is given. Only many are others each
/// time.
fn seeded(number: u64, few: u32, many: u32) -> Config {
    let config = config(few, many);
    let rng_seed = match config.rng_seed {
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed.wrapping_add(number)),
        RngSeed::Random if is_soak() => RngSeed::Random,
        RngSeed::Random => RngSeed::Fixed(number),
    };
    Config { rng_seed, ..config }
}

/// Whether the long forms of the tests were asked for.
fn is_soak() -> bool {
    std::env::var_os("LEDGER_SOAK").is_some_and(|value| value == "1")
}

/// In how many orders the same life is delivered: the order costs less than the life.
fn deliveries() -> u64 {
    if is_soak() { 8 } else { 2 }
}

/// A life is made of fewer numbers, each of which is a step or a few: longer lives cost more, and
/// find rarer things.
const STEPS_MAX: usize = 20;
