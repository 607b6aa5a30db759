//! Looking up what the appending task doesn't remember.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_domain::id::{EventId, EventKey, Namespace, Tenant};
use ledger_domain::time::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::catch_up::catch_up;
use super::statement::{Written, bind_keys, known, read_result};
use crate::batch::{Missing, Plan, Slot};
use crate::command::Command;
use crate::port::CounterKey;
use crate::seal::Frontier;
use crate::state::{Logs, Subject, Tip, Usage, Window};

/// The newest version of the head is the first that the scan from the end finds.
const TIP: &str = "SELECT i.log_id, h.epoch, h.position, h.facts, h.frontier, h.root, h.recorded_at
FROM log_identity i
CROSS JOIN LATERAL (
    SELECT * FROM log_head h WHERE h.tenant = i.tenant ORDER BY h.position DESC LIMIT 1
) h
WHERE i.tenant = $1";

const LOCKED_TIP: &str =
    "SELECT (SELECT i.log_id FROM log_identity i WHERE i.tenant = h.tenant) AS log_id,
    h.epoch, h.position, h.facts, h.frontier, h.root, h.recorded_at
FROM log_head h WHERE h.tenant = $1 ORDER BY h.position DESC LIMIT 1 FOR UPDATE OF h";

const OPEN: &str = "WITH made AS (
    INSERT INTO log_identity (tenant, log_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING tenant
)
INSERT INTO log_head (tenant, position, recorded_at, root, frontier)
SELECT tenant, 0, $3, $4, ''::bytea FROM made";

const KEYS: &str =
    "SELECT k.tenant, k.namespace, k.event_id, d.position, d.revision, d.content_hash
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (tenant, namespace, event_id)
JOIN event_dedup d USING (tenant, namespace, event_id)";

const STREAMS: &str = "SELECT k.ordinal, (
    SELECT e.revision FROM event e
    WHERE e.tenant = k.tenant AND e.stream = k.stream AND e.position <= k.tip
      AND (e.stream = 'tenant' OR e.stream LIKE 'trainer-%' OR e.stream LIKE 'usage-%')
    ORDER BY e.revision DESC LIMIT 1
) AS revision
FROM unnest($1::text[], $2::text[], $3::bigint[])
         WITH ORDINALITY AS k (tenant, stream, tip, ordinal)";

const COUNTERS: &str = include_str!("sql/load_counters.sql");

const SEAL: &str = "SELECT root FROM log_seal WHERE tenant = $1 AND size = $2";

