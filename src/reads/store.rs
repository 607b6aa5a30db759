//! By what the cache of catalogues knows that it is up to date.

use ledger_domain::id::Tenant;
use ledger_projections::{Mark, QueryError, Reader};

const MARK: &str = "SELECT (SELECT max(position) FROM catalog WHERE tenant = $1),
                           (SELECT max(position) FROM enforcement WHERE tenant = $1)";

/// The mark that a reader's transaction sees.
pub(super) async fn mark(reader: &mut Reader, tenant: &Tenant) -> Result<Mark, QueryError> {
    let query = sqlx::query_as(MARK).bind(tenant.as_str());
    Ok(query.fetch_one(reader.connection()).await?)
}
