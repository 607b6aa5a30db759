//! A fact that can't be taken in stops its own unit and nobody else.

use std::sync::atomic::{AtomicBool, Ordering};

use ledger_domain::event::{Entry, Event};
use ledger_log::{EventLog, NewEvent};
use ledger_projections::{Config, ParkedUnit, discard_parked, retry_parked};

use crate::given::{self, DAY_0, snapshot};
use crate::world::{World, catch_up, config, start, trainer, until};

fn sub(id: &str, customer: &str, at: i64, status: &str) -> NewEvent {
    let object = format!("sub_{customer}");
    given::subscription(id, at, "updated", snapshot(&object, customer, status, DAY_0))
}

async fn parked(world: &World, tenant: &ledger_domain::id::Tenant) -> Vec<ParkedUnit> {
    let mut reader = world.reader(tenant, None).await;
    reader.parked(10).await.unwrap()
}

/// Whether the fold takes in a certain customer's facts.
static MENDED: AtomicBool = AtomicBool::new(false);

fn panic_at_cus_1(entry: &Entry) {
    let is_subject = match &entry.event {
        Event::CustomerLinked(e) => e.customer.as_str() == "cus_1" && entry.key.id.as_str() == "l2",
        Event::SubscriptionReported(e) => e.snapshot.id.as_str() == "sub_cus_1",
        _ => false,
    };
    assert!(!is_subject || MENDED.load(Ordering::SeqCst), "a mistake in the fold");
}

#[tokio::test]
async fn a_unit_whose_fold_panics_waits_in_order_and_goes_on_once_that_is_mended() {
    let world = World::new();
    let tenant = world.open("default").await;
    let before = vec![given::linked("l0", 0, "cus_1", "t1"), given::linked("l1", 0, "cus_2", "t2")];
    let after = vec![
        given::linked("l2", 1, "cus_1", "t1"),
        sub("evt_1", "cus_1", DAY_0, "active"),
        sub("evt_2", "cus_2", DAY_0, "active"),
        sub("evt_3", "cus_1", DAY_0 + 1, "past_due"),
    ];
    world.log.append(&tenant, before.clone()).await.unwrap();
    world.log.append(&tenant, given::month()[6..8].to_vec()).await.unwrap();
    world.project(&tenant).await;

    for event in after.clone() {
        world.log.append(&tenant, vec![event]).await.unwrap();
    }
    let runner = world.runner(Config { before_fold: Some(panic_at_cus_1), ..config("test") });
    catch_up(&runner, &*world.log, &tenant).await.unwrap();

    let [unit] = &parked(&world, &tenant).await[..] else { panic!("one unit is parked") };
    assert_eq!((unit.unit.as_str(), unit.events), ("customer/cus_1", 3));
    assert!(unit.reason.contains("a mistake in the fold"), "{}", unit.reason);
    let statuses = "SELECT subscription_id, status FROM rm_subscriptions.trainer_subscriptions";
    assert_eq!(world.sql(statuses), "sub_cus_2|active", "the other customer is served");

    MENDED.store(true, Ordering::SeqCst);
    let running = start(&runner, &tenant);
    assert!(retry_parked(&world.pools.projector, &tenant, "customer/cus_1").await.unwrap());
    let left = || world.sql("SELECT count(*) FROM projection.parked_event") == "0";
    until("the unit is taken up again", left).await;
    running.stop().await.unwrap();
    assert!(parked(&world, &tenant).await.is_empty());

    let straight = world.open("straight").await;
    world.log.append(&straight, before).await.unwrap();
    world.log.append(&straight, given::month()[6..8].to_vec()).await.unwrap();
    world.log.append(&straight, after).await.unwrap();
    world.project(&straight).await;
    assert_eq!(world.rows(&tenant), world.rows(&straight));
}

#[tokio::test]
async fn rows_that_the_database_refuses_are_traced_to_their_units() {
    let world = World::new();
    let tenant = world.open("default").await;
    let mut events: Vec<NewEvent> =
        (0..40).map(|i| sub(&format!("evt_{i}"), &format!("c{i:02}"), DAY_0, "active")).collect();
    // No text of the database's holds a zero.
    events[7] = sub("evt_7", "c07", DAY_0, "act\0ive");
    events[31] = sub("evt_31", "c31", DAY_0, "act\0ive");
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;

    let units = parked(&world, &tenant).await;
    let names: Vec<&str> = units.iter().map(|unit| unit.unit.as_str()).collect();
    assert_eq!(names, ["customer/c07", "customer/c31"]);
    assert!(units[0].reason.starts_with("its rows were refused"), "{}", units[0].reason);
    let count = "SELECT count(*) FROM rm_subscriptions.trainer_subscriptions";
    assert_eq!(world.sql(count), "38");

    // A later fact waits behind the one that can't be taken in, until somebody gives that up.
    world.log.append(&tenant, vec![sub("evt_50", "c07", DAY_0 + 1, "active")]).await.unwrap();
    world.project(&tenant).await;
    assert_eq!(world.sql(count), "38");
    let pool = &world.pools.projector;
    assert!(discard_parked(pool, &tenant, "customer/c07", 9).await.unwrap());
    let runner = world.runner(config("test"));
    let running = start(&runner, &tenant);
    until("the later fact is served", || world.sql(count) == "39").await;
    running.stop().await.unwrap();
    let units = parked(&world, &tenant).await;
    let [unit] = &units[..] else { panic!("one is left: {units:?}") };
    assert_eq!(unit.unit, "customer/c31");
}

#[tokio::test]
async fn a_fact_that_this_program_cannot_read_parks_whom_it_names() {
    let world = World::new();
    let tenant = world.open("default").await;
    let mut unknown = given::webhook(
        "evt_0",
        DAY_0,
        Some("cus_1"),
        ledger_domain::event::Event::TrainerRegistered(ledger_domain::event::TrainerRegistered {
            trainer: trainer("t1"),
        }),
    );
    unknown.event_type = "FromTheFuture".into();
    let mut nameless = given::registered("r0", 0, "t9");
    nameless.event_type = "FromTheFuture".into();
    let events = vec![
        given::naming("t1", unknown),
        nameless,
        sub("evt_1", "cus_1", DAY_0, "active"),
        sub("evt_2", "cus_2", DAY_0, "active"),
    ];
    world.log.append(&tenant, events).await.unwrap();
    world.project(&tenant).await;

    let found: Vec<_> =
        parked(&world, &tenant).await.into_iter().map(|unit| (unit.unit, unit.events)).collect();
    assert_eq!(found, [("customer/cus_1".to_owned(), 2), ("event/3".to_owned(), 1)]);
    let named = "SELECT position, trainer_id FROM projection.parked_event ORDER BY 1";
    assert_eq!(world.sql(named), "2|t1\n3|\n4|");
    let served = "SELECT subscription_id FROM rm_subscriptions.trainer_subscriptions";
    assert_eq!(world.sql(served), "sub_cus_2");
}
