//! The one statement that appends a batch.
//!
//! It writes all of the batch or nothing, and only if every log still ends where the plan says (the
//! fence) and none of the batch's keys is in the log:
//!
//! - The server may run the branches of a `WITH` in any order, but each write asks `go` first, and
//!   `go` can't be answered before the heads are locked and their newest versions were looked at.
//! - A key that is there already breaks the unique index, and with it the whole statement. That
//!   costs nothing where there is none, which is nearly always; once it has happened, the next
//!   batches look their keys up first (`Keys::LookUp`), so that a storm of duplicates doesn't fill
//!   the server's log with errors.
//! - Keys that are only looked up (`twice`) are seen by a snapshot older than the lock. That is
//!   safe: when the fence holds, nobody has appended since the head was read, by an earlier
//!   statement with an older snapshot still.

use std::fmt::Write;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use ledger_domain::id::EventKey;
use ledger_domain::time::Timestamp;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use crate::batch::{Plan, Row, Slot};
use crate::entry::UsageRow;
use crate::port::Hash;
use crate::prepare::Beside;
use crate::state::Known;

/// Parts of the statement that most batches do without: each costs the server some setting up.
const TWICE: usize = 1;
const BODIES: usize = 2;
const TEXTS: usize = 4;
const USAGE: usize = 8;
/// More than one tenant's log moves.
const SEVERAL: usize = 16;
const VARIANTS: usize = 32;

/// The most tenants in one batch.
pub(super) const TENANTS_MAX: usize = 8;

const BASE: &str = include_str!("sql/append.sql");
/// Parameters of the base, after which the parts count on.
const BASE_PARAMETERS: usize = 29;
const PART_MARK: &str = "/* parts */";
const MOVED_MARK: &str = "/* moved */";
const TWICE_MARK: &str = "/* twice */";

const TWICE_SQL: &str = "
    SELECT k.ordinal, d.position, d.revision, d.content_hash
    FROM unnest(?::text[], ?::text[], ?::text[])
             WITH ORDINALITY AS k (tenant, namespace, event_id, ordinal)
    JOIN event_dedup d USING (tenant, namespace, event_id)
";

const NOT_TWICE_SQL: &str = "
    SELECT NULL::bigint AS ordinal, NULL::bigint AS position, NULL::bigint AS revision,
           NULL::bytea AS content_hash
    WHERE false
";

