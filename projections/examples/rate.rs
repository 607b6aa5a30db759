//! How fast webhooks become rows: fills a log, then projects it from its beginning.
//!
//! `cargo run --release -p ledger-projections --example rate -- [customers] [rounds]`
//!
//! Each customer buys a subscription and renews it (seven webhooks, then three a round), and the
//! customers take turns, so that hardly two facts of a page are of the same one. The processor's
//! time is told beside the clock's: on a busy machine only that can be compared.

#![expect(clippy::unwrap_used, reason = "a measurement that fails may say so loudly")]

use std::sync::Arc;
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_domain::event::{Event, LogOpened, Metadata, StripeOrigin};
use ledger_domain::id::{EventId, EventKey, Namespace, Tenant};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{Pools, PostgresLog, Settings, migrate};
use ledger_log::{EventLog, Expected, NewEvent, OpenLog, system_clock};
use ledger_projections::{Config, Runner, install};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DAY_0: i64 = 1_774_915_200;
const MONTH: i64 = 30 * 86_400;
const LIMIT: Duration = Duration::from_secs(3_600);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let customers = arguments.next().unwrap_or(10_000);
    let rounds = arguments.next().unwrap_or(1);
    let mut builder = Cluster::builder();
    if std::env::var_os("RATE_STATEMENTS").is_some() {
        builder = builder.setting("log_min_duration_statement", "0");
    }
    let cluster = builder.start().unwrap();
    let database = cluster.fresh_database().unwrap();
    let url = cluster.url(&database, cluster.superuser());
    let owner = PgPool::connect(&url).await.unwrap();
    migrate(&owner, &[cluster.superuser()]).await.unwrap();
    install(&mut PgConnection::connect(&url).await.unwrap()).await.unwrap();
    let pools = Pools::connect_lazy(&url, "rate").unwrap();
    let log = PostgresLog::connect(&pools, system_clock(), Settings::default()).await.unwrap();
    let log: Arc<dyn EventLog> = Arc::new(log);
    let tenant = Tenant::try_new("default").unwrap();
    fill(&*log, &tenant, customers, rounds).await;

    let head = log.head(&tenant).await.unwrap().unwrap().position;
    let runner = Runner::new(pools.projector.clone(), Arc::clone(&log), Config::live("rate"));
    let (shutdown, begun) = (CancellationToken::new(), Instant::now());
    let processors = Processors::of(&cluster);
    let reached = async {
        let all = runner.positions().wait_for(&tenant, head, begun + LIMIT).await;
        shutdown.cancel();
        all.unwrap();
        begun.elapsed().as_secs_f64()
    };
    let (ended, seconds) = tokio::join!(runner.run(&tenant, &shutdown), reached);
    ended.unwrap();
    let rate = head as f64 / seconds;
    println!("{head} events of {customers} customers in {seconds:.2} s: {rate:.0}/s");
    let spent = Processors::of(&cluster);
    let each = |seconds: f64| seconds * 1e6 / head as f64;
    println!(
        "processor time per event: {:.1} us here, {:.1} us in PostgreSQL",
        each(spent.own - processors.own),
        each(spent.server - processors.server)
    );
    if let Some(path) = std::env::var_os("RATE_STATEMENTS") {
        std::fs::copy(cluster.log(), path).unwrap();
    }
    drop(log);
    pools.close().await;
}

/// Seconds of processor time so far.
struct Processors {
    own: f64,
    server: f64,
}

impl Processors {
    fn of(cluster: &Cluster) -> Self {
        let server = cluster.pid().unwrap();
        let mut times = Self { own: 0.0, server: 0.0 };
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            // Fields after the name, which may hold spaces: state, parent, ...
            let Some((pid, rest)) = stat.split_once(" (") else { continue };
            let Some((_, rest)) = rest.rsplit_once(") ") else { continue };
            let fields: Vec<&str> = rest.split(' ').collect();
            let ticks: f64 = fields[11..13].iter().map(|t| t.parse::<f64>().unwrap()).sum();
            if pid == std::process::id().to_string() {
                times.own = ticks / 100.0;
            } else if fields[1] == server.to_string() {
                times.server += ticks / 100.0;
            }
        }
        times
    }
}

