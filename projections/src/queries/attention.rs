//! What a person should look at: anomalies of facts, webhooks that could not be read, and the
//! trainers whose holdings may be odd together.

use ledger_domain::catalog::Catalog;
use ledger_domain::effective::Holdings;
use ledger_domain::id::{EventKey, InvalidName, StripeId, TrainerId};

use super::reader::{LIMIT_MAX, limit_plus_one};
use super::{QueryError, Reader};
use crate::rows::{InvalidRow, parse_id, parse_key};
use crate::{catalog, grants, subscriptions};

/// How many holdings one look at holders goes through.
const WINDOW: i64 = 2_000;

/// Which anomalies are wanted; what is none doesn't matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnomalyFilter {
    /// Of this kind.
    pub kind: Option<Box<str>>,
    /// Of this customer.
    pub customer: Option<StripeId>,
    /// Of this trainer.
    pub trainer: Option<TrainerId>,
    /// About the object with this id.
    pub subject: Option<StripeId>,
}

/// A place in a list of anomalies: its key in the table. The default is before all of them, so that
/// a statement needs no other condition for the first page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnomalyPlace {
    pub(crate) customer_id: String,
    pub(crate) subject: String,
    pub(crate) kind: String,
    pub(crate) event_id: String,
}

impl AnomalyPlace {
    /// The place after an anomaly with this customer, subject, kind and event. None if there can
    /// be no such key.
    #[must_use]
    pub fn try_new(key: [String; 4]) -> Option<Self> {
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_.:-/".contains(c);
        let [customer_id, subject, kind, event_id] = key;
        let all = [&customer_id, &subject, &kind, &event_id];
        let is_place = all.iter().all(|part| part.len() <= 320 && part.chars().all(is_key));
        is_place.then_some(Self { customer_id, subject, kind, event_id })
    }

    /// Its parts, as [`AnomalyPlace::try_new`] takes them.
    #[must_use]
    pub fn into_parts(self) -> [String; 4] {
        [self.customer_id, self.subject, self.kind, self.event_id]
    }
}

/// An anomaly of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyView {
    /// What is odd.
    pub kind: Box<str>,
    /// The customer whose facts show it.
    pub customer: Option<StripeId>,
    /// Whose its subject is, as far as that is known.
    pub trainer: Option<TrainerId>,
    /// The kind of object that it is about, and the object's id.
    pub subject: (Box<str>, Box<str>),
    /// The event concerned.
    pub event: EventKey,
    /// The event that it doesn't fit.
    pub previous: Option<EventKey>,
}

/// A page of anomalies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyPage {
    /// The anomalies.
    pub anomalies: Vec<AnomalyView>,
    /// Where the next page goes on; none = that was all.
    pub next: Option<AnomalyPlace>,
}

/// A webhook that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterView {
    /// The event that records it.
    pub event: EventKey,
    /// That event's position.
    pub position: i64,
    /// The path in the body of what is missing or not as it should be.
    pub lacks: Box<str>,
}

/// Trainers whose holdings may be odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    /// Them, in order.
    pub trainers: Vec<TrainerId>,
    /// Where to look on; none = that was all.
    pub next: Option<HolderPlace>,
}

/// A place in the order of trainers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderPlace {
    /// A trainer.
    pub trainer: TrainerId,
    /// Whether that trainer is still to be looked at.
    pub is_included: bool,
}

/// An anomaly as it is read.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct FoundRow {
    customer_id: String,
    trainer_id: Option<String>,
    subject: String,
    kind: String,
    event_id: String,
    previous_event_id: Option<String>,
}

impl FoundRow {
    fn place(&self) -> AnomalyPlace {
        AnomalyPlace {
            customer_id: self.customer_id.clone(),
            subject: self.subject.clone(),
            kind: self.kind.clone(),
            event_id: self.event_id.clone(),
        }
    }

    fn try_into_view(self) -> Result<AnomalyView, InvalidName> {
        let (kind, id) = self.subject.split_once('/').unwrap_or((&self.subject, ""));
        Ok(AnomalyView {
            kind: self.kind.into(),
            customer: parse_id(Some(self.customer_id).filter(|id| !id.is_empty()))?,
            trainer: self.trainer_id.map(TrainerId::try_from).transpose()?,
            subject: (kind.into(), id.into()),
            event: parse_key(&self.event_id)?,
            previous: self.previous_event_id.as_deref().map(parse_key).transpose()?,
        })
    }
}