/// One head moves, found by its whole key. A join would leave it to the server how to find heads,
/// and it may choose to walk along all versions of them, which grows with every append while a
/// long transaction runs.
const MOVED_SQL: &str = "moved# AS (
    UPDATE log_head
    SET position = ($8::bigint[])[#], recorded_at = ($9::timestamptz[])[#],
        root = ($10::bytea[])[#], frontier = ($11::bytea[])[#],
        facts = ($12::bigint[])[#]
    WHERE tenant = ($6::text[])[#] AND position = ($7::bigint[])[#] AND (SELECT ok FROM go)
),
";

const BODIES_SQL: &str = ",
bodies AS (
    INSERT INTO webhook_events (tenant, position, salt, body)
    SELECT unnest(?::text[]), unnest(?::bigint[]), unnest(?::bytea[]), unnest(?::bytea[])
    WHERE (SELECT ok FROM go)
)";

const TEXTS_SQL: &str = ",
texts AS (
    INSERT INTO event_text (tenant, position, salt, text)
    SELECT unnest(?::text[]), unnest(?::bigint[]), unnest(?::bytea[]), convert_from(unnest(?::bytea[]), 'UTF8')
    WHERE (SELECT ok FROM go)
)";

const USAGE_SQL: &str = ",
usage AS (
    INSERT INTO usage_entry
        (tenant, trainer, feature, occurred_at, position, quantity, held, held_until, hold_id)
    SELECT unnest(?::text[]), unnest(?::text[]), unnest(?::text[]), unnest(?::timestamptz[]),
           unnest(?::bigint[]), unnest(?::bigint[]), unnest(?::bigint[]), unnest(?::timestamptz[]),
           unnest(?::uuid[])
    WHERE (SELECT ok FROM go)
)";

/// The statement in all its variants, by the parts that are in it.
static STATEMENTS: LazyLock<[&'static str; VARIANTS]> =
    LazyLock::new(|| std::array::from_fn(|parts| &*compose(parts).leak()));

fn compose(parts: usize) -> String {
    let mut next = BASE_PARAMETERS;
    let mut part = |bit: usize, sql: &str| {
        let mut out = String::new();
        for (index, piece) in sql.split('?').enumerate() {
            if parts & bit == 0 {
                break;
            }
            if index > 0 {
                next += 1;
                write!(out, "${next}").expect("writing to a string");
            }
            out.push_str(piece);
        }
        out
    };
    // In the order in which the parameters are bound.
    let twice = if parts & TWICE == 0 { NOT_TWICE_SQL.to_owned() } else { part(TWICE, TWICE_SQL) };
    let rest = [(BODIES, BODIES_SQL), (TEXTS, TEXTS_SQL), (USAGE, USAGE_SQL)];
    let rest: String = rest.into_iter().map(|(bit, sql)| part(bit, sql)).collect();
    let heads = if parts & SEVERAL == 0 { 1 } else { TENANTS_MAX };
    let moved: String = (1..=heads).map(|head| MOVED_SQL.replace('#', &head.to_string())).collect();
    BASE.replace(MOVED_MARK, &moved).replace(TWICE_MARK, &twice).replace(PART_MARK, &rest)
}

/// What the statement found and did.
#[derive(Debug)]
pub(super) enum Written {
    /// All of it is durable, once its transaction is.
    Yes,
    /// Nothing: a log ends elsewhere by now.
    Moved,
    /// Nothing: the clock and the database's differ too much.
    ClockDiffers,
    /// Nothing: these keys are in the log already.
    Duplicates(Vec<(usize, EventKey, Known)>),
}

/// How the keys of what is written are kept from being written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// By the unique index: a key that is there is an error.
    Trust,
    /// By looking first: a key that is there is an answer.
    LookUp,
}

/// Carries the plan out.
pub(super) async fn write(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    clock: Timestamp,
    keys: Keys,
) -> Result<Written, sqlx::Error> {
    let slots = &plan.effects.slots;
    let rows = &plan.rows;
    let bodies = beside(slots, rows, |row| row.event.body.as_ref());
    let texts = beside(slots, rows, |row| row.event.text.as_ref());
    let usage = usage(slots, rows);
    let looked_up = looked_up(plan, keys);
    let parts = [
        (TWICE, looked_up.is_empty()),
        (BODIES, bodies.0.is_empty()),
        (TEXTS, texts.0.is_empty()),
        (USAGE, usage.tenants.is_empty()),
        (SEVERAL, slots.iter().filter(|slot| slot.writes()).count() <= 1),
    ];
    let parts = parts.into_iter().filter(|(_, empty)| !empty).map(|(bit, _)| bit).sum::<usize>();
    let mut query =
        bind_rows(bind_slots(sqlx::query(STATEMENTS[parts]), slots, clock), slots, rows);
    if parts & TWICE != 0 {
        query = bind_keys(query, slots, &looked_up);
    }
    if parts & BODIES != 0 {
        query = bind_beside(query, bodies);
    }
    if parts & TEXTS != 0 {
        query = bind_beside(query, texts);
    }
    if parts & USAGE != 0 {
        query = usage.bind(query);
    }
    read_result(&looked_up, &query.fetch_all(connection).await?)
}

/// The keys that are looked up, each with its slot.
fn looked_up<'q>(plan: &'q Plan<'_>, keys: Keys) -> Vec<(usize, &'q EventKey)> {
    let rows = plan.rows.iter().filter(|_| keys == Keys::LookUp);
    let rows = rows.map(|row| (row.slot, &row.event.event.key));
    rows.chain(plan.probes.iter().copied()).collect()
}

/// A statement with what is bound to it.
pub(super) type AppendQuery<'q> = Query<'q, Postgres, PgArguments>;

fn bind_slots<'q>(query: AppendQuery<'q>, slots: &'q [Slot], clock: Timestamp) -> AppendQuery<'q> {
    // Everybody locks heads in this order, so that nobody waits in a circle.
    let mut fenced: Vec<&Slot> = slots.iter().filter(|s| s.writes() || s.relied_on).collect();
    fenced.sort_unstable_by(|a, b| a.tenant.as_str().cmp(b.tenant.as_str()));
    let moved: Vec<&Slot> = fenced.iter().copied().filter(|slot| slot.writes()).collect();
    query
        .bind(fenced.iter().map(|s| s.tenant.as_str()).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| s.before.position).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| s.before.epoch).collect::<Vec<_>>())
        .bind(fenced.iter().map(|s| &s.before.root[..]).collect::<Vec<_>>())
        .bind(clock.to_datetime())
        .bind(moved.iter().map(|s| s.tenant.as_str()).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| s.before.position).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| s.after.position).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| s.after.recorded_at.to_datetime()).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| &s.after.root[..]).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| s.after.frontier.to_bytes()).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| s.after.facts).collect::<Vec<_>>())
        .bind(moved.iter().map(|s| &s.leaves[..]).collect::<Vec<_>>())
}

