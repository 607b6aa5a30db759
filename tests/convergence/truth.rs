//! What the simulator knows to be so, against what the ledger made of the webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ledger_domain::account::{FactAnomaly, PaymentKind, PaymentView, Sold};
use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Billing, Disputes, Effective, Holdings, Setting, effective};
use ledger_domain::id::{StripeId, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_simulator::world::{Event, Truth, World};
use serde_json::json;

use crate::delivery::claims;
use crate::history::{check_history, check_payments_past};
use crate::ledger::Shown;
use crate::oracle::{Ai, DAY, ai, best, linked};
use crate::statuses::{
    Statuses, Undecided, check_anomalies, check_payments, check_statuses, is_conflict, is_odd,
};

/// How long after the present of a life access is asked about, in seconds.
const INSTANTS: [i64; 6] = [0, DAY / 2, 3 * DAY, 8 * DAY, 32 * DAY, 400 * DAY];

/// The shipped catalogue, sold at the simulator's prices.
fn catalog() -> Catalog {
    let text = include_str!("../../catalogs/trainers.toml");
    let price = |variable: &str| {
        let name = variable.strip_prefix("STRIPE_PRICE_")?;
        let name = name.strip_prefix("TIER_").or_else(|| name.strip_prefix("ADDON_"))?;
        let name = name.to_lowercase();
        let interval = if name.ends_with("_year") { "" } else { "_month" };
        Some(format!("price_{name}{interval}"))
    };
    Catalog::parse(text, &price).expect("the shipped catalogue").catalog
}

/// The same, read once for each thread.
pub(crate) fn shared_catalog() -> Rc<Catalog> {
    thread_local! {
        static CATALOG: Rc<Catalog> = Rc::new(catalog());
    }
    CATALOG.with(Rc::clone)
}

/// How many of a life's subscriptions were compared with the truth.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Compared {
    pub(crate) subscriptions: usize,
    /// Those that an order conflict concerns.
    pub(crate) undecided: usize,
    pub(crate) statuses: Statuses,
    /// Prices and products.
    pub(crate) sold: usize,
    /// Those that weren't compared, since something odd is listed of them.
    pub(crate) sold_left_out: usize,
    /// Seconds of their histories.
    pub(crate) seconds: usize,
    /// Trainers who have subscriptions.
    pub(crate) trainers: usize,
    /// Those whose access wasn't compared, since one of theirs is undecided or may be another's.
    pub(crate) trainers_left_out: usize,
}

/// Compares everything but what an order conflict concerns: the webhooks don't tell, and the ledger
/// says so, and may have guessed wrong. `events` are those that were delivered, in the order of
/// what happened.
pub(crate) fn check(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    catalog: &Catalog,
) -> Result<Compared, String> {
    let undecided = Undecided::of(shown, world, events, is_conflict);
    check_anomalies(shown, events, &undecided)?;
    check_decided(shown, world, events, catalog, &undecided)
}

/// The same of webhooks that may look as if some were missing: whatever nothing odd is listed of is
/// the truth.
pub(crate) fn check_unlisted(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    catalog: &Catalog,
) -> Result<Compared, String> {
    let undecided = Undecided::of(shown, world, events, is_odd);
    check_decided(shown, world, events, catalog, &undecided)
}