impl Reader {
    /// A page of what is odd about facts of customers, and of events that are odd by themselves.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn anomalies(
        &mut self,
        filter: &AnomalyFilter,
        after: Option<&AnomalyPlace>,
        limit: usize,
    ) -> Result<AnomalyPage, QueryError> {
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let customers = match &filter.trainer {
            Some(trainer) => Some(subscriptions::store::customers_of(tx, tenant, trainer).await?),
            None => None,
        };
        let limit = limit.clamp(1, LIMIT_MAX);
        let more = limit_plus_one(limit);
        let after = after.cloned().unwrap_or_default();
        let rows =
            subscriptions::store::anomalies(tx, tenant, filter, customers, after, more).await?;
        page(rows, limit, "anomaly")
    }

    /// A page of what is odd about facts of prices and products: they are no customer's.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn sold_anomalies(
        &mut self,
        filter: &AnomalyFilter,
        after: Option<&AnomalyPlace>,
        limit: usize,
    ) -> Result<AnomalyPage, QueryError> {
        if filter.customer.is_some() || filter.trainer.is_some() {
            return Ok(AnomalyPage { anomalies: Vec::new(), next: None });
        }
        let limit = limit.clamp(1, LIMIT_MAX);
        let more = limit_plus_one(limit);
        let after = after.cloned().unwrap_or_default();
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let rows = catalog::store::anomalies(tx, tenant, filter, after, more).await?;
        page(rows, limit, "sold_anomaly")
    }

    /// At most `limit` webhooks that could not be read, after a position, in order.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn dead_letters(
        &mut self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, QueryError> {
        let limit = limit_plus_one(limit.clamp(1, LIMIT_MAX)) - 1;
        let rows =
            subscriptions::store::dead_letters(&mut self.tx, &self.tenant, after, limit).await?;
        let views = rows.into_iter().map(|row| {
            let event = parse_key(&row.event_id).map_err(|e| InvalidRow::new("dead_letter", e))?;
            Ok(DeadLetterView { event, position: row.position, lacks: row.lacks.into() })
        });
        views.collect()
    }

    /// Trainers with more than one subscription or given tier, ended and lapsed ones included:
    /// nobody else's holdings can contradict each other. Beside them, those who hold something that
    /// the catalogue or this program may not know. One look goes through a limited number of
    /// holdings and may find nobody, and yet have a place to look on from.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn holders(
        &mut self,
        catalog: &Catalog,
        from: Option<&HolderPlace>,
    ) -> Result<Holders, QueryError> {
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let place = from.map_or(("", true), |from| (from.trainer.as_str(), from.is_included));
        let lists = [
            subscriptions::store::holders(tx, tenant, catalog, place, WINDOW).await?,
            grants::store::holders(tx, tenant, catalog, place, WINDOW).await?,
        ];
        let (trainers, next) = noted(&lists, usize::try_from(WINDOW).unwrap_or(usize::MAX));
        let parse = |id: &str| TrainerId::try_new(id).map_err(|e| InvalidRow::new("trainer", e));
        let trainers = trainers.into_iter().map(parse).collect::<Result<_, _>>()?;
        let next = next
            .map(|(id, is_included)| parse(id).map(|trainer| HolderPlace { trainer, is_included }));
        Ok(Holders { trainers, next: next.transpose()? })
    }

    /// What some trainers hold, in their order.
    ///
    /// # Errors
    /// If the database can't be reached, or a row is corrupt.
    pub async fn holdings_of(
        &mut self,
        trainers: &[TrainerId],
    ) -> Result<Vec<Holdings>, QueryError> {
        let ids: Vec<&str> = trainers.iter().map(TrainerId::as_str).collect();
        let (tx, tenant) = (&mut *self.tx, &self.tenant);
        let known = grants::store::trainers(tx, tenant, &ids).await?;
        let views = subscriptions::store::subscriptions_of(tx, tenant, &ids).await?;
        let grants = grants::store::grants_of(tx, tenant, &ids).await?;
        let disputes = subscriptions::payments::store::disputes_of(tx, tenant, &ids).await?;
        let of = |trainer: &TrainerId| Holdings {
            trainer: known.iter().find(|known| known.trainer == *trainer).cloned(),
            subscriptions: views
                .iter()
                .filter(|view| view.trainer.as_ref() == Some(trainer))
                .cloned()
                .collect(),
            grants: grants.iter().filter(|grant| grant.trainer == *trainer).cloned().collect(),
            disputes: disputes
                .iter()
                .filter(|dispute| dispute.trainer.as_ref() == Some(trainer))
                .collect(),
        };
        Ok(trainers.iter().map(of).collect())
    }
}

