//! `GET /api/v1/admin/anomalies`: what a person should look at.

use axum::Json;
use axum::extract::State;
use ledger_domain::account::Difference as Differing;
use ledger_domain::id::{EventId, InvalidName, StripeId, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::queries::{AnomalyFilter, AnomalyPlace, HolderPlace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::auth::Principal;
use super::openapi::{Refused, schema};
use super::params::{Params, Position, limit};
use super::problem::Problem;
use super::{AppState, cursor};
use crate::reads::anomalies::{Listed, Object, Place, kinds};
use crate::roles::Role;

/// Which anomalies are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// One of the kinds that are listed.
    kind: Option<String>,
    #[param(value_type = Option<schema::StripeId>)]
    customer: Option<String>,
    #[param(value_type = Option<schema::TrainerId>)]
    trainer: Option<String>,
    /// The object that they are about.
    #[param(value_type = Option<schema::StripeId>)]
    subject: Option<String>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Where the last page ended.
    #[param(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
}

/// A page of anomalies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Anomalies)]
pub(crate) struct Page {
    anomalies: Vec<Entry>,
    /// Where the next page begins; null = there is no more.
    #[schema(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    position: i64,
}

/// Something that a person should look at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Anomaly)]
struct Entry {
    /// What it is, as `gap_suspected`.
    kind: Box<str>,
    #[schema(value_type = Option<schema::StripeId>)]
    customer_id: Option<StripeId>,
    #[schema(value_type = Option<schema::TrainerId>)]
    trainer_id: Option<TrainerId>,
    subject: Named,
    related: Vec<Named>,
    #[schema(value_type = Option<schema::EventId>)]
    event_id: Option<EventId>,
    #[schema(value_type = Option<schema::EventId>)]
    previous_event_id: Option<EventId>,
    #[schema(value_type = Option<schema::Timestamp>)]
    since: Option<Timestamp>,
    differences: Vec<Difference>,
    /// For people; its words may change.
    message: String,
    what_to_do: String,
}

/// A field in which an object is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Difference {
    /// Its name, as `items[0].price`.
    field: Box<str>,
    /// What it should be; null = it should not be there.
    expected: Value,
    /// What it is; null = it is not there.
    seen: Value,
}

/// An object.
#[derive(Debug, Serialize, ToSchema)]
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

/// What a person should look at
///
/// Computed from all that is known, and gone once that no longer shows it. A page may be short, or
/// empty, and still have a cursor.
#[utoipa::path(
    get,
    path = "/api/v1/admin/anomalies",
    operation_id = "anomalies",
    tag = "admin",
    params(Wanted),
    responses((status = 200, description = "A page of anomalies", body = Page), Refused),
    security(("token" = ["operator"]), ("token" = ["admin"])),
)]
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
            differences: listed.differences.into_iter().map(Difference::from).collect(),
            message: listed.message,
            what_to_do: listed.what_to_do,
        }
    }
}

impl From<Differing> for Difference {
    fn from(differing: Differing) -> Self {
        let Differing { field, expected, seen } = differing;
        Self { field, expected, seen }
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
