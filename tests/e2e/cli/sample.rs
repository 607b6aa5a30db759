//! After the sample the simulator and the ledger say the same about everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger_simulator::shell::{Account, Config, Keeping};
use ledger_simulator::world::{self, Truth, World};
use serde_json::{Value, json};

use super::dev::{chosen_in, start, with_role};
use crate::harness::{Caller, http, now};

/// A tier and an add-on have prices of these names.
const ADD_ON: &str = "ai_";

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_and_the_simulator_agree_about_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &["--sample"]).await;
    let anyone = Caller::new(http(), service.url(), None);
    let ledger = with_role(&anyone, &data, "service").await;
    let auditor = with_role(&anyone, &data, "auditor").await;

    // Time goes on meanwhile, so who differs is asked about once more.
    let mut differences = Vec::new();
    for _ in 0..3 {
        let lived = lived_again(&data, folder.path());
        differences = differing(lived.world(), &ledger).await;
        if differences.is_empty() {
            break;
        }
    }
    assert!(differences.is_empty(), "{} differ: {:#?}", differences.len(), differences);

    let (lived, told) = (lived_again(&data, folder.path()), logged(&auditor).await);
    let made: BTreeMap<String, String> =
        lived.world().events().iter().map(|e| (e.id.clone(), e.kind.clone())).collect();
    assert!(made.len() > 5_000, "{}", made.len());
    let made_ids: BTreeSet<&String> = made.keys().collect();
    let told_ids: BTreeSet<&String> = told.iter().collect();
    let missing: Vec<_> = made_ids.difference(&told_ids).collect();
    assert!(missing.is_empty(), "the ledger lacks {missing:?}");

    // What Stripe itself lists of the last month.
    let listed = listed(&data).await;
    assert!(listed.len() > 500, "{}", listed.len());
    for (id, kind) in &listed {
        assert!(told.contains(id), "the ledger lacks {id}, {kind}");
        assert_eq!(made.get(id), Some(kind), "{id}");
    }
    let unknown: Vec<_> = told_ids.difference(&made_ids).collect();
    let listed_ids: BTreeSet<&String> = listed.keys().collect();
    assert!(unknown.iter().all(|id| listed_ids.contains(**id)), "nobody made {unknown:?}");
    service.stop().await;
}

/// The simulator's world, made again from a copy of what it wrote down.
fn lived_again(data: &Path, folder: &Path) -> Account {
    let path = folder.join("copy.ndjson");
    let _ = std::fs::remove_file(&path);
    std::fs::copy(data.join("simulator.ndjson"), &path).unwrap();
    let keeping = Keeping { path, salt: 1, bytes_max: 64 << 20 };
    let config = Config { keeping: Some(keeping), ..Config::new(world::Config::default()) };
    let mut account = Account::open(config).unwrap();
    account.advance_to(now()).unwrap();
    account
}

/// What the ledger says otherwise than the world.
async fn differing(world: &World, ledger: &Caller) -> Vec<String> {
    let mut by_trainer: BTreeMap<String, Vec<Truth>> = BTreeMap::new();
    for truth in world.truth() {
        let trainer = truth.trainer.clone().expect("everybody bought by a page that names them");
        by_trainer.entry(trainer).or_default().push(truth);
    }
    assert!(by_trainer.len() >= 200, "{}", by_trainer.len());
    let mut differences = Vec::new();
    for (trainer, truth) in by_trainer {
        let current = ledger.get(&format!("/api/v1/tiers/current?trainer={trainer}")).await;
        let said = said(&current.expect(200));
        let is = expected(&truth);
        if said != is {
            differences.push(format!("{trainer}: said {said}, is {is}"));
        }
        let (paid, refunded) = payments(ledger, &trainer).await;
        let sum = |of: fn(&Truth) -> i64| truth.iter().map(of).sum::<i64>();
        let is = (sum(|it| it.paid_minor), sum(|it| it.refunded_minor));
        if (paid, refunded) != is {
            differences.push(format!("{trainer}: {paid} and {refunded} moved, really {is:?}"));
        }
    }
    differences
}

/// The part of an answer that is compared.
fn said(current: &Value) -> Value {
    let mut add_ons: Vec<Value> = current["add_ons"].as_array().unwrap().clone();
    add_ons.retain(|one| one["status"] != "canceled");
    let add_ons: BTreeSet<String> =
        add_ons.iter().map(|one| format!("{} {}", one["slug"], one["status"])).collect();
    let is_trialing = current["status"] == "trialing";
    json!({
        "tier": current["tier"]["slug"],
        "status": current["status"],
        "is_granted": current["access"] == "granted",
        "interval": current["interval"],
        "from": current["current_period_start"],
        "until": current["current_period_end"],
        "trial_end": is_trialing.then(|| current["trial_end"].clone()),
        "cancel_at": current["cancel_at"],
        "next": current["scheduled_change"],
        "add_ons": add_ons,
    })
}

