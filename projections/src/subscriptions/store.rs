//! Every statement on the tables of subscriptions, payments and their history.

use ledger_domain::account::{SubscriptionView, next_statuses, statuses};
use ledger_domain::catalog::{Catalog, Interval};
use ledger_domain::id::{StripeId, Tenant, TrainerId};
use sqlx::{AssertSqlSafe, PgConnection};

use super::payments::{LinkColumns, PaymentColumns};
use super::rows::{ItemColumns, ItemRow, SubscriptionColumns, SubscriptionRow};
use super::{
    AnomalyColumns, DeadLetterColumns, DeadLetterRow, TieColumns, TieRow, TrainerEventColumns,
    WaitingColumns,
};
use crate::QueryError;
use crate::history::{ChangeColumns, ChangeRow};
use crate::queries::{AnomalyFilter, AnomalyPlace, FoundRow};
use crate::rows::{PartColumns, PartRow};

/// Everything that one page changes in this read model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) parts: PartColumns,
    pub(crate) subscriptions: SubscriptionColumns,
    pub(crate) items: ItemColumns,
    /// How many items a subscription has, where the table may have more.
    pub(crate) item_counts: super::CountColumns,
    pub(crate) history: ChangeColumns,
    /// The stretches of histories that are replaced.
    pub(crate) stretches: super::StretchColumns,
    pub(crate) payments: PaymentColumns,
    pub(crate) gone_parts: super::GonePartColumns,
    pub(crate) gone_subscriptions: Vec<String>,
    pub(crate) gone_payments: Vec<String>,
    pub(crate) gone_links: Vec<String>,
    pub(crate) links: LinkColumns,
    /// Whose anomalies are replaced.
    pub(crate) looked_at: super::SubjectColumns,
    pub(crate) anomalies: AnomalyColumns,
    pub(crate) dead_letters: DeadLetterColumns,
}

/// Writes a page's changes.
pub(crate) async fn write(
    conn: &mut PgConnection,
    tenant: &Tenant,
    batch: Batch,
) -> sqlx::Result<()> {
    // What goes goes first: another unit may show it from now on.
    batch.gone_parts.run(conn, tenant, DELETE_PARTS).await?;
    batch.item_counts.run(conn, tenant, TRIM_ITEMS).await?;
    batch.stretches.run(conn, tenant, DELETE_HISTORY).await?;
    let gone = [
        (batch.gone_subscriptions, DELETE_SUBSCRIPTIONS),
        (batch.gone_payments, DELETE_PAYMENTS),
        (batch.gone_links, DELETE_LINKS),
    ];
    for (ids, delete) in gone {
        if !ids.is_empty() {
            sqlx::query(delete).bind(tenant.as_str()).bind(ids).execute(&mut *conn).await?;
        }
    }
    batch.parts.run(conn, tenant, UPSERT_PARTS).await?;
    batch.subscriptions.run(conn, tenant, include_str!("upsert_subscriptions.sql")).await?;
    batch.items.run(conn, tenant, include_str!("upsert_items.sql")).await?;
    batch.history.run(conn, tenant, UPSERT_HISTORY).await?;
    batch.payments.run(conn, tenant, include_str!("upsert_payments.sql")).await?;
    batch.links.run(conn, tenant, UPSERT_LINKS).await?;
    batch.looked_at.run(conn, tenant, DELETE_ANOMALIES).await?;
    batch.anomalies.run(conn, tenant, INSERT_ANOMALIES).await?;
    batch.dead_letters.run(conn, tenant, INSERT_DEAD_LETTERS).await?;
    Ok(())
}

const UPSERT_PARTS: &str = "
    INSERT INTO unit_part (tenant, unit, part, state)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[])
    ON CONFLICT (tenant, unit, part) DO UPDATE SET state = excluded.state";

// In these, OFFSET 0 makes the server look each name up in the index, whatever it thinks of the
// table's size when it plans: a plan made while the table was small would read all of it later.
const TRIM_ITEMS: &str = "
    DELETE FROM subscription_items WHERE ctid = ANY (ARRAY (
        SELECT old.row FROM unnest($2::text[], $3::integer[]) AS now (subject, count),
            LATERAL (SELECT i.ctid AS row FROM subscription_items AS i
                WHERE i.tenant = $1 AND i.subscription_id = now.subject AND i.ordinal >= now.count
                OFFSET 0) AS old))";

