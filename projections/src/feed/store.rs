//! Every statement on the feed of changed answers.

use std::collections::BTreeSet;

use ledger_domain::id::{InvalidName, Tenant, TrainerId};
use sqlx::{FromRow, PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Change, Cursor, FeedKey, Heard, KEPT, Whose};
use crate::QueryError;
use crate::rows::InvalidRow;

/// On which other processes are told that something changed.
pub(super) const CHANNEL: &str = "ledger_answers";

/// Begins a feed anew, once the lease is taken: what was heard before tells nothing any more. Tells
/// the last change.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    tenant: &Tenant,
    serving: &[String],
) -> sqlx::Result<i64> {
    // The key is made from 244 bits of the server's strong randomness.
    const SQL: &str = "
        INSERT INTO answer_feed (tenant, id, number, parked, key)
        SELECT $1, gen_random_uuid(), 0,
            EXISTS (SELECT FROM parked_unit WHERE tenant = $1 AND read_model = ANY($2)),
            sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
        ON CONFLICT (tenant) DO UPDATE
            SET id = excluded.id, parked = excluded.parked, key = excluded.key
        RETURNING number";
    sqlx::query_scalar(SQL).bind(tenant.as_str()).bind(serving).fetch_one(conn).await
}

/// Tells of a change, in the transaction that makes it: none for `trainers` means everybody. From
/// here on others who change answers wait for the commit, so this comes late. Tells the change's
/// number; none = the feed was never begun.
pub(crate) async fn record(
    conn: &mut PgConnection,
    tenant: &Tenant,
    serving: &[String],
    trainers: Option<&BTreeSet<String>>,
    users: &BTreeSet<String>,
) -> sqlx::Result<Option<i64>> {
    const SQL: &str = "
        WITH feed AS (
            UPDATE answer_feed SET number = number + 1,
                parked = EXISTS (
                    SELECT FROM parked_unit WHERE tenant = $1 AND read_model = ANY($2))
            WHERE tenant = $1 RETURNING number),
        forgotten AS (
            DELETE FROM answer_change AS c USING feed
            WHERE c.tenant = $1 AND c.number <= feed.number - $5)
        INSERT INTO answer_change (tenant, number, trainers, users)
        SELECT $1, number, $3, $4 FROM feed RETURNING number";
    let texts = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    sqlx::query_scalar(SQL)
        .bind(tenant.as_str())
        .bind(serving)
        .bind(trainers.map(texts))
        .bind(texts(users))
        .bind(KEPT)
        .fetch_optional(conn)
        .await
}

/// Tells other processes that something changed; within a transaction, once it is committed.
pub(crate) async fn tell(executor: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(executor).await.map(drop)
}

#[derive(FromRow)]
struct HeardRow {
    tenant: String,
    id: Uuid,
    number: i64,
    position: i64,
    key: Vec<u8>,
    change: Option<i64>,
    trainers: Option<Vec<String>>,
    users: Option<Vec<String>>,
}

/// How far each tenant's feed is, and what changed since some cursors. One statement sees one
/// instant: feed, changes and checkpoints agree.
pub(super) async fn heard(
    conn: &mut PgConnection,
    serving: &[String],
    known: &[(Tenant, Cursor)],
) -> Result<Vec<(Tenant, Heard)>, QueryError> {
    const SQL: &str = "
        SELECT f.tenant, f.id, f.number, p.position, f.key, c.number AS change, c.trainers, c.users
        FROM answer_feed AS f
        LEFT JOIN unnest($2::text[], $3::bigint[]) AS known (tenant, number)
            ON known.tenant = f.tenant
        CROSS JOIN LATERAL (
            SELECT CASE WHEN count(*) = cardinality($1::text[]) THEN min(k.position) ELSE 0 END
            FROM checkpoint AS k
            WHERE k.tenant = f.tenant AND k.read_model = ANY($1)) AS p (position)
        LEFT JOIN answer_change AS c
            ON c.tenant = f.tenant AND c.number > known.number AND f.number - known.number <= $4
        ORDER BY f.tenant, c.number";
    let tenants: Vec<&str> = known.iter().map(|(tenant, _)| tenant.as_str()).collect();
    let numbers: Vec<i64> = known.iter().map(|(_, cursor)| cursor.number).collect();
    let rows: Vec<HeardRow> = sqlx::query_as(SQL)
        .bind(serving)
        .bind(tenants)
        .bind(numbers)
        .bind(KEPT)
        .fetch_all(conn)
        .await?;
    let mut all: Vec<(Tenant, Heard)> = Vec::new();
    for row in rows {
        let invalid = |e: InvalidName| InvalidRow::new("answer_change", e);
        let tenant = Tenant::try_new(&row.tenant).map_err(invalid)?;
        let to = Cursor { id: row.id, number: row.number };
        if all.last().is_none_or(|(last, _)| *last != tenant) {
            let key = row.key.as_slice().try_into();
            let key = FeedKey::new(key.map_err(|e| InvalidRow::new("answer_feed", e))?);
            let heard = Heard { to, position: row.position, key, changes: Some(Vec::new()) };
            all.push((tenant, heard));
        }
        let change = row.change().map_err(invalid)?;
        if let Some((_, Heard { changes: Some(changes), .. })) = all.last_mut() {
            changes.extend(change);
        }
    }
    for (tenant, heard) in &mut all {
        let cursor = known.iter().find(|(known, _)| known == tenant).map(|(_, cursor)| *cursor);
        let changes = heard.changes.take().unwrap_or_default();
        heard.changes = cursor.filter(|from| is_whole(*from, heard.to, &changes)).map(|_| changes);
    }
    Ok(all)
}

/// Whether changes are all that lie between two places of one feed.
fn is_whole(from: Cursor, to: Cursor, changes: &[Change]) -> bool {
    let numbers = changes.iter().map(|change| change.number);
    from.id == to.id && from.number <= to.number && numbers.eq(from.number + 1..=to.number)
}

impl HeardRow {
    fn change(self) -> Result<Option<Change>, InvalidName> {
        let Some(number) = self.change else { return Ok(None) };
        let names = |texts: Vec<String>| -> Result<Vec<_>, _> {
            texts.into_iter().map(TrainerId::try_from).collect()
        };
        let users = names(self.users.unwrap_or_default())?;
        let whose = match self.trainers {
            None => Whose::Everybody,
            Some(trainers) => Whose::Of { trainers: names(trainers)?, users },
        };
        Ok(Some(Change { number, whose }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_change_and_another_feed_are_noticed() {
        let at = |id, number| Cursor { id: Uuid::from_u128(id), number };
        let changes = |numbers: &[i64]| -> Vec<_> {
            numbers.iter().map(|&number| Change { number, whose: Whose::Everybody }).collect()
        };
        assert!(is_whole(at(1, 3), at(1, 5), &changes(&[4, 5])));
        assert!(is_whole(at(1, 5), at(1, 5), &[]));
        for wrong in [&[][..], &[5], &[4], &[4, 6], &[4, 5, 6]] {
            assert!(!is_whole(at(1, 3), at(1, 5), &changes(wrong)), "{wrong:?}");
        }
        assert!(!is_whole(at(1, 3), at(2, 3), &[]), "another feed");
        assert!(!is_whole(at(1, 5), at(1, 3), &[]), "a backup was put back");
    }
}
