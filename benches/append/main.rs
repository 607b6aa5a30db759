//! Appends through the port, beside single-row INSERTs by as many clients into the same columns.
//!
//! `cargo bench --bench append` takes three interleaved runs of 20 s of each workload, with a
//! checkpoint in the middle of each, and prints medians. `LEDGER_BENCH_SECONDS` and
//! `LEDGER_BENCH_RUNS` change that; arguments choose workloads by name. `LEDGER_BENCH_FSYNC=off`
//! leaves the disk out. On a machine that does other things too, the processor's time per event
//! (this program's and the server's) tells more than the rate.

#![expect(clippy::unwrap_used, reason = "a bench that can't run says so and ends")]

mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ledger_cluster::Cluster;
use ledger_domain::id::{EventId, EventKey, Namespace, StreamName, Tenant};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{Pools, PostgresLog, Settings, migrate};
use ledger_log::{EventLog, Expected, NewEvent, OpenLog, Outcome, system_clock};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::JoinSet;
use uuid::Uuid;

const CALLERS: usize = 64;
const IMPORT_EVENTS: usize = 5_000;
/// One makes its next events while the other's are appended.
const IMPORTERS: usize = 2;
const LOGIN: &str = "ledger_service";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// One event at a time, each in a stream of its own.
    Append,
    /// The baseline of it.
    Rows,
    /// With a redacted body beside each.
    AppendBody,
    /// The baseline of it.
    RowsBody,
    /// Few callers, many events at a time.
    Import,
    /// Each caller writes to one stream, with its exact revision.
    Shared,
    /// Usage is counted, each time within a limit, of many trainers.
    Consume,
    /// The same, and all of it within one limit of one trainer.
    ConsumeOne,
    /// The same, by two processes: each half of the callers asks a log of its own.
    ConsumeTurns,
}

impl Work {
    const ALL: [(Self, &str); 9] = [
        (Self::Append, "append"),
        (Self::Rows, "rows"),
        (Self::AppendBody, "append-body"),
        (Self::RowsBody, "rows-body"),
        (Self::Import, "import"),
        (Self::Shared, "shared"),
        (Self::Consume, "consume"),
        (Self::ConsumeOne, "consume-one"),
        (Self::ConsumeTurns, "consume-turns"),
    ];

    const fn baseline(self) -> Option<Self> {
        match self {
            Self::Append | Self::Import | Self::Shared => Some(Self::Rows),
            Self::Consume | Self::ConsumeOne => Some(Self::Append),
            Self::ConsumeTurns => Some(Self::ConsumeOne),
            Self::AppendBody => Some(Self::RowsBody),
            Self::Rows | Self::RowsBody => None,
        }
    }
}

/// Events per second, and how long single calls took.
#[derive(Debug, Clone, Copy)]
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Microseconds of processor time per event, here and in the server.
    here_us: f64,
    server_us: f64,
}

fn main() {
    let number = |name, default| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (seconds, runs) = (number("LEDGER_BENCH_SECONDS", 20), number("LEDGER_BENCH_RUNS", 3));
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let works = Work::ALL
        .into_iter()
        .filter(|(_, name)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name));
    let works: Vec<_> = works.collect();
    let bench = Bench::start();
    let mut results: Vec<(Work, Vec<Figures>)> = works.iter().map(|(w, _)| (*w, vec![])).collect();
    for run in 1..=runs {
        for (index, (work, name)) in works.iter().enumerate() {
            let figures = bench.measure(*work, Duration::from_secs(seconds));
            println!("run {run} {name:13} {}", show(figures));
            results[index].1.push(figures);
        }
    }
    println!("medians of {runs}:");
    for (index, (work, name)) in works.iter().enumerate() {
        let figures = median(&results[index].1);
        let baseline = work.baseline().and_then(|b| results.iter().find(|(w, _)| *w == b));
        let ratio = baseline.map_or(String::new(), |(_, figures_of)| {
            format!("  {:.2}x of the baseline", figures.per_second / median(figures_of).per_second)
        });
        println!("{name:13} {}{ratio}", show(figures));
    }
}

