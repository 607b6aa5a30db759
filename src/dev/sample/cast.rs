//! Trainers worth looking at.

use std::collections::BTreeSet;

use ledger_simulator::world::{Truth, World};

use crate::dev::shop::Shop;

/// Trainers, and what is worth seeing in each.
pub(crate) type Cast = Vec<(&'static str, String)>;

/// Whether a subscription to a tier is in a situation.
type Test = fn(&Seen<'_>, &Truth) -> bool;

/// The situations that are worth a look.
const SITUATIONS: [(&str, Test); 7] = [
    ("in a trial", |_, it| it.status == "trialing"),
    ("paying, with an add-on", |seen, it| is_settled(it) && seen.has_add_on(it)),
    ("late with a payment", |_, it| it.status == "past_due"),
    ("about to go down a tier", |seen, it| it.status == "active" && seen.goes_down(it)),
    ("about to leave", |_, it| it.status == "active" && it.cancel_at.is_some()),
    ("gone", |_, it| it.status == "canceled" && it.paid_minor > 0),
    ("gone without having paid", |_, it| it.status == "canceled" && it.paid_minor == 0),
];

/// All that a test can look at.
struct Seen<'a> {
    shop: &'a Shop,
    add_ons: BTreeSet<&'a str>,
}

impl Seen<'_> {
    fn has_add_on(&self, tier: &Truth) -> bool {
        tier.trainer.as_deref().is_some_and(|trainer| self.add_ons.contains(trainer))
    }

    fn goes_down(&self, tier: &Truth) -> bool {
        let level = |prices: &[String]| {
            prices.first().and_then(|price| self.shop.offer(price)).and_then(|offer| offer.level)
        };
        let next = tier.scheduled.as_ref().map(|(_, prices)| level(prices));
        next.is_some_and(|next| next.is_some() && next < level(&tier.prices))
    }
}

/// Whether it runs on and nobody has asked it to end or change.
fn is_settled(it: &Truth) -> bool {
    it.status == "active" && it.cancel_at.is_none() && it.scheduled.is_none()
}

/// One trainer for each situation that somebody is in now: where something is soon to come, or has
/// just been.
pub(crate) fn cast(world: &World, shop: &Shop) -> Cast {
    let truth = world.truth();
    let level =
        |it: &Truth| it.prices.first().and_then(|price| shop.offer(price)).map(|offer| offer.level);
    let add_ons = truth.iter().filter(|it| level(it) == Some(None) && it.status == "active");
    let add_ons = add_ons.filter_map(|it| it.trainer.as_deref()).collect();
    let seen = Seen { shop, add_ons };
    let tiers: Vec<&Truth> =
        truth.iter().filter(|it| level(it).is_some_and(|level| level.is_some())).collect();
    let found = SITUATIONS.into_iter().filter_map(|(label, test)| {
        let fitting = tiers.iter().filter(|it| test(&seen, it));
        let it = fitting.min_by_key(|it| it.ended_at.map_or(it.period.1, |ended| -ended))?;
        Some((label, it.trainer.clone()?))
    });
    found.collect()
}

#[cfg(test)]
pub(super) const SITUATIONS_MAX: usize = SITUATIONS.len();
