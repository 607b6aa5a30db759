//! A mistake that panics, wherever it is, ends nobody's projection in silence.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::{EventLog, NewEvent};
use ledger_projections::retry_parked;
use ledger_projections::runner::{HOOK, Point};
use tokio::time::Instant;

use crate::given::{self, DAY_0, snapshot};
use crate::world::{PATIENCE, World, catch_up, config, start, until};

/// Where runners of this process panic, whichever test they are of.
static BROKEN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

fn break_at(point: &'static str) {
    HOOK.get_or_init(|| panic_where_broken);
    BROKEN.lock().unwrap().insert(point);
}

fn mend(point: &str) {
    BROKEN.lock().unwrap().remove(point);
}

fn panic_where_broken(point: Point<'_>) {
    let point = match point {
        Point::Decode(key) => format!("decode {}", key.id),
        Point::Route(key) => format!("route {}", key.id),
        Point::Rows(unit) => format!("rows of {unit}"),
        Point::Commit(owner) => format!("commit by {owner}"),
    };
    let is_broken = BROKEN.lock().unwrap().contains(point.as_str());
    assert!(!is_broken, "a mistake");
}

fn sub(id: &str, customer: &str, at: i64, status: &str) -> NewEvent {
    let object = format!("sub_{customer}");
    given::subscription(id, at, "updated", snapshot(&object, customer, status, DAY_0))
}

fn facts() -> Vec<NewEvent> {
    vec![
        given::linked("l1", 0, "cus_shaky", "t1"),
        given::linked("l2", 0, "cus_well", "t2"),
        sub("evt_1", "cus_shaky", DAY_0, "active"),
        sub("evt_2", "cus_well", DAY_0, "active"),
        sub("evt_shaky", "cus_shaky", DAY_0 + 1, "past_due"),
        sub("evt_3", "cus_well", DAY_0 + 1, "past_due"),
        sub("evt_4", "cus_shaky", DAY_0 + 2, "active"),
    ]
}

/// What the read models hold if nothing goes wrong.
async fn expected(world: &World, events: Vec<NewEvent>) -> String {
    let straight = world.open("straight").await;
    world.log.append(&straight, events).await.unwrap();
    world.project(&straight).await;
    world.rows(&straight)
}

#[tokio::test]
async fn a_panic_about_one_event_or_unit_parks_that_unit_and_nobody_else() {
    parks_one("decode evt_shaky", "decoding it panicked: a mistake").await;
    parks_one("route evt_shaky", "finding whose it is panicked: a mistake").await;
    parks_one("rows of customer/cus_shaky", "making its rows panicked: a mistake").await;
}

async fn parks_one(point: &'static str, reason: &str) {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    break_at(point);
    let runner = world.runner(config("test"));
    catch_up(&runner, &*world.log, &tenant).await.unwrap();
    let parked = "SELECT unit, reason FROM projection.parked_unit";
    assert_eq!(world.sql(parked), format!("customer/cus_shaky|{reason}"));
    let status = "SELECT status FROM rm_subscriptions.trainer_subscriptions
        WHERE subscription_id = 'sub_cus_well'";
    assert_eq!(world.sql(status), "past_due", "{point}: the other customer is served");
    assert!(runner.positions().halted(&tenant).is_none(), "{point}");

    mend(point);
    let running = start(&runner, &tenant);
    retry_parked(&world.pools.projector, &tenant, "customer/cus_shaky").await.unwrap();
    let left = || world.sql("SELECT count(*) FROM projection.parked_event") == "0";
    until("the unit is taken up again", left).await;
    running.stop().await.unwrap();
    assert_eq!(world.rows(&tenant), expected(&world, facts()).await, "{point}");
}

async fn append(world: &World, tenant: &Tenant, events: &[NewEvent]) -> i64 {
    world.log.append(tenant, events.to_vec()).await.unwrap();
    world.log.head(tenant).await.unwrap().unwrap().position
}

#[tokio::test]
async fn a_panic_about_nobody_ends_a_session_and_the_next_one_begins() {
    const POINT: &str = "commit by shaken";
    let world = World::new();
    let tenant = world.open("default").await;
    let shaken = world.runner(config("shaken"));
    let running = start(&shaken, &tenant);
    until("it projects", || shaken.positions().known(&tenant) == 1).await;
    break_at(POINT);
    let (first, second) = (facts()[..4].to_vec(), facts()[4..].to_vec());
    let head = append(&world, &tenant, &first).await;
    // The first panic might pass; the second tells that it doesn't.
    let is_halted = || shaken.positions().halted(&tenant).is_some();
    until("it says why it stands still", is_halted).await;
    let told = shaken.positions().halted(&tenant).unwrap();
    assert!(told.contains("a panic") && told.contains("a mistake"), "{told}");

    // Another process can take over at once, and this one sees how far that is.
    let given_back = || world.sql("SELECT owner FROM projection.lease").is_empty();
    until("the lease is given back", given_back).await;
    let other = world.runner(config("other"));
    let others = start(&other, &tenant);
    let deadline = Instant::now() + Duration::from_secs(30);
    let reached = shaken.positions().wait_for(&tenant, head, deadline).await;
    assert_eq!(reached.unwrap(), head, "the database is asked");
    until("it isn't held against this process any more", || !is_halted()).await;
    others.stop().await.unwrap();

    // Nor is anything lost that was under way.
    let head = append(&world, &tenant, &second).await;
    until("it tries again, and fails again", is_halted).await;
    mend(POINT);
    shaken.positions().wait_for(&tenant, head, Instant::now() + PATIENCE).await.unwrap();
    until("it is told to be well", || !is_halted()).await;
    running.stop().await.unwrap();
    assert_eq!(world.sql("SELECT count(*) FROM projection.parked_unit"), "0");
    assert_eq!(world.rows(&tenant), expected(&world, facts()).await);
}