const DELETE_HISTORY: &str = "
    DELETE FROM tier_history WHERE ctid = ANY (ARRAY (
        SELECT old.row FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
                AS told (subject, since, until),
            LATERAL (SELECT h.ctid AS row FROM tier_history AS h
                WHERE h.tenant = $1 AND h.subject = told.subject
                    AND h.at BETWEEN told.since AND told.until
                OFFSET 0) AS old))";

const UPSERT_HISTORY: &str = "
    INSERT INTO tier_history (tenant, subject, ordinal, trainer_id, change, from_prices, to_prices,
        tier, feature, at, actor, event_id, position)
    SELECT $1, subject, ordinal, trainer_id, change, string_to_array(from_prices, ' '),
        string_to_array(to_prices, ' '), tier, feature, at, actor, event_id, position
    FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::bigint[])
        AS new (subject, ordinal, trainer_id, change, from_prices, to_prices, tier, feature, at,
        actor, event_id, position)
    ON CONFLICT (tenant, subject, at, ordinal) DO UPDATE SET
        trainer_id = excluded.trainer_id,
        change = excluded.change,
        from_prices = excluded.from_prices,
        to_prices = excluded.to_prices,
        actor = excluded.actor,
        event_id = excluded.event_id,
        position = excluded.position";

const DELETE_PARTS: &str = "
    DELETE FROM unit_part WHERE ctid = ANY (ARRAY (
        SELECT old.row FROM unnest($2::text[], $3::text[]) AS gone (unit, part),
            LATERAL (SELECT p.ctid AS row FROM unit_part AS p
                WHERE p.tenant = $1 AND p.unit = gone.unit AND p.part = gone.part
                OFFSET 0) AS old))";

const DELETE_SUBSCRIPTIONS: &str =
    "DELETE FROM trainer_subscriptions WHERE tenant = $1 AND subscription_id = ANY($2::text[])";

const DELETE_LINKS: &str =
    "DELETE FROM customer_link WHERE tenant = $1 AND customer_id = ANY($2::text[])";

const DELETE_PAYMENTS: &str =
    "DELETE FROM payment_logs WHERE tenant = $1 AND object_id = ANY($2::text[])";

const UPSERT_LINKS: &str = "
    INSERT INTO customer_link (tenant, customer_id, trainer_id, since, event_id, conflicting,
        position)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::boolean[],
        $7::bigint[])
    ON CONFLICT (tenant, customer_id) DO UPDATE SET
        trainer_id = excluded.trainer_id,
        since = excluded.since,
        event_id = excluded.event_id,
        conflicting = excluded.conflicting,
        position = excluded.position";

const DELETE_ANOMALIES: &str = "
    DELETE FROM anomaly WHERE ctid = ANY (ARRAY (
        SELECT old.row FROM unnest($2::text[], $3::text[]) AS now (customer_id, subject),
            LATERAL (SELECT a.ctid AS row FROM anomaly AS a
                WHERE a.tenant = $1 AND a.customer_id = now.customer_id
                    AND a.subject = now.subject
                OFFSET 0) AS old))";

const INSERT_ANOMALIES: &str = "
    INSERT INTO anomaly (tenant, customer_id, subject, kind, event_id, previous_event_id)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    ON CONFLICT DO NOTHING";

const INSERT_DEAD_LETTERS: &str = "
    INSERT INTO dead_letter (tenant, event_id, position, lacks)
    SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[])
    ON CONFLICT DO NOTHING";

/// The stored state of units, all parts of each.
pub(crate) async fn parts(
    conn: &mut PgConnection,
    tenant: &Tenant,
    units: &[String],
) -> sqlx::Result<Vec<PartRow>> {
    const SELECT: &str =
        "SELECT unit, part, state FROM unit_part WHERE tenant = $1 AND unit = ANY($2)";
    sqlx::query_as(SELECT).bind(tenant.as_str()).bind(units).fetch_all(conn).await
}

