//! What a person should look at, as readers find it.

use ledger_domain::catalog::Catalog;
use ledger_domain::event::stripe::{StripeEventRecorded, Unread};
use ledger_domain::event::{Event, IdReuseSeen};
use ledger_domain::id::{EventId, EventKey, Namespace, StripeId, Tenant, TrainerId};
use ledger_log::EventLog;
use ledger_projections::queries::{AnomalyFilter, AnomalyView};
use serde_json::json;

use crate::given::{self, DAY_0};
use crate::world::{World, trainer};

/// The price of [`given::snapshot`].
const KNOWN_PRICE: &str = "price_starter_month";

fn key(id: &str) -> EventKey {
    EventKey::new(Namespace::stripe(), EventId::try_new(id).unwrap())
}

/// Facts of two customers with one missing of each, the first one's linked.
fn with_gaps() -> Vec<ledger_log::NewEvent> {
    let mut events = vec![given::linked("a0", 0, "cus_1", "t1")];
    for n in [1, 2] {
        let (sub, cus) = (format!("sub_{n}"), format!("cus_{n}"));
        let snapshot = |status: &str| given::snapshot(&sub, &cus, status, DAY_0);
        events.push(given::subscription(
            &format!("evt_{n}a"),
            DAY_0,
            "created",
            snapshot("active"),
        ));
        let before = json!({"status": "past_due"});
        events.push(given::updated(&format!("evt_{n}c"), DAY_0 + 9, snapshot("active"), before));
    }
    events
}

async fn listed(world: &World, tenant: &Tenant, filter: &AnomalyFilter) -> Vec<AnomalyView> {
    let mut reader = world.reader(tenant, None).await;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = reader.anomalies(filter, after.as_ref(), 1).await.unwrap();
        assert!(page.anomalies.len() <= 1);
        all.extend(page.anomalies);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, reader.anomalies(filter, None, 100).await.unwrap().anomalies);
    all
}

#[tokio::test]
async fn gaps_are_found_page_by_page_and_vanish_when_the_fact_arrives() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, with_gaps()).await.unwrap();
    world.project(&tenant).await;

    let every = AnomalyFilter::default();
    let [one, two] = &listed(&world, &tenant, &every).await[..] else { panic!("two gaps") };
    assert_eq!((&*one.kind, &one.event), ("gap_suspected", &key("evt_1c")));
    assert_eq!(one.previous, Some(key("evt_1a")));
    assert_eq!(one.subject, ("subscription".into(), "sub_1".into()));
    assert_eq!(one.trainer, Some(trainer("t1")));
    assert_eq!((two.trainer.as_ref(), two.event.id.as_str()), (None, "evt_2c"));

    let id = |text: &str| Some(StripeId::try_new(text).unwrap());
    for (filter, found) in [
        (AnomalyFilter { trainer: Some(trainer("t1")), ..every.clone() }, 1),
        (AnomalyFilter { trainer: Some(trainer("t2")), ..every.clone() }, 0),
        (AnomalyFilter { customer: id("cus_2"), ..every.clone() }, 1),
        (AnomalyFilter { subject: id("sub_2"), ..every.clone() }, 1),
        (AnomalyFilter { subject: id("sub_"), ..every.clone() }, 0),
        (AnomalyFilter { kind: Some("order_conflict".into()), ..every.clone() }, 0),
        (AnomalyFilter { kind: Some("gap_suspected".into()), ..every.clone() }, 2),
    ] {
        assert_eq!(listed(&world, &tenant, &filter).await.len(), found, "{filter:?}");
    }

    let missing = given::snapshot("sub_1", "cus_1", "past_due", DAY_0);
    let missing = given::updated("evt_1b", DAY_0 + 5, missing, json!({"status": "active"}));
    world.log.append(&tenant, vec![missing]).await.unwrap();
    world.project(&tenant).await;
    assert_eq!(listed(&world, &tenant, &every).await, std::slice::from_ref(two));
}

