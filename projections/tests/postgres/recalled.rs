//! A customer that loses an object whose own facts can't be had: it is parked, and shows what it
//! showed.

use std::sync::Arc;

use ledger_domain::id::Tenant;
use ledger_log::postgres::{PostgresLog, Settings};
use ledger_log::{EventLog, NewEvent, system_clock};
use ledger_projections::{Runner, retry_parked};

use crate::given::{self, DAY_0, snapshot};
use crate::world::{World, config, open, start, until};

fn sub(id: &str, object: &str, customer: &str, at: i64, status: &str) -> NewEvent {
    given::subscription(id, at, "updated", snapshot(object, customer, status, DAY_0))
}

async fn append(log: &dyn EventLog, tenant: &Tenant, events: &[NewEvent]) {
    for event in events {
        log.append(tenant, vec![event.clone()]).await.unwrap();
    }
}

/// Breaks something by SQL while a runner has the customer in its cache, lets the customer lose a
/// subscription, looks, and mends it by SQL.
async fn lose_while(broken: &str, told: &str, mended: &str) {
    let world = World::new();
    let log = PostgresLog::connect(&world.pools, system_clock(), Settings::default()).await;
    let log: Arc<dyn EventLog> = Arc::new(log.unwrap());
    let before = [
        given::linked("l1", 0, "cus_2", "t2"),
        sub("evt_1", "sub_1", "cus_2", DAY_0, "active"),
        sub("evt_2", "sub_2", "cus_2", DAY_0, "active"),
    ];
    // A smaller customer has one of them.
    let after = [
        sub("evt_3", "sub_1", "cus_1", DAY_0 + 1, "past_due"),
        sub("evt_4", "sub_2", "cus_2", DAY_0 + 1, "past_due"),
    ];
    let tenant = open(&*log, "default", 1).await;
    append(&*log, &tenant, &before).await;
    let runner = Runner::new(world.pools.projector.clone(), Arc::clone(&log), config("test"));
    let running = start(&runner, &tenant);
    let shown = "SELECT subscription_id, customer_id, status, trainer_id
        FROM rm_subscriptions.trainer_subscriptions ORDER BY 1";
    let at_first = "sub_1|cus_2|active|t2\nsub_2|cus_2|active|t2";
    until("they are shown", || world.sql(shown) == at_first).await;

    world.sql(broken);
    append(&*log, &tenant, &after).await;
    let parked = "SELECT unit, reason FROM projection.parked_unit";
    until("the customer is parked", || !world.sql(parked).is_empty()).await;
    let reason = world.sql(parked);
    assert!(reason.starts_with("customer/cus_2|") && reason.contains(told), "{reason}");
    until("the log is taken in", || *runner.positions().watch(&tenant).borrow() == 6).await;
    let meanwhile = "sub_1|cus_1|past_due|\nsub_2|cus_2|active|t2";
    assert_eq!(world.sql(shown), meanwhile, "what is the customer's own stays as it was");

    // Trying it again changes nothing, until the cause is gone.
    retry_parked(&world.pools.projector, &tenant, "customer/cus_2").await.unwrap();
    let attempts = "SELECT attempts > 1 FROM projection.parked_unit";
    until("it is tried again", || world.sql(attempts) == "t").await;
    assert_eq!(world.sql(shown), meanwhile);
    world.sql(mended);
    retry_parked(&world.pools.projector, &tenant, "customer/cus_2").await.unwrap();
    until("it is taken up again", || world.sql(parked).is_empty()).await;
    running.stop().await.unwrap();
    let straight = world.open("straight").await;
    append(&*world.log, &straight, &[&before[..], &after[..]].concat()).await;
    world.project(&straight).await;
    assert_eq!(world.rows(&tenant), world.rows(&straight));
}

#[tokio::test]
async fn with_a_state_that_cannot_be_read() {
    let set = |value: &str| {
        format!(
            "UPDATE rm_subscriptions.unit_part SET state = {value} WHERE unit = 'customer/cus_2'"
        )
    };
    let (broken, mended) =
        (set("convert_to('?', 'UTF8') || state"), set("substring(state from 2)"));
    lose_while(&broken, "its state can't be read", &mended).await;
}

#[tokio::test]
async fn with_a_fact_that_this_program_cannot_read() {
    let set =
        |version: i32| format!("UPDATE event SET schema_version = {version} WHERE position = 3");
    let (broken, mended) = (set(99), set(1));
    lose_while(&broken, "the event at 3", &mended).await;
}
