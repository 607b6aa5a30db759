//! Facts in, rows out.

use ledger_domain::account::{Change, Grant, PaymentKind};
use ledger_domain::catalog::ResolvedPrices;
use ledger_domain::event::stripe::Before;
use ledger_domain::event::{CatalogPublished, Event};
use ledger_domain::time::{Interval, Timestamp};
use ledger_log::{EventLog, NewEvent};
use ledger_projections::UsageSum;
use serde_json::{Value, json};

use crate::given::{self, DAY_0, f};
use crate::world::{World, trainer};

#[tokio::test]
async fn a_month_of_webhooks_gives_what_a_trainer_holds_and_paid() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, given::month()).await.unwrap();
    world.project(&tenant).await;

    let mut reader = world.reader(&tenant, Some(&trainer("t1"))).await;
    let (holdings, position) = reader.holdings(&trainer("t1")).await.unwrap();
    assert_eq!(position, 13);
    let [subscription] = &holdings.subscriptions[..] else { panic!("{holdings:?}") };
    assert_eq!(subscription.status, "active");
    assert_eq!(subscription.trainer, Some(trainer("t1")));
    assert_eq!(subscription.items[0].price.unit_amount, Some(2900));
    assert_eq!(subscription.current_period.unwrap().from.unix(), DAY_0 + 30 * 86_400);
    assert!(subscription.once_active);
    assert_eq!(holdings.disputes.lost.len(), 1);

    let history = reader.history(&trainer("t1"), None, 100).await.unwrap();
    assert!(history.changes.iter().any(|change| change.change == Change::Created), "{history:?}");
    assert!(history.changes.iter().any(|change| change.change == Change::Renewed), "{history:?}");
    assert_eq!(history.next, None);

    let payments = reader.payments(&trainer("t1"), None, 100).await.unwrap().payments;
    let of = |kind| payments.iter().filter(move |payment| payment.kind == kind).collect::<Vec<_>>();
    let [invoice] = of(PaymentKind::Invoice)[..] else { panic!("{payments:?}") };
    assert_eq!((invoice.paid_minor, invoice.event_ids.len()), (2900, 2));
    let [payment] = of(PaymentKind::Payment)[..] else { panic!("{payments:?}") };
    assert_eq!((payment.paid_minor, payment.refunded_minor), (2900, 1000));
    assert_eq!(payment.invoice.as_ref().map(|id| id.as_str()), Some("in_1"));
    assert_eq!((of(PaymentKind::Refund).len(), of(PaymentKind::Dispute).len()), (1, 1));
    reader.finish().await.unwrap();
}

#[tokio::test]
async fn an_administrators_link_holds_until_the_metadata_name_another_trainer() {
    let world = World::new();
    let tenant = world.open("default").await;
    let before = |fields: Value| Before::Fields(fields.as_object().unwrap().clone());
    let link = "SELECT trainer_id, event_id, conflicting FROM rm_subscriptions.customer_link";
    let steps = [
        (given::customer("evt_1", DAY_0 - 10, "t1", Before::NoObject), "t1|evt_1|f"),
        (given::linked("act_1", 0, "cus_1", "t2"), "t2|api/act_1|t"),
        // All of the metadata stand in it, and it tells of something else.
        (
            given::customer("evt_2", DAY_0 + 10, "t1", before(json!({"delinquent": true}))),
            "t2|api/act_1|t",
        ),
        (
            given::customer(
                "evt_3",
                DAY_0 + 20,
                "t3",
                before(json!({"metadata": {"trainer_id": "t1"}})),
            ),
            "t3|evt_3|t",
        ),
    ];
    for (event, expected) in steps {
        world.log.append(&tenant, vec![event]).await.unwrap();
        world.project(&tenant).await;
        assert_eq!(world.sql(link), expected);
    }
}

#[tokio::test]
async fn a_dispute_was_lost_when_it_was_whatever_is_told_of_it_later() {
    let world = World::new();
    let tenant = world.open("default").await;
    let lost = json!({"id": "dp_1", "currency": "usd", "amount": 1900, "charge": "ch_1",
        "status": "lost"});
    let later = given::dispute("evt_20", DAY_0 + 200, "updated", lost);
    for events in [given::month(), vec![later]] {
        world.log.append(&tenant, events).await.unwrap();
        world.project(&tenant).await;
        let mut reader = world.reader(&tenant, Some(&trainer("t1"))).await;
        let (holdings, _) = reader.holdings(&trainer("t1")).await.unwrap();
        let [lost] = &holdings.disputes.lost[..] else { panic!("{holdings:?}") };
        assert_eq!(lost.at.unix(), DAY_0 + 99);
        reader.finish().await.unwrap();
    }
}

/// Whichever kind of event it is, and whether or not anything comes of it.
#[tokio::test]
async fn events_that_name_a_trainer_are_remembered() {
    let world = World::new();
    let tenant = world.open("default").await;
    let mut events: Vec<NewEvent> = given::month();
    for named in [0, 6] {
        events[named] = given::naming("t1", events[named].clone());
    }
    let mut unknown = given::naming("t2", given::registered("a0", 0, "t2"));
    unknown.event_type = "FromTheFuture".into();
    events.extend([unknown, given::naming("t1", given::used("u0", 0, "t1", DAY_0, 1))]);
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;
    let remembered = "SELECT trainer_id, position FROM rm_subscriptions.trainer_event ORDER BY 2";
    assert_eq!(world.sql(remembered), "t1|2\nt1|8\nt2|14\nt1|15");
}