async fn fill(log: &dyn EventLog, tenant: &Tenant, customers: usize, rounds: usize) {
    let log_id = Uuid::from_u128(1);
    let opened = LogOpened { account: None, livemode: false, log_id, tenant: tenant.clone() };
    let opened = Event::LogOpened(opened);
    let event = NewEvent { stream: "tenant".parse().unwrap(), ..fact("opened", DAY_0, &opened) };
    log.open(tenant, OpenLog { log_id, event }).await.unwrap();
    for step in 0..7 + 3 * rounds {
        let mut batch = Vec::new();
        for customer in 0..customers {
            batch.push(webhook(customer, step));
            if batch.len() == 2_000 || customer + 1 == customers {
                log.append(tenant, std::mem::take(&mut batch)).await.unwrap();
            }
        }
    }
}

fn webhook(n: usize, step: usize) -> NewEvent {
    let round = if step < 7 { 0 } else { (step - 7) / 3 + 1 };
    let period = DAY_0 + MONTH * i64::try_from(round).unwrap();
    let at = period + i64::try_from(step).unwrap();
    let invoice = |status: &str, paid: i64| {
        json!({"id": format!("in_{n}_{round}"), "customer": format!("cus_{n}"), "currency": "usd",
            "subscription": format!("sub_{n}"), "status": status, "total": 2900,
            "amount_paid": paid, "created": period, "billing_reason": "subscription_cycle"})
    };
    let (kind, cause, snapshot) = match if step < 7 { step } else { 7 + (step - 7) % 3 } {
        0 => (
            "CheckoutSessionReported",
            "completed",
            json!({"id": format!("cs_{n}"),
            "client_reference_id": format!("t{n}"), "customer": format!("cus_{n}"),
            "subscription": format!("sub_{n}"), "status": "complete"}),
        ),
        1 => ("SubscriptionReported", "created", subscription(n, "incomplete", period)),
        2 | 7 => ("InvoiceReported", "finalized", invoice("open", 0)),
        3 | 8 => ("InvoiceReported", "paid", invoice("paid", 2900)),
        4 | 9 => ("SubscriptionReported", "updated", subscription(n, "active", period)),
        5 => (
            "PaymentIntentReported",
            "succeeded",
            json!({"id": format!("pi_{n}"),
            "customer": format!("cus_{n}"), "currency": "usd", "amount": 2900,
            "amount_received": 2900, "status": "succeeded",
            "latest_charge": format!("ch_{n}")}),
        ),
        _ => (
            "InvoicePaymentReported",
            "paid",
            json!({"id": format!("inpay_{n}"),
            "invoice": format!("in_{n}_0"), "payment_intent": format!("pi_{n}"),
            "status": "paid"}),
        ),
    };
    let data = json!({"before": "absent", "cause": cause, "snapshot": snapshot}).to_string();
    let event = ledger_domain::codec::decode(kind, 1, data.as_bytes()).unwrap();
    fact(&format!("evt_{n}_{step}"), at, &event)
}

fn subscription(n: usize, status: &str, from: i64) -> Value {
    json!({"customer": format!("cus_{n}"), "id": format!("sub_{n}"), "status": status,
        "start_date": DAY_0, "billing_cycle_anchor": DAY_0,
        "items": {"data": [{"id": format!("si_{n}"), "quantity": 1,
            "price": {"id": "price_starter_month", "interval": "month", "unit_amount": 2900,
                "currency": "usd", "interval_count": 1, "usage_type": "licensed"},
            "current_period_start": from, "current_period_end": from + MONTH}]}})
}

fn fact(id: &str, at: i64, event: &Event) -> NewEvent {
    let key = EventKey::new(Namespace::stripe(), EventId::try_new(id).unwrap());
    let stripe = StripeOrigin { created: at, ..StripeOrigin::default() };
    let metadata = Metadata { actor: "stripe".into(), stripe: Some(stripe), ..Metadata::default() };
    NewEvent {
        stream: key.own_stream(),
        key,
        expected: Expected::NoStream,
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        occurred_at: Timestamp::from_unix(at),
        data: event.to_data(),
        metadata: metadata.to_bytes(),
        content_hash: [0; 32],
        body: None,
        text: None,
        usage: None,
    }
}
