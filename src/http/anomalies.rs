//! `GET /api/v1/admin/anomalies`: what a person should look at.

use axum::Json;
use axum::extract::State;
use ledger_domain::account::Difference;
use ledger_domain::id::{EventId, InvalidName, StripeId, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::queries::{AnomalyFilter, AnomalyPlace, HolderPlace};
use serde::{Deserialize, Serialize};

use super::auth::Principal;
use super::params::{Params, Position, limit};
use super::problem::Problem;
use super::{AppState, cursor};
use crate::reads::anomalies::{Listed, Object, Place, kinds};
use crate::roles::Role;

/// Which anomalies are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    kind: Option<String>,
    customer: Option<String>,
    trainer: Option<String>,
    subject: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    min_position: Option<Position>,
}

/// A page of anomalies.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    anomalies: Vec<Entry>,
    cursor: Option<String>,
    position: i64,
}

#[derive(Debug, Serialize)]
struct Entry {
    kind: Box<str>,
    customer_id: Option<StripeId>,
    trainer_id: Option<TrainerId>,
    subject: Named,
    related: Vec<Named>,
    event_id: Option<EventId>,
    previous_event_id: Option<EventId>,
    since: Option<Timestamp>,
    differences: Vec<Difference>,
    message: String,
    what_to_do: String,
}

#[derive(Debug, Serialize)]
struct Named {
    kind: Box<str>,
    id: Box<str>,
}

/// A place, as a cursor holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cursor {
    Facts(Option<[String; 4]>),
    Sold(Option<[String; 4]>),
    Holdings(Option<(TrainerId, bool)>, usize),
}

pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page>, Problem> {
    principal.require(&[Role::Operator, Role::Admin])?;
    let (filter, limit) = (wanted.filter()?, limit(wanted.limit)?);
    let from = match &wanted.cursor {
        Some(text) => cursor::decode::<Cursor>(text)?.place().ok_or_else(cursor::unknown)?,
        None => Place::Facts(None),
    };
    let tenant = &principal.tenant;
    state.reads.wait_for(tenant, wanted.min_position.map(|at| at.0)).await?;
    let found = state.reads.anomalies(tenant, &filter, from, limit).await?;
    Ok(Json(Page {
        anomalies: found.listed.into_iter().map(Entry::from).collect(),
        cursor: found.next.map(|next| cursor::encode(&Cursor::from(next))),
        position: found.position,
    }))
}

impl Wanted {
    fn filter(&self) -> Result<AnomalyFilter, Problem> {
        if let Some(kind) = &self.kind
            && !kinds().any(|known| known == kind)
        {
            let known: Vec<&str> = kinds().collect();
            let detail = format!("`kind` is one of {}.", known.join(", "));
            return Err(Problem::InvalidRequest(detail));
        }
        Ok(AnomalyFilter {
            kind: self.kind.as_deref().map(Into::into),
            customer: named("customer", self.customer.as_deref(), StripeId::try_new)?,
            trainer: named("trainer", self.trainer.as_deref(), TrainerId::try_new)?,
            subject: named("subject", self.subject.as_deref(), StripeId::try_new)?,
        })
    }
}

fn named<T>(
    parameter: &str,
    text: Option<&str>,
    parse: fn(&str) -> Result<T, InvalidName>,
) -> Result<Option<T>, Problem> {
    let named = text.map(parse).transpose();
    named.map_err(|error| Problem::InvalidRequest(format!("`{parameter}`: {error}.")))
}

impl Cursor {
    fn place(self) -> Option<Place> {
        let key = |key: Option<[String; 4]>| match key {
            Some(key) => AnomalyPlace::try_new(key).map(Some),
            None => Some(None),
        };
        Some(match self {
            Self::Facts(after) => Place::Facts(key(after)?),
            Self::Sold(after) => Place::Sold(key(after)?),
            Self::Holdings(from, shown) => {
                let place = |(trainer, is_included)| HolderPlace { trainer, is_included };
                Place::Holdings(from.map(place), shown)
            }
        })
    }
}

impl From<Place> for Cursor {
    fn from(place: Place) -> Self {
        match place {
            Place::Facts(after) => Self::Facts(after.map(AnomalyPlace::into_parts)),
            Place::Sold(after) => Self::Sold(after.map(AnomalyPlace::into_parts)),
            Place::Holdings(from, shown) => {
                Self::Holdings(from.map(|from| (from.trainer, from.is_included)), shown)
            }
        }
    }
}

impl From<Listed> for Entry {
    fn from(listed: Listed) -> Self {
        Self {
            kind: listed.kind,
            customer_id: listed.customer,
            trainer_id: listed.trainer,
            subject: listed.subject.into(),
            related: listed.related.into_iter().map(Named::from).collect(),
            event_id: listed.event,
            previous_event_id: listed.previous,
            since: listed.since,
            differences: listed.differences,
            message: listed.message,
            what_to_do: listed.what_to_do,
        }
    }
}

impl From<Object> for Named {
    fn from(object: Object) -> Self {
        Self { kind: object.kind, id: object.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let key = ["cus_1", "invoice/in_1", "gap_suspected", "evt_1"].map(str::to_owned);
        let key = AnomalyPlace::try_new(key);
        let trainer = TrainerId::try_new("t1").unwrap();
        let holder = HolderPlace { trainer, is_included: false };
        for place in [
            Place::Facts(key.clone()),
            Place::Sold(key),
            Place::Sold(None),
            Place::Holdings(Some(holder), 3),
        ] {
            let text = cursor::encode(&Cursor::from(place.clone()));
            assert_eq!(cursor::decode::<Cursor>(&text).unwrap().place(), Some(place));
        }
    }

    #[test]
    fn a_cursor_that_no_list_gave_leads_nowhere() {
        let forged = cursor::encode(&Cursor::Facts(Some(["\0", "", "", ""].map(str::to_owned))));
        assert_eq!(cursor::decode::<Cursor>(&forged).unwrap().place(), None);
        for json in [r#"{"holdings":[["a b",true],0]}"#, r#"{"holdings":[null,-1]}"#, "{}"] {
            let forged: serde_json::Value = serde_json::from_str(json).unwrap();
            assert!(cursor::decode::<Cursor>(&cursor::encode(&forged)).is_err(), "{json}");
        }
    }
}