/// Ties objects to customers, also such as were tied to others before.
pub(crate) async fn tie(
    conn: &mut PgConnection,
    tenant: &Tenant,
    ties: TieColumns,
) -> sqlx::Result<()> {
    const UPSERT: &str = "
        INSERT INTO object_customer (tenant, object_id, customer_id)
        SELECT $1, * FROM unnest($2::text[], $3::text[])
        ON CONFLICT (tenant, object_id) DO UPDATE SET customer_id = excluded.customer_id";
    ties.run(conn, tenant, UPSERT).await.map(drop)
}

/// The ties of some objects.
pub(crate) async fn ties(
    conn: &mut PgConnection,
    tenant: &Tenant,
    objects: &[String],
) -> sqlx::Result<Vec<TieRow>> {
    const SELECT: &str = "SELECT object_id, customer_id FROM object_customer
        WHERE tenant = $1 AND object_id = ANY($2)";
    sqlx::query_as(SELECT).bind(tenant.as_str()).bind(objects).fetch_all(conn).await
}

/// Remembers which events name which trainer. No event is told twice: looking for conflicts would
/// make this, which nearly every webhook pays for, half as costly again.
pub(crate) async fn name(
    conn: &mut PgConnection,
    tenant: &Tenant,
    events: TrainerEventColumns,
) -> sqlx::Result<()> {
    const INSERT: &str = "
        INSERT INTO trainer_event (tenant, trainer_id, position)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[])";
    events.run(conn, tenant, INSERT).await.map(drop)
}

/// Remembers facts that wait for objects to be tied.
pub(crate) async fn wait(
    conn: &mut PgConnection,
    tenant: &Tenant,
    facts: WaitingColumns,
) -> sqlx::Result<()> {
    const INSERT: &str = "
        INSERT INTO waiting_fact (tenant, waits_for, position)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[]) ON CONFLICT DO NOTHING";
    facts.run(conn, tenant, INSERT).await.map(drop)
}

/// The positions of facts that wait for one of these objects, in order.
pub(crate) async fn waiting_for(
    conn: &mut PgConnection,
    tenant: &Tenant,
    objects: &[String],
) -> sqlx::Result<Vec<i64>> {
    const SELECT: &str = "SELECT DISTINCT position FROM waiting_fact
        WHERE tenant = $1 AND waits_for = ANY($2) ORDER BY position";
    sqlx::query_scalar(SELECT).bind(tenant.as_str()).bind(objects).fetch_all(conn).await
}

/// Whether any fact waits.
pub(crate) async fn anything_waits(conn: &mut PgConnection, tenant: &Tenant) -> sqlx::Result<bool> {
    const SELECT: &str = "SELECT EXISTS (SELECT FROM waiting_fact WHERE tenant = $1)";
    sqlx::query_scalar(SELECT).bind(tenant.as_str()).fetch_one(conn).await
}

/// Forgets that facts wait, under whatever object they did.
pub(crate) async fn stop_waiting(
    conn: &mut PgConnection,
    tenant: &Tenant,
    facts: WaitingColumns,
) -> sqlx::Result<()> {
    const DELETE: &str = "
        DELETE FROM waiting_fact WHERE ctid = ANY (ARRAY (
            SELECT old.row FROM unnest($2::text[], $3::bigint[]) AS f (object, position),
                LATERAL (SELECT w.ctid AS row FROM waiting_fact AS w
                    WHERE w.tenant = $1 AND w.waits_for = f.object AND w.position = f.position
                    OFFSET 0) AS old))";
    facts.run(conn, tenant, DELETE).await.map(drop)
}

/// The subscriptions of trainers.
pub(crate) const SUBSCRIPTIONS: &str = "
    SELECT subscription_id, customer_id, trainer_id, status, items_complete, anchor_at,
        started_at, current_period_start, current_period_end, trial_start, trial_end,
        cancel_at, canceled_at, ended_at, past_due_since, collection_paused, scheduled_at,
        array_to_string(scheduled_prices, ' ') AS scheduled_prices, once_active,
        last_event_id, position
    FROM trainer_subscriptions WHERE tenant = $1 AND trainer_id = ANY($2)
    ORDER BY subscription_id";

