//! The one statement of a question about a trainer.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use ledger_domain::account::{GrantView, PaymentView, TrainerView};
use ledger_domain::effective::Holdings;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::Held;
use crate::feed::Cursor;
use crate::grants::{self, GrantRow, TrainerRow};
use crate::rows::{Gathered, gathering};
use crate::subscriptions::{self, ItemRow, PaymentRow, SubscriptionRow, payments, with_items};
use crate::usage::{self, ALL_TIME, RestRow, UsageDays, UsageRow, month_before};
use crate::{QueryError, ReadModel, Schemas};

/// Where the read models are.
const REACHED: &str = "
    SELECT CASE WHEN count(*) = cardinality($5::text[]) THEN min(position) ELSE 0 END AS position
    FROM checkpoint WHERE tenant = $1 AND read_model = ANY($5)";

/// What else belongs to the tenant: by what its catalogues are known, and how far answers were told
/// of.
const OF_TENANT: &str = "
    (SELECT max(position) AS catalog_mark FROM catalog WHERE tenant = $1) AS published,
    (SELECT max(position) AS mode_mark FROM enforcement WHERE tenant = $1) AS enforced
    LEFT JOIN (SELECT id, number, parked FROM answer_feed WHERE tenant = $1) AS feed ON true";

/// Each table brings one row of arrays, so that they don't multiply. A plan that was made while a
/// table was small would look through the whole tenant, and be kept: so it is about one trainer
/// rather than a list, and no order is one that an index of the whole tenant has. `OFFSET 0` keeps
/// a part together: the planner would try all orders in which a dozen single rows can be joined.
static HELD: LazyLock<String> = LazyLock::new(|| {
    let parts = [
        gathering::<TrainerRow>("t", grants::store::TRAINERS),
        gathering::<GrantRow>("g", grants::store::GRANTS),
        gathering::<SubscriptionRow>("s", "SELECT * FROM subscription"),
        gathering::<ItemRow>("i", "SELECT * FROM item"),
        gathering::<PaymentRow>("d", payments::store::DISPUTES),
        gathering::<UsageRow>("u", "SELECT * FROM day"),
        gathering::<RestRow>("r", usage::store::RESTS),
    ];
    let items = subscriptions::store::items_with_periods();
    let named = [
        ("reached", REACHED),
        ("subscription", subscriptions::store::SUBSCRIPTIONS),
        ("item", items.as_str()),
        ("since", usage::store::SINCE),
        ("day", usage::store::DAYS),
        ("edge", usage::store::EDGES),
    ];
    let named = named.map(|(name, select)| format!("{name} AS ({select})")).join(", ");
    let parts = parts.join(", ");
    let sql = format!(
        "WITH {named} SELECT * FROM (SELECT * FROM reached, since, {OF_TENANT} OFFSET 0) AS common,
         {parts}"
    );
    sql.replace("trainer_id = ANY($2)", "trainer_id = $2")
        .replace("ORDER BY subscription_id", "ORDER BY subscription_id || ''")
        .replace("ORDER BY object_id", "ORDER BY object_id || ''")
});

pub(in crate::queries) async fn held(
    conn: &mut PgConnection,
    (tenant, trainer): (&Tenant, &TrainerId),
    schemas: Schemas,
    now: Timestamp,
) -> Result<Held, QueryError> {
    let row = sqlx::query(AssertSqlSafe(HELD.as_str()))
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(ALL_TIME.from.to_datetime())
        .bind(month_before(now).to_datetime())
        .bind(ReadModel::ALL.map(|model| schemas.schema(model)))
        .bind(now.to_datetime())
        .fetch_one(conn)
        .await?;
    let since: DateTime<Utc> = row.try_get("day")?;
    let number: Option<i64> = row.try_get("number")?;
    let id: Option<Uuid> = row.try_get("id")?;
    Ok(Held {
        holdings: holdings(&row)?,
        usage: UsageDays {
            rows: UsageRow::gathered(&row, "u")?,
            rests: RestRow::gathered(&row, "r")?,
            since: since.into(),
        },
        position: row.try_get("position")?,
        heard: id.zip(number).map(|(id, number)| Cursor { id, number }),
        // Nobody has looked yet where there is no feed.
        is_parked: row.try_get::<Option<bool>, _>("parked")?.unwrap_or(true),
        mark: (row.try_get("catalog_mark")?, row.try_get("mode_mark")?),
    })
}

fn holdings(row: &PgRow) -> Result<Holdings, QueryError> {
    let trainer = TrainerRow::gathered(row, "t")?.into_iter().next();
    let grants = GrantRow::gathered(row, "g")?.into_iter().map(GrantView::try_from);
    let disputes = PaymentRow::gathered(row, "d")?.into_iter().map(PaymentView::try_from);
    let disputes = disputes.collect::<Result<Vec<_>, _>>()?;
    Ok(Holdings {
        trainer: trainer.map(TrainerView::try_from).transpose()?,
        subscriptions: with_items(
            SubscriptionRow::gathered(row, "s")?,
            ItemRow::gathered(row, "i")?,
        )?,
        grants: grants.collect::<Result<_, _>>()?,
        disputes: disputes.iter().collect(),
    })
}
