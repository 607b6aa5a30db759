//! How much of the comparison with the truth is left out because nothing decides an order. Were it
//! much, it could hide a mistake; `docs/anomalies.md` holds the shares that this test prints.

use std::cell::Cell;

use ledger_simulator::world::Event;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::ledger::Ledger;
use crate::lives::{Case, Pace, case};
use crate::truth::{self, Compared};

fn compare(case: &Case) -> Result<Compared, TestCaseError> {
    let world = case.live();
    let told = case.tell(&world);
    let shown = Ledger::of(told.iter().map(|told| &told.entry)).shown;
    let events: Vec<&Event> = told.iter().map(|told| &told.event).collect();
    let catalog = truth::shared_catalog();
    truth::check(&shown, &world, &events, &catalog).map_err(TestCaseError::fail)
}

/// Lives at a pace, and the share of subscriptions that aren't compared is at most so many percent.
fn check(pace: Pace, twins: u8, percent_max: f64) {
    let mut runner = TestRunner::new(crate::seeded(1, 300, 4_000));
    let (all, undecided) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&case(crate::STEPS_MAX), |case| {
        let steps = case.steps.iter();
        let is_kept = |step: &&_| pace != Pace::OneSecond || !crate::lives::passes_time(step);
        let steps = steps.filter(is_kept).cloned().collect();
        let compared = compare(&Case { steps, pace, twins, ..case })?;
        all.set(all.get() + compared.subscriptions);
        undecided.set(undecided.get() + compared.undecided);
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    let share = undecided.get() as f64 * 100.0 / all.get().max(1) as f64;
    println!("| {pace:?} | {twins} % | {} | {share:.2} % |", all.get());
    assert!(share <= percent_max, "{share} % of {} subscriptions", all.get());
}

#[test]
fn few_orders_are_undecided_at_the_usual_pace() {
    check(Pace::Usual, 0, 3.5);
    check(Pace::Usual, 20, 4.5);
}

#[test]
fn few_orders_are_undecided_in_bursts() {
    check(Pace::Bursts, 0, 4.0);
    check(Pace::Bursts, 20, 5.0);
}

#[test]
fn few_orders_are_undecided_within_one_second() {
    check(Pace::OneSecond, 0, 4.5);
    check(Pace::OneSecond, 20, 6.0);
}