/// The items of subscriptions; a condition on these follows.
const ITEMS: &str = r#"
    SELECT subscription_id, ordinal, trainer_id, item_id, price_id, product_id, quantity,
        currency, unit_amount_minor, unit_amount_decimal, "interval", interval_count,
        usage_type, current_period_start, current_period_end
    FROM subscription_items WHERE tenant = $1 AND subscription_id = ANY("#;

/// The items of the subscriptions that are there, each with how long its period is, in months or
/// days: the bounds of the count are those by which windows are counted, and a length that isn't
/// told is no longer than a year.
pub(crate) fn items_with_periods() -> String {
    let items = format!("{ITEMS} ARRAY(SELECT subscription_id FROM subscription))");
    let count = "least(greatest(coalesce(i.interval_count, 1), 1), 1200)::integer";
    format!(
        "SELECT i.*,
            CASE i.\"interval\" WHEN 'day' THEN 0 WHEN 'week' THEN 0 WHEN 'month' THEN 1 ELSE 12 END
                * {count} AS months,
            CASE i.\"interval\" WHEN 'day' THEN 1 WHEN 'week' THEN 7 ELSE 0 END
                * {count} AS days
        FROM ({items} ORDER BY subscription_id, ordinal) AS i"
    )
}

/// The subscriptions of some trainers, with their items.
pub(crate) async fn subscriptions_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainers: &[&str],
) -> Result<Vec<SubscriptionView>, QueryError> {
    let rows: Vec<SubscriptionRow> = sqlx::query_as(SUBSCRIPTIONS)
        .bind(tenant.as_str())
        .bind(trainers)
        .fetch_all(&mut *conn)
        .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.subscription_id.as_str()).collect();
    let sql = format!("{ITEMS} $2) ORDER BY subscription_id, ordinal");
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.as_str()).bind(&ids);
    let items: Vec<ItemRow> = query.fetch_all(conn).await?;
    super::with_items(rows, items).map_err(QueryError::from)
}

/// Whose some subscriptions and disputes are, each trainer once.
pub(crate) async fn owners(
    conn: &mut PgConnection,
    tenant: &Tenant,
    subscriptions: &[String],
    payments: &[String],
) -> sqlx::Result<Vec<String>> {
    const SELECT: &str = "
        SELECT held.trainer_id FROM unnest($2::text[]) AS named (id),
            LATERAL (SELECT s.trainer_id FROM trainer_subscriptions AS s
                WHERE s.tenant = $1 AND s.subscription_id = named.id OFFSET 0) AS held
        WHERE held.trainer_id IS NOT NULL
        UNION
        SELECT held.trainer_id FROM unnest($3::text[]) AS named (id),
            LATERAL (SELECT p.trainer_id FROM payment_logs AS p
                WHERE p.tenant = $1 AND p.object_id = named.id AND p.kind = 'dispute'
                OFFSET 0) AS held
        WHERE held.trainer_id IS NOT NULL";
    if subscriptions.is_empty() && payments.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_scalar(SELECT).bind(tenant.as_str());
    query.bind(subscriptions).bind(payments).fetch_all(conn).await
}

/// The steps of a trainer's subscriptions, the latest first, after a place in that order.
pub(crate) async fn history_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    after: Option<&crate::queries::Place>,
    limit: i64,
) -> sqlx::Result<Vec<ChangeRow>> {
    const SELECT: &str = "
        SELECT subject, ordinal, trainer_id, change, array_to_string(from_prices, ' ') AS from_prices,
            array_to_string(to_prices, ' ') AS to_prices, tier, feature, at, actor, event_id, position
        FROM tier_history
        WHERE tenant = $1 AND trainer_id = $2
            AND ($3::timestamptz IS NULL OR (at, subject, ordinal) < ($3, $4, $5))
        ORDER BY at DESC, subject DESC, ordinal DESC LIMIT $6";
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(after.map(|place| place.at))
        .bind(after.map(|place| place.subject.as_str()))
        .bind(after.map(|place| place.ordinal))
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// The customers that a trainer is linked to, or has a subscription of.
pub(crate) async fn customers_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
) -> sqlx::Result<Vec<String>> {
    const SELECT: &str = "
        SELECT customer_id FROM customer_link WHERE tenant = $1 AND trainer_id = $2
        UNION
        SELECT customer_id FROM trainer_subscriptions
        WHERE tenant = $1 AND trainer_id = $2 AND customer_id IS NOT NULL";
    sqlx::query_scalar(SELECT).bind(tenant.as_str()).bind(trainer.as_str()).fetch_all(conn).await
}

