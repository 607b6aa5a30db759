//! The events behind what is known of a trainer, and those that name the trainer.

mod store;

use std::collections::BTreeSet;

use ledger_domain::account::{CustomerUnit, TrainerUnit};
use ledger_domain::id::{StripeId, Tenant, TrainerId};
use ledger_log::postgres::Pools;
use ledger_projections::{QueryError, as_reader};

use super::parked::{self, Reached};
use super::{Reads, ReadsError};

impl Reads {
    /// The first positions after one and before another of the events that made what is known of a
    /// trainer, in order: of the trainer's own acts, and of every customer that is the
    /// trainer's; and of all events that name the trainer, whatever became of them. Also up to
    /// where in the log none of these is missing.
    pub(crate) async fn events_of(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        (after, until): (i64, i64),
        limit: usize,
    ) -> Result<(Vec<i64>, Reached), ReadsError> {
        events_of(&self.pools, tenant, trainer, (after, until), limit).await
    }
}

/// What [`Reads::events_of`] tells, for who has no more than the database.
pub(crate) async fn events_of(
    pools: &Pools,
    tenant: &Tenant,
    trainer: &TrainerId,
    (after, until): (i64, i64),
    limit: usize,
) -> Result<(Vec<i64>, Reached), ReadsError> {
    let mut first = BTreeSet::new();
    let mut take = |position: i64| {
        if position > after && position < until {
            first.insert(position);
            if first.len() > limit {
                first.pop_last();
            }
        }
    };
    let mut reader = as_reader(&pools.auditor, tenant, None).await?;
    let position = reader.position().await?;
    let conn = reader.connection();
    let named = store::naming(conn, tenant, trainer, (after, until), limit).await?;
    named.into_iter().for_each(&mut take);
    store::each_object(conn, tenant, trainer, |unit, parts| positions(unit, parts, &mut take))
        .await?;
    let parked = parked::store::first_parked(&mut reader, tenant, Some(trainer)).await?;
    reader.finish().await?;
    Ok((first.into_iter().collect(), Reached::new(position, parked)))
}

/// The positions of the events behind one object's state.
fn positions(
    unit: &str,
    parts: Vec<(String, Vec<u8>)>,
    take: &mut impl FnMut(i64),
) -> Result<(), QueryError> {
    let corrupt = |source| QueryError::State { unit: unit.to_owned(), source };
    let customer = unit.strip_prefix("customer/").and_then(|id| StripeId::try_new(id).ok());
    match customer {
        Some(customer) => {
            let state = CustomerUnit::restore(customer, parts).map_err(corrupt)?;
            state.positions().for_each(take);
        }
        None => {
            for (_, state) in parts {
                let state = TrainerUnit::restore(&state).map_err(corrupt)?;
                state.positions().for_each(&mut *take);
            }
        }
    }
    Ok(())
}
