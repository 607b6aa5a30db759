//! Every beginning of a delivery is sane: nothing panics, and nobody may do what no fact supports.
//!
//! Access to a tier, and the quota of an add-on, is supported by one delivered fact at least that,
//! all by itself, says of a subscription of this trainer's that it's sold at a price of this plan
//! and stands so that it gives access: `active`, `trialing` or `past_due`. Whose it is it says
//! itself, or another delivered fact says it of its customer. The facts that are missing may take
//! access away; those that are there must have given it.

use std::collections::BTreeSet;

use ledger_domain::account::SubscriptionView;
use ledger_domain::catalog::Catalog;
use ledger_domain::effective::Giver;
use ledger_domain::id::StripeId;
use ledger_simulator::world::Event;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::ledger::Ledger;
use crate::lives::{Case, case};
use crate::oracle::claims;
use crate::truth::{self, answer, holdings};

/// What the facts delivered so far support.
#[derive(Debug, Default)]
struct Support {
    /// Of which plan a fact says that there is access, with the customer and, where the
    /// subscription names one, the trainer.
    plans: BTreeSet<(String, Option<String>, String)>,
    /// Who is said to be which trainer.
    links: BTreeSet<(String, String)>,
}

impl Support {
    fn take_in(&mut self, event: &Event, catalog: &Catalog) {
        let told = [event];
        let links = claims(&told).map(|(customer, trainer, _)| (customer.into(), trainer.into()));
        self.links.extend(links);
        let object = &event.object;
        let status = object["status"].as_str().unwrap_or_default();
        let gives = ["active", "trialing", "past_due"].contains(&status);
        if object["object"] != "subscription" || !gives {
            return;
        }
        let customer = object["customer"].as_str().expect("a subscription has a customer");
        let trainer = object["metadata"]["trainer_id"].as_str();
        for item in object["items"]["data"].as_array().into_iter().flatten() {
            let price = item["price"]["id"].as_str().and_then(|id| StripeId::try_new(id).ok());
            let plan = price.and_then(|price| catalog.plan_by_price(&price));
            if let Some((plan, _)) = plan {
                let plan = plan.slug().to_string();
                self.plans.insert((customer.to_owned(), trainer.map(str::to_owned), plan));
            }
        }
    }

    /// Whether a trainer may have a plan.
    fn supports(&self, trainer: &str, plan: &str) -> bool {
        self.plans.iter().any(|(customer, own, known)| {
            let link = || self.links.contains(&(customer.clone(), trainer.to_owned()));
            known == plan && own.as_deref().map_or_else(link, |own| own == trainer)
        })
    }
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let (world, catalog) = (case.live(), truth::shared_catalog());
    let mut told = case.tell(&world);
    told.shuffle(&mut StdRng::seed_from_u64(case.seed));
    let mut ledger = Ledger::default();
    let mut support = Support::default();
    for told in &told {
        ledger.take_in([&told.entry]);
        support.take_in(&told.event, &catalog);
        let owner = |view: &SubscriptionView| view.trainer.clone();
        let trainers: BTreeSet<_> = ledger.shown.subscriptions.values().filter_map(owner).collect();
        for trainer in trainers {
            let held = holdings(&ledger.shown, trainer.as_str());
            let answer = answer(&held, &catalog, world.now());
            let quotas = answer.features.values().filter(|feature| feature.granted());
            for giver in quotas.filter_map(|feature| feature.giver.as_ref()) {
                if let Giver::AddOn { plan, .. } = giver {
                    let is_supported = support.supports(trainer.as_str(), plan.as_str());
                    prop_assert!(is_supported, "{} has {} by {:?}", trainer, plan, support);
                }
            }
            let Some(tier) = answer.tier.filter(|_| answer.access.is_open()) else { continue };
            let is_supported = support.supports(trainer.as_str(), tier.slug.as_str());
            prop_assert!(is_supported, "{} has {:?} by {:?}", trainer, tier, support);
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
