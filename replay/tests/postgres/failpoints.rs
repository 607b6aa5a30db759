//! The log breaks off at every point where it can, again and again, while callers retry and the
//! live read models follow: afterwards they are what the log says.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use ledger_domain::id::EventKey;
use ledger_log::postgres::{Hook, Point, PostgresLog, Settings};
use ledger_log::{AppendError, EventLog, NewEvent, Outcome, system_clock};
use ledger_projections::{Config, Runner};
use tokio_util::sync::CancellationToken;

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

/// Appends in the order given, and asks again until each was acknowledged.
async fn append_all(log: &dyn EventLog, world: &World, events: &[NewEvent]) -> Vec<Told> {
    let mut told = Vec::new();
    for batch in events.chunks(3) {
        let outcomes = loop {
            match log.append(&world.tenant, batch.to_vec()).await {
                Ok(outcomes) => break outcomes,
                Err(AppendError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let keys = batch.iter().map(|event| event.key.clone());
        told.extend(keys.zip(outcomes.into_iter().map(Outcome::position)));
    }
    told
}

type Told = (EventKey, i64);

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
    let append = async {
        let callers = shares.iter().enumerate().map(|(n, share)| {
            let log: &dyn EventLog = if n == 3 { &*world.log } else { &*broken };
            append_all(log, &world, share)
        });
        let told = join_all(callers).await.concat();
        let head = broken.head(&world.tenant).await.unwrap().unwrap().position;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        live.positions().wait_for(&world.tenant, head, deadline).await.unwrap();
        stop.cancel();
        told
    };
    let both = async { tokio::join!(live.run(&world.tenant, &stop), append) };
    let (ended, told) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    ended.unwrap();

    let counts = *breaks.counts.lock().unwrap();
    assert!(counts.iter().all(|count| *count >= 3), "each point was met: {POINTS:?} {counts:?}");
    // Every acknowledged event once, where its answer said, and nothing beside them.
    let told: BTreeMap<_, _> =
        told.into_iter().map(|(key, at)| (at, format!("{}/{}", key.namespace, key.id))).collect();
    let there = world.sql(
        "SELECT position, namespace || '/' || event_id FROM event
         WHERE tenant = 'default' AND position > 1 ORDER BY 1",
    );
    let there: Vec<_> = there.lines().map(|line| line.split_once('|').unwrap()).collect();
    let told: Vec<_> = told.iter().map(|(at, key)| (at.to_string(), key.as_str())).collect();
    assert_eq!(there.len(), count);
    assert!(there.iter().copied().eq(told.iter().map(|(at, key)| (at.as_str(), *key))));
    let report = world.verify().await;
    assert!(report.equal, "{report:#?}");
    assert_eq!(usize::try_from(report.position).unwrap(), count + 1, "positions have no hole");
}