fn page(
    mut rows: Vec<FoundRow>,
    limit: usize,
    table: &'static str,
) -> Result<AnomalyPage, QueryError> {
    let next = (rows.len() > limit).then(|| rows[limit - 1].place());
    rows.truncate(limit);
    let views = rows.into_iter().map(FoundRow::try_into_view).collect::<Result<_, _>>();
    let anomalies = views.map_err(|error| InvalidRow::new(table, error))?;
    Ok(AnomalyPage { anomalies, next })
}

/// Of lists that name a trainer once for each holding, with whether that may be odd by itself, in
/// order and cut off at `window`: who is named more than once or for something odd, and from whom
/// on nothing is known; that trainer included or not.
fn noted(lists: &[Vec<(String, bool)>; 2], window: usize) -> (Vec<&str>, Option<(&str, bool)>) {
    let cut = lists.iter().filter(|list| list.len() >= window).filter_map(|list| list.last());
    let cut = cut.map(|(id, _)| id.as_str()).min();
    let mut whole: Vec<(&str, bool)> = lists
        .iter()
        .flatten()
        .map(|(id, is_odd)| (id.as_str(), *is_odd))
        .filter(|(id, _)| cut.is_none_or(|c| *id < c))
        .collect();
    // One trainer who fills a list alone is known well enough.
    let next = cut.map(|cut| (cut, !whole.is_empty()));
    if let Some((cut, false)) = next {
        return (vec![cut], next);
    }
    whole.sort_unstable();
    let each = whole.chunk_by(|a, b| a.0 == b.0);
    let found = each.filter(|held| held.len() > 1 || held[0].1).map(|held| held[0].0);
    (found.collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subscriptions: &str, grants: &str, found: &str, next: Option<(&str, bool)>) {
        let entry = |word: &str| (word.trim_end_matches('!').to_owned(), word.ends_with('!'));
        let list = |text: &str| text.split_whitespace().map(entry).collect::<Vec<_>>();
        let lists = [list(subscriptions), list(grants)];
        let expected: Vec<&str> = found.split_whitespace().collect();
        assert_eq!(noted(&lists, 4), (expected, next), "{subscriptions} | {grants}");
    }

    #[test]
    fn who_holds_several_things_or_an_odd_one_is_found_as_far_as_the_lists_tell() {
        check("", "", "", None);
        check("a b b", "c", "b", None);
        check("a b", "a c", "a", None);
        check("a a a", "a", "a", None);
        check("a! b", "c!", "a c", None);
        check("a b b!", "", "b", None);
        check("a! b c! d!", "", "a c", Some(("d", true)));
        check("a a b c", "", "a", Some(("c", true)));
        check("a b c c", "d d d d", "", Some(("c", true)));
        check("c c c c", "a a", "a", Some(("c", true)));
        check("c c c c", "d", "c", Some(("c", false)));
    }

    #[test]
    fn a_place_is_made_of_what_keys_are_made_of() {
        let key = |event: &str| {
            ["cus_1", "subscription/sub_1", "gap_suspected", event].map(str::to_owned)
        };
        let place = AnomalyPlace::try_new(key("api/0190-1")).unwrap();
        assert_eq!(place.into_parts(), key("api/0190-1"));
        assert_eq!(AnomalyPlace::try_new(key("evt_1\0")), None);
        assert_eq!(AnomalyPlace::try_new(key(&"x".repeat(321))), None);
    }
}
