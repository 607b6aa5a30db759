//! One writer at a time, also when one of them was paused and doesn't know that it was replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_log::{
    AppendError, Decided, Decision, EventLog, Head, NewEvent, OpenLog, Outcome, ReadError, Recorded,
};
use ledger_projections::{Config, Runner};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::given::{self, DAY_0};
use crate::world::{World, catch_up, config, start, until};

/// A log that holds back a page that was read, until it is let go.
struct Gated {
    log: Arc<dyn EventLog>,
    is_shut: AtomicBool,
    reached: Notify,
    opened: Notify,
}

impl Gated {
    fn new(log: Arc<dyn EventLog>) -> Arc<Self> {
        let (reached, opened) = (Notify::new(), Notify::new());
        Arc::new(Self { log, is_shut: AtomicBool::new(true), reached, opened })
    }

    fn open(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
        self.opened.notify_one();
    }
}

#[async_trait::async_trait]
impl EventLog for Gated {
    async fn read(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let page = self.log.read(tenant, after, limit).await;
        if limit > 1 && self.is_shut.load(Ordering::SeqCst) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
        page
    }

    async fn read_at(
        &self,
        tenant: &Tenant,
        positions: &[i64],
    ) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_at(tenant, positions).await
    }

    async fn open(&self, tenant: &Tenant, first: OpenLog) -> Result<Head, AppendError> {
        self.log.open(tenant, first).await
    }

    async fn append(
        &self,
        tenant: &Tenant,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Outcome>, AppendError> {
        self.log.append(tenant, events).await
    }

    async fn append_decided(
        &self,
        tenant: &Tenant,
        decision: Decision,
    ) -> Result<Decided, AppendError> {
        self.log.append_decided(tenant, decision).await
    }

    async fn head(&self, tenant: &Tenant) -> Result<Option<Head>, ReadError> {
        self.log.head(tenant).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        self.log.tenants().await
    }

    async fn read_stream(
        &self,
        tenant: &Tenant,
        stream: &StreamName,
        from_revision: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_stream(tenant, stream, from_revision, limit).await
    }

    async fn find(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Recorded>, ReadError> {
        self.log.find(tenant, key).await
    }

    async fn body(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.log.body(tenant, key).await
    }

    async fn usage(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        feature: &FeatureSlug,
        within: Interval,
        up_to: i64,
    ) -> Result<Vec<(Timestamp, i64)>, ReadError> {
        self.log.usage(tenant, trainer, feature, within, up_to).await
    }

    fn watch(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        self.log.watch(tenant)
    }
}

/// Facts whose second folding would show: usage is added up.
fn facts() -> Vec<NewEvent> {
    let mut facts = given::month();
    facts.extend((0..5).map(|i| given::used(&format!("u{i}"), i, "t1", DAY_0 + i, 3)));
    facts
}

async fn expected(world: &World) -> String {
    let tenant = world.open("expected").await;
    world.log.append(&tenant, facts()).await.unwrap();
    world.project(&tenant).await;
    world.rows(&tenant)
}

fn gated_runner(world: &World, gate: &Arc<Gated>, config: Config) -> Runner {
    Runner::new(world.pools.projector.clone(), Arc::clone(gate) as Arc<dyn EventLog>, config)
}

/// Settings under which a paused holder isn't told by its own heartbeat that it was replaced: what
/// holds it back is the guard of its page alone.
fn unaware(owner: &str) -> Config {
    Config { lease_ttl: Duration::from_secs(60), ..config(owner) }
}

/// What time does to the lease of a holder that is paused.
fn run_out(world: &World) {
    world.sql("UPDATE projection.lease SET until = '-infinity'");
}

/// The database's clock was ahead and has been set back since: nobody waits until it has caught up.
#[tokio::test]
async fn a_lease_that_lasts_longer_than_any_is_no_longer_held() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    world.sql(
        "INSERT INTO projection.lease (tenant, name, owner, token, until) VALUES
         ('default', 'live', 'dead', nextval('projection.fence'), now() + interval '1 hour')",
    );
    catch_up(&world.runner(config("other")), &*world.log, &tenant).await.unwrap();
    assert_eq!(world.sql("SELECT owner FROM projection.lease"), "");
}