fn check_decided(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    catalog: &Catalog,
    undecided: &Undecided,
) -> Result<Compared, String> {
    let truths = world.truth();
    check_links(shown, events)?;
    let mut statuses = Statuses::default();
    check_statuses(shown, world, events, undecided, &mut statuses)?;
    check_payments(shown, world, events, undecided, &mut statuses)?;
    check_payments_past(shown, world, events, undecided)?;
    let (sold, sold_left_out) = check_sold(shown, world, events)?;
    let is_decided = |truth: &&Truth| !undecided.concerns(truth);
    let mut seconds = 0;
    for truth in truths.iter().filter(is_decided) {
        check_subscription(shown, truth, &trainers(truth, world, events))?;
        seconds += check_history(shown, world, events, truth)?;
    }
    if shown.subscriptions.len() != truths.len() {
        return Err(format!("{} subscriptions of {truths:#?}", shown.subscriptions.len()));
    }
    if !shown.waiting.is_empty() {
        return Err(format!("facts wait for what was told: {:?}", shown.waiting));
    }
    let mut by_trainer: BTreeMap<&str, Vec<&Truth>> = BTreeMap::new();
    let mut open: BTreeSet<Option<&str>> = BTreeSet::new();
    for truth in &truths {
        if let Some(trainer) = truth.trainer.as_deref() {
            by_trainer.entry(trainer).or_default().push(truth);
        }
        let trainers = trainers(truth, world, events);
        if trainers.len() > 1 || !is_decided(&truth) {
            open.extend(trainers);
            // Whose it is may be undecided, too.
            let id = StripeId::try_new(&truth.subscription).expect("an id");
            let view = shown.subscriptions.get(&id).and_then(|view| view.trainer.as_ref());
            open.extend(view.map(|trainer| Some(trainer.as_str())));
        }
    }
    let trainers = by_trainer.len();
    by_trainer.retain(|trainer, _| !open.contains(&Some(*trainer)));
    let trainers_left_out = trainers - by_trainer.len();
    for (trainer, truths) in by_trainer {
        let holdings = holdings(shown, trainer);
        for after in INSTANTS {
            let now = present(world, &truths[0].customer) + after;
            let answer = answer(&holdings, catalog, now);
            let tier = answer.tier.as_ref().map(|tier| tier.slug.to_string());
            let told = (answer.access.as_str(), tier);
            check_ai(&answer, &ai(&truths, world, events, now))
                .map_err(|wrong| format!("{trainer} at {now}: {wrong}\nby {truths:#?}"))?;
            let best = best(&truths, world, events, now);
            let expected = (best.access, best.tier.map(str::to_owned));
            if told != expected {
                let held = &holdings.subscriptions;
                return Err(format!(
                    "{trainer} at {now} ({after} s later): {told:?} and not {expected:?}\n\
                     by {:#?} of {truths:#?}\nheld {held:#?}",
                    best.by
                ));
            }
        }
    }
    let undecided = truths.iter().filter(|truth| !is_decided(truth)).count();
    let subscriptions = truths.len();
    Ok(Compared {
        subscriptions,
        undecided,
        statuses,
        sold,
        sold_left_out,
        seconds,
        trainers,
        trainers_left_out,
    })
}

/// That what is sold is as it was told last, but for what nothing orders. Tells how many there
/// are, and how many of them were left out.
fn check_sold(shown: &Shown, world: &World, events: &[&Event]) -> Result<(usize, usize), String> {
    let told = events
        .iter()
        .filter(|event| ["price.", "product."].iter().any(|start| event.kind.starts_with(start)));
    let told = told.filter_map(|event| event.object["id"].as_str());
    let told: BTreeSet<&str> = told.collect();
    let mut left_out = 0;
    for id in &told {
        let object = world.find(id).unwrap_or_default();
        let name = format!("{}/{id}", object["object"].as_str().unwrap_or_default());
        if shown.odd_sold.contains_key(&name) {
            left_out += 1;
            continue;
        }
        let sold = match shown.sold.get(&name) {
            Some(Sold::Price(price, false)) => json!({
                "active": price.active,
                "currency": price.currency.to_string(),
                "lookup_key": price.lookup_key,
                "nickname": price.nickname,
                "product": price.product.as_ref().map(StripeId::as_str),
                "unit_amount": price.unit_amount,
            }),
            Some(Sold::Product(product, false)) => {
                json!({ "active": product.active, "name": product.name })
            }
            other => return Err(format!("{id} is sold, and {other:?} is known")),
        };
        let mut fields = sold.as_object().into_iter().flatten();
        if let Some((field, value)) = fields.find(|(name, value)| object[*name] != **value) {
            return Err(format!("{field} of {object} is said to be {value}"));
        }
    }
    Ok((told.len(), left_out))
}

/// That the add-ons give what they should, whatever becomes of the tier.
fn check_ai(answer: &Effective, expected: &Ai) -> Result<(), String> {
    let add_ons = answer.add_ons.iter();
    let add_ons: Vec<_> = add_ons.map(|it| (it.slug.as_str(), it.access.as_str())).collect();
    let (_, quota) = answer
        .features
        .iter()
        .find(|(feature, _)| feature.as_str() == "ai_generations")
        .expect("the catalogue has it");
    let generations = quota.granted().then_some(quota.limit());
    if add_ons != expected.add_ons || generations != expected.generations {
        return Err(format!("{add_ons:?} with {quota:?} and not {expected:?}"));
    }
    Ok(())
}

/// Whose a subscription may be: several where nothing tells which of a second's words about its
/// customer was the last.
fn trainers<'a>(
    truth: &'a Truth,
    world: &'a World,
    events: &[&Event],
) -> BTreeSet<Option<&'a str>> {
    let own = world.find(&truth.subscription).unwrap_or_default();
    let linked = linked(world, events, &truth.customer);
    if own["metadata"]["trainer_id"].is_string() || linked.len() < 2 {
        return BTreeSet::from([truth.trainer.as_deref()]);
    }
    linked.into_iter().map(Some).collect()
}