/// What is odd about facts and events, in the order of its key, after a place in that order. Whose
/// an object is stands with the object, else with its customer. `customers` are those of the
/// wanted trainer.
pub(crate) async fn anomalies(
    conn: &mut PgConnection,
    tenant: &Tenant,
    filter: &AnomalyFilter,
    customers: Option<Vec<String>>,
    after: AnomalyPlace,
    limit: i64,
) -> sqlx::Result<Vec<FoundRow>> {
    const SELECT: &str = "
        SELECT * FROM (
            SELECT a.customer_id, a.subject, a.kind, a.event_id, a.previous_event_id, coalesce(
                (SELECT s.trainer_id FROM trainer_subscriptions AS s
                 WHERE s.tenant = a.tenant AND s.subscription_id = split_part(a.subject, '/', 2)),
                (SELECT p.trainer_id FROM payment_logs AS p
                 WHERE p.tenant = a.tenant AND p.object_id = split_part(a.subject, '/', 2)),
                (SELECT l.trainer_id FROM customer_link AS l
                 WHERE l.tenant = a.tenant AND l.customer_id = a.customer_id)) AS trainer_id
            FROM anomaly AS a
            WHERE a.tenant = $1
                AND ($2::text IS NULL OR a.kind = $2)
                AND ($3::text IS NULL OR a.customer_id = $3)
                AND ($4::text[] IS NULL OR a.customer_id = ANY($4))
                AND ($5::text IS NULL OR split_part(a.subject, '/', 2) = $5)
                AND (a.customer_id, a.subject, a.kind, a.event_id) > ($6, $7, $8, $9)) AS found
        WHERE $10::text IS NULL OR trainer_id = $10
        ORDER BY customer_id, subject, kind, event_id LIMIT $11";
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(filter.kind.as_deref())
        .bind(filter.customer.as_ref().map(StripeId::as_str))
        .bind(customers)
        .bind(filter.subject.as_ref().map(StripeId::as_str))
        .bind(after.customer_id)
        .bind(after.subject)
        .bind(after.kind)
        .bind(after.event_id)
        .bind(filter.trainer.as_ref().map(TrainerId::as_str))
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// Webhooks that could not be read, in the order of the log.
pub(crate) async fn dead_letters(
    conn: &mut PgConnection,
    tenant: &Tenant,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<DeadLetterRow>> {
    const SELECT: &str = "SELECT event_id, position, lacks FROM dead_letter
        WHERE tenant = $1 AND position > $2 ORDER BY position LIMIT $3";
    sqlx::query_as(SELECT).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(conn).await
}

/// The trainers of subscriptions, one entry for each, from a trainer on, in order, and whether it
/// may be odd by itself: it hasn't ended, and its items, its status or a price of it isn't known.
/// Whether the trainer to begin with is included is said beside it.
pub(crate) async fn holders(
    conn: &mut PgConnection,
    tenant: &Tenant,
    catalog: &Catalog,
    (from, is_included): (&str, bool),
    limit: i64,
) -> sqlx::Result<Vec<(String, bool)>> {
    const SELECT: &str = "SELECT trainer_id, status <> ALL ($5) AND (
            NOT items_complete OR status <> ALL ($6) OR EXISTS (
                SELECT FROM subscription_items item
                WHERE item.tenant = $1 AND item.subscription_id = held.subscription_id
                    AND item.price_id <> ALL ($7)))
        FROM trainer_subscriptions held
        WHERE tenant = $1 AND trainer_id >= $2 AND ($3 OR trainer_id > $2)
        ORDER BY trainer_id LIMIT $4";
    let known: Vec<&str> = statuses().collect();
    let ends = known.iter().filter(|status| next_statuses(status).is_empty());
    let plans = catalog.tiers().iter().chain(catalog.add_ons());
    let prices = plans.flat_map(|plan| Interval::ALL.into_iter().flat_map(|i| plan.prices(i)));
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(from)
        .bind(is_included)
        .bind(limit)
        .bind(ends.copied().collect::<Vec<&str>>())
        .bind(&known)
        .bind(prices.map(StripeId::as_str).collect::<Vec<&str>>())
        .fetch_all(conn)
        .await
}
