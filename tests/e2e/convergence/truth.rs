//! What the API answers of a trainer, and what its invoices' rows hold, against what the simulator
//! knows to be so.

use ledger_simulator::world::{Event, Truth, World};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use sqlx::query_as;

use super::oracle::{ai, best, linked, tier};
use crate::harness::{Caller, now};

/// A trainer of a life.
pub(crate) struct Of<'a> {
    pub(crate) world: &'a World,
    /// What happened, in its order.
    pub(crate) events: &'a [Event],
    /// The trainer's name in the simulator, and in the ledger.
    pub(crate) names: (&'a str, &'a str),
    /// Whether the webhooks tell which invoice a payment paid.
    pub(crate) tells_payments: bool,
}

/// Compares `GET /api/v1/tiers/current`, the AI quota of `GET /api/v1/entitlements` and the sums of
/// `GET /api/v1/tiers/history`. Tells whether it did: a trainer is left out who may or may not be
/// somebody's customer, for of different words about one within a second none is the last.
pub(crate) async fn expect_truth(service: &Caller, of: &Of<'_>, position: i64) -> bool {
    let (simulated, trainer) = of.names;
    let truths = of.world.truth();
    let theirs: Vec<&Truth> =
        truths.iter().filter(|truth| truth.trainer.as_deref() == Some(simulated)).collect();
    let events: Vec<&Event> = of.events.iter().collect();
    let may_be_theirs = |truth: &Truth| {
        let subscription = of.world.find(&truth.subscription).unwrap_or_default();
        let linked = linked(of.world, &events, &truth.customer);
        let own = &subscription["metadata"]["trainer_id"];
        own.is_null() && linked.len() > 1 && linked.contains(simulated)
    };
    if truths.iter().any(may_be_theirs) {
        return false;
    }
    let path = format!("/api/v1/tiers/current?trainer={trainer}");
    let current = service.read_at(&path, position).await;
    let at = now();
    let best = best(&theirs, of.world, &events, at);
    let told = (&current["access"], &current["tier"]["slug"]);
    assert_eq!(told, (&json!(best.access), &json!(best.tier)), "{current}\nby {theirs:#?}");
    let answers: Vec<Value> = best.by.iter().map(|truth| answer(truth, at)).collect();
    if !answers.is_empty() {
        let fields = answers[0].as_object().expect("an object").keys();
        let told: Value = fields.map(|key| (key.clone(), current[key].clone())).collect();
        assert!(answers.contains(&told), "{told:#}\nis none of {answers:#?}");
    }
    let ai = ai(&theirs, of.world, &events, at);
    let held = current["add_ons"].as_array().expect("add-ons");
    let slugs = held.iter().map(|held| held["slug"].as_str().expect("a slug"));
    assert!(slugs.eq(ai.add_ons.iter().map(|(slug, _)| *slug)), "{current}\nby {theirs:#?}");
    for add_on in held {
        assert!(theirs.iter().any(|truth| is_add_on(add_on, truth)), "{add_on}\nof {theirs:#?}");
    }
    let path = format!("/api/v1/entitlements?trainer={trainer}");
    let features = service.read_at(&path, position).await;
    let quota = &features["features"]["ai_generations"];
    assert_eq!(quota["granted"], ai.generations.is_some(), "{quota}\nby {theirs:#?}");
    if let Some(limit) = ai.generations {
        assert_eq!(quota["limit"], json!(limit), "{quota}\nby {theirs:#?}");
    }
    let history = history(service, trainer).await;
    let sum = |kind: &str, status: &str| -> i64 {
        let of_kind = |row: &&Value| row["kind"] == kind && row["status"] == status;
        history.iter().filter(of_kind).map(|row| row["amount_minor"].as_i64().unwrap_or(0)).sum()
    };
    // Of a payment whose invoice nothing tells, nobody knows which subscription's it is, nor of
    // what was given back of it.
    if of.tells_payments {
        let refunded: i64 = theirs.iter().map(|truth| truth.refunded_minor).sum();
        assert_eq!(sum("refund", "succeeded"), refunded, "{history:#?}\nof {theirs:#?}");
        let paid: i64 = theirs.iter().map(|truth| truth.paid_minor).sum();
        assert_eq!(sum("payment", "succeeded"), paid, "{history:#?}\nof {theirs:#?}");
    }
    true
}

/// Compares what the rows of a trainer's invoices say of their status and of what was paid: the API
/// tells neither which invoice it is nor what of it is paid.
pub(crate) async fn expect_invoices(owner: &PgPool, world: &World, trainer: &str) {
    let sql = "SELECT object_id, status, paid_minor FROM rm_subscriptions.payment_logs
        WHERE kind = 'invoice' AND trainer_id = $1";
    let rows: Vec<(String, String, i64)> =
        query_as(sql).bind(trainer).fetch_all(owner).await.unwrap();
    assert!(!rows.is_empty(), "whoever buys has an invoice");
    for (id, status, paid) in rows {
        let invoice = world.find(&id).expect("an invoice of this world");
        let told = (json!(status), json!(paid));
        assert_eq!(told, (invoice["status"].clone(), invoice["amount_paid"].clone()), "{id}");
    }
}

/// All payments of a trainer, page by page.
async fn history(service: &Caller, trainer: &str) -> Vec<Value> {
    let first = format!("/api/v1/tiers/history?trainer={trainer}&limit=100");
    let (mut rows, mut path) = (Vec::new(), first.clone());
    loop {
        let page = service.get(&path).await.expect(200);
        rows.extend(page["payments"].as_array().expect("payments").iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("{first}&cursor={cursor}"),
            None => return rows,
        }
    }
}

/// Whether what `GET /api/v1/tiers/current` says of an add-on is so of a subscription.
fn is_add_on(told: &Value, truth: &Truth) -> bool {
    let start = format!("price_{}_", told["slug"].as_str().expect("a slug"));
    truth.prices.iter().any(|price| price.starts_with(&start))
        && told["status"] == truth.status
        && told["current_period_end"] == rfc3339(truth.period.1)
}

/// What `GET /api/v1/tiers/current` says of the subscription that gives the tier.
fn answer(truth: &Truth, now: i64) -> Value {
    let is_trial = truth.status == "trialing";
    let interval = if truth.prices[0].ends_with("_year") { "year" } else { "month" };
    json!({
        "status": truth.status,
        "interval": interval,
        "current_period_start": rfc3339(truth.period.0),
        "current_period_end": rfc3339(truth.period.1),
        "trial_end": truth.trial_end.filter(|_| is_trial).map(rfc3339),
        "cancel_at": truth.cancel_at.map(rfc3339),
        "scheduled_change": scheduled(truth, now),
    })
}

/// The tier that is to come, if it is another one and the subscription lives to see it.
fn scheduled(truth: &Truth, now: i64) -> Value {
    let Some((at, prices)) = &truth.scheduled else { return Value::Null };
    let outlived = truth.cancel_at.is_some_and(|end| end <= *at);
    match tier(prices) {
        Some(next) if Some(next) != tier(&truth.prices) && !outlived && *at > now => {
            json!({ "tier": next, "effective_at": rfc3339(*at) })
        }
        _ => Value::Null,
    }
}

fn rfc3339(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time of our age");
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
