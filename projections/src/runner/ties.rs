//! Whose an object at Stripe is. Most facts name their customer; some name an object only, and
//! wait until another fact has tied that object to a customer.
//!
//! Should facts disagree, an object is of the smallest customer that anybody says it is of, so that
//! the order of arrival doesn't decide.

use std::collections::HashMap;

use ledger_domain::id::{StripeId, Tenant};
use quick_cache::unsync::Cache;
use sqlx::PgConnection;

use crate::subscriptions::{TieColumns, TieRow, store};

/// How many ties are remembered. Forgetting one costs a look-up.
const REMEMBERED: usize = 65_536;

/// The ties that are known to be in the table.
pub(super) struct Ties {
    stored: Cache<StripeId, StripeId>,
}

/// The ties that one page makes and looks up, not yet committed.
#[derive(Default)]
pub(super) struct PageTies {
    /// New ones.
    made: HashMap<StripeId, StripeId>,
    /// Those found in the table.
    found: HashMap<StripeId, StripeId>,
}

impl Ties {
    pub(super) fn new() -> Self {
        Self { stored: Cache::new(REMEMBERED) }
    }

    /// Remembers a page's ties once they are committed: what was found, unless it was made anew.
    pub(super) fn remember(&mut self, page: PageTies) {
        for (object, customer) in page.found.into_iter().chain(page.made) {
            self.stored.insert(object, customer);
        }
    }
}

/// What became of an object by being tied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tied {
    /// It is somebody's already, this customer's or a smaller one's.
    Before,
    /// It was nobody's.
    New,
    /// It was this customer's, who is larger.
    From(StripeId),
}

impl PageTies {
    /// Ties an object to a customer, unless it is a smaller one's. The object must have been looked
    /// up.
    pub(super) fn tie(&mut self, ties: &Ties, object: &StripeId, customer: &StripeId) -> Tied {
        let tied = match self.known(ties, object) {
            Some(known) if known <= customer => return Tied::Before,
            Some(known) => Tied::From(known.clone()),
            None => Tied::New,
        };
        self.made.insert(object.clone(), customer.clone());
        tied
    }

    /// The customer of an object, as far as is known without asking the table.
    pub(super) fn known<'a>(&'a self, ties: &'a Ties, object: &StripeId) -> Option<&'a StripeId> {
        self.made.get(object).or_else(|| self.found.get(object)).or_else(|| ties.stored.get(object))
    }

    /// The objects that nothing is known of, each once.
    pub(super) fn unknown<'a>(
        &self,
        ties: &Ties,
        objects: impl IntoIterator<Item = &'a StripeId>,
    ) -> Vec<String> {
        let unknown = objects.into_iter().filter(|object| self.known(ties, object).is_none());
        let mut unknown: Vec<String> = unknown.map(|object| object.as_str().to_owned()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Asks the table for objects.
    pub(super) async fn look_up(
        &mut self,
        conn: &mut PgConnection,
        tenant: &Tenant,
        objects: &[String],
    ) -> sqlx::Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        for row in store::ties(conn, tenant, objects).await? {
            let names = (StripeId::try_from(row.object_id), StripeId::try_from(row.customer_id));
            if let (Ok(object), Ok(customer)) = names {
                self.found.insert(object, customer);
            }
        }
        Ok(())
    }

    /// The new ties as rows.
    pub(super) fn rows(&self) -> TieColumns {
        let row = |(object, customer): (&StripeId, &StripeId)| TieRow {
            object_id: object.as_str().to_owned(),
            customer_id: customer.as_str().to_owned(),
        };
        self.made.iter().map(row).collect()
    }
}
