//! Lives that once came out wrong, in every version of the shapes.

use ledger_simulator::world::life::Step;

use crate::delivery::VERSIONS;
use crate::lives::{Case, Pace};

fn check(steps: &[Step], twins: u8) {
    for version in VERSIONS {
        for seed in 0..10 {
            let (steps, versions) = (steps.to_vec(), vec![version]);
            let case = Case { steps, pace: Pace::Usual, twins, versions, seed };
            crate::property::check(&case).unwrap_or_else(|wrong| panic!("{version}: {wrong}"));
        }
    }
}

/// What the ledger shows while events of a life are missing, in many orders of arrival.
fn check_beginnings(steps: &[Step], pace: Pace, twins: u8, (version, orders): (&'static str, u64)) {
    for seed in 0..orders {
        let (steps, versions) = (steps.to_vec(), vec![version]);
        let case = Case { steps, pace, twins, versions, seed };
        crate::prefixes::check(&case).unwrap_or_else(|wrong| panic!("{seed}: {wrong}"));
    }
}

/// The event of the lapse has no old values: it can be taken for one that changes nothing.
#[test]
fn a_pending_update_that_lapses_in_its_second() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Checkout { customer: 38, price: 159, card: 177, trial_days: 1, missing: 0 },
        Step::Wait { hours: 24 },
        Step::Change { subscription: 0, price: 117, billing: 1, behavior: 1 },
        Step::Void { invoice: 51 },
        Step::Wait { hours: 24 },
    ];
    check(&steps, 0);
}

/// Stripe may stamp a second event of one change up to two seconds later. Where nothing happened to
/// the object in between it is told the same again, and nothing is missing.
#[test]
fn a_second_event_of_each_change_in_the_same_or_a_later_second() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Subscribe { customer: 0, price: 0, behavior: 0, classic: true, missing: 0 },
        Step::Wait { hours: 24 },
        Step::CancelAtEnd { subscription: 0, on: true },
        Step::CancelAtEnd { subscription: 0, on: false },
        Step::Wait { hours: 24 },
        Step::Change { subscription: 0, price: 1, billing: 1, behavior: 0 },
        Step::Wait { hours: 1488 },
        Step::Cancel { subscription: 0 },
    ];
    check(&steps, 100);
}

/// Two refunds of one charge fail in one second, and one failure has a second event two seconds
/// later.
#[test]
fn a_second_event_of_a_way_back_that_was_not_the_last() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Checkout { customer: 4, price: 128, card: 0, trial_days: 0, missing: 159 },
        Step::Refund { charge: 0, percent: 37 },
        Step::FailRefund { refund: 0 },
        Step::Refund { charge: 0, percent: 8 },
        Step::FailRefund { refund: 1 },
    ];
    check(&steps, 50);
    check(&steps, 100);
}

/// Its first fact that anybody paid for says already that it is paused.
#[test]
fn a_subscription_that_is_paused_before_its_first_payment() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Subscribe { customer: 0, price: 3, behavior: 121, classic: false, missing: 220 },
        Step::Subscribe { customer: 0, price: 149, behavior: 141, classic: false, missing: 83 },
        Step::Pause { subscription: 0, on: true, how: 2 },
        Step::Pay { invoice: 238, card: 0 },
    ];
    check(&steps, 0);
}

/// A pending update is applied, and its price changed back in the same second. While the event that
/// tells of the first payment is missing, one without old values could stand where the others lead
/// back to it, and so nothing would seem to be missing.
#[test]
fn a_circle_that_an_event_without_old_values_closes() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Subscribe { customer: 0, price: 1, behavior: 0, classic: false, missing: 0 },
        Step::Card { customer: 0, card: 1 },
        Step::Change { subscription: 0, price: 2, billing: 1, behavior: 1 },
        Step::Pay { invoice: 212, card: 0 },
        Step::Change { subscription: 0, price: 226, billing: 71, behavior: 201 },
    ];
    check_beginnings(&steps, Pace::Usual, 0, ("2017-08-15", 100));
}

/// A pending update is applied and its price changed back in the same second. While the change
/// that applied it is missing, its echo could stand after all others, where nothing seems to be
/// missing.
#[test]
fn an_echo_without_the_change_that_it_is_about() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Subscribe { customer: 0, price: 1, behavior: 0, classic: true, missing: 0 },
        Step::Card { customer: 0, card: 1 },
        Step::Change { subscription: 0, price: 2, billing: 1, behavior: 1 },
        Step::Pay { invoice: 69, card: 0 },
        Step::Change { subscription: 0, price: 1, billing: 1, behavior: 1 },
        Step::Pay { invoice: 231, card: 0 },
        Step::Schedule { subscription: 210, price: 111, form: 255 },
    ];
    check_beginnings(&steps, Pace::OneSecond, 20, ("2025-06-30.basil", 300));
}

/// What says that a pending update was applied shows the object as it was before the update, too:
/// it could be taken for a word about that time.
#[test]
fn an_echo_that_could_stand_before_the_change_that_it_is_about() {
    let steps = [
        Step::Customer { card: 0, clock: false },
        Step::Subscribe { customer: 0, price: 2, behavior: 0, classic: true, missing: 0 },
        Step::Pay { invoice: 95, card: 0 },
        Step::Change { subscription: 0, price: 91, billing: 188, behavior: 200 },
        Step::Card { customer: 0, card: 1 },
        Step::Change { subscription: 0, price: 2, billing: 1, behavior: 1 },
        Step::Pay { invoice: 181, card: 0 },
    ];
    check_beginnings(&steps, Pace::OneSecond, 0, ("2026-03-25.dahlia", 300));
}
