//! What holds in every life.

use std::collections::BTreeMap;

use ledger_simulator::world::diff::put_back;
use ledger_simulator::world::life::{life, life_in, random_life, random_steps};
use ledger_simulator::world::{Config, Exhausted, RetryPolicy, World};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

/// An object without its nulls: a key that is absent and one that is null are the same here.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), bare(value))).collect())
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// An invoice without what the update that makes a draft both final and paid leaves out of its old
/// values, as Stripe was seen to do: what was paid by then, and what remained.
fn without_amounts(mut invoice: Value) -> Value {
    let fields = invoice.as_object_mut().unwrap();
    fields.remove("amount_paid");
    fields.remove("amount_remaining");
    invoice
}

fn check(world: &World) {
    let mut told: BTreeMap<(String, String), Value> = BTreeMap::new();
    for event in world.events() {
        let object = &event.object;
        let of = |name: &str| object[name].as_str().unwrap().to_owned();
        let key = (of("object"), of("id"));
        let before = told.get(&key);
        if let Some(previous) = &event.previous_attributes {
            let before = before.expect("what changes was there");
            assert!(!previous.is_empty(), "{} tells nothing", event.kind);
            let restored = bare(&put_back(object, previous));
            let spans = key.0 == "invoice"
                && object["status"] == "paid"
                && previous.get("status").is_some_and(|status| status == "draft");
            if spans {
                assert_eq!(without_amounts(restored), without_amounts(bare(before)));
            } else {
                assert_eq!(restored, bare(before), "{}", event.kind);
            }
        }
        if key.0 == "subscription"
            && let Some(before) = before
            && ["canceled", "incomplete_expired"].contains(&before["status"].as_str().unwrap())
        {
            panic!("{} was over before {}", key.1, event.kind);
        }
        if key.0 == "invoice" {
            let amount = |name: &str| object[name].as_i64().unwrap();
            assert_eq!(amount("amount_paid") + amount("amount_remaining"), amount("amount_due"));
            assert!(amount("amount_paid") >= 0 && amount("amount_remaining") >= 0);
        }
        // The update beside it tells what was before.
        if event.kind != "invoice.finalized" {
            told.insert(key, object.clone());
        }
    }
    for ((kind, id), object) in told {
        let now = world.find(&id).expect("what was told of is there");
        if kind != "plan" && now["deleted"] != true {
            assert_eq!(now, object, "{kind} {id} isn't what was told last");
        }
    }
    check_truth(world);
}

fn check_truth(world: &World) {
    for truth in world.truth() {
        let object = world.find(&truth.subscription).unwrap();
        assert_eq!(object["status"], truth.status.as_str());
        assert!(truth.refunded_minor <= truth.paid_minor, "{truth:?}");
        assert!(truth.period.0 < truth.period.1, "{truth:?}");
        assert_eq!(
            truth.ended_at.is_some(),
            ["canceled", "incomplete_expired"].contains(&truth.status.as_str())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if std::env::var_os("LEDGER_SOAK").is_some() { 2_000 } else { 48 },
        ..ProptestConfig::default()
    })]

    #[test]
    fn events_tell_exactly_what_is_so(
        seeds in prop::collection::vec(any::<u64>(), 1..60),
    ) {
        // One seed makes a step or a few, so that fewer seeds are a shorter life.
        let steps: Vec<_> =
            seeds.iter().flat_map(|seed| random_steps(&mut StdRng::seed_from_u64(*seed))).collect();
        let starts_incomplete = seeds[0].is_multiple_of(3);
        let exhausted = Exhausted::ALL[usize::try_from(seeds[0] % 4).unwrap()];
        let retries = RetryPolicy { exhausted, ..Config::default().retries };
        check(&life_in(Config { starts_incomplete, retries, ..Config::default() }, &steps));
    }

    #[test]
    fn a_random_life_can_be_lived_again(seed in any::<u64>()) {
        let (world, steps) = random_life(&mut StdRng::seed_from_u64(seed), 40);
        check(&world);
        let again = life(&steps);
        prop_assert_eq!(world.events(), again.events());
        prop_assert_eq!(world.truth(), again.truth());
    }
}

#[test]
fn lives_are_eventful() {
    let mut kinds: Map<String, Value> = Map::new();
    for seed in 0..80 {
        let (world, _) = random_life(&mut StdRng::seed_from_u64(seed), 60);
        for event in world.events() {
            kinds.insert(event.kind.clone(), Value::Bool(true));
        }
    }
    let wanted = [
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.trial_will_end",
        "customer.subscription.pending_update_applied",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "checkout.session.completed",
        "subscription_schedule.released",
        "subscription_schedule.completed",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.marked_uncollectible",
        "charge.refunded",
        "refund.failed",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
        "price.updated",
        "product.updated",
        "customer.deleted",
    ];
    let missing: Vec<_> = wanted.iter().filter(|kind| !kinds.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "no life had {missing:?}");
}

/// Trainers are named wherever Stripe lets them be named, and things are sold together.
#[test]
fn lives_sell_in_all_ways() {
    let mut ways: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..120 {
        let (world, _) = random_life(&mut StdRng::seed_from_u64(seed), 40);
        let mut moved = false;
        for event in world.events() {
            let named = |value: &Value| value["metadata"]["trainer_id"].is_string();
            let previous = event.previous_attributes.as_ref();
            moved |= event.object["object"] == "subscription"
                && named(&event.object)
                && previous.is_some_and(|old| {
                    old.get("metadata").is_some_and(|old| old["trainer_id"].is_string())
                });
        }
        for truth in world.truth() {
            let own = &world.find(&truth.subscription).unwrap()["metadata"]["trainer_id"];
            let way = match (own.is_string(), truth.trainer.is_some()) {
                (true, _) => "named by itself",
                (false, true) => "named by its customer's link",
                (false, false) => "of nobody",
            };
            *ways.entry(way).or_default() += 1;
            *ways.entry("of several things").or_default() += u32::from(truth.prices.len() > 1);
            let several = truth.quantities.iter().any(|quantity| *quantity > 1);
            *ways.entry("of several of one").or_default() += u32::from(several);
        }
        *ways.entry("moved to another trainer").or_default() += u32::from(moved);
    }
    assert!(ways.len() == 6 && ways.values().all(|count| *count > 5), "{ways:?}");
}
