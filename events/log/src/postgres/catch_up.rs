//! Bringing what is remembered of a log up to where it ends by now, when others have appended.
//!
//! What is remembered follows from the log's events up to the remembered end, and the root there
//! covers all of them. If the log still has that root at that place, what is remembered was right
//! there, and lacks only what came since; if not, a backup was put back or a standby took over, and
//! nothing of it may be kept. What came since is read under the lock, each event once, so that what
//! a turn costs depends on what others wrote and never on how long a window is.

use chrono::{DateTime, Utc};
use ledger_domain::id::{FeatureSlug, StreamName, Tenant, TrainerId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::load::{name, passed};
use crate::port::{UsageChange, UsageEntry};
use crate::prepare::is_shared;
use crate::state::{LogState, Subject, Tip};

/// The most events that are caught up with: as many as one append can have. To read them takes
/// some tens of milliseconds, while everybody waits for the lock. After more than that, most of
/// what is remembered isn't asked for again, and what is asked for is read alone.
const EVENTS_MAX: i64 = 10_000;

const USAGE: &str = "SELECT trainer, feature, occurred_at, quantity, held, held_until, hold_id
FROM usage_entry WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position";

/// The condition on streams isn't that of their index, which has no positions: the server might
/// choose to walk along all of it.
const STREAMS: &str = "SELECT stream, revision FROM event
WHERE tenant = $1 AND position > $2 AND position <= $3
  AND split_part(stream, '-', 1) IN ('tenant', 'trainer', 'usage') ORDER BY position";

/// Takes over the end of a log that is locked, with what came before it; or forgets all that was
/// remembered of the log, where that can't be brought up to there.
pub(super) async fn catch_up(
    connection: &mut PgConnection,
    tenant: &Tenant,
    log: &mut LogState,
    tip: Option<Tip>,
) -> Result<(), sqlx::Error> {
    let news = match (&log.tip, &tip) {
        (Some(Some(before)), Some(tip)) => {
            News::between(connection, tenant, log, before, tip).await?
        }
        _ => None,
    };
    // From here on nothing is waited for, so that no state is ever half of one end.
    match news {
        Some(news) => news.tell(log),
        None => log.forget(),
    }
    log.set_tip(tip);
    Ok(())
}

/// What was appended between two ends of a log, in its order.
#[derive(Default)]
struct News {
    usage: Vec<UsageEntry>,
    /// Streams, each with the revision that it came to.
    streams: Vec<(StreamName, i64)>,
}

impl News {
    /// None if the one end isn't known to follow on the other, or only after too much.
    async fn between(
        connection: &mut PgConnection,
        tenant: &Tenant,
        log: &LogState,
        before: &Tip,
        tip: &Tip,
    ) -> Result<Option<Self>, sqlx::Error> {
        if before == tip {
            return Ok(Some(Self::default()));
        }
        let is_near = (1..=EVENTS_MAX).contains(&(tip.position - before.position));
        let is_same_log = (before.log_id, before.epoch) == (tip.log_id, tip.epoch);
        if !is_near || !is_same_log || !passed(connection, tenant, before).await? {
            return Ok(None);
        }
        let (from, to) = (before.position, tip.position);
        let mut news = Self::default();
        if !log.counters.is_empty() {
            let query = sqlx::query(USAGE).bind(tenant.as_str()).bind(from).bind(to);
            let rows = query.fetch_all(&mut *connection).await?;
            news.usage = rows.iter().map(entry).collect::<Result<_, _>>()?;
        }
        if !log.streams.is_empty() {
            let query = sqlx::query(STREAMS).bind(tenant.as_str()).bind(from).bind(to);
            let rows = query.fetch_all(&mut *connection).await?;
            news.streams =
                rows.iter().filter_map(|row| stream(row).transpose()).collect::<Result<_, _>>()?;
        }
        Ok(Some(news))
    }

    /// Changes what is remembered; what isn't will be read when it is asked for.
    fn tell(self, log: &mut LogState) {
        log.unlearn();
        for entry in &self.usage {
            if let Some(usage) = log.counters.get(&Subject::from(entry)) {
                usage.apply(entry);
            }
        }
        for (name, revision) in &self.streams {
            if let Some(last) = log.streams.get(name) {
                *last = Some(*revision);
            }
        }
    }
}

/// An entry of usage from its columns, as `statement` writes them.
fn entry(row: &PgRow) -> Result<UsageEntry, sqlx::Error> {
    let quantity = row.try_get("quantity")?;
    let change = match (row.try_get::<Option<Uuid>, _>("hold_id")?, row.try_get("held")?) {
        (None, _) => UsageChange::Count(quantity),
        (Some(id), None) => UsageChange::Settle { id, quantity },
        (Some(id), Some(quantity)) => {
            let until: DateTime<Utc> = row.try_get("held_until")?;
            UsageChange::Hold { id, quantity, until: until.into() }
        }
    };
    let occurred_at: DateTime<Utc> = row.try_get("occurred_at")?;
    Ok(UsageEntry {
        trainer: name(TrainerId::try_new(row.try_get("trainer")?))?,
        feature: name(FeatureSlug::try_new(row.try_get("feature")?))?,
        occurred_at: occurred_at.into(),
        change,
    })
}

/// A shared stream and its revision; none for a stream that only begins like one.
fn stream(row: &PgRow) -> Result<Option<(StreamName, i64)>, sqlx::Error> {
    let stream: &str = row.try_get("stream")?;
    if !is_shared(stream) {
        return Ok(None);
    }
    Ok(Some((name(StreamName::try_new(stream))?, row.try_get("revision")?)))
}
