//! Lives that once came out wrong, in every version of the shapes.

use ledger_simulator::world::life::Step;

use crate::delivery::VERSIONS;
use crate::lives::{Case, Pace};

fn check(steps: &[Step]) {
    for version in VERSIONS {
        for seed in 0..5 {
            let (steps, versions) = (steps.to_vec(), vec![version]);
            let case = Case { steps, pace: Pace::Usual, twins: 0, versions, seed };
            crate::property::check(&case).unwrap_or_else(|wrong| panic!("{version}: {wrong}"));
        }
    }
}

/// The event of the lapse has no old values: it can be taken for one that changes nothing.
#[test]
fn a_pending_update_that_lapses_in_its_second() {
    check(&[
        Step::Customer { card: 0, clock: false },
        Step::Checkout { customer: 38, price: 159, card: 177, trial_days: 1, missing: 0 },
        Step::Wait { hours: 24 },
        Step::Change { subscription: 0, price: 117, billing: 1, behavior: 1 },
        Step::Void { invoice: 51 },
        Step::Wait { hours: 24 },
    ]);
}