fn show(figures: Figures) -> String {
    let Figures { per_second, p50_ms, p99_ms, here_us, server_us } = figures;
    format!(
        "{per_second:8.0} events/s  p50 {p50_ms:6.2} ms  p99 {p99_ms:6.2} ms  cpu {here_us:5.1} + {server_us:5.1} us/event"
    )
}

fn median(figures: &[Figures]) -> Figures {
    let of = |value: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        per_second: of(|f| f.per_second),
        p50_ms: of(|f| f.p50_ms),
        p99_ms: of(|f| f.p99_ms),
        here_us: of(|f| f.here_us),
        server_us: of(|f| f.server_us),
    }
}

struct Bench {
    cluster: Cluster,
    template: String,
}

impl Bench {
    /// A server that is durable, with its files on this machine's disk.
    fn start() -> Self {
        let cluster = Cluster::builder()
            .fsync(std::env::var("LEDGER_BENCH_FSYNC").as_deref() != Ok("off"))
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "8GB")
            .setting("min_wal_size", "2GB")
            .setting("checkpoint_timeout", "30min")
            .start()
            .unwrap();
        let template = cluster.fresh_database().unwrap();
        cluster.execute(&template, &format!("CREATE ROLE {LOGIN} LOGIN")).unwrap();
        runtime().block_on(async {
            let url = cluster.url(&template, cluster.superuser());
            let owner = PgPool::connect(&url).await.unwrap();
            migrate(&owner, &[LOGIN]).await.unwrap();
            owner.close().await;
        });
        let bare = "CREATE TABLE bare (LIKE event INCLUDING ALL);
            CREATE TABLE bare_body (LIKE webhook_events INCLUDING ALL)";
        cluster.execute(&template, bare).unwrap();
        Self { cluster, template }
    }

    fn measure(&self, work: Work, time: Duration) -> Figures {
        let database = self.cluster.fresh_database_from(&self.template).unwrap();
        self.cluster.execute(&database, "CHECKPOINT").unwrap();
        let owner = self.cluster.url(&database, self.cluster.superuser());
        let figures = runtime().block_on(async {
            let job = match work {
                Work::Rows | Work::RowsBody => Job::rows(&owner, work).await,
                _ => Job::log(&self.cluster.url(&database, LOGIN), work).await,
            };
            run(job, &owner, self.cluster.pid().unwrap(), time).await
        });
        self.cluster.drop_database(&database).unwrap();
        figures
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What each caller does over and over.
enum Job {
    Log { logs: Vec<Arc<PostgresLog>>, pools: Pools, tenant: Tenant, work: Work },
    Rows { connections: Vec<PgConnection>, positions: Arc<AtomicI64>, body: bool },
}

impl Job {
    async fn log(url: &str, work: Work) -> Self {
        let pools = Pools::connect_lazy(url, "bench").unwrap();
        let mut logs = Vec::new();
        for _ in 0..if work == Work::ConsumeTurns { 2 } else { 1 } {
            let log = PostgresLog::connect(&pools, system_clock(), Settings::default()).await;
            logs.push(Arc::new(log.unwrap()));
        }
        let tenant = Tenant::try_new("default").unwrap();
        let mut event = event(work, 0);
        event.stream = StreamName::try_new("tenant").unwrap();
        logs[0].open(&tenant, OpenLog { log_id: Uuid::from_u128(1), event }).await.unwrap();
        Self::Log { logs, pools, tenant, work }
    }

    async fn rows(url: &str, work: Work) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CALLERS {
            connections.push(PgConnection::connect(url).await.unwrap());
        }
        let positions = Arc::new(AtomicI64::new(0));
        Self::Rows { connections, positions, body: work == Work::RowsBody }
    }
}

/// Times of all calls, and how many events each brought.
type Calls = (Vec<Duration>, usize);

