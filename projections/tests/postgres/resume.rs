//! Stopping anywhere and going on.

use std::sync::Arc;
use std::time::Duration;

use ledger_log::postgres::{PostgresLog, Settings};
use ledger_log::{EventLog, NewEvent, system_clock};
use ledger_projections::{Config, Positions, Runner};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::given::{self, DAY_0};
use crate::world::{PATIENCE, World, catch_up, config, open, start, until};

fn facts() -> Vec<NewEvent> {
    let mut facts = given::month();
    facts.reverse();
    facts.extend((0..9).map(|i| given::used(&format!("u{i}"), i, "t1", DAY_0 + i * 40_000, 3)));
    facts.push(given::assigned("a0", 0, "t1", "enterprise"));
    facts
}

#[tokio::test]
async fn a_crash_at_any_time_leaves_rows_and_checkpoint_agreeing() {
    let world = World::new();
    let straight = world.open("straight").await;
    world.log.append(&straight, facts()).await.unwrap();
    world.project(&straight).await;
    let expected = world.rows(&straight);

    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    let small = |owner: &str| Config {
        page_events_max: 2,
        lease_ttl: Duration::from_millis(60),
        ..config(owner)
    };
    for crash in 0..12u64 {
        let runner = world.runner(small(&format!("crash{crash}")));
        let running = start(&runner, &tenant);
        let reached = i64::try_from(2 * crash).unwrap();
        until("some pages", || runner.positions().known(&tenant) >= reached.min(23)).await;
        tokio::time::sleep_until(Instant::now() + Duration::from_micros(700 * crash)).await;
        running.kill().await;
    }
    catch_up(&world.runner(small("last")), &*world.log, &tenant).await.unwrap();
    assert_eq!(world.rows(&tenant), expected);
}

/// Breaks every page at its very end, the first time: by an error, or by the end of the connection.
const BREAK: &str = "
    CREATE SEQUENCE tries;
    CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        -- Four read models make four rows; a sequence remembers what is rolled back.
        IF NEW.position > OLD.position AND NEW.read_model = 'rm_usage' THEN
            CASE nextval('public.tries') % 4
                WHEN 1 THEN RAISE EXCEPTION 'broken';
                WHEN 3 THEN PERFORM pg_terminate_backend(pg_backend_pid());
                ELSE NULL;
            END CASE;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER break_down BEFORE UPDATE ON projection.checkpoint
        FOR EACH ROW EXECUTE FUNCTION break_down();";

#[tokio::test]
async fn a_page_that_breaks_at_its_end_leaves_nothing_behind() {
    let world = World::new();
    let straight = world.open("straight").await;
    world.log.append(&straight, facts()).await.unwrap();
    world.project(&straight).await;
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    world.sql(BREAK);
    let small = Config { page_events_max: 4, ..config("test") };
    catch_up(&world.runner(small), &*world.log, &tenant).await.unwrap();
    assert_eq!(world.rows(&tenant), world.rows(&straight));
    let tries: i64 = world.sql("SELECT last_value FROM tries").parse().unwrap();
    assert!(tries >= 12, "every page was tried twice: {tries}");
}

#[tokio::test]
async fn what_is_appended_is_soon_to_be_read_everywhere() {
    let world = World::new();
    let log = PostgresLog::connect(&world.pools, system_clock(), Settings::default()).await;
    let log: Arc<dyn EventLog> = Arc::new(log.unwrap());
    let tenant = open(&*log, "default", 1).await;
    let pool = world.pools.projector.clone();
    let patient = Config { poll: Duration::from_secs(20), ..Config::live("test") };
    let runner = Runner::new(pool.clone(), Arc::clone(&log), patient);
    let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
    runner.spawn(&tracker, shutdown.clone()).unwrap();
    // What another process would have: it hears of nothing and asks the database.
    let models = ["rm_subscriptions", "rm_grants", "rm_catalog", "rm_usage"];
    let elsewhere = Positions::new(pool, models.map(str::to_owned).to_vec());

    let mut slowest = Duration::ZERO;
    for fact in facts() {
        let outcomes = log.append(&tenant, vec![fact]).await.unwrap();
        let (begun, position) = (Instant::now(), outcomes[0].position());
        runner.positions().wait_for(&tenant, position, begun + PATIENCE).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        elsewhere.wait_for(&tenant, position, begun + PATIENCE).await.unwrap();
    }
    assert!(slowest < Duration::from_secs(5), "woken, not polled: {slowest:?}");
    let soon = Instant::now() + Duration::from_millis(50);
    assert!(elsewhere.wait_for(&tenant, 99, soon).await.is_err());

    shutdown.cancel();
    tracker.close();
    tokio::time::timeout(PATIENCE, tracker.wait()).await.unwrap();
    let free = "SELECT count(*) FROM projection.lease WHERE until < clock_timestamp()";
    assert_eq!(world.sql(free), "1", "the lease is given back");
}
