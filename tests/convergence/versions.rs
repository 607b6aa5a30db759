//! One life, told in each of the shapes that Stripe's objects ever had.

use std::collections::BTreeSet;

use ledger_domain::account::PaymentKind;
use ledger_simulator::world::Event;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::delivery::{Told, VERSIONS, shuffled};
use crate::ledger::{Ledger, Shown};
use crate::lives::{Case, case};
use crate::property::same;
use crate::truth;

/// The only one that is older than prices.
const OLDEST: &str = VERSIONS[0];

/// Since then an event tells of each payment of an invoice.
const INVOICE_PAYMENTS: &str = "2025-05-28";

/// What a version can tell, of what some version told. The stored state holds what each told.
fn told_in(version: &str, shown: &Shown) -> Shown {
    let mut shown = Shown { parts: Default::default(), ..shown.clone() };
    if version < INVOICE_PAYMENTS {
        shown.ties.retain(|object, _| !object.as_str().starts_with("inpay_"));
        // Since basil only the payment of an invoice that is paid tells which it is. Before, what
        // was tried in vain named its invoice, too.
        let of_payments =
            shown.payments.values_mut().filter(|row| row.kind == PaymentKind::Payment);
        for row in of_payments.filter(|row| row.status != "succeeded") {
            (row.invoice, row.subscription, row.trainer) = (None, None, None);
        }
    }
    if version == OLDEST {
        for item in shown.subscriptions.values_mut().flat_map(|view| &mut view.items) {
            // A plan had no product until 2018, and no amount with decimals until 2019.
            item.price.product = None;
            item.price.unit_amount_decimal = None;
            item.price.usage_type = None;
        }
        shown.sold.retain(|name, _| !name.starts_with("price/"));
    }
    shown
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let world = case.live();
    let mut newest: Option<Shown> = None;
    for version in VERSIONS.iter().rev() {
        let case = Case { versions: vec![version], twins: 0, ..case.clone() };
        let told = case.tell(&world);
        let shown = Ledger::of(told.iter().map(|told| &told.entry)).shown;
        let events: Vec<_> = told.iter().map(|told| &told.event).collect();
        let catalog = truth::shared_catalog();
        truth::check(&shown, &world, &events, &catalog).map_err(TestCaseError::fail)?;
        let paid = shown.payments.values().filter(|row| row.kind == PaymentKind::Payment);
        for row in paid.filter(|row| row.status == "succeeded") {
            prop_assert!(row.invoice.is_some(), "{version} doesn't tell what {row:?} paid");
        }
        if let Some(newest) = &newest {
            same(&told_in(version, newest), &told_in(version, &shown))
                .map_err(|wrong| TestCaseError::fail(format!("{version}: {wrong}")))?;
        }
        newest = newest.or(Some(shown));
    }
    Ok(())
}

/// Events that come again in other versions. The log keeps what came first of each, so that all is
/// the same but what some versions don't tell.
fn check_repeats(case: &Case) -> Result<(), TestCaseError> {
    let world = case.live();
    let tell = |seed: u64| {
        let case = Case { versions: VERSIONS.to_vec(), twins: 0, seed, ..case.clone() };
        case.tell(&world)
    };
    let mut told = tell(case.seed);
    let straight = Ledger::of(told.iter().map(|told| &told.entry)).shown;
    let events: Vec<Event> = told.iter().map(|told| told.event.clone()).collect();
    // Not those which the version of the first telling doesn't have.
    let again = tell(case.seed.wrapping_add(1));
    let is_known = |again: &Told| events.iter().any(|event| event.id == again.event.id);
    told.extend(again.into_iter().filter(is_known));
    let mut entries = shuffled(told.iter().map(|told| &told.entry), case.seed);
    let mut known = BTreeSet::new();
    entries.retain(|entry| known.insert(entry.key.clone()));
    prop_assert_eq!(known.len(), events.len());
    let shown = Ledger::of(&entries).shown;
    same(&told_in(OLDEST, &straight), &told_in(OLDEST, &shown))?;
    let events: Vec<&Event> = events.iter().collect();
    let checked = truth::check(&shown, &world, &events, &truth::shared_catalog());
    checked.map(drop).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(crate::config(40, 4_000))]

    #[test]
    fn an_event_counts_in_the_version_in_which_it_comes_first(case in case(crate::STEPS_MAX)) {
        check_repeats(&case)?;
    }

    #[test]
    fn every_version_tells_the_same_life(case in case(crate::STEPS_MAX)) {
        check(&case)?;
    }
}