#[tokio::test]
async fn a_paused_writer_that_was_overtaken_writes_nothing() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    let gate = Gated::new(world.log.clone());
    let paused = gated_runner(&world, &gate, unaware("paused"));
    let shutdown = CancellationToken::new();
    let mut running = std::pin::pin!(paused.run(&tenant, &shutdown));
    tokio::select! {
        ended = &mut running => panic!("{ended:?}"),
        () = gate.reached.notified() => {}
    }

    // From here on nobody polls it: it holds a page, and its lease runs out.
    run_out(&world);
    let other = world.runner(config("other"));
    catch_up(&other, &*world.log, &tenant).await.unwrap();

    gate.open();
    let watch = async {
        until("the paused one goes on", || paused.positions().known(&tenant) == 18).await;
        shutdown.cancel();
    };
    let (ended, ()) = tokio::join!(running, watch);
    ended.unwrap();
    assert_eq!(world.rows(&tenant), expected(&world).await);
}

#[tokio::test]
async fn a_paused_writer_writes_nothing_once_another_has_the_lease() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    let first_gate = Gated::new(world.log.clone());
    let first = gated_runner(&world, &first_gate, unaware("first"));
    let shutdown = CancellationToken::new();
    let mut first_run = std::pin::pin!(first.run(&tenant, &shutdown));
    tokio::select! {
        ended = &mut first_run => panic!("{ended:?}"),
        () = first_gate.reached.notified() => {}
    }

    // The second takes the lease and is paused too, before it has written anything.
    run_out(&world);
    let second_gate = Gated::new(world.log.clone());
    let second = gated_runner(&world, &second_gate, unaware("second"));
    let mut second_run = std::pin::pin!(second.run(&tenant, &shutdown));
    tokio::select! {
        ended = &mut second_run => panic!("{ended:?}"),
        () = second_gate.reached.notified() => {}
    }

    first_gate.open();
    let a_while = tokio::time::sleep_until(Instant::now() + Duration::from_millis(500));
    tokio::select! {
        ended = &mut first_run => panic!("{ended:?}"),
        () = a_while => {}
    }
    assert_eq!(world.sql("SELECT DISTINCT position FROM projection.checkpoint"), "0");
    assert_eq!(world.sql("SELECT count(*) FROM rm_usage.tier_usage_tracking"), "0");

    second_gate.open();
    let watch = async {
        until("the second projects", || second.positions().known(&tenant) == 18).await;
        shutdown.cancel();
    };
    let (first_ended, second_ended, ()) = tokio::join!(first_run, second_run, watch);
    first_ended.and(second_ended).unwrap();
    assert_eq!(world.rows(&tenant), expected(&world).await);
}

#[tokio::test]
async fn a_standby_takes_over_at_once_when_the_leader_stops() {
    let world = World::new();
    let tenant = world.open("default").await;
    let slow = |owner| Config { lease_ttl: Duration::from_secs(4), ..config(owner) };
    let (first, second) = (world.runner(slow("first")), world.runner(slow("second")));
    let running = start(&first, &tenant);
    until("the first leads", || first.positions().known(&tenant) == 1).await;
    let standby = start(&second, &tenant);
    running.stop().await.unwrap();
    world.log.append(&tenant, facts()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    assert_eq!(second.positions().wait_for(&tenant, 18, deadline).await.unwrap(), 18);
    standby.stop().await.unwrap();
    assert_eq!(world.rows(&tenant), expected(&world).await);
}

/// Something keeps its pages from being written, and not only once.
#[tokio::test]
async fn one_that_is_fenced_again_and_again_pauses_ever_longer() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, facts()).await.unwrap();
    world.sql(
        "CREATE SEQUENCE public.tries;
         CREATE FUNCTION public.stay() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN
             IF new.read_model = 'rm_usage' THEN PERFORM nextval('public.tries'); END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER stay BEFORE UPDATE ON projection.checkpoint FOR EACH ROW
             WHEN (new.position <> old.position) EXECUTE FUNCTION public.stay()",
    );
    let runner = world.runner(unaware("fenced"));
    let begun = Instant::now();
    let running = start(&runner, &tenant);
    let tries = || world.sql("SELECT last_value FROM public.tries").trim().parse::<u32>().unwrap();
    until("it has tried five times", || tries() >= 5).await;
    let pauses = [100, 200, 400, 800].iter().sum();
    assert!(begun.elapsed() >= Duration::from_millis(pauses), "{:?}", begun.elapsed());
    world.sql("DROP TRIGGER stay ON projection.checkpoint");
    until("it goes on", || runner.positions().known(&tenant) == 18).await;
    running.stop().await.unwrap();
    assert_eq!(world.rows(&tenant), expected(&world).await);
}