async fn run(job: Job, owner: &str, server: u32, time: Duration) -> Figures {
    let ends = Arc::new(AtomicBool::new(false));
    let mut callers: JoinSet<Calls> = JoinSet::new();
    let mut pools_used = None;
    match job {
        Job::Log { logs, pools, tenant, work } => {
            pools_used = Some(pools);
            let count = if work == Work::Import { IMPORTERS } else { CALLERS };
            for caller in 0..count {
                let (log, tenant) = (Arc::clone(&logs[caller % logs.len()]), tenant.clone());
                let ends = Arc::clone(&ends);
                match work {
                    Work::Consume | Work::ConsumeOne | Work::ConsumeTurns => {
                        callers.spawn(usage::consume(log, tenant, work, caller, ends));
                    }
                    _ => {
                        callers.spawn(append(log, tenant, work, caller, ends));
                    }
                }
            }
        }
        Job::Rows { connections, positions, body } => {
            for connection in connections {
                callers.spawn(insert(connection, Arc::clone(&positions), body, Arc::clone(&ends)));
            }
        }
    }
    let mut checkpointer = PgConnection::connect(owner).await.unwrap();
    let (here, there) = (processor_us("self"), server_us(server));
    let started = Instant::now();
    pause(time / 2).await;
    sqlx::raw_sql("CHECKPOINT").execute(&mut checkpointer).await.unwrap();
    pause(time.saturating_sub(started.elapsed())).await;
    ends.store(true, Ordering::Relaxed);
    let elapsed = started.elapsed();
    let (here, there) = (processor_us("self") - here, server_us(server) - there);
    let (mut times, mut events) = (Vec::new(), 0);
    while let Some(calls) = callers.join_next().await {
        let (of_caller, each) = calls.unwrap();
        events += of_caller.len() * each;
        times.extend(of_caller);
    }
    if let Some(pools) = pools_used {
        pools.close().await;
    }
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let per_second = events as f64 / elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let per_event = |us: u64| us as f64 / events as f64;
    let (here_us, server_us) = (per_event(here), per_event(there));
    Figures { per_second, p50_ms: at(50), p99_ms: at(99), here_us, server_us }
}

/// The processor time of a process so far; 0 if it has gone.
fn processor_us(process: &str) -> u64 {
    const TICK_US: u64 = 10_000;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
        * TICK_US
}

/// The processor time of the server's processes so far.
fn server_us(postmaster: u32) -> u64 {
    let children = format!("/proc/{postmaster}/task/{postmaster}/children");
    let children = std::fs::read_to_string(children).unwrap();
    children.split_whitespace().map(processor_us).sum()
}

async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a bench lasts as long as it lasts")]
    tokio::time::sleep(time).await;
}

async fn append(
    log: Arc<PostgresLog>,
    tenant: Tenant,
    work: Work,
    caller: usize,
    ends: Arc<AtomicBool>,
) -> Calls {
    let mut times = Vec::with_capacity(1 << 16);
    let each = if work == Work::Import { IMPORT_EVENTS } else { 1 };
    let mut expected = Expected::NoStream;
    while !ends.load(Ordering::Relaxed) {
        let mut events: Vec<NewEvent> = (0..each).map(|_| event(work, caller)).collect();
        if work == Work::Shared {
            events[0].expected = expected;
        }
        let began = Instant::now();
        let outcomes = log.append(&tenant, events).await.unwrap();
        times.push(began.elapsed());
        let Outcome::Appended { revision, .. } = outcomes[0] else { panic!("an id came twice") };
        expected = Expected::Revision(revision);
    }
    (times, each)
}

