//! By what the cache of catalogues knows that it is up to date, and a command that nothing is
//! missing.

use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::{QueryError, Reader};

/// The positions of the last catalogue and of the last change of enforcement.
pub(super) type Mark = (Option<i64>, Option<i64>);

const MARK: &str = "SELECT (SELECT max(position) FROM catalog WHERE tenant = $1),
                           (SELECT max(position) FROM enforcement WHERE tenant = $1)";

/// Whether anything about a trainer is parked: its own acts, or a customer's that is known to be
/// the trainer's.
const PARKED: &str = "SELECT EXISTS (
    SELECT FROM parked_unit AS p
    WHERE p.tenant = $1 AND p.read_model IN ('rm_subscriptions', 'rm_grants') AND (
        p.unit = 'trainer/' || $2
        OR p.unit IN (SELECT 'customer/' || l.customer_id FROM customer_link AS l
            WHERE l.tenant = $1 AND l.trainer_id = $2)
        OR p.unit IN (SELECT 'customer/' || s.customer_id FROM trainer_subscriptions AS s
            WHERE s.tenant = $1 AND s.trainer_id = $2)))";

/// Whether a reader's transaction lacks facts about a trainer that lie at or before its position.
/// From here on the transaction sees the whole tenant, as it must to see what is parked: ask last.
pub(super) async fn is_parked(
    reader: &mut Reader,
    tenant: &Tenant,
    trainer: &TrainerId,
) -> Result<bool, QueryError> {
    sqlx::raw_sql("SET LOCAL ledger.\"user\" = '*'").execute(reader.connection()).await?;
    let query = sqlx::query_scalar(PARKED).bind(tenant.as_str()).bind(trainer.as_str());
    Ok(query.fetch_one(reader.connection()).await?)
}

/// The mark that a reader's transaction sees.
pub(super) async fn mark(reader: &mut Reader, tenant: &Tenant) -> Result<Mark, QueryError> {
    let query = sqlx::query_as(MARK).bind(tenant.as_str());
    Ok(query.fetch_one(reader.connection()).await?)
}