/// Looks up all that a plan misses. A tip may be newer than what was remembered, of which nothing
/// is left then; all else is read as it was at the remembered tip, whatever was appended since. So
/// what is remembered is of one position, and can be brought up to another (`catch_up`).
pub(super) async fn missing(
    connection: &mut PgConnection,
    logs: &mut Logs,
    missing: Missing,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for (tenant, log_id) in &missing.opens {
        open(connection, tenant, *log_id).await?;
    }
    for tenant in missing.opens.into_keys().chain(missing.tips) {
        let found = sqlx::query(TIP).bind(tenant.as_str()).fetch_optional(&mut *connection).await?;
        logs.entry(tenant).or_default().set_tip(found.as_ref().map(tip).transpose()?);
    }
    if !missing.streams.is_empty() {
        let keys: Vec<_> = missing.streams.into_iter().collect();
        let rows = sqlx::query(STREAMS)
            .bind(keys.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
            .bind(keys.iter().map(|(_, stream)| stream.as_str()).collect::<Vec<_>>())
            .bind(keys.iter().map(|(tenant, _)| end(logs, tenant)).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        for row in &rows {
            let (tenant, stream) = at(&keys, row)?;
            let last = row.try_get("revision")?;
            logs.entry(tenant.clone()).or_default().streams.insert(stream.clone(), last);
        }
    }
    if !missing.counters.is_empty() {
        counters(connection, logs, missing.counters.into_iter().collect(), now).await?;
    }
    Ok(())
}

async fn open(
    connection: &mut PgConnection,
    tenant: &Tenant,
    log_id: Uuid,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(OPEN)
        .bind(tenant.as_str())
        .bind(log_id)
        .bind(Timestamp::from_unix(0).to_datetime())
        .bind(Frontier::default().root());
    query.execute(connection).await.map(drop)
}

async fn counters(
    connection: &mut PgConnection,
    logs: &mut Logs,
    keys: Vec<(Tenant, CounterKey)>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let column = |of: fn(&(Tenant, CounterKey)) -> &str| keys.iter().map(of).collect::<Vec<_>>();
    // The whole of time, with room beyond the last instant that an event can have.
    let since = |(_, key): &(Tenant, CounterKey)| key.window.map_or(Timestamp::MIN, |w| w.from);
    let until = |(_, key): &(Tenant, CounterKey)| {
        let end = DateTime::<Utc>::from_timestamp_micros(Timestamp::MAX.micros() + 1);
        key.window.map_or(end.expect("within chrono's range"), |w| w.until.to_datetime())
    };
    let rows = sqlx::query(COUNTERS)
        .bind(column(|(tenant, _)| tenant.as_str()))
        .bind(column(|(_, key)| key.trainer.as_str()))
        .bind(column(|(_, key)| key.feature.as_str()))
        .bind(keys.iter().map(|key| since(key).to_datetime()).collect::<Vec<_>>())
        .bind(keys.iter().map(until).collect::<Vec<_>>())
        .bind(keys.iter().map(|(tenant, _)| end(logs, tenant)).collect::<Vec<_>>())
        .bind(now.to_datetime())
        .fetch_all(connection)
        .await?;
    let mut windows: HashMap<&(Tenant, CounterKey), Window> = HashMap::new();
    for row in &rows {
        let key = at(&keys, row)?;
        let quantity: i64 = row.try_get("quantity")?;
        let window = windows.entry(key).or_insert_with(|| Window::new(key.1.window));
        match row.try_get::<Option<Uuid>, _>("hold_id")? {
            None => window.count(quantity),
            Some(id) => {
                let until: DateTime<Utc> = row.try_get("held_until")?;
                window.hold(id, quantity, until.into());
            }
        }
    }
    for ((tenant, key), window) in windows {
        let log = logs.entry(tenant.clone()).or_default();
        let subject = Subject::from(key);
        match log.counters.get(&subject) {
            Some(usage) => usage.add_window(window),
            None => {
                let mut usage = Usage::default();
                usage.add_window(window);
                log.counters.insert(subject, usage);
            }
        }
    }
    Ok(())
}

/// The position that a log is remembered at; a plan asks for nothing of a log before that is known.
fn end(logs: &Logs, tenant: &Tenant) -> i64 {
    let tip = logs.get(tenant).and_then(|log| log.tip.as_ref()?.as_ref());
    tip.map_or(0, |tip| tip.position)
}

fn at<'k, T>(keys: &'k [T], row: &PgRow) -> Result<&'k T, sqlx::Error> {
    let ordinal: i64 = row.try_get("ordinal")?;
    let index = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    keys.get(index).ok_or(sqlx::Error::RowNotFound)
}

fn tip(row: &PgRow) -> Result<Tip, sqlx::Error> {
    let position: i64 = row.try_get("position")?;
    let frontier: &[u8] = row.try_get("frontier")?;
    let root = row.try_get("root")?;
    let size = u64::try_from(position).unwrap_or_default();
    let frontier = Frontier::from_bytes(size, frontier).filter(|f| f.root() == root);
    Ok(Tip {
        log_id: row.try_get("log_id")?,
        epoch: row.try_get("epoch")?,
        position,
        facts: row.try_get("facts")?,
        frontier: frontier.ok_or_else(|| {
            sqlx::Error::Decode("the log's frontier doesn't have the root beside it".into())
        })?,
        root,
        recorded_at: row.try_get::<DateTime<Utc>, _>("recorded_at")?.into(),
    })
}