fn bind_rows<'q>(
    query: AppendQuery<'q>,
    slots: &'q [Slot],
    rows: &'q [Row<'_>],
) -> AppendQuery<'q> {
    fn column<'q, T>(rows: &'q [Row<'_>], value: impl Fn(&'q Row<'_>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    fn hash(beside: Option<&Beside>) -> Option<&[u8]> {
        beside.map(|beside| &beside.hash[..])
    }
    query
        .bind(column(rows, |row| slots[row.slot].tenant.as_str()))
        .bind(column(rows, |row| row.position))
        .bind(column(rows, |row| row.revision))
        .bind(column(rows, |row| row.event.event.occurred_at.to_datetime()))
        .bind(column(rows, |row| slots[row.slot].after.recorded_at.to_datetime()))
        .bind(column(rows, |row| row.event.event.schema_version))
        .bind(column(rows, |row| slots[row.slot].after.log_id))
        .bind(column(rows, |row| row.event.event.key.namespace.as_str()))
        .bind(column(rows, |row| row.event.event.key.id.as_str()))
        .bind(column(rows, |row| row.event.event.stream.as_str()))
        .bind(column(rows, |row| &*row.event.event.event_type))
        .bind(column(rows, |row| &row.event.event.content_hash[..]))
        .bind(column(rows, |row| hash(row.event.body.as_ref())))
        .bind(column(rows, |row| hash(row.event.text.as_ref())))
        .bind(column(rows, |row| &row.event.event.metadata[..]))
        .bind(column(rows, |row| &row.event.event.data[..]))
}

/// Binds keys with their tenants.
pub(super) fn bind_keys<'q>(
    query: AppendQuery<'q>,
    slots: &'q [Slot],
    keys: &[(usize, &'q EventKey)],
) -> AppendQuery<'q> {
    query
        .bind(keys.iter().map(|(slot, _)| slots[*slot].tenant.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.namespace.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.id.as_str()).collect::<Vec<_>>())
}

type BesideColumns<'q> = (Vec<&'q str>, Vec<i64>, Vec<&'q [u8]>, Vec<&'q [u8]>);

fn beside<'q>(
    slots: &'q [Slot],
    rows: &'q [Row<'_>],
    of: impl Fn(&'q Row<'_>) -> Option<&'q Beside>,
) -> BesideColumns<'q> {
    let mut columns = BesideColumns::default();
    for row in rows {
        if let Some(beside) = of(row) {
            columns.0.push(slots[row.slot].tenant.as_str());
            columns.1.push(row.position);
            columns.2.push(&beside.salt);
            columns.3.push(&beside.stored);
        }
    }
    columns
}

