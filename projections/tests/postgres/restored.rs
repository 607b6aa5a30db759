//! A log that isn't the one that the read models were made from: nothing goes on in silence.

use std::sync::Arc;

use ledger_domain::id::Tenant;
use ledger_log::postgres::{PostgresLog, Settings};
use ledger_log::{EventLog, MemoryLog, NewEvent, system_clock};
use ledger_projections::{Halt, Runner};

use crate::given;
use crate::world::{World, catch_up, config, open, start};

/// Projects a month, then meets another log of this content under the same tenant.
async fn meet(number: u128, events: Vec<NewEvent>) -> (World, Tenant, Halt) {
    let mut world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, given::month()).await.unwrap();
    world.project(&tenant).await;
    let before = world.rows(&tenant);
    world.log = Arc::new(MemoryLog::new(system_clock()));
    open(&*world.log, "default", number).await;
    for event in events {
        world.log.append(&tenant, vec![event]).await.unwrap();
    }
    let runner = world.runner(config("test"));
    let halt = start(&runner, &tenant).end().await.unwrap_err();
    assert!(runner.positions().halted(&tenant).is_some());
    assert_eq!(world.rows(&tenant), before, "nothing has changed");
    (world, tenant, halt)
}

#[tokio::test]
async fn a_log_that_ends_before_the_checkpoint_halts() {
    let (_, _, halt) = meet(1, given::month()[..5].to_vec()).await;
    assert!(matches!(halt, Halt::Behind { position: 13, head: 6 }), "{halt}");
}

#[tokio::test]
async fn a_log_that_went_another_way_halts() {
    let mut events = given::month();
    events.reverse();
    events.push(given::registered("r0", 0, "t1"));
    let (_, _, halt) = meet(1, events).await;
    assert!(matches!(halt, Halt::Diverged { position: 13 }), "{halt}");
}

#[tokio::test]
async fn another_log_halts() {
    let (_, _, halt) = meet(2, given::month()).await;
    assert!(matches!(halt, Halt::OtherLog { .. }), "{halt}");
}

#[tokio::test]
async fn a_log_that_was_restored_halts_by_its_epoch() {
    let world = World::new();
    let settings = Settings::default();
    let log = PostgresLog::connect(&world.pools, system_clock(), settings).await.unwrap();
    let log: Arc<dyn EventLog> = Arc::new(log);
    let tenant = open(&*log, "default", 1).await;
    log.append(&tenant, given::month()).await.unwrap();
    let runner = Runner::new(world.pools.projector.clone(), Arc::clone(&log), config("test"));
    catch_up(&runner, &*log, &tenant).await.unwrap();
    world.sql("UPDATE log_head SET epoch = epoch + 1");
    let halt = start(&runner, &tenant).end().await.unwrap_err();
    assert!(matches!(halt, Halt::OtherEpoch { .. }), "{halt}");
}

#[tokio::test]
async fn read_models_at_different_positions_halt() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.project(&tenant).await;
    world.sql("DELETE FROM projection.checkpoint WHERE read_model = 'rm_grants'");
    let runner = world.runner(config("test"));
    let halt = start(&runner, &tenant).end().await.unwrap_err();
    assert!(matches!(halt, Halt::Uneven(_)), "{halt}");
}