#[tokio::test]
async fn pages_of_history_and_payments_join_without_gap_or_repetition() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, given::month()).await.unwrap();
    world.log.append(&tenant, vec![given::assigned("a", 0, "t1", "enterprise")]).await.unwrap();
    world.project(&tenant).await;

    let mut reader = world.reader(&tenant, None).await;
    let all = reader.history(&trainer("t1"), None, 100).await.unwrap().changes;
    let (mut joined, mut next) = (Vec::new(), None);
    loop {
        let page = reader.history(&trainer("t1"), next.as_ref(), 1).await.unwrap();
        joined.extend(page.changes);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(joined, all);
    assert!(all.len() >= 3);

    let all = reader.payments(&trainer("t1"), None, 100).await.unwrap().payments;
    let (mut joined, mut next) = (Vec::new(), None);
    loop {
        let page = reader.payments(&trainer("t1"), next.as_ref(), 1).await.unwrap();
        joined.extend(page.payments);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(joined, all);
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn acts_of_administrators_are_grants_and_history() {
    let world = World::new();
    let tenant = world.open("default").await;
    let acts = vec![
        given::registered("a0", 0, "t2"),
        given::assigned("a1", 1, "t2", "starter"),
        given::assigned("a2", 2, "t2", "enterprise"),
        given::lifted("a3", 3, "t2", 30),
        given::suspended("a4", 4, "t2"),
    ];
    world.log.append(&tenant, acts).await.unwrap();
    world.project(&tenant).await;

    let mut reader = world.reader(&tenant, Some(&trainer("t2"))).await;
    let (holdings, _) = reader.holdings(&trainer("t2")).await.unwrap();
    let known = holdings.trainer.unwrap();
    assert!(known.registered_at.is_some() && known.suspended_at.is_some());
    let [starter, enterprise, lifted] = &holdings.grants[..] else { panic!("three grants") };
    assert_eq!(starter.revoked_at, Some(enterprise.granted_at), "the later tier replaces it");
    assert!(matches!(&lifted.grant, Grant::Override { feature, .. } if *feature == f("customers")));
    let history = reader.history(&trainer("t2"), None, 100).await.unwrap().changes;
    let steps: Vec<_> = history.iter().map(|change| change.change).collect();
    assert_eq!(steps, [Change::Suspended, Change::Override, Change::Assigned, Change::Assigned]);
}

#[tokio::test]
async fn usage_is_summed_over_any_window_or_left_to_the_log() {
    let world = World::new();
    let tenant = world.open("default").await;
    let noon = DAY_0 + 43_200;
    let events = vec![
        given::used("u0", 0, "t1", noon, 5),
        given::used("u1", 1, "t1", noon + 86_400, 7),
        given::used("u2", 2, "t1", noon + 10, 1),
        given::used("u3", 3, "t1", noon - 7 * 86_400, 2),
        given::used("u4", 4, "t1", noon + 86_400, -3),
    ];
    for event in events {
        world.log.append(&tenant, vec![event]).await.unwrap();
        world.project(&tenant).await;
    }
    let window = |from: i64, until: i64| {
        let (from, until) = (Timestamp::from_unix(from), Timestamp::from_unix(until));
        Some(Interval { from, until })
    };
    let asked = [
        (f("customers"), None),
        (f("customers"), window(DAY_0, DAY_0 + 30 * 86_400)),
        (f("customers"), window(noon + 5, noon + 86_400)),
        (f("analytics"), None),
    ];
    let mut reader = world.reader(&tenant, Some(&trainer("t1"))).await;
    let sums = reader.usage(&trainer("t1"), &asked).await.unwrap();
    let exact = |used| UsageSum { used, unsettled: Vec::new() };
    assert_eq!(sums[0], exact(12));
    assert_eq!(sums[1], exact(10));
    assert_eq!(sums[2].used, 0);
    assert_eq!(sums[3], exact(0));
    let [piece] = sums[2].unsettled[..] else { panic!("one piece of a day: {sums:?}") };
    let position = reader.position().await.unwrap();
    let told = world.log.usage(&tenant, &trainer("t1"), &f("customers"), piece, position).await;
    assert_eq!(told.unwrap().iter().map(|(_, quantity)| quantity).sum::<i64>(), 1);
}

#[tokio::test]
async fn catalogues_and_prices_are_read_back_as_published() {
    let world = World::new();
    let tenant = world.open("default").await;
    let toml = include_str!("../../../catalogs/workspace.toml");
    let published = CatalogPublished {
        effective_at: Timestamp::from_unix(DAY_0),
        prices: ResolvedPrices::default(),
        toml: toml.into(),
    };
    let publish: NewEvent = given::act("c0", "tenant", 1, Event::CatalogPublished(published));
    world.log.append(&tenant, vec![publish]).await.unwrap();
    world.log.append(&tenant, given::month()).await.unwrap();
    world.project(&tenant).await;

    let mut reader = world.reader(&tenant, Some(&trainer("t1"))).await;
    let catalogs = reader.catalogs().await.unwrap();
    assert_eq!(catalogs.in_force(0).unwrap().tiers().len(), 3);
    let amounts = "SELECT snapshot ->> 'unit_amount' FROM rm_catalog.price";
    assert_eq!(world.sql(amounts), "2900");
    assert!(!reader.identity().await.unwrap().unwrap().livemode);
}
