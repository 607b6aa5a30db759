//! Every statement on the table of usage.

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

/// What a trainer used since the beginning of its current periods, or since `$4` if that is
/// earlier, and of all time (`$3`); `$2` holds one trainer.
pub(crate) const DAYS: &str = "
    SELECT trainer_id, feature, period_start, period_end, used, first_used_at, last_used_at,
        position
    FROM tier_usage_tracking
    WHERE tenant = $1 AND trainer_id = ANY($2)
        AND (period_start = $3 OR period_start >= (SELECT day FROM since))
    ORDER BY period_start";

/// The first of those days.
pub(crate) const SINCE: &str = "
    SELECT least($4, date_trunc('day', min(current_period_start), 'UTC')) AS day
    FROM trainer_subscriptions WHERE tenant = $1 AND trainer_id = ANY($2) AND ended_at IS NULL";

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
        UsageSum::of(rows.iter().filter(|row| row.feature == feature.as_str()), *window)
    };
    Ok(windows.iter().map(sum).collect())
}
