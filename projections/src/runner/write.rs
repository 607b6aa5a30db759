//! Writing a page's rows. Rows that the database refuses are traced to their unit, which is parked,
//! as is one whose rows can't be made.

use ledger_domain::account::UnitKey;
use ledger_domain::id::Tenant;
use sqlx::{Connection, PgConnection};

use super::failpoint::{Point, reach};
use super::panics::caught;
use super::units::{Changes, Folded};
use crate::subscriptions::Noted;
use crate::{catalog, grants, subscriptions};

/// Writes the rows of all units but those that the database refuses or that can't be made, and
/// hands these units back with the reason.
///
/// Invariant: when this returns, the rows of every unit in `folded` are in the transaction, and no
/// row of any other.
pub(super) async fn write(
    conn: &mut PgConnection,
    tenant: &Tenant,
    folded: &mut Vec<Folded>,
    noted: &Noted,
) -> sqlx::Result<Vec<(Folded, String)>> {
    let mut refused = Vec::new();
    loop {
        let mut batches = match Batches::of(folded) {
            Ok(batches) => batches,
            Err(culprits) => {
                // From the last one on, so that the others stay in their places.
                let culprits = culprits.into_iter().rev();
                refused.extend(culprits.map(|(index, why)| (folded.remove(index), why)));
                continue;
            }
        };
        batches.subscriptions.add_noted(noted);
        let error = match attempt(conn, tenant, batches, Outcome::Keep).await {
            Ok(()) => return Ok(refused),
            Err(error) => error,
        };
        if !is_refusal(&error) || folded.is_empty() {
            return Err(error);
        }
        let culprit = find(conn, tenant, folded).await?.ok_or(error)?;
        let (index, reason) = culprit;
        refused.push((folded.remove(index), reason));
    }
}

/// What becomes of an attempt that succeeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Keep,
    Undo,
}

/// The unit without which what comes before it could be written: the end of the shortest beginning
/// that is refused. None if even no units at all are refused.
async fn find(
    conn: &mut PgConnection,
    tenant: &Tenant,
    folded: &[Folded],
) -> sqlx::Result<Option<(usize, String)>> {
    let (mut good, mut bad, mut reason) = (0, folded.len(), None);
    while bad - good > 1 || reason.is_none() {
        let middle = if bad - good > 1 { good.midpoint(bad) } else { bad };
        let batches = match Batches::of(&folded[..middle]) {
            Ok(batches) => batches,
            Err(mut culprits) => return Ok(culprits.pop()),
        };
        match attempt(conn, tenant, batches, Outcome::Undo).await {
            Ok(()) if middle == bad => return Ok(None),
            Ok(()) => good = middle,
            Err(error) if is_refusal(&error) => {
                bad = middle;
                reason = Some(format!("its rows were refused: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reason.map(|reason| (bad - 1, reason)))
}

/// Writes rows within a savepoint, so that a refusal leaves the transaction as it was.
async fn attempt(
    conn: &mut PgConnection,
    tenant: &Tenant,
    batches: Batches,
    outcome: Outcome,
) -> sqlx::Result<()> {
    let mut savepoint = conn.begin().await?;
    match batches.write(&mut savepoint, tenant).await {
        Ok(()) if outcome == Outcome::Keep => savepoint.commit().await,
        Ok(()) => savepoint.rollback().await,
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

/// The rows of units, by read model.
#[derive(Default)]
struct Batches {
    subscriptions: subscriptions::Batch,
    grants: grants::Batch,
    catalog: catalog::Batch,
}

impl Batches {
    /// Makes the rows of units. Else tells of which ones they can't be made, in order, and why.
    fn of(folded: &[Folded]) -> Result<Self, Vec<(usize, String)>> {
        let (mut batches, mut culprits) = (Self::default(), Vec::new());
        for (index, unit) in folded.iter().enumerate() {
            let added = caught("making its rows", || {
                batches.add(unit);
                Ok(())
            });
            culprits.extend(added.err().map(|reason| (index, reason)));
        }
        // A unit that broke off may have left some of its rows.
        if culprits.is_empty() { Ok(batches) } else { Err(culprits) }
    }

    fn add(&mut self, Folded { key, name, changes, .. }: &Folded) {
        reach(Point::Rows(name));
        match (key, changes) {
            (UnitKey::Customer(customer), Changes::Customer(changes)) => {
                self.subscriptions.add(name, customer, changes);
            }
            (_, Changes::Trainer(changes)) => self.grants.add(name, changes),
            (_, Changes::Tenant(changes)) => self.catalog.add(name, changes),
            (_, Changes::Customer(_)) => unreachable!("a customer's changes have its key"),
        }
    }

    async fn write(self, conn: &mut PgConnection, tenant: &Tenant) -> sqlx::Result<()> {
        subscriptions::store::write(conn, tenant, self.subscriptions).await?;
        grants::store::write(conn, tenant, self.grants).await?;
        catalog::store::write(conn, tenant, self.catalog).await
    }
}

/// Whether the database refuses what the rows hold: data that no column can hold (class 22), a
/// broken constraint (23), or two rows for one key (21). Anything else isn't the rows' fault.
fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| ["21", "22", "23"].iter().any(|class| code.starts_with(class)))
}