/// The same as the world has it.
fn expected(truth: &[Truth]) -> Value {
    let (add_ons, tiers): (Vec<&Truth>, Vec<&Truth>) =
        truth.iter().partition(|it| plan(&it.prices).0.starts_with(ADD_ON));
    let live = |it: &&Truth| it.ended_at.is_none();
    let add_ons: BTreeSet<String> = add_ons
        .into_iter()
        .filter(live)
        .map(|it| format!("{} {}", json!(plan(&it.prices).0), json!(it.status)))
        .collect();
    assert_eq!(tiers.len(), 1, "everybody signs up once");
    let tier = tiers[0];
    let (slug, interval) = plan(&tier.prices);
    let is_granted = ["active", "trialing"].contains(&tier.status.as_str());
    let is_over = tier.ended_at.is_some();
    let unless_over = |value: Value| if is_over { Value::Null } else { value };
    let next = tier.scheduled.as_ref().filter(|(_, prices)| *prices != tier.prices);
    let next =
        next.map(|(at, prices)| json!({ "tier": plan(prices).0, "effective_at": time(*at) }));
    json!({
        "tier": unless_over(json!(slug)),
        "status": tier.status,
        "is_granted": is_granted,
        "interval": unless_over(json!(interval)),
        "from": unless_over(json!(time(tier.period.0))),
        "until": unless_over(json!(time(tier.period.1))),
        "trial_end": (tier.status == "trialing").then(|| tier.trial_end.map(time)),
        "cancel_at": unless_over(json!(tier.cancel_at.map(time))),
        "next": unless_over(json!(next)),
        "add_ons": add_ons,
    })
}

/// Plan and interval, as the name of a price tells them.
fn plan(prices: &[String]) -> (&str, &str) {
    let name = prices[0].strip_prefix("price_").expect("prices have names");
    name.rsplit_once('_').expect("an interval")
}

/// As the API writes times.
fn time(unix: i64) -> String {
    let at = chrono::DateTime::from_timestamp(unix, 0).expect("a time");
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What a trainer paid on invoices, and what was given back.
async fn payments(ledger: &Caller, trainer: &str) -> (i64, i64) {
    let base = format!("/api/v1/tiers/history?trainer={trainer}&limit=500");
    let (mut path, mut paid, mut refunded) = (base.clone(), 0, 0);
    loop {
        let page = ledger.get(&path).await.expect(200);
        for payment in page["payments"].as_array().unwrap() {
            let amount = payment["amount_minor"].as_i64().unwrap_or_default();
            match (payment["kind"].as_str(), payment["status"].as_str()) {
                (Some("invoice"), Some("paid")) => paid += amount,
                (Some("refund"), Some("succeeded")) => refunded += amount,
                _ => {}
            }
        }
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("{base}&cursor={cursor}"),
            None => return (paid, refunded),
        }
    }
}

/// The ids of Stripe's events in the ledger's log.
async fn logged(auditor: &Caller) -> BTreeSet<String> {
    let base = "/api/v1/audit/events?limit=500";
    let (mut path, mut ids) = (base.to_owned(), BTreeSet::new());
    loop {
        let page = auditor.get(&path).await.expect(200);
        let events = page["events"].as_array().unwrap();
        let stripe = events.iter().filter(|event| event["source"] == "stripe");
        ids.extend(stripe.map(|event| event["event_id"].as_str().unwrap().to_owned()));
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("{base}&cursor={cursor}"),
            None => return ids,
        }
    }
}

/// Ids and types of the events that the simulator lists.
async fn listed(data: &Path) -> BTreeMap<String, String> {
    let chosen = chosen_in(data);
    let key = chosen["STRIPE_SECRET_KEY"].clone();
    let stripe = Caller::new(http(), &chosen["STRIPE_API_BASE"], Some(key));
    let (mut path, mut found) = ("/v1/events?limit=100".to_owned(), BTreeMap::new());
    loop {
        let page = stripe.get(&path).await.expect(200);
        let mut last = String::new();
        for event in page["data"].as_array().unwrap() {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            last = text("id");
            found.insert(last.clone(), text("type"));
        }
        if page["has_more"] != true {
            return found;
        }
        path = format!("/v1/events?limit=100&starting_after={last}");
    }
}
