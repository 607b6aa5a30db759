//! What a person should look at: one list of three parts.
//!
//! 1. What the fold finds odd about the facts of a customer's object, or an event about itself.
//!    The set of facts alone decides it, so the fold writes it down and takes it back.
//! 2. The same about prices and products, which are no customer's and another read model's.
//! 3. What a trainer holds that doesn't go together, or that gives nothing since the catalogue or
//!    this program doesn't know it. The catalogue and the clock have a say in that, so it is
//!    written nowhere: it is asked of `effective` each time, as any answer is.
//!
//! What was expected and seen is in no table either. Both events are in the log, and the
//! comparison that found the difference finds it again.

mod held;
mod known;
mod words;

use std::collections::HashMap;

use ledger_domain::account::{Difference, LogIdentity};
use ledger_domain::id::{EventId, EventKey, StripeId, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::queries::{
    AnomalyFilter, AnomalyPage, AnomalyPlace, AnomalyView, HolderPlace,
};
use ledger_projections::{Reader, as_reader};

use super::{Reads, ReadsError};
use known::Known;

/// Kinds of the first two parts.
const OF_FACTS: [&str; 7] = [
    "gap_suspected",
    "order_conflict",
    "unexpected_transition",
    "conflicting_link",
    "conflicting_customer",
    "foreign",
    "id_reused",
];
/// Kinds of the third part.
const OF_HOLDINGS: [&str; 8] = [
    "several_tiers",
    "add_on_twice",
    "second_trial",
    "unknown_price",
    "unknown_status",
    "items_incomplete",
    "unknown_plan",
    "useless_override",
];

/// How many looks at trainers one request takes; what is left over is for the next.
const LOOKS_MAX: usize = 10;

/// The name of an object: its kind and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Box<str>,
    pub(crate) id: Box<str>,
}

/// An anomaly as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) kind: Box<str>,
    pub(crate) customer: Option<StripeId>,
    pub(crate) trainer: Option<TrainerId>,
    /// What it is about.
    pub(crate) subject: Object,
    /// What else it is about.
    pub(crate) related: Vec<Object>,
    pub(crate) event: Option<EventId>,
    /// The event that it doesn't fit.
    pub(crate) previous: Option<EventId>,
    /// When that happened.
    pub(crate) since: Option<Timestamp>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) message: String,
    pub(crate) what_to_do: String,
}

/// Where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among what the fold found about customers' objects.
    Facts(Option<AnomalyPlace>),
    /// Among what it found about prices and products.
    Sold(Option<AnomalyPlace>),
    /// Among what trainers hold: from whom on, and how many of that one's were shown.
    Holdings(Option<HolderPlace>, usize),
}

/// A part of the list.
pub(crate) struct Anomalies {
    pub(crate) listed: Vec<Listed>,
    pub(crate) next: Option<Place>,
    pub(crate) position: i64,
}

/// Every kind.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    OF_FACTS.into_iter().chain(OF_HOLDINGS)
}

/// What was found, and still has to be explained where the log has more.
#[derive(Default)]
struct Found {
    of_facts: Vec<AnomalyView>,
    of_holdings: Vec<Listed>,
}

impl Found {
    const fn len(&self) -> usize {
        self.of_facts.len() + self.of_holdings.len()
    }
}

impl Reads {
    /// At most `limit` anomalies from a place on.
    pub(crate) async fn anomalies(
        &self,
        tenant: &Tenant,
        wanted: &AnomalyFilter,
        from: Place,
        limit: usize,
    ) -> Result<Anomalies, ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, None).await?;
        let position = reader.position().await?;
        let identity = reader.identity().await?;
        let (mut found, mut next, mut looks) = (Found::default(), Some(from), 0);
        while let Some(place) = next.take() {
            if found.len() >= limit || looks >= LOOKS_MAX {
                next = Some(place);
                break;
            }
            looks += usize::from(matches!(place, Place::Holdings(..)));
            let room = limit - found.len();
            next = self.look((tenant, &mut reader), wanted, place, room, &mut found).await?;
        }
        reader.finish().await?;
        let mut listed = self.explain(tenant, found.of_facts, identity.as_ref()).await?;
        listed.extend(found.of_holdings);
        Ok(Anomalies { listed, next, position })
    }

    /// Looks at one place, and tells where to go on.
    async fn look(
        &self,
        (tenant, reader): (&Tenant, &mut Reader),
        wanted: &AnomalyFilter,
        place: Place,
        room: usize,
        found: &mut Found,
    ) -> Result<Option<Place>, ReadsError> {
        let is_wanted =
            |kinds: &[&str]| wanted.kind.as_ref().is_none_or(|kind| kinds.contains(&&**kind));
        Ok(match place {
            Place::Facts(after) if is_wanted(&OF_FACTS) => {
                let page = reader.anomalies(wanted, after.as_ref(), room).await?;
                let AnomalyPage { anomalies, next } = page;
                found.of_facts.extend(anomalies);
                Some(next.map_or(Place::Sold(None), |next| Place::Facts(Some(next))))
            }
            Place::Sold(after) if is_wanted(&OF_FACTS) => {
                let page = reader.sold_anomalies(wanted, after.as_ref(), room).await?;
                let AnomalyPage { anomalies, next } = page;
                found.of_facts.extend(anomalies);
                Some(next.map_or(Place::Holdings(None, 0), |next| Place::Sold(Some(next))))
            }
            Place::Facts(_) | Place::Sold(_) => Some(Place::Holdings(None, 0)),
            // They are about a trainer, who may have several customers.
            Place::Holdings(..) if wanted.customer.is_some() || !is_wanted(&OF_HOLDINGS) => None,
            Place::Holdings(from, shown) => {
                let (listed, next) =
                    self.of_holdings((tenant, reader), wanted, (from, shown), room).await?;
                found.of_holdings.extend(listed);
                next.map(|(from, shown)| Place::Holdings(Some(from), shown))
            }
        })
    }

    /// Reads the events concerned, each once, and says what they tell.
    async fn explain(
        &self,
        tenant: &Tenant,
        views: Vec<AnomalyView>,
        identity: Option<&LogIdentity>,
    ) -> Result<Vec<Listed>, ReadsError> {
        let mut known: HashMap<EventKey, Option<Known>> = HashMap::new();
        for key in views.iter().flat_map(|view| [Some(&view.event), view.previous.as_ref()]) {
            if let Some(key) = key.filter(|key| !known.contains_key(key)) {
                let recorded = self.log.find(tenant, key).await?;
                known.insert(key.clone(), recorded.map(Known::from));
            }
        }
        let told = |key: &EventKey| known.get(key).and_then(Option::as_ref);
        let listed = views.into_iter().map(|view| {
            let (event, previous) = (told(&view.event), view.previous.as_ref().and_then(told));
            known::listed(view, event, previous, identity)
        });
        Ok(listed.collect())
    }
}
