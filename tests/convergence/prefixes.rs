//! Every beginning of a delivery is sane: nothing panics, and nobody may do what no fact supports.
//!
//! Access is supported by one delivered fact at least that, all by itself, says of a subscription
//! of this trainer's that it's sold at a price of this tier and stands so that it gives access:
//! `active`, `trialing` or `past_due`. The facts that are missing may take access away; those that
//! are there must have given it.

use std::collections::BTreeSet;

use ledger_domain::account::SubscriptionView;
use ledger_domain::catalog::Catalog;
use ledger_domain::id::StripeId;
use ledger_simulator::world::Event;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::ledger::Ledger;
use crate::lives::{Case, case};
use crate::truth::{self, answer, holdings};

/// Trainer and tier of which a fact says that there is access.
fn supported(event: &Event, catalog: &Catalog) -> Option<(String, String)> {
    let object = &event.object;
    let gives = ["active", "trialing", "past_due"].contains(&object["status"].as_str()?);
    if object["object"] != "subscription" || !gives {
        return None;
    }
    let trainer = object["metadata"]["trainer_id"].as_str()?;
    let price = object["items"]["data"][0]["price"]["id"].as_str()?;
    let (plan, _) = catalog.plan_by_price(&StripeId::try_new(price).ok()?)?;
    plan.is_tier().then(|| (trainer.to_owned(), plan.slug().to_string()))
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let (world, catalog) = (case.live(), truth::shared_catalog());
    let mut told = case.tell(&world);
    told.shuffle(&mut StdRng::seed_from_u64(case.seed));
    let mut ledger = Ledger::default();
    let mut support = BTreeSet::new();
    for told in &told {
        ledger.take_in([&told.entry]);
        support.extend(supported(&told.event, &catalog));
        let owner = |view: &SubscriptionView| view.trainer.clone();
        let trainers: BTreeSet<_> = ledger.shown.subscriptions.values().filter_map(owner).collect();
        for trainer in trainers {
            let held = holdings(&ledger.shown, trainer.as_str());
            let answer = answer(&held, &catalog, world.now());
            let tier = answer.tier.filter(|_| answer.access.is_open());
            let Some(tier) = tier.map(|tier| tier.slug.to_string()) else { continue };
            let granted = (trainer.to_string(), tier);
            prop_assert!(support.contains(&granted), "{:?} by {:?}", granted, support);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::config(250, 50_000))]

    #[test]
    fn no_beginning_of_a_delivery_gives_what_no_fact_supports(case in case(25)) {
        check(&case)?;
    }
}