/// That customers of whom different trainers were told are listed, and nobody else.
fn check_links(shown: &Shown, events: &[&Event]) -> Result<(), String> {
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (customer, trainer) in claims(events) {
        told.entry(customer).or_default().insert(trainer);
    }
    told.retain(|_, trainers| trainers.len() > 1);
    let is_link = |anomaly: &FactAnomaly| matches!(anomaly, FactAnomaly::ConflictingLink(..));
    let listed = shown.anomalies.iter().filter(|(_, found)| found.iter().any(is_link));
    let listed: BTreeSet<&str> = listed.map(|((customer, _), _)| customer.as_str()).collect();
    if listed != told.keys().copied().collect() {
        return Err(format!("{listed:?} are listed, and this was told: {told:?}"));
    }
    Ok(())
}

/// The time by which a customer lives.
fn present(world: &World, customer: &str) -> i64 {
    let customer = world.find(customer).unwrap_or_default();
    let clock = customer["test_clock"].as_str().and_then(|clock| world.find(clock));
    clock.and_then(|clock| clock["frozen_time"].as_i64()).unwrap_or_else(|| world.now())
}

/// What is known of a trainer.
pub(crate) fn holdings(shown: &Shown, trainer: &str) -> Holdings {
    let is_theirs = |of: &Option<TrainerId>| of.as_ref().is_some_and(|of| of.as_str() == trainer);
    let subscriptions = shown.subscriptions.values().filter(|view| is_theirs(&view.trainer));
    let disputes: Disputes =
        shown.payments.values().filter(|view| is_theirs(&view.trainer)).collect();
    Holdings { subscriptions: subscriptions.cloned().collect(), disputes, ..Holdings::default() }
}

/// What follows from that at a second.
pub(crate) fn answer(holdings: &Holdings, catalog: &Catalog, now: i64) -> Effective {
    let now = Timestamp::from_unix(now);
    let billing = Billing::Stripe;
    effective(holdings, &Setting { catalog, catalog_until: None, billing, now })
}

fn check_subscription(
    shown: &Shown,
    truth: &Truth,
    trainers: &BTreeSet<Option<&str>>,
) -> Result<(), String> {
    let id = StripeId::try_new(&truth.subscription).expect("an id");
    let Some(view) = shown.subscriptions.get(&id) else {
        return Err(format!("{id} is unknown"));
    };
    let anomalies = &shown.anomalies;
    let same = |what: &str, same: bool| {
        let wrong = || format!("{what} of {truth:#?}\nin {view:#?}\nwith {anomalies:#?}");
        if same { Ok(()) } else { Err(wrong()) }
    };
    let unix = |at: Option<Timestamp>| at.map(Timestamp::unix);
    let prices = |ids: &[StripeId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let items: Vec<StripeId> = view.items.iter().map(|item| item.price.id.clone()).collect();
    let period = view.current_period.map(|period| (period.from.unix(), period.until.unix()));
    let scheduled = view.scheduled.as_ref().map(|it| (it.at.unix(), prices(&it.prices)));
    let customer = view.customer.as_ref().map(StripeId::as_str);
    same("status", view.status == *truth.status)?;
    same("customer", customer == Some(truth.customer.as_str()))?;
    same("trainer", trainers.contains(&view.trainer.as_ref().map(TrainerId::as_str)))?;
    let quantities = view.items.iter().map(|item| item.quantity.unwrap_or(1));
    same("quantities", quantities.eq(truth.quantities.iter().copied()))?;
    same("plan", prices(&items) == truth.prices && view.items_complete)?;
    same("period", period == Some(truth.period))?;
    same("trial end", unix(view.trial.map(|trial| trial.until)) == truth.trial_end)?;
    same("cancel_at", unix(view.cancel_at) == truth.cancel_at)?;
    same("ended_at", unix(view.ended_at) == truth.ended_at)?;
    same("scheduled change", scheduled == truth.scheduled)?;
    let mut theirs = shown.payments.values().filter(|row| row.subscription.as_ref() == Some(&id));
    same("whose payments", theirs.all(|row| row.trainer == view.trainer))?;
    let sum = |kind: PaymentKind, of: fn(&PaymentView) -> i64| -> i64 {
        let rows = shown.payments.values();
        rows.filter(|row| row.kind == kind && row.subscription.as_ref() == Some(&id)).map(of).sum()
    };
    let succeeded = |row: &PaymentView| {
        if row.status == "succeeded" { row.amount_minor } else { 0 }
    };
    same("paid", sum(PaymentKind::Invoice, |row| row.paid_minor) == truth.paid_minor)?;
    same("refunds", sum(PaymentKind::Refund, succeeded) == truth.refunded_minor)?;
    same("refunded", sum(PaymentKind::Payment, |row| row.refunded_minor) == truth.refunded_minor)
}
