//! What the policies of the shipped catalogue promise, by what the simulator knows to be so. It
//! shares nothing with the ledger, so that a misunderstanding on one side isn't repeated here.

use std::collections::BTreeSet;

use ledger_simulator::world::{Event, Truth, World};

/// A day in Stripe's seconds.
pub(crate) const DAY: i64 = 86_400;

/// Access after a trial's end, and after a payment's first failure: what the catalogue says.
const TRIAL_SETTLE: i64 = DAY;
const GRACE: i64 = 7 * DAY;

/// The tiers, by level.
const TIERS: [&str; 3] = ["starter", "professional", "enterprise"];

/// The AI add-ons with the generations a month that they give, in the catalogue's order.
const ADD_ONS: [(&str, Option<u64>); 3] =
    [("ai_starter", Some(100)), ("ai_professional", Some(500)), ("ai_enterprise", None)];

/// What a trainer has at an instant.
#[derive(Debug, Clone)]
pub(crate) struct Best<'a> {
    /// `none`, `locked`, `grace` or `granted`.
    pub(crate) access: &'static str,
    pub(crate) tier: Option<&'static str>,
    /// The subscriptions that give just this.
    pub(crate) by: Vec<&'a Truth>,
}

/// The tier that is sold at these prices: `price_starter_month` is one of Starter's.
pub(crate) fn tier(prices: &[String]) -> Option<&'static str> {
    let sold = |tier: &str, price: &String| price.starts_with(&format!("price_{tier}_"));
    TIERS.into_iter().rev().find(|tier| prices.iter().any(|price| sold(tier, price)))
}

/// What the best of a trainer's subscriptions gives: access first, then the tier's level. `events`
/// are those that were told, in the order of what happened.
pub(crate) fn best<'a>(
    truths: &[&'a Truth],
    world: &World,
    events: &[&Event],
    now: i64,
) -> Best<'a> {
    let rank = |truth: &&'a Truth| {
        let tier = tier(&truth.prices)?;
        let level = TIERS.iter().position(|known| *known == tier);
        Some((access(truth, world, events, now), level)).filter(|(access, _)| *access != NONE)
    };
    let held: Vec<_> = truths.iter().filter_map(|truth| Some((rank(truth)?, *truth))).collect();
    let Some((most, _)) = held.iter().max_by_key(|(rank, _)| *rank) else {
        return Best { access: ACCESS[NONE], tier: None, by: Vec::new() };
    };
    let (access, level) = *most;
    let by = held.iter().filter(|(rank, _)| rank == most).map(|(_, truth)| *truth).collect();
    Best { access: ACCESS[access], tier: level.map(|level| TIERS[level]), by }
}

/// What the AI add-ons give at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ai {
    /// Those held and their access, in the catalogue's order.
    pub(crate) add_ons: Vec<(&'static str, &'static str)>,
    /// How many generations a month they give, of which none is the limit where that is none;
    /// none at all where no add-on can be used.
    pub(crate) generations: Option<Option<u64>>,
}

/// What the add-ons of a trainer's subscriptions give: of each add-on its best subscription
/// counts, and the most generous of those that can be used.
pub(crate) fn ai(truths: &[&Truth], world: &World, events: &[&Event], now: i64) -> Ai {
    let held = ADD_ONS.into_iter().filter_map(|(slug, generations)| {
        let start = format!("price_{slug}_");
        let sells = |truth: &&&Truth| truth.prices.iter().any(|price| price.starts_with(&start));
        let sold = truths.iter().filter(sells).map(|truth| access(truth, world, events, now));
        Some((slug, generations, sold.max().filter(|access| *access != NONE)?))
    });
    let held: Vec<(&str, Option<u64>, usize)> = held.collect();
    let open = held.iter().filter(|(.., access)| *access >= IN_GRACE);
    let most = open.map(|(_, generations, _)| *generations);
    Ai {
        add_ons: held.iter().map(|(slug, _, access)| (*slug, ACCESS[*access])).collect(),
        generations: most.max_by_key(|generations| generations.unwrap_or(u64::MAX)),
    }
}

/// The kinds of access, from the worst to the best.
const ACCESS: [&str; 4] = ["none", "locked", "grace", "granted"];
const NONE: usize = 0;
const LOCKED: usize = 1;
const IN_GRACE: usize = 2;
const GRANTED: usize = 3;

/// What one subscription gives.
fn access(truth: &Truth, world: &World, events: &[&Event], now: i64) -> usize {
    let ended = matches!(truth.status.as_str(), "canceled" | "incomplete_expired");
    if ended || truth.cancel_at.is_some_and(|at| at <= now) {
        return NONE;
    }
    match truth.status.as_str() {
        "active" => GRANTED,
        "trialing" if now < truth.trial_end.expect("a trial ends") + TRIAL_SETTLE => GRANTED,
        "past_due" if now < past_due_since(truth, world, events) + GRACE => IN_GRACE,
        _ => LOCKED,
    }
}

/// The first failure of the oldest invoice that is open, else when it was first called past due.
fn past_due_since(truth: &Truth, world: &World, events: &[&Event]) -> i64 {
    let about = |event: &Event| {
        let parent = &event.object["parent"]["subscription_details"]["subscription"];
        *parent == truth.subscription.as_str()
    };
    let is_open = |event: &Event| {
        let id = event.object["id"].as_str().unwrap_or_default();
        world.find(id).is_some_and(|invoice| invoice["status"] == "open")
    };
    let failures = events.iter().filter(|event| event.kind == "invoice.payment_failed");
    let of_open = failures.filter(|event| about(event) && is_open(event));
    let first = of_open.map(|event| (event.object["created"].as_i64(), event.created)).min();
    let run = || {
        let told = events.iter().rev().filter(|event| event.object["id"] == *truth.subscription);
        told.take_while(|event| event.object["status"] == "past_due").last()
    };
    first.map(|(_, at)| at).or_else(|| run().map(|event| event.created)).expect("it is past due")
}

/// Who a customer was said to be in the last second in which somebody said so: of one second's
/// words none is the latest. A page that was left unpaid counts where nothing else says it.
pub(crate) fn linked<'a>(world: &'a World, events: &[&Event], customer: &str) -> BTreeSet<&'a str> {
    let at = |id: &str| {
        let told = events.iter().find(|event| event.id == id);
        told.expect("what was said was told").created
    };
    let said = world.said(customer).iter().map(|said| ((!said.unpaid, at(&said.event)), said));
    let said: Vec<_> = said.collect();
    let last = said.iter().map(|(place, _)| *place).max();
    let last = said.iter().filter(|(place, _)| Some(*place) == last);
    last.map(|(_, said)| said.trainer.as_str()).collect()
}
