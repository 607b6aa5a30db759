use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::catalog::Catalog;
use ledger_simulator::shell::Config;
use ledger_simulator::world::{self, World};

use super::*;

const UNTIL: i64 = 1_780_000_000;

fn shop(catalog: &str) -> Shop {
    let text = std::fs::read_to_string(format!("catalogs/{catalog}.toml")).unwrap();
    let price = |name: &str| Some(format!("price_{}", name.to_lowercase()));
    Shop::new(&Catalog::parse(&text, &price).unwrap().catalog)
}

/// A sample, lived through at once.
fn lived(shop: &Shop, until: i64) -> Account {
    let world = world::Config { now: until - SECONDS, ..world::Config::default() };
    let mut account = Account::open(Config::new(world)).unwrap();
    assert_eq!(inside(&mut account), Inside::Nobody);
    shop.open(&mut account).unwrap();
    let mut player = Player::new(&mut account, shop, SEED, until);
    player.plan_lives(until - SECONDS);
    while player.step().unwrap().is_some() {}
    assert_eq!(player.refused, Vec::<String>::new());
    assert_eq!(inside(&mut account), Inside::Sample);
    account
}

fn counts(world: &World) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in world.events() {
        *counts.entry(event.kind.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn every_turn_of_a_subscription_is_there() {
    let shop = shop("trainers");
    let account = lived(&shop, UNTIL);
    let counts = counts(account.world());
    for kind in [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.refunded",
        "checkout.session.completed",
        "checkout.session.expired",
        "customer.subscription.deleted",
        "customer.subscription.trial_will_end",
        "invoice.payment_failed",
        "price.created",
        "subscription_schedule.released",
        "subscription_schedule.updated",
    ] {
        assert!(counts.get(kind).is_some_and(|count| *count > 0), "no {kind} in {counts:?}");
    }
    let truth = account.world().truth();
    let trainers: BTreeSet<_> = truth.iter().filter_map(|it| it.trainer.clone()).collect();
    assert!(trainers.len() >= 200, "{}", trainers.len());
    assert!(truth.iter().any(|it| it.status == "past_due"));
    let recovered = account.world().events().iter().filter(|event| {
        let before = event.previous_attributes.as_ref().and_then(|old| old.get("status"));
        before.is_some_and(|status| status == "past_due") && event.object["status"] == "active"
    });
    assert!(recovered.count() > 0, "somebody pays late");
    assert!(account.world().events().iter().all(|event| event.created <= UNTIL));
}

#[test]
fn every_situation_can_be_looked_at_whatever_the_day() {
    let shop = shop("trainers");
    for week in 0..4 {
        let account = lived(&shop, UNTIL + week * 7 * DAY + week * 12_345);
        let cast = cast(account.world(), &shop);
        assert_eq!(cast.len(), cast::SITUATIONS_MAX, "{cast:?}");
    }
}

#[test]
fn any_catalogue_can_be_lived_with() {
    for catalog in ["membership", "workspace", "organisation"] {
        let shop = shop(catalog);
        let account = lived(&shop, UNTIL);
        assert!(cast(account.world(), &shop).len() >= 4, "{catalog}");
    }
}

#[test]
fn nobody_can_be_recognised() {
    let account = lived(&shop("trainers"), UNTIL);
    for event in account.world().events() {
        let text = event.object.to_string();
        assert!(!text.contains('@'), "{text}");
    }
}