fn bind_beside<'q>(query: AppendQuery<'q>, columns: BesideColumns<'q>) -> AppendQuery<'q> {
    query.bind(columns.0).bind(columns.1).bind(columns.2).bind(columns.3)
}

#[derive(Default)]
struct UsageColumns<'q> {
    tenants: Vec<&'q str>,
    trainers: Vec<&'q str>,
    features: Vec<&'q str>,
    occurred_at: Vec<DateTime<Utc>>,
    positions: Vec<i64>,
    quantities: Vec<i64>,
    held: Vec<Option<i64>>,
    held_until: Vec<Option<DateTime<Utc>>>,
    hold_ids: Vec<Option<Uuid>>,
}

fn usage<'q>(slots: &'q [Slot], rows: &'q [Row<'_>]) -> UsageColumns<'q> {
    let mut columns = UsageColumns::default();
    for row in rows {
        let Some(entry) = &row.event.event.usage else { continue };
        let UsageRow { quantity, held, held_until, hold_id } = entry.change.row();
        columns.tenants.push(slots[row.slot].tenant.as_str());
        columns.trainers.push(entry.trainer.as_str());
        columns.features.push(entry.feature.as_str());
        columns.occurred_at.push(entry.occurred_at.to_datetime());
        columns.positions.push(row.position);
        columns.quantities.push(quantity);
        columns.held.push(held);
        columns.held_until.push(held_until.map(Timestamp::to_datetime));
        columns.hold_ids.push(hold_id);
    }
    columns
}

impl<'q> UsageColumns<'q> {
    fn bind(self, query: AppendQuery<'q>) -> AppendQuery<'q> {
        query
            .bind(self.tenants)
            .bind(self.trainers)
            .bind(self.features)
            .bind(self.occurred_at)
            .bind(self.positions)
            .bind(self.quantities)
            .bind(self.held)
            .bind(self.held_until)
            .bind(self.hold_ids)
    }
}

/// Reads what the statement says of itself and of the keys that were looked up.
pub(super) fn read_result(
    looked_up: &[(usize, &EventKey)],
    rows: &[PgRow],
) -> Result<Written, sqlx::Error> {
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    if !first.try_get::<bool, _>("clock_holds")? {
        return Ok(Written::ClockDiffers);
    }
    if !first.try_get::<bool, _>("heads_hold")? {
        return Ok(Written::Moved);
    }
    let mut duplicates = Vec::new();
    for row in rows {
        let Some(ordinal) = row.try_get::<Option<i64>, _>("ordinal")? else { continue };
        let index = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
        let (slot, key) = *looked_up.get(index).ok_or(sqlx::Error::RowNotFound)?;
        duplicates.push((slot, key.clone(), known(row)?));
    }
    Ok(if duplicates.is_empty() { Written::Yes } else { Written::Duplicates(duplicates) })
}

/// A dedupe row.
pub(super) fn known(row: &PgRow) -> Result<Known, sqlx::Error> {
    Ok(Known {
        position: row.try_get("position")?,
        revision: row.try_get("revision")?,
        content_hash: row.try_get::<Hash, _>("content_hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_numbers_its_parameters_without_gaps() {
        for (parts, sql) in STATEMENTS.iter().enumerate() {
            let counts = [(TWICE, 3), (BODIES, 4), (TEXTS, 4), (USAGE, 9)];
            let more: usize = counts.iter().filter(|(b, _)| parts & b != 0).map(|(_, n)| n).sum();
            for number in 1..=BASE_PARAMETERS + more {
                assert!(sql.contains(&format!("${number}::")), "${number} in variant {parts}");
            }
            assert!(!sql.contains(&format!("${}", BASE_PARAMETERS + more + 1)), "{parts}");
            assert!(!sql.contains('?') && !sql.contains("/*"), "{sql}");
            assert_eq!(sql.contains("JOIN event_dedup"), parts & TWICE != 0);
        }
    }
}
