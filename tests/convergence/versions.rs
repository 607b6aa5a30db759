//! One life, told in each of the shapes that Stripe's objects ever had.

use ledger_domain::account::PaymentKind;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::delivery::VERSIONS;
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

proptest! {
    #![proptest_config(crate::config(40, 4_000))]

    #[test]
    fn every_version_tells_the_same_life(case in case(crate::STEPS_MAX)) {
        check(&case)?;
    }
}
