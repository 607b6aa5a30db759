//! Second events of changes that are made late: after the object's next changes, up to a minute.
//! They tell of something that was over, so that the ledger may show it as if it were. Then it has
//! to say that something is odd about the object.

use std::cell::RefCell;

use ledger_domain::event::Entry;
use ledger_simulator::world::{Event, World};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::delivery::{Told, entry_again, shuffled};
use crate::ledger::Ledger;
use crate::lives::{Case, case};
use crate::property::same;
use crate::truth::{Compared, check_unlisted, shared_catalog};

/// How much later a second event is made, at most. What is told again after that is a change.
const SECONDS_MAX: i64 = 60;

/// Gives one event in so many a second one, with another id and a later instant.
const ONE_IN: u32 = 30;

fn with_late_ones(told: &[Told], seed: u64) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut entries: Vec<Entry> = Vec::with_capacity(told.len());
    for told in told {
        entries.push(told.entry.clone());
        // A payment that is open waits and fails again and again.
        let is_left_out = told.event.object["object"] == "payment_intent";
        if !is_left_out && random.random_ratio(1, ONE_IN) {
            let later = random.random_range(1..=SECONDS_MAX);
            entries.push(entry_again(&told.entry, later));
        }
    }
    entries
}

fn check(case: &Case, world: &World) -> Result<Compared, TestCaseError> {
    let told = case.tell(world);
    let entries = with_late_ones(&told, case.seed);
    let straight = Ledger::of(&entries).shown;
    let events: Vec<&Event> = told.iter().map(|told| &told.event).collect();
    let compared = check_unlisted(&straight, world, &events, &shared_catalog());
    let compared = compared.map_err(TestCaseError::fail)?;
    let shuffled = shuffled(&entries, case.seed);
    same(&straight, &Ledger::of(&shuffled).shown)?;
    Ok(compared)
}

#[test]
fn a_late_second_event_changes_nothing_unless_something_is_listed() {
    let mut runner = TestRunner::new(crate::seeded(4, 500, 20_000));
    let sums = RefCell::new((0, 0));
    let result = runner.run(&case(crate::STEPS_MAX), |mut case| {
        case.twins = 0;
        case.apart();
        let compared = check(&case, &case.live())?;
        let mut sums = sums.borrow_mut();
        *sums = (sums.0 + compared.subscriptions, sums.1 + compared.undecided);
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    let (subscriptions, listed) = sums.into_inner();
    println!("{subscriptions} subscriptions, of {listed} something odd is listed");
    assert!(listed * 2 < subscriptions, "of most subscriptions nothing is odd");
}
