//! Every statement on the table of usage, and what an answer sums of the log's own.

use chrono::{DateTime, Utc};
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::Interval;
use sqlx::PgConnection;

use super::{ALL_TIME, UsageColumns, UsageRow, UsageSum, day_of};

/// Adds what a page adds. Sums stop at the ends of their range: a refusal would stop the page.
pub(crate) async fn add(
    conn: &mut PgConnection,
    tenant: &Tenant,
    rows: UsageColumns,
) -> sqlx::Result<()> {
    const SQL: &str = "
        INSERT INTO tier_usage_tracking AS u (tenant, trainer_id, feature, period_start,
            period_end, used, first_used_at, last_used_at, position)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
            $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::bigint[])
        ON CONFLICT (tenant, trainer_id, period_start, period_end, feature) DO UPDATE SET
            used = greatest(-9223372036854775808, least(9223372036854775807,
                u.used::numeric + excluded.used))::bigint,
            first_used_at = least(u.first_used_at, excluded.first_used_at),
            last_used_at = greatest(u.last_used_at, excluded.last_used_at),
            position = greatest(u.position, excluded.position)";
    rows.run(conn, tenant, SQL).await.map(drop)
}

/// What a trainer used since the first day that is wanted, and of all time (`$3`); `$2` holds one
/// trainer.
pub(crate) const DAYS: &str = "
    SELECT trainer_id, feature, period_start, period_end, used, first_used_at, last_used_at,
        position
    FROM tier_usage_tracking
    WHERE tenant = $1 AND trainer_id = ANY($2)
        AND (period_start = $3 OR period_start >= (SELECT day FROM since))
    ORDER BY period_start";

/// The first of those days: `$4`, or the earliest on which a window of `$6` may begin. A window
/// is as long as a period at most; where no period that is known contains `$6`, it may be any
/// stretch of that length.
pub(crate) const SINCE: &str = "
    SELECT least($4, date_trunc('day', min(CASE
            WHEN s.current_period_start <= $6 AND $6 < s.current_period_end
            THEN s.current_period_start
            ELSE $6 - (SELECT max(make_interval(months => i.months, days => i.days))
                FROM item AS i WHERE i.subscription_id = s.subscription_id)
        END), 'UTC')) AS day
    FROM subscription AS s WHERE s.ended_at IS NULL OR s.ended_at > $6";

/// The instants at which windows of `$6` may begin or end, of the trainer whose subscriptions and
/// items are there.
pub(crate) const EDGES: &str = include_str!("edges.sql");

/// What a trainer used from each of these instants on, up to the end of the day, where that day has
/// usage on both sides. As much of the log's own table is looked at as the days are made from.
/// Sums stop at the ends of their range, as those of days do.
pub(crate) const RESTS: &str = "
    SELECT d.feature, edge.at, rest.used
    FROM day AS d
    JOIN edge ON edge.at > d.first_used_at AND edge.at <= d.last_used_at AND d.period_start <> $3
    CROSS JOIN LATERAL (
        SELECT greatest(-9223372036854775808, least(9223372036854775807,
            coalesce(sum(u.quantity), 0)))::bigint AS used
        FROM public.usage_entry AS u
        WHERE u.tenant = $1 AND u.trainer = $2 AND u.feature = d.feature
            AND u.occurred_at >= edge.at AND u.occurred_at < d.period_end
            AND u.position <= (SELECT position FROM reached)) AS rest";

/// What a trainer used, for each feature and window; without a window, the standing count.
pub(crate) async fn sums(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    windows: &[(FeatureSlug, Option<Interval>)],
) -> sqlx::Result<Vec<UsageSum>> {
    const SQL: &str = "
        SELECT trainer_id, feature, period_start, period_end, used, first_used_at, last_used_at,
            position
        FROM tier_usage_tracking
        WHERE tenant = $1 AND trainer_id = $2 AND feature = ANY($3)
            AND (period_start = $4 OR (period_start >= $5 AND period_start < $6))
        ORDER BY period_start";
    let features: Vec<&str> = windows.iter().map(|(feature, _)| feature.as_str()).collect();
    let asked = || windows.iter().filter_map(|(_, window)| *window);
    let from = asked().map(|window| day_of(window.from).from).min().unwrap_or(ALL_TIME.until);
    let until = asked().map(|window| window.until).max().unwrap_or(ALL_TIME.until);
    let all_time: DateTime<Utc> = ALL_TIME.from.to_datetime();
    let rows: Vec<UsageRow> = sqlx::query_as(SQL)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(&features)
        .bind(all_time)
        .bind(from.to_datetime())
        .bind(until.to_datetime())
        .fetch_all(conn)
        .await?;
    let sum = |(feature, window): &(FeatureSlug, Option<Interval>)| {
        let own = rows.iter().filter(|row| row.feature == feature.as_str());
        UsageSum::of(own, *window, |_| None)
    };
    Ok(windows.iter().map(sum).collect())
}
