//! One life, told in each of the shapes that Stripe's objects ever had.

use std::collections::BTreeMap;

use ledger_domain::account::{ChangeView, FactAnomaly, PaymentKind, PaymentView, SubscriptionView};
use ledger_domain::id::{EventKey, StripeId};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::delivery::VERSIONS;
use crate::ledger::{Ledger, Shown};
use crate::lives::{Case, case};
use crate::truth;

/// What every version tells.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    subscriptions: BTreeMap<StripeId, SubscriptionView>,
    payments: BTreeMap<StripeId, PaymentView>,
    histories: BTreeMap<StripeId, Vec<ChangeView>>,
    links: BTreeMap<StripeId, (String, EventKey)>,
    anomalies: Vec<FactAnomaly>,
}

fn common(shown: Shown) -> Common {
    let mut subscriptions = shown.subscriptions;
    for item in subscriptions.values_mut().flat_map(|view| &mut view.items) {
        // A plan had no product until 2018, and no amount with decimals until 2019.
        item.price.product = None;
        item.price.unit_amount_decimal = None;
        item.price.usage_type = None;
    }
    let link = |(customer, link): (_, ledger_domain::account::LinkView)| {
        (customer, (link.trainer.to_string(), link.event))
    };
    Common {
        subscriptions,
        payments: shown.payments,
        histories: shown.histories,
        links: shown.links.into_iter().map(link).collect(),
        anomalies: shown.anomalies.into_values().flatten().collect(),
    }
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let world = case.live();
    let mut newest: Option<Common> = None;
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
        let common = common(shown);
        if let Some(newest) = &newest {
            prop_assert_eq!(&newest.subscriptions, &common.subscriptions, "{}", version);
            prop_assert_eq!(&newest.payments, &common.payments, "{}", version);
            prop_assert_eq!(newest, &common, "{}", version);
        }
        newest = newest.or(Some(common));
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
