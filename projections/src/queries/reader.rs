//! A reader's transaction: what it sees is one instant of the read models.

use chrono::{DateTime, Utc};
use ledger_domain::account::{ChangeView, LogIdentity, PaymentView};
use ledger_domain::catalog::Catalogs;
use ledger_domain::effective::Holdings;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

use super::{Held, QueryError, held};
use crate::catalog::EnforcementView;
use crate::control::{Checkpoint, ParkedUnit};
use crate::history::ChangeRow;
use crate::usage::UsageSum;
use crate::{ReadModel, Schemas, catalog, control, grants, subscriptions, usage};

/// A transaction that sees one tenant, and one trainer or all, at one instant.
#[derive(Debug)]
pub struct Reader {
    pub(super) tx: Transaction<'static, Postgres>,
    pub(super) tenant: Tenant,
    schemas: Schemas,
}

/// Begins a transaction that sees a tenant's rows, of one trainer or (none) of all. Connections
/// are of the roles `ledger_api` or `ledger_auditor`; what is set here ends with the transaction,
/// so that a pooled connection carries nothing over.
///
/// # Errors
/// If the database can't be reached.
pub async fn as_reader(
    pool: &PgPool,
    tenant: &Tenant,
    trainer: Option<&TrainerId>,
) -> Result<Reader, QueryError> {
    let schemas = Schemas::LIVE;
    let user = trainer.map_or("*", TrainerId::as_str);
    let path = schemas.search_path();
    // Names were checked when they were made, and hold neither quotes nor backslashes. A plan that
    // was made while a table was empty, and would read all of it, would be kept for long.
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = {path}; \
         SET LOCAL enable_seqscan = off; \
         SET LOCAL ledger.tenant = '{tenant}'; SET LOCAL ledger.\"user\" = '{user}'"
    );
    let tx = pool.begin_with(AssertSqlSafe(begin)).await?;
    Ok(Reader { tx, tenant: tenant.clone(), schemas })
}

/// A place in a history, from which the next page goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The instant of the last step shown.
    pub at: DateTime<Utc>,
    /// What it is a step of, or the payment itself.
    pub subject: String,
    /// Its place among the steps of its subject.
    pub ordinal: i32,
}

/// A page of a trainer's history, the latest step first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The steps.
    pub changes: Vec<ChangeView>,
    /// Where the next page goes on; none = that was all.
    pub next: Option<Place>,
}

/// A page of a trainer's payments, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentPage {
    /// The payments.
    pub payments: Vec<PaymentView>,
    /// Where the next page goes on; none = that was all.
    pub next: Option<Place>,
}

/// The most rows that one page of an answer may have.
pub(super) const LIMIT_MAX: usize = 1_000;

impl Reader {
    /// The connection, for other statements within the same transaction.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// The position that everything this transaction sees is of.
    ///
    /// # Errors
    /// If the database can't be reached.
    pub async fn position(&mut self) -> Result<i64, QueryError> {
        let models = ReadModel::ALL.map(|model| self.schemas.schema(model));
        Ok(control::store::position(&mut self.tx, &self.tenant, &models).await?)
    }

    /// What a trainer holds, and the position of which that is true.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn holdings(&mut self, trainer: &TrainerId) -> Result<(Holdings, i64), QueryError> {
        let held = self.held(trainer, Timestamp::MAX).await?;
        Ok((held.holdings, held.position))
    }

    /// Everything that an answer about a trainer at an instant is made from, in one statement.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn held(&mut self, trainer: &TrainerId, now: Timestamp) -> Result<Held, QueryError> {
        held::store::held(&mut self.tx, (&self.tenant, trainer), self.schemas, now).await
    }

    /// What a trainer used, for each feature and window; without a window, the standing count.
    ///
    /// # Errors
    /// If the database can't be reached.
    pub async fn usage(
        &mut self,
        trainer: &TrainerId,
        windows: &[(FeatureSlug, Option<Interval>)],
    ) -> Result<Vec<UsageSum>, QueryError> {
        Ok(usage::store::sums(&mut self.tx, &self.tenant, trainer, windows).await?)
    }

    /// A page of a trainer's history: what Stripe's facts and administrators' acts made.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn history(
        &mut self,
        trainer: &TrainerId,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<HistoryPage, QueryError> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let more = limit_plus_one(limit);
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let mut rows = subscriptions::store::history_of(tx, tenant, trainer, after, more).await?;
        rows.extend(grants::store::history_of(tx, tenant, trainer, after, more).await?);
        let place = |row: &ChangeRow| (row.at, row.subject.clone(), row.ordinal);
        rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
        let next = (rows.len() > limit).then(|| place(&rows[limit - 1]));
        rows.truncate(limit);
        let changes = rows.into_iter().map(ChangeView::try_from).collect::<Result<_, _>>()?;
        let next = next.map(|(at, subject, ordinal)| Place { at, subject, ordinal });
        Ok(HistoryPage { changes, next })
    }

    /// A page of a trainer's payments.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn payments(
        &mut self,
        trainer: &TrainerId,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<PaymentPage, QueryError> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let after = after.map(|place| (place.at, place.subject.as_str()));
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let more = limit_plus_one(limit);
        let mut payments =
            subscriptions::payments::store::payments_of(tx, tenant, trainer, after, more).await?;
        let has_more = payments.len() > limit;
        payments.truncate(limit);
        let last = payments.last().filter(|_| has_more);
        let next = last.map(|payment| Place {
            at: payment.created_at.to_datetime(),
            subject: payment.object.as_str().to_owned(),
            ordinal: 0,
        });
        Ok(PaymentPage { payments, next })
    }

    /// Every catalogue that was published.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn catalogs(&mut self) -> Result<Catalogs, QueryError> {
        catalog::store::catalogs(&mut self.tx, &self.tenant).await
    }

    /// How far denials were enforced, the latest first.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn enforcement(&mut self, limit: usize) -> Result<Vec<EnforcementView>, QueryError> {
        let limit = limit_plus_one(limit.clamp(1, LIMIT_MAX)) - 1;
        catalog::store::enforcement(&mut self.tx, &self.tenant, limit).await
    }

    /// Whose events belong to the log; none before the first page.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn identity(&mut self) -> Result<Option<LogIdentity>, QueryError> {
        catalog::store::identity(&mut self.tx, &self.tenant).await
    }

    /// How far each version of each read model is, by the names of their schemas.
    ///
    /// # Errors
    /// If the database can't be reached.
    pub async fn checkpoints(&mut self) -> Result<Vec<(String, Checkpoint)>, QueryError> {
        Ok(control::store::checkpoints(&mut self.tx, &self.tenant).await?)
    }

    /// What could not be taken in. Only who sees the whole tenant sees any of it.
    ///
    /// # Errors
    /// If the database can't be reached.
    pub async fn parked(&mut self, limit: usize) -> Result<Vec<ParkedUnit>, QueryError> {
        let limit = limit_plus_one(limit.clamp(1, LIMIT_MAX)) - 1;
        Ok(control::store::parked_units(&mut self.tx, &self.tenant, limit).await?)
    }

    /// Ends the transaction.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn finish(self) -> Result<(), QueryError> {
        Ok(self.tx.commit().await?)
    }
}

pub(super) fn limit_plus_one(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}
