//! Much to do for one unit, or a fold that doesn't end, holds up nobody for good.

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_domain::event::{Entry, Event};
use ledger_log::{EventLog, NewEvent};
use ledger_projections::{Config, ParkedUnit, Runner, retry_parked};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::time::Instant;

use crate::given::{self, DAY_0, snapshot};
use crate::world::{LOGIN, World, catch_up, config, start, until};

/// How long a transaction may be idle in these tests.
const IDLE: Duration = Duration::from_secs(2);

/// How long a statement may take in these tests.
const STATEMENT: Duration = Duration::from_secs(1);

/// Connections of a server that has little patience with statements and with idle transactions.
fn impatient(world: &World) -> PgPool {
    let url = Cluster::shared().url(&world.database, LOGIN);
    let options = PgConnectOptions::from_str(&url).unwrap().options([
        ("role", "ledger_projector".to_owned()),
        ("idle_in_transaction_session_timeout", format!("{}ms", IDLE.as_millis())),
        ("statement_timeout", format!("{}ms", STATEMENT.as_millis())),
    ]);
    PgPoolOptions::new().max_connections(8).connect_lazy_with(options)
}

fn sub(id: &str, object: &str, customer: &str, at: i64, status: &str) -> NewEvent {
    given::subscription(id, at, "updated", snapshot(object, customer, status, DAY_0))
}

async fn parked(world: &World, tenant: &ledger_domain::id::Tenant) -> Vec<ParkedUnit> {
    world.reader(tenant, None).await.parked(10).await.unwrap()
}

async fn append(world: &World, tenant: &ledger_domain::id::Tenant, events: &[NewEvent]) {
    for event in events {
        world.log.append(tenant, vec![event.clone()]).await.unwrap();
    }
}