/// Locks the heads in the order in which everybody locks them, and brings what is remembered of
/// the logs up to what they say.
pub(super) async fn lock(
    connection: &mut PgConnection,
    logs: &mut Logs,
    commands: &[Command],
) -> Result<(), sqlx::Error> {
    let mut tenants: Vec<&Tenant> = commands.iter().map(|command| &command.tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    for tenant in tenants {
        let query = sqlx::query(LOCKED_TIP).bind(tenant.as_str());
        let found = query.fetch_optional(&mut *connection).await?;
        let tip = found.as_ref().map(tip).transpose()?;
        let log = logs.entry(tenant.clone()).or_default();
        catch_up(connection, tenant, log, tip).await?;
    }
    Ok(())
}

/// Learns which of the commands' keys are in the log. Under the lock, in a statement after it.
pub(super) async fn keys(
    connection: &mut PgConnection,
    logs: &mut Logs,
    commands: &[Command],
) -> Result<(), sqlx::Error> {
    let pairs = || commands.iter().flat_map(|c| c.keys().map(|key| (c.tenant.as_str(), key)));
    let rows = sqlx::query(KEYS)
        .bind(pairs().map(|(tenant, _)| tenant).collect::<Vec<_>>())
        .bind(pairs().map(|(_, key)| key.namespace.as_str()).collect::<Vec<_>>())
        .bind(pairs().map(|(_, key)| key.id.as_str()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for row in &rows {
        let tenant = name(Tenant::try_new(row.try_get("tenant")?))?;
        let namespace = name(Namespace::try_new(row.try_get("namespace")?))?;
        let id = name(EventId::try_new(row.try_get("event_id")?))?;
        logs.entry(tenant).or_default().learn(EventKey::new(namespace, id), known(row)?);
    }
    Ok(())
}

pub(super) fn name<T>(name: Result<T, ledger_domain::id::InvalidName>) -> Result<T, sqlx::Error> {
    name.map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Whether what these slots wanted to write is in the log. The root covers what only that attempt
/// can have had: the salts, the clock's reading.
pub(super) async fn is_written(
    connection: &mut PgConnection,
    slots: &[Slot],
) -> Result<bool, sqlx::Error> {
    // All or nothing was written, so that one slot tells.
    let Some(slot) = slots.iter().find(|slot| slot.writes()) else { return Ok(false) };
    passed(connection, &slot.tenant, &slot.after).await
}

/// Whether a log is the same up to this end of a batch. The root covers every event up to it.
pub(super) async fn passed(
    connection: &mut PgConnection,
    tenant: &Tenant,
    tip: &Tip,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(SEAL).bind(tenant.as_str()).bind(tip.position);
    let found = query.fetch_optional(connection).await?;
    Ok(found.is_some_and(|row| row.try_get::<&[u8], _>("root").ok() == Some(&tip.root[..])))
}

/// Whether every log that the plan relies on ends where it says, and none of its probes is in the
/// log: for a plan that writes nothing.
pub(super) async fn verify(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
) -> Result<Written, sqlx::Error> {
    const VERIFY: &str = include_str!("sql/verify.sql");
    let slots = &plan.effects.slots;
    let fenced: Vec<&Slot> = slots.iter().filter(|slot| slot.relied_on).collect();
    let query = sqlx::query(VERIFY)
        .bind(fenced.iter().map(|s| s.tenant.as_str()).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| s.before.position).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| s.before.epoch).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| &s.before.root[..]).collect::<Vec<_>>());
    let rows = bind_keys(query, slots, &plan.probes).fetch_all(connection).await?;
    read_result(&plan.probes, &rows)
}

/// Makes the partitions up to a position, and tells the last position that has one.
pub(super) async fn ensure_partition(
    connection: &mut PgConnection,
    reach: i64,
) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT ensure_event_partition($1)").bind(reach);
    query.fetch_one(connection).await
}

/// The end of the longest log.
pub(super) async fn longest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT coalesce(max(position), 0) FROM log_head";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// The database's time, as it received the question.
pub(super) async fn clock(connection: &mut PgConnection) -> Result<Timestamp, sqlx::Error> {
    let query = sqlx::query_scalar::<_, DateTime<Utc>>("SELECT statement_timestamp()");
    query.fetch_one(connection).await.map(Into::into)
}

/// A connection of its own for the appending task, with the plans that its statements need.
pub(super) async fn connect(
    options: &sqlx::postgres::PgConnectOptions,
) -> Result<PgConnection, sqlx::Error> {
    // Plans are kept from when the tables were empty, and the server guesses the size of arrays:
    // only walks along indexes stay right whatever the tables become.
    let options = options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_memoize", "off"),
        // What callers are told is durable must be, whatever the server's default is.
        ("synchronous_commit", "on"),
        // An import's rows are unnested in memory.
        ("work_mem", "64MB"),
    ]);
    PgConnection::connect_with(&options).await
}
