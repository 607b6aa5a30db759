//! What is read of payments.

use ledger_domain::account::PaymentView;
use ledger_domain::id::{Tenant, TrainerId};
use sqlx::PgConnection;

use super::PaymentRow;
use crate::QueryError;

/// The disputes of trainers.
pub(crate) const DISPUTES: &str = "
    SELECT object_id, kind, customer_id, trainer_id, subscription_id, invoice_id, payment_id,
        status, amount_minor, paid_minor, refunded_minor, currency, created_at, updated_at,
        lost_at, attempt_count, next_attempt_at, reason,
        array_to_string(event_ids, ' ') AS event_ids, position
    FROM payment_logs
    WHERE tenant = $1 AND trainer_id = ANY($2) AND kind = 'dispute' ORDER BY object_id";

/// What of payments is asked for.
const SELECT_PAYMENTS: &str = "
    SELECT object_id, kind, customer_id, trainer_id, subscription_id, invoice_id, payment_id,
        status, amount_minor, paid_minor, refunded_minor, currency, created_at, updated_at,
        lost_at, attempt_count, next_attempt_at, reason,
        array_to_string(event_ids, ' ') AS event_ids, position
    FROM payment_logs
    WHERE tenant = $1 AND trainer_id = $2
        AND ($3::timestamptz IS NULL OR (created_at, object_id) < ($3, $4))
    ORDER BY created_at DESC, object_id DESC LIMIT $5";

/// A trainer's payments, the latest first, after a place in that order.
pub(crate) async fn payments_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    after: Option<(chrono::DateTime<chrono::Utc>, &str)>,
    limit: i64,
) -> Result<Vec<PaymentView>, QueryError> {
    let rows: Vec<PaymentRow> = sqlx::query_as(SELECT_PAYMENTS)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, object)| object))
        .bind(limit)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(PaymentView::try_from).collect::<Result<_, _>>()?)
}

/// The disputes of some trainers.
pub(crate) async fn disputes_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainers: &[&str],
) -> Result<Vec<PaymentView>, QueryError> {
    let rows: Vec<PaymentRow> =
        sqlx::query_as(DISPUTES).bind(tenant.as_str()).bind(trainers).fetch_all(conn).await?;
    Ok(rows.into_iter().map(PaymentView::try_from).collect::<Result<_, _>>()?)
}