/// Takes so long that the facts below together take longer than a transaction may be idle.
fn dawdle(_: &Entry) {
    let until = Instant::now() + IDLE / 20_000;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_thousands_of_facts_gets_through_and_others_with_it() {
    const FACTS: usize = 6_000;
    let world = World::new();
    let tenant = world.open("default").await;
    // They name a subscription, and not whose it is.
    let waiting: Vec<NewEvent> = (0..FACTS)
        .map(|n| {
            let invoice = json!({"id": format!("in_{n}"), "subscription": "sub_1", "status": "paid",
                "currency": "usd", "total": 100, "amount_paid": 100, "created": DAY_0});
            given::invoice(&format!("evt_{n}"), DAY_0 + 1, "paid", invoice)
        })
        .collect();
    for waiting in waiting.chunks(500) {
        world.log.append(&tenant, waiting.to_vec()).await.unwrap();
    }
    let runner = |world: &World| {
        let config = Config { before_fold: Some(dawdle), ..config("test") };
        Runner::new(impatient(world), world.log.clone(), config)
    };
    catch_up(&runner(&world), &*world.log, &tenant).await.unwrap();
    let paid = "SELECT count(*) FROM rm_subscriptions.payment_logs WHERE trainer_id = 't1'";
    assert_eq!(world.sql(paid), "0");

    let told = [
        sub("sub_a", "sub_1", "cus_2", DAY_0, "active"),
        given::linked("l1", 0, "cus_2", "t1"),
        sub("sub_b", "sub_9", "cus_9", DAY_0, "active"),
    ];
    append(&world, &tenant, &told).await;
    catch_up(&runner(&world), &*world.log, &tenant).await.unwrap();
    assert_eq!(world.sql(paid), FACTS.to_string());
    assert_eq!(world.sql("SELECT count(*) FROM rm_subscriptions.waiting_fact"), "0");

    // A smaller customer takes it all over.
    let told = [
        sub("sub_c", "sub_1", "cus_1", DAY_0 + 1, "active"),
        given::linked("l2", 1, "cus_1", "t1"),
        sub("sub_d", "sub_9", "cus_9", DAY_0 + 1, "past_due"),
    ];
    append(&world, &tenant, &told).await;
    catch_up(&runner(&world), &*world.log, &tenant).await.unwrap();
    let of = |customer: &str| {
        world.sql(&format!(
            "SELECT count(*) FROM rm_subscriptions.unit_part WHERE unit = 'customer/{customer}'
                AND part LIKE 'invoice/%'"
        ))
    };
    assert_eq!((of("cus_1"), of("cus_2")), (FACTS.to_string(), "0".to_owned()));
    let status = "SELECT status FROM rm_subscriptions.trainer_subscriptions
        WHERE subscription_id = 'sub_9'";
    assert_eq!(world.sql(status), "past_due");
    assert!(parked(&world, &tenant).await.is_empty());
}

/// Whether the fold of a certain fact may end.
static RELEASED: AtomicBool = AtomicBool::new(false);

fn stay_at_evt_2(entry: &Entry) {
    while entry.key.id.as_str() == "evt_2" && !RELEASED.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
}

#[tokio::test]
async fn a_fold_that_does_not_end_parks_its_unit_and_nobody_else() {
    let world = World::new();
    let facts = [
        given::linked("l1", 0, "cus_1", "t1"),
        sub("evt_1", "sub_1", "cus_1", DAY_0, "active"),
        sub("evt_2", "sub_1", "cus_1", DAY_0 + 1, "past_due"),
        sub("evt_3", "sub_2", "cus_2", DAY_0, "active"),
        sub("evt_4", "sub_1", "cus_1", DAY_0 + 2, "active"),
    ];
    let tenant = world.open("default").await;
    append(&world, &tenant, &facts).await;
    let config = Config {
        before_fold: Some(stay_at_evt_2),
        fold_time: Duration::from_millis(200),
        ..config("test")
    };
    let runner = world.runner(config);
    catch_up(&runner, &*world.log, &tenant).await.unwrap();

    let [unit] = &parked(&world, &tenant).await[..] else { panic!("one unit is parked") };
    assert_eq!((unit.unit.as_str(), unit.events), ("customer/cus_1", 4));
    assert!(unit.reason.contains("its fold took longer than 200ms"), "{}", unit.reason);
    let served = "SELECT subscription_id FROM rm_subscriptions.trainer_subscriptions ORDER BY 1";
    assert_eq!(world.sql(served), "sub_2");

    // While it goes on it isn't begun a second time.
    let running = start(&runner, &tenant);
    let reason = "SELECT reason FROM projection.parked_unit";
    retry_parked(&world.pools.projector, &tenant, "customer/cus_1").await.unwrap();
    let told = || world.sql(reason) == "its last fold hasn't ended yet";
    until("the fold that goes on is told of", told).await;

    RELEASED.store(true, Ordering::SeqCst);
    let is_mended = || {
        world.sql("UPDATE projection.parked_unit SET next_attempt_at = now()");
        world.sql("SELECT count(*) FROM projection.parked_unit") == "0"
    };
    until("the unit is taken up again", is_mended).await;
    running.stop().await.unwrap();
    let straight = world.open("straight").await;
    append(&world, &straight, &facts).await;
    world.project(&straight).await;
    assert_eq!(world.rows(&tenant), world.rows(&straight));
}

/// Whether the fold of a certain fact fails.
static BROKEN: AtomicBool = AtomicBool::new(false);

fn fail_at_evt_3(entry: &Entry) {
    let is_meant =
        matches!(&entry.event, Event::SubscriptionReported(e) if e.snapshot.id.as_str() == "sub_2");
    assert!(!is_meant || !BROKEN.load(Ordering::SeqCst), "a mistake in the fold");
}

#[tokio::test]
async fn a_customer_that_loses_an_object_while_its_fold_fails_heals() {
    // Its queue has two events: it is tried again with one after the other, with both at once, and
    // with room for more.
    for retried_events_max in 1..=3 {
        heals(retried_events_max).await;
    }
}

async fn heals(retried_events_max: usize) {
    let world = World::new();
    let before = [
        given::linked("l1", 0, "cus_2", "t2"),
        sub("evt_1", "sub_1", "cus_2", DAY_0, "active"),
        sub("evt_2", "sub_2", "cus_2", DAY_0, "active"),
        given::checkout(
            "evt_3",
            DAY_0 + 5,
            "completed",
            json!({"id": "cs_1", "client_reference_id": "t3", "customer": "cus_2",
                "subscription": "sub_1", "status": "complete"}),
        ),
    ];
    let after = [
        // A smaller customer has the subscription, and the session that names it.
        sub("evt_4", "sub_1", "cus_1", DAY_0 + 1, "past_due"),
        sub("evt_5", "sub_3", "cus_3", DAY_0, "active"),
        sub("evt_6", "sub_1", "cus_2", DAY_0 + 2, "active"),
        sub("evt_7", "sub_2", "cus_2", DAY_0 + 3, "past_due"),
    ];
    let tenant = world.open("default").await;
    append(&world, &tenant, &before).await;
    world.project(&tenant).await;
    BROKEN.store(true, Ordering::SeqCst);
    append(&world, &tenant, &after).await;
    let page = Config {
        page_events_max: 1,
        retried_events_max,
        before_fold: Some(fail_at_evt_3),
        ..config("test")
    };
    let runner = world.runner(page);
    catch_up(&runner, &*world.log, &tenant).await.unwrap();

    let [unit] = &parked(&world, &tenant).await[..] else { panic!("one unit is parked") };
    assert_eq!(unit.unit, "customer/cus_2");
    assert!(unit.reason.contains("a mistake in the fold"), "{}", unit.reason);
    let queue = "SELECT position FROM projection.parked_event ORDER BY 1";
    assert_eq!(world.sql(queue), "2\n9", "its first fact, and evt_7");
    let subscriptions = "SELECT subscription_id, customer_id, status, trainer_id
        FROM rm_subscriptions.trainer_subscriptions ORDER BY 1";
    let shown = "sub_1|cus_2|active|t3\nsub_2|cus_2|active|t3\nsub_3|cus_3|active|";
    assert_eq!(world.sql(subscriptions), shown, "the others are served, this one is as it was");

    // It fails once more, and nothing is worse.
    let running = start(&runner, &tenant);
    retry_parked(&world.pools.projector, &tenant, "customer/cus_2").await.unwrap();
    let attempts = "SELECT attempts > 1 FROM projection.parked_unit";
    until("it is tried again", || world.sql(attempts) == "t").await;
    assert_eq!(world.sql(queue), "2\n9");
    assert_eq!(world.sql(subscriptions), shown);

    BROKEN.store(false, Ordering::SeqCst);
    retry_parked(&world.pools.projector, &tenant, "customer/cus_2").await.unwrap();
    let left = || world.sql("SELECT count(*) FROM projection.parked_unit") == "0";
    until("the unit is taken up again", left).await;
    running.stop().await.unwrap();
    let straight = world.open("straight").await;
    append(&world, &straight, &[&before[..], &after[..]].concat()).await;
    world.project(&straight).await;
    assert_eq!(world.rows(&tenant), world.rows(&straight));
}

/// Whether facts of parked customers can be folded, and which facts were since then.
static MANY: (AtomicBool, Mutex<Vec<String>>) = (AtomicBool::new(false), Mutex::new(Vec::new()));

fn fail_or_note(entry: &Entry) {
    let id = entry.key.id.as_str();
    if MANY.0.load(Ordering::SeqCst) {
        MANY.1.lock().unwrap().push(id.to_owned());
    } else {
        assert!(!id.starts_with("evt_many"), "a mistake in the fold");
    }
}

#[tokio::test]
async fn new_events_do_not_wait_until_all_parked_units_were_tried() {
    const UNITS: usize = 12;
    let world = World::new();
    let tenant = world.open("default").await;
    let parked: Vec<NewEvent> = (0..UNITS)
        .map(|n| {
            sub(&format!("evt_many{n}"), &format!("sub_{n}"), &format!("c{n}"), DAY_0, "active")
        })
        .collect();
    append(&world, &tenant, &parked).await;
    // Each attempt takes up all of a page's time.
    let config =
        Config { before_fold: Some(fail_or_note), page_time: Duration::ZERO, ..config("test") };
    let runner = world.runner(config);
    catch_up(&runner, &*world.log, &tenant).await.unwrap();
    let left = || world.sql("SELECT count(*) FROM projection.parked_unit");
    assert_eq!(left(), UNITS.to_string());

    MANY.0.store(true, Ordering::SeqCst);
    world.sql("UPDATE projection.parked_unit SET next_attempt_at = now()");
    append(&world, &tenant, &[sub("evt_new", "sub_new", "cus_new", DAY_0, "active")]).await;
    let running = start(&runner, &tenant);
    until("all units are taken up again", || left() == "0").await;
    running.stop().await.unwrap();
    let folded = MANY.1.lock().unwrap().clone();
    assert_eq!(folded.len(), UNITS + 1, "{folded:?}");
    assert_eq!(folded[1], "evt_new", "{folded:?}");
}

/// A page whose rows the server takes too long to write is broken off: the next one is smaller,
/// also though another session begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_the_server_breaks_off_comes_in_smaller_ones() {
    const EVENTS: usize = 400;
    let world = World::new();
    let tenant = world.open("default").await;
    let told = (0..EVENTS).map(|n| {
        sub(&format!("evt_{n}"), &format!("sub_{n}"), &format!("cus_{n}"), DAY_0, "active")
    });
    world.log.append(&tenant, told.collect()).await.unwrap();
    // All of them take twice as long as a statement may, the smallest page a third of that.
    let pause = STATEMENT * 2 / u32::try_from(EVENTS).unwrap();
    world.sql(&format!(
        "CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN PERFORM pg_sleep({}); RETURN new; END $$;
        CREATE TRIGGER dawdle BEFORE INSERT ON rm_subscriptions.trainer_subscriptions
            FOR EACH ROW EXECUTE FUNCTION public.dawdle()",
        pause.as_secs_f64()
    ));
    let runner = Runner::new(impatient(&world), world.log.clone(), config("test"));
    catch_up(&runner, &*world.log, &tenant).await.unwrap();
    let shown = "SELECT count(*) FROM rm_subscriptions.trainer_subscriptions";
    assert_eq!(world.sql(shown), EVENTS.to_string());
    assert_eq!(parked(&world, &tenant).await, []);
}
