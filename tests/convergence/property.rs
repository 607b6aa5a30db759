//! Any order, any repetition, any version: the same read models, and they are the truth.

use std::cell::RefCell;

use ledger_domain::account::{Accounts, ChangeView, LinkView, PaymentView, SubscriptionView};
use ledger_domain::event::Entry;
use ledger_domain::id::TrainerId;
use ledger_simulator::world::{Event, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::census::Census;
use crate::delivery::shuffled;
use crate::ledger::{IDENTITY, Ledger, Shown};
use crate::lives::{Case, case};
use crate::truth::{self, Compared};

/// The first difference between two deliveries, for a person to read.
pub(crate) fn same(straight: &Shown, other: &Shown) -> Result<(), TestCaseError> {
    prop_assert_eq!(&straight.subscriptions, &other.subscriptions);
    prop_assert_eq!(&straight.payments, &other.payments);
    prop_assert_eq!(&straight.histories, &other.histories);
    prop_assert_eq!(&straight.links, &other.links);
    prop_assert_eq!(&straight.anomalies, &other.anomalies);
    prop_assert_eq!(&straight.ties, &other.ties);
    prop_assert_eq!(&straight.waiting, &other.waiting);
    prop_assert_eq!(&straight.sold, &other.sold);
    for (part, state) in &straight.parts {
        let others = other.parts.get(part).map(|state| String::from_utf8_lossy(state));
        prop_assert_eq!(Some(String::from_utf8_lossy(state)), others, "{:?}", part);
    }
    prop_assert_eq!(straight, other);
    Ok(())
}

/// What accounts show that are folded from all facts at once.
fn same_at_once(straight: &Shown, entries: &[Entry]) -> Result<(), TestCaseError> {
    let accounts = Accounts::of(entries, &IDENTITY);
    let mut trainers: Vec<&TrainerId> =
        straight.subscriptions.values().filter_map(|view| view.trainer.as_ref()).collect();
    trainers.extend(straight.links.values().map(|link| &link.trainer));
    for trainer in trainers {
        let is_theirs = |of: &Option<TrainerId>| of.as_ref() == Some(trainer);
        let mut views: Vec<_> = accounts.subscriptions_of(trainer).cloned().collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        let views = views.into_iter().map(|view| SubscriptionView { position: 0, ..view });
        let theirs = straight.subscriptions.values().filter(|view| is_theirs(&view.trainer));
        prop_assert_eq!(views.collect::<Vec<_>>(), theirs.cloned().collect::<Vec<_>>());
        let mut views: Vec<_> = accounts.payments_of(trainer).cloned().collect();
        views.sort_by(|a, b| a.object.cmp(&b.object));
        let views = views.into_iter().map(|view| PaymentView { position: 0, ..view });
        let theirs = straight.payments.values().filter(|view| is_theirs(&view.trainer));
        prop_assert_eq!(views.collect::<Vec<_>>(), theirs.cloned().collect::<Vec<_>>());
        let views = accounts.links_of(trainer).cloned();
        let views = views.map(|link| LinkView { position: 0, ..link });
        let theirs = straight.links.values().filter(|link| link.trainer == *trainer);
        prop_assert_eq!(views.collect::<Vec<_>>(), theirs.cloned().collect::<Vec<_>>());
    }
    for history in accounts.histories() {
        let steps = history.steps.iter().cloned();
        let steps: Vec<_> = steps.map(|step| ChangeView { position: 0, ..step }).collect();
        prop_assert_eq!(straight.histories.get(&history.subscription), Some(&steps));
    }
    Ok(())
}

/// Deliveries in pages of more than so many events are interrupted by a restart after each.
const RESTARTED_AFTER: usize = 25;

pub(crate) fn check(case: &Case) -> Result<(), TestCaseError> {
    check_life(case, &case.live()).map(drop)
}

fn check_life(case: &Case, world: &World) -> Result<Compared, TestCaseError> {
    let told = case.tell(world);
    let straight = Ledger::of(told.iter().map(|told| &told.entry)).shown;
    let events: Vec<&Event> = told.iter().map(|told| &told.event).collect();
    let catalog = truth::shared_catalog();
    let compared =
        truth::check(&straight, world, &events, &catalog).map_err(TestCaseError::fail)?;

    for delivery in 0..crate::deliveries() {
        let seed = case.seed.wrapping_add(delivery);
        let entries: Vec<Entry> = shuffled(told.iter().map(|told| &told.entry), seed);
        let mut ledger = Ledger::default();
        let page = usize::try_from(seed % 40).expect("a small number") + 1;
        for entries in entries.chunks(page) {
            ledger.take_in(entries);
            if page > RESTARTED_AFTER {
                ledger.restart();
            }
        }
        same(&straight, &ledger.shown)?;
        if delivery == 0 {
            same_at_once(&straight, &entries)?;
        }
    }
    Ok(compared)
}

/// Delivers lives, and looks whether they got everywhere.
fn converge(config: Config) {
    let census = RefCell::new(Census::default());
    let result = TestRunner::new(config).run(&case(crate::STEPS_MAX), |case| {
        let world = case.live();
        let compared = check_life(&case, &world)?;
        census.borrow_mut().take_in(&world, &compared);
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    census.into_inner().expect_all();
}

#[test]
fn deliveries_of_a_life_converge() {
    converge(crate::seeded(1, 1_000, 62_500));
}

/// The same once more, so that two threads share the work.
#[test]
fn deliveries_of_other_lives_converge() {
    converge(crate::seeded(2, 1_000, 62_500));
}

/// Where facts disagree about whose an object is, no order of arrival decides either.
fn check_disagreement(case: &Case) -> Result<(), TestCaseError> {
    let world = case.live();
    let told = case.tell_of_others(&world);
    let straight = Ledger::of(told.iter().map(|told| &told.entry)).shown;
    let mut ledger = Ledger::default();
    let page = usize::try_from(case.seed % 40).expect("a small number") + 1;
    let entries = shuffled(told.iter().map(|told| &told.entry), case.seed);
    for entries in entries.chunks(page) {
        ledger.take_in(entries);
    }
    same(&straight, &ledger.shown)?;
    same_at_once(&straight, &entries)
}

proptest! {
    #![proptest_config(crate::config(60, 10_000))]

    #[test]
    fn deliveries_that_disagree_about_customers_converge(case in case(crate::STEPS_MAX)) {
        check_disagreement(&case)?;
    }
}
