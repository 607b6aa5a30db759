//! The log breaks off at every point where it can, again and again, while callers retry and the
//! live read models follow: afterwards the log is whole, and they are what it says.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use ledger_cluster::Cluster;
use ledger_log::postgres::{Hook, Point, PostgresLog, Settings};
use ledger_log::{AppendError, EventLog, NewEvent, system_clock};
use ledger_projections::{Config, Runner};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::check::{Ack, RawLog, assert_no_violations};
use crate::given::{self, Dice};
use crate::world::{PATIENCE, World};

/// Where a batch can be broken off.
const POINTS: [Point; 4] =
    [Point::BeforeSend, Point::Locked, Point::BeforeCommit, Point::BeforeAnswer];

/// Breaks batches off by chance, and counts how many at each point.
struct Breaks {
    dice: Mutex<Dice>,
    counts: Mutex<[usize; POINTS.len()]>,
}

impl Breaks {
    fn new(seed: u64) -> Arc<Self> {
        let dice = Mutex::new(Dice::new(seed));
        Arc::new(Self { dice, counts: Mutex::default() })
    }

    fn hook(self: &Arc<Self>) -> Hook {
        let breaks = Arc::clone(self);
        Arc::new(move |point| {
            let broken = breaks.breaks(point);
            let result = if broken { Err(io::Error::other("broken off")) } else { Ok(()) };
            Box::pin(std::future::ready(result))
        })
    }

    fn breaks(&self, point: Point) -> bool {
        let Some(of) = POINTS.iter().position(|known| *known == point) else { return false };
        // Seldom enough for a batch to come through in the end.
        let broken = self.dice.lock().unwrap().below(4) == 0;
        self.counts.lock().unwrap()[of] += usize::from(broken);
        broken
    }
}

/// Appends in the order given, and asks again until each was acknowledged. The count is common to
/// all callers, and tells what was acknowledged before something else was asked for.
async fn append_all(
    log: &dyn EventLog,
    world: &World,
    events: &[NewEvent],
    count: &AtomicU64,
) -> Vec<Ack> {
    let mut acks = Vec::new();
    for batch in events.chunks(3) {
        let began = count.fetch_add(1, Ordering::SeqCst);
        let outcomes = loop {
            match log.append(&world.tenant, batch.to_vec()).await {
                Ok(outcomes) => break outcomes,
                Err(AppendError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let ended = count.fetch_add(1, Ordering::SeqCst);
        acks.extend(batch.iter().zip(outcomes).map(|(event, outcome)| {
            let id = format!("{}/{}", event.key.namespace, event.key.id);
            Ack { id, position: outcome.position(), began, ended }
        }));
    }
    acks
}

/// What several callers append, each stream by one of them alone.
fn by_caller(events: Vec<NewEvent>, callers: usize) -> Vec<Vec<NewEvent>> {
    let mut shares = vec![Vec::new(); callers];
    for event in events {
        let name: usize = event.stream.as_str().bytes().map(usize::from).sum();
        shares[name % callers].push(event);
    }
    shares
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_models_follow_a_log_that_breaks_off_anywhere() {
    let world = World::new().await;
    let breaks = Breaks::new(7);
    let poll_interval = Duration::from_millis(50);
    let settings = Settings { hook: Some(breaks.hook()), poll_interval, ..Settings::default() };
    let broken = PostgresLog::connect(&world.pools, system_clock(), settings).await.unwrap();
    let broken: Arc<dyn EventLog> = Arc::new(broken);
    // The read models follow the log that breaks, as a service's own do.
    let config = Config {
        lease_ttl: Duration::from_millis(600),
        poll: poll_interval,
        linger: Duration::ZERO,
        page_events_max: 20,
        ..Config::live("test")
    };
    let live = Runner::new(world.pools.projector.clone(), Arc::clone(&broken), config);

    let events = given::busy(40, 11);
    let count = events.len();
    // The last caller comes by another process, whose appends send the others the long way.
    let shares = by_caller(events, 4);
    let stop = CancellationToken::new();
    let clock = AtomicU64::new(0);
    let append = async {
        let callers = shares.iter().enumerate().map(|(n, share)| {
            let log: &dyn EventLog = if n == 3 { &*world.log } else { &*broken };
            append_all(log, &world, share, &clock)
        });
        let acks = join_all(callers).await.concat();
        let head = broken.head(&world.tenant).await.unwrap().unwrap().position;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        live.positions().wait_for(&world.tenant, head, deadline).await.unwrap();
        stop.cancel();
        acks
    };
    let both = async { tokio::join!(live.run(&world.tenant, &stop), append) };
    let (ended, acks) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    ended.unwrap();

    let counts = *breaks.counts.lock().unwrap();
    assert!(counts.iter().all(|count| *count >= 3), "each point was met: {POINTS:?} {counts:?}");
    // Every acknowledged event once, where its answer said; no hole, and seals that fit raw rows.
    let cluster = Cluster::shared();
    let owner = PgPool::connect(&cluster.url(&world.database, cluster.superuser())).await.unwrap();
    let log = RawLog::read(&owner, world.tenant.as_str()).await;
    owner.close().await;
    assert_no_violations(&log, &acks);
    assert_eq!(log.events.len(), count + 1, "the opening, and nothing that nobody was told of");
    let report = world.verify().await;
    assert!(report.equal, "{report:#?}");
    assert_eq!(usize::try_from(report.position).unwrap(), count + 1);
}
