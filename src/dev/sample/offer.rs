//! What the sample's product sells, taken from its catalogue.

use ledger_domain::catalog::{Catalog, Interval, Plan};

/// Minor units a month for the first tier; each further one costs twice as much. The real amounts
/// are Stripe's, and this sample stands in for Stripe.
const FIRST_TIER: i64 = 2900;
/// Likewise for add-ons.
const FIRST_ADD_ON: i64 = 900;

/// A plan at an interval.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) name: String,
    /// The tier's level; add-ons have none.
    pub(super) level: Option<u32>,
    pub(super) price: String,
    pub(super) product: String,
    pub(super) yearly: bool,
    pub(super) amount: i64,
}

/// All offers of a catalogue.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    /// Tiers on sale by level, monthly and yearly.
    pub(super) tiers: Vec<Offer>,
    /// Add-ons on sale by rank, monthly.
    pub(super) add_ons: Vec<Offer>,
    pub(super) trial_days: i64,
}

impl Shop {
    /// What a catalogue sells; none if it sells no tier.
    pub(super) fn new(catalog: &Catalog) -> Option<Self> {
        let offers = |plans: &[Plan], intervals: &[Interval]| -> Vec<Offer> {
            let on_sale = plans.iter().filter(|plan| plan.is_active());
            let priced = on_sale.enumerate().flat_map(|(nth, plan)| {
                intervals.iter().filter_map(move |interval| offer(plan, nth, *interval))
            });
            priced.collect()
        };
        let tiers = offers(catalog.tiers(), &[Interval::Month, Interval::Year]);
        let add_ons = offers(catalog.add_ons(), &[Interval::Month]);
        let trial_days = i64::from(catalog.policies().trial_days);
        (!tiers.is_empty()).then_some(Self { tiers, add_ons, trial_days })
    }

    /// The next tier up or down at the same interval.
    pub(super) fn beside(&self, offer: &Offer, up: bool) -> Option<&Offer> {
        let same = self.tiers.iter().filter(|other| other.yearly == offer.yearly);
        if up {
            same.filter(|other| other.level > offer.level).min_by_key(|other| other.level)
        } else {
            same.filter(|other| other.level < offer.level).max_by_key(|other| other.level)
        }
    }
}

fn offer(plan: &Plan, nth: usize, interval: Interval) -> Option<Offer> {
    let price = plan.sold_price(interval)?;
    let doublings = u32::try_from(nth).unwrap_or(0).min(8);
    let first = if plan.is_tier() { FIRST_TIER } else { FIRST_ADD_ON };
    let month = first * 2_i64.pow(doublings);
    let yearly = interval == Interval::Year;
    Some(Offer {
        name: plan.name().to_owned(),
        level: plan.level(),
        price: price.to_string(),
        product: format!("prod_{}", plan.slug()),
        yearly,
        amount: if yearly { month * 10 } else { month },
    })
}
