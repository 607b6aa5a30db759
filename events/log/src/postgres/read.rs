//! Reading the log.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use crate::port::{Hash, Head, PAGE_BYTES_MAX, ReadError, Recorded};
use crate::prepare::{decompress, is_shared, own_key};

macro_rules! columns {
    () => {
        "e.log_id, e.format, e.tenant, e.position, e.namespace, e.event_id, e.stream, e.revision, \
         e.type, e.schema_version, e.occurred_at, e.recorded_at, e.data, e.metadata, \
         e.content_hash, e.body_hash, e.text_hash"
    };
}
pub(super) use columns;

/// Events that a condition holds for, in order: so many, of so many bytes and the one that goes
/// beyond. Sizes are asked of the server, which needn't read what is large to tell them.
macro_rules! page_sql {
    ($condition:literal, $limit:literal, $bytes:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (
                SELECT e.*, sum(octet_length(e.data) + octet_length(e.metadata)) OVER (
                    ORDER BY e.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes
                FROM event e WHERE ",
            $condition,
            " ORDER BY e.position LIMIT ",
            $limit,
            ") e WHERE coalesce(e.bytes, 0) < ",
            $bytes,
            " ORDER BY e.position"
        )
    };
}
pub(super) use page_sql;

const PAGE: &str = page_sql!("e.tenant = $1 AND e.position > $2", "$3", "$4");

const AT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM event e WHERE e.tenant = $1 AND e.position = ANY($2) ORDER BY e.position"
);

/// The condition is the index's, word by word.
const STREAM: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM event e WHERE e.tenant = $1 AND e.stream = $2 AND e.revision >= $3
      AND (e.stream = 'tenant' OR e.stream LIKE 'trainer-%' OR e.stream LIKE 'usage-%')
      ORDER BY e.revision LIMIT $4"
);

const BY_KEY: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM event e WHERE e.tenant = $1 AND e.position = (
        SELECT d.position FROM event_dedup d
        WHERE d.tenant = $1 AND d.namespace = $2 AND d.event_id = $3)"
);

const BODY: &str = "SELECT w.body FROM webhook_events w WHERE w.tenant = $1 AND w.position = (
    SELECT d.position FROM event_dedup d
    WHERE d.tenant = $1 AND d.namespace = $2 AND d.event_id = $3)";

const HEAD: &str = "SELECT i.log_id, h.epoch, h.position, h.facts, h.root, h.recorded_at
FROM log_identity i
CROSS JOIN LATERAL (
    SELECT * FROM log_head h WHERE h.tenant = i.tenant ORDER BY h.position DESC LIMIT 1
) h
WHERE i.tenant = $1 AND h.position > 0";

/// A log that was made and not opened yet has no seal.
const TENANTS: &str = "SELECT i.tenant FROM log_identity i
WHERE EXISTS (SELECT FROM log_seal s WHERE s.tenant = i.tenant) ORDER BY i.tenant";

const USAGE: &str = "SELECT occurred_at, quantity FROM usage_entry
WHERE tenant = $1 AND trainer = $2 AND feature = $3 AND occurred_at >= $4 AND occurred_at < $5
  AND quantity <> 0 AND position <= $6";

pub(super) fn unavailable(error: sqlx::Error) -> ReadError {
    ReadError::Unavailable(Box::new(error))
}

pub(super) fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn page(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    after: i64,
    limit: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let after = after.max(0);
    let query = sqlx::query(PAGE).bind(tenant.as_str()).bind(after);
    let query = query.bind(rows_max(limit)).bind(rows_max(PAGE_BYTES_MAX));
    let events = decode_all(&query.fetch_all(executor).await.map_err(unavailable)?)?;
    contiguous(&events, after, |event| event.position)?;
    Ok(events)
}

pub(super) async fn at(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    positions: &[i64],
) -> Result<Vec<Recorded>, ReadError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(AT).bind(tenant.as_str()).bind(positions);
    decode_all(&query.fetch_all(executor).await.map_err(unavailable)?)
}

/// A hole can only be damage: the position after a durable one is durable first.
fn contiguous(
    events: &[Recorded],
    after: i64,
    number: impl Fn(&Recorded) -> i64,
) -> Result<(), ReadError> {
    let mut expected = after;
    for event in events {
        expected += 1;
        if number(event) != expected {
            let what = format!("{} stands where {expected} is due", number(event));
            return Err(ReadError::Corrupt { position: event.position, what });
        }
    }
    Ok(())
}

pub(super) async fn stream(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    stream: &StreamName,
    from_revision: i64,
    limit: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let from = from_revision.max(0);
    if !is_shared(stream.as_str()) {
        let key = own_key(stream.as_str()).and_then(|(namespace, id)| {
            Some(EventKey::new(Namespace::try_new(namespace).ok()?, EventId::try_new(id).ok()?))
        });
        let Some(key) = key.filter(|_| from == 0 && limit > 0) else { return Ok(Vec::new()) };
        let found = find(executor, tenant, &key).await?;
        return Ok(found.into_iter().filter(|event| event.stream == *stream).collect());
    }
    let query = sqlx::query(STREAM).bind(tenant.as_str()).bind(stream.as_str());
    let query = query.bind(from).bind(rows_max(limit));
    let events = decode_all(&query.fetch_all(executor).await.map_err(unavailable)?)?;
    contiguous(&events, from - 1, |event| event.revision)?;
    Ok(events)
}

pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    key: &EventKey,
) -> Result<Option<Recorded>, ReadError> {
    let query = sqlx::query(BY_KEY).bind(tenant.as_str());
    let query = query.bind(key.namespace.as_str()).bind(key.id.as_str());
    let row = query.fetch_optional(executor).await.map_err(unavailable)?;
    row.map(|row| decode(&row, &mut Types::new())).transpose()
}

pub(super) async fn body(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    key: &EventKey,
) -> Result<Option<Vec<u8>>, ReadError> {
    let query = sqlx::query_scalar(BODY).bind(tenant.as_str());
    let query = query.bind(key.namespace.as_str()).bind(key.id.as_str());
    let stored: Option<Vec<u8>> = query.fetch_optional(executor).await.map_err(unavailable)?;
    stored.map(|stored| unpack(&stored, 0)).transpose()
}

/// A stored body; `position` is for the error.
pub(super) fn unpack(stored: &[u8], position: i64) -> Result<Vec<u8>, ReadError> {
    let what = || "the body beside the event can't be decompressed".to_owned();
    decompress(stored).ok_or_else(|| ReadError::Corrupt { position, what: what() })
}

pub(super) async fn head(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
) -> Result<Option<Head>, ReadError> {
    let query = sqlx::query(HEAD).bind(tenant.as_str());
    let row = query.fetch_optional(executor).await.map_err(unavailable)?;
    row.map(|row| {
        Ok(Head {
            log_id: row.try_get("log_id")?,
            epoch: row.try_get("epoch")?,
            facts: row.try_get("facts")?,
            position: row.try_get("position")?,
            root: row.try_get("root")?,
            recorded_at: row.try_get::<DateTime<Utc>, _>("recorded_at")?.into(),
        })
    })
    .transpose()
    .map_err(unavailable)
}

pub(super) async fn tenants(executor: impl PgExecutor<'_>) -> Result<Vec<Tenant>, ReadError> {
    let names: Vec<String> =
        sqlx::query_scalar(TENANTS).fetch_all(executor).await.map_err(unavailable)?;
    names.iter().map(|name| checked(Tenant::try_new(name), 0)).collect()
}

pub(super) async fn usage(
    executor: impl PgExecutor<'_>,
    tenant: &Tenant,
    trainer: &TrainerId,
    feature: &FeatureSlug,
    within: Interval,
    up_to: i64,
) -> Result<Vec<(Timestamp, i64)>, ReadError> {
    let rows: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(USAGE)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(feature.as_str())
        .bind(within.from.to_datetime())
        .bind(within.until.to_datetime())
        .bind(up_to)
        .fetch_all(executor)
        .await
        .map_err(unavailable)?;
    Ok(rows.into_iter().map(|(at, quantity)| (at.into(), quantity)).collect())
}

/// The names of types seen in a page: there are few, and each event holds one.
type Types = HashMap<String, Arc<str>>;

pub(super) fn decode_all(rows: &[PgRow]) -> Result<Vec<Recorded>, ReadError> {
    let mut types = Types::new();
    rows.iter().map(|row| decode(row, &mut types)).collect()
}

fn checked<T, E: std::fmt::Display>(value: Result<T, E>, position: i64) -> Result<T, ReadError> {
    value.map_err(|error| ReadError::Corrupt { position, what: error.to_string() })
}

fn decode(row: &PgRow, types: &mut Types) -> Result<Recorded, ReadError> {
    let position: i64 = row.try_get("position").map_err(unavailable)?;
    macro_rules! get {
        ($name:literal, $type:ty) => {
            checked(row.try_get::<$type, _>($name), position)?
        };
    }
    let format: i16 = get!("format", i16);
    if format != crate::FORMAT {
        let what = format!("format {format} isn't known to this program");
        return Err(ReadError::Corrupt { position, what });
    }
    let event_type: &str = get!("type", &str);
    let event_type = match types.get(event_type) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(types.entry(event_type.to_owned()).or_insert_with(|| event_type.into())),
    };
    Ok(Recorded {
        log_id: get!("log_id", uuid::Uuid),
        format,
        tenant: checked(Tenant::try_new(get!("tenant", &str)), position)?,
        position,
        key: EventKey::new(
            checked(Namespace::try_new(get!("namespace", &str)), position)?,
            checked(EventId::try_new(get!("event_id", &str)), position)?,
        ),
        stream: checked(StreamName::try_new(get!("stream", &str)), position)?,
        revision: get!("revision", i64),
        event_type,
        schema_version: get!("schema_version", i32),
        occurred_at: get!("occurred_at", DateTime<Utc>).into(),
        recorded_at: get!("recorded_at", DateTime<Utc>).into(),
        data: get!("data", Vec<u8>),
        metadata: get!("metadata", Vec<u8>),
        content_hash: get!("content_hash", Hash),
        body_hash: get!("body_hash", Option<Hash>),
        text_hash: get!("text_hash", Option<Hash>),
    })
}