/// An event of about 480 bytes, as large as a small invoice's.
fn event(work: Work, caller: usize) -> NewEvent {
    let id = new_id();
    let key = EventKey::new(Namespace::stripe(), EventId::try_new(&id).unwrap());
    let stream = match work {
        Work::Shared => StreamName::try_new(&format!("trainer-{caller}")).unwrap(),
        _ => key.own_stream(),
    };
    let metadata = format!(
        r#"{{"account":"acct_1Nv0FGQ9RKHgCVdK","actor":"stripe","api_version":"2025-08-27","object":"{id}","source":"stripe"}}"#
    );
    let data = format!(
        r#"{{"amount_due":2900,"amount_paid":2900,"attempts":1,"billing_reason":"subscription_cycle","created":1780000000,"currency":"usd","customer":"cus_NffrFeUfNV2Hib","id":"{id}","lines":[{{"amount":2900,"period":[1780000000,1782592000],"price":"price_starter_month","quantity":1}}],"number":"A-0001","status":"paid","subscription":"sub_1MowQVLkdIwHu7ix"}}"#
    );
    let mut content_hash = [0; 32];
    content_hash[..16].copy_from_slice(&id.as_bytes()[id.len() - 16..]);
    let body = (work == Work::AppendBody).then(|| body(&id));
    NewEvent {
        key,
        stream,
        expected: Expected::NoStream,
        event_type: "InvoiceReported".into(),
        schema_version: 1,
        occurred_at: Timestamp::from_unix(1_780_000_000),
        data: data.into_bytes(),
        metadata: metadata.into_bytes(),
        content_hash,
        body,
        text: None,
        usage: None,
    }
}

fn new_id() -> String {
    #[expect(clippy::disallowed_methods, reason = "ids as their issuer makes them: by time")]
    let id = Uuid::now_v7();
    format!("evt_{}", id.simple())
}

/// A redacted body of about 2.5 KB, of the kind that Stripe sends.
fn body(id: &str) -> Vec<u8> {
    let mut body = format!(r#"{{"id":"{id}","object":"event","data":{{"object":{{"lines":["#);
    for line in 0..7 {
        body.push_str(&format!(
            r#"{{"id":"il_{line}{id}","object":"line_item","amount":{},"currency":"usd","description":null,"discountable":true,"livemode":false,"metadata":{{}},"period":{{"end":1782592000,"start":1780000000}},"plan":null,"price":{{"id":"price_{line}{id}","active":true,"type":"recurring"}},"proration":false,"quantity":1,"tax_amounts":[]}},"#,
            2_900 + line * 37
        ));
    }
    body.push_str(r#"null]}},"type":"invoice.paid"}"#);
    body.into_bytes()
}

const BARE: &str = "INSERT INTO bare (log_id, format, tenant, position, namespace, event_id, stream,
    revision, type, schema_version, occurred_at, recorded_at, data, metadata, content_hash, body_hash)
    VALUES ($1, 1, $2, $3, $4, $5, $6, 0, $7, 1, $8, $8, $9, $10, $11, $12)";
const BARE_BODY: &str = "WITH beside AS (
    INSERT INTO bare_body (tenant, position, salt, body) VALUES ($2, $3, $13, $14)
) INSERT INTO bare (log_id, format, tenant, position, namespace, event_id, stream,
    revision, type, schema_version, occurred_at, recorded_at, data, metadata, content_hash, body_hash)
    VALUES ($1, 1, $2, $3, $4, $5, $6, 0, $7, 1, $8, $8, $9, $10, $11, $12)";

async fn insert(
    mut connection: PgConnection,
    positions: Arc<AtomicI64>,
    with_body: bool,
    ends: Arc<AtomicBool>,
) -> Calls {
    let mut times = Vec::with_capacity(1 << 16);
    let work = if with_body { Work::AppendBody } else { Work::Append };
    while !ends.load(Ordering::Relaxed) {
        let event = event(work, 0);
        let began = Instant::now();
        let position = positions.fetch_add(1, Ordering::Relaxed) + 1;
        let query = sqlx::query(if with_body { BARE_BODY } else { BARE })
            .bind(Uuid::from_u128(1))
            .bind("default")
            .bind(position)
            .bind(event.key.namespace.as_str())
            .bind(event.key.id.as_str())
            .bind(event.stream.as_str())
            .bind(&*event.event_type)
            .bind(event.occurred_at.to_datetime())
            .bind(&event.data)
            .bind(&event.metadata)
            .bind(&event.content_hash[..])
            .bind(with_body.then_some(&event.content_hash[..]));
        let query = match &event.body {
            Some(body) => query
                .bind(&event.content_hash[..16])
                .bind(lz4_flex::block::compress_prepend_size(body)),
            None => query,
        };
        query.execute(&mut connection).await.unwrap();
        times.push(began.elapsed());
    }
    (times, 1)
}