#[tokio::test]
async fn nobody_sees_them_but_who_sees_the_whole_tenant() {
    let world = World::new();
    let tenant = world.open("default").await;
    let mut events = with_gaps();
    for (id, amount) in [("evt_p", 2900), ("evt_q", 3900)] {
        let price = json!({"id": "price_1", "currency": "usd", "unit_amount": amount});
        events.push(given::price(id, DAY_0, "updated", price));
    }
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;
    let other = world.open("other").await;
    world.project(&other).await;
    for (tenant, trainer) in [(&tenant, Some(trainer("t1"))), (&other, None)] {
        let mut reader = world.reader(tenant, trainer.as_ref()).await;
        let every = AnomalyFilter::default();
        assert_eq!(reader.anomalies(&every, None, 9).await.unwrap().anomalies, []);
        assert_eq!(reader.sold_anomalies(&every, None, 9).await.unwrap().anomalies, []);
        assert_eq!(reader.dead_letters(0, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn prices_in_an_undecided_order_are_found_until_the_order_is_known() {
    let world = World::new();
    let tenant = world.open("default").await;
    let price = |id: &str, amount: i64| {
        let price = json!({"id": "price_1", "currency": "usd", "unit_amount": amount});
        given::price(id, DAY_0, "updated", price)
    };
    let events = vec![price("evt_1", 2900), price("evt_2", 3900), price("evt_3", 3900)];
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;
    let mut reader = world.reader(&tenant, None).await;
    let every = AnomalyFilter::default();
    let page = reader.sold_anomalies(&every, None, 9).await.unwrap();
    let [conflict] = &page.anomalies[..] else { panic!("{page:?}") };
    assert_eq!(conflict.subject, ("price".into(), "price_1".into()));
    assert_eq!((&conflict.event, conflict.previous.as_ref()), (&key("evt_2"), Some(&key("evt_1"))));
    let of_somebody = AnomalyFilter { trainer: Some(trainer("t1")), ..every.clone() };
    assert_eq!(reader.sold_anomalies(&of_somebody, None, 9).await.unwrap().anomalies, []);
    assert_eq!(reader.anomalies(&every, None, 9).await.unwrap().anomalies, []);
}

#[tokio::test]
async fn events_that_are_odd_by_themselves_are_found() {
    let world = World::new();
    let tenant = world.open("default").await;
    let snapshot = given::snapshot("sub_9", "cus_9", "active", DAY_0);
    let strange = given::of_real_money(given::subscription("evt_9", DAY_0, "created", snapshot));
    let seen = IdReuseSeen { content_hash: "00".into(), key: key("evt_1"), position: 2 };
    let seen = given::webhook("evt_reuse", DAY_0, None, Event::IdReuseSeen(seen));
    let letter = |id: &str, at: i64| {
        let reason = Unread::Unusable("data.object.items".into());
        let recorded = Event::StripeEventRecorded(StripeEventRecorded { reason });
        given::webhook(id, at, None, recorded)
    };
    let events = vec![strange, letter("evt_z", DAY_0), seen, letter("evt_a", DAY_0 + 1)];
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;

    let found = listed(&world, &tenant, &AnomalyFilter::default()).await;
    let [reused, foreign] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*reused.kind, reused.previous.as_ref()), ("id_reused", Some(&key("evt_1"))));
    assert_eq!((&*foreign.kind, &foreign.event), ("foreign", &key("evt_9")));
    assert_eq!(foreign.customer.as_ref().map(StripeId::as_str), Some("cus_9"));
    assert_eq!(foreign.subject, ("event".into(), "evt_9".into()));

    let mut reader = world.reader(&tenant, None).await;
    let letters = reader.dead_letters(0, 9).await.unwrap();
    let ids: Vec<&str> = letters.iter().map(|letter| letter.event.id.as_str()).collect();
    assert_eq!((ids, &*letters[0].lacks), (vec!["evt_z", "evt_a"], "data.object.items"));
    assert_eq!(reader.dead_letters(letters[0].position, 9).await.unwrap(), letters[1..]);
    assert_eq!(reader.dead_letters(0, 1).await.unwrap(), letters[..1]);
}

#[tokio::test]
async fn who_holds_several_things_or_an_unknown_one_is_found_with_all_of_them() {
    let world = World::new();
    let tenant = world.open("default").await;
    let mut events = Vec::new();
    for (n, owner) in ["t1", "t2", "t2", "t3"].into_iter().enumerate() {
        let mut snapshot =
            given::snapshot(&format!("sub_{n}"), &format!("cus_{n}"), "active", DAY_0);
        snapshot["metadata"] = json!({"trainer_id": owner});
        events.push(given::subscription(&format!("evt_{n}"), DAY_0, "created", snapshot));
    }
    events.push(given::assigned("a0", 0, "t3", "starter"));
    events.push(given::lifted("a1", 0, "t1", 30));
    // One thing each: a price, a status and items that nobody knows, as they are and ended.
    let alone = |n: usize, price: &str, status: &str, has_more: bool| {
        let mut snapshot =
            given::snapshot(&format!("sub_o{n}"), &format!("cus_o{n}"), status, DAY_0);
        snapshot["metadata"] = json!({"trainer_id": format!("o{n}")});
        snapshot["items"]["data"][0]["price"]["id"] = price.into();
        snapshot["items"]["has_more"] = has_more.into();
        given::subscription(&format!("evt_o{n}"), DAY_0, "created", snapshot)
    };
    events.extend([
        alone(0, "price_unknown", "active", false),
        alone(1, "price_unknown", "canceled", true),
        alone(2, KNOWN_PRICE, "hibernating", false),
        alone(3, KNOWN_PRICE, "active", true),
        alone(4, KNOWN_PRICE, "active", false),
        given::assigned("a5", 0, "o5", "platinum"),
        given::assigned("a6", 0, "o6", "starter"),
        given::lifted("a7", 0, "o7", 30),
    ]);
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;
    let mut reader = world.reader(&tenant, None).await;
    let text = include_str!("../../../catalogs/trainers.toml");
    let price = |name: &str| (name == "STRIPE_PRICE_TIER_STARTER").then(|| KNOWN_PRICE.to_owned());
    let catalog = Catalog::parse(text, &price).unwrap().catalog;
    let holders = reader.holders(&catalog, None).await.unwrap();
    assert_eq!(holders.trainers, ["o0", "o2", "o3", "o5", "t2", "t3"].map(trainer));
    assert_eq!(holders.next, None);
    // Another product, without that feature and without that tier.
    let text = include_str!("../../../catalogs/membership.toml");
    let other = Catalog::parse(text, &|_| None).unwrap().catalog;
    let holders = reader.holders(&other, None).await.unwrap();
    let all = ["o0", "o2", "o3", "o4", "o5", "o6", "o7", "t1", "t2", "t3"];
    assert_eq!(holders.trainers, all.map(trainer));
    let all: Vec<TrainerId> = ["t1", "t2", "t3", "t4"].map(trainer).into();
    for (trainer, holdings) in all.iter().zip(reader.holdings_of(&all).await.unwrap()) {
        assert_eq!(holdings, reader.holdings(trainer).await.unwrap().0, "{trainer}");
    }
}
