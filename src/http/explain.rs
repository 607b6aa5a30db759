//! `GET /api/v1/entitlements/{feature}/explain`: why a feature is answered as it is.

use axum::Json;
use axum::extract::State;
use ledger_domain::effective::explain::{Ahead, Explanation, Remedy, Step};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, PlanSlug, TrainerId};
use ledger_domain::money::Currency;
use ledger_domain::time::Timestamp;
use ledger_replay::Moment;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::auth::Principal;
use super::openapi::{NotFound, Refused, Unprocessable, schema};
use super::params::{AboutThen, Params, Segment};
use super::problem::Problem;
use super::shapes::Feature;

/// Where an auditor finds an event.
const EVENTS: &str = "/api/v1/audit/events";

/// The answer, the chain behind it, and what would change it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    #[schema(value_type = schema::TrainerId)]
    trainer_id: TrainerId,
    #[schema(value_type = schema::FeatureSlug)]
    feature: FeatureSlug,
    /// Whether one more may be used.
    allowed: bool,
    /// Why not, under full enforcement.
    #[schema(value_type = Option<schema::DenialCode>)]
    code: Option<&'static str>,
    says: String,
    #[schema(value_type = schema::Timestamp)]
    evaluated_at: Timestamp,
    position: i64,
    entitlement: Feature,
    steps: Vec<Link>,
    what_would_change_it: Vec<Way>,
}

/// A step of the chain.
#[derive(Debug, Serialize, ToSchema)]
struct Link {
    what: &'static str,
    says: String,
    #[schema(value_type = Option<schema::Timestamp>)]
    at: Option<Timestamp>,
    /// The events that say so: one at least, but where nothing was used.
    events: Vec<Event>,
}

/// An event, and where to find it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainingEvent)]
struct Event {
    #[schema(value_type = schema::EventId)]
    event_id: EventId,
    href: String,
}

/// Something that would change the answer: an act, or time alone.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Way {
    what: &'static str,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::PlanSlug>)]
    plan: Option<PlanSlug>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Currency>)]
    currency: Option<Currency>,
    /// The instant from which on time alone changes the answer; the rest is what holds then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>)]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<bool>,
    /// Null where it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DenialCode>)]
    code: Option<Option<&'static str>>,
    /// Null where it is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    limit: Option<Option<u64>>,
    events: Vec<Event>,
}

/// Why a feature is answered as it is
///
/// The answer, the steps that lead from it back to events, and what would change it. Folded from
/// the log.
#[utoipa::path(
    get,
    path = "/api/v1/entitlements/{feature}/explain",
    operation_id = "explain",
    tag = "entitlements",
    params(("feature" = schema::FeatureSlug, Path, description = "What is asked"), AboutThen),
    responses(
        (status = 200, description = "The answer and its reasons", body = Explained),
        Refused, NotFound, Unprocessable,
    ),
    security(("token" = ["trainer"]), ("token" = ["service"]), ("token" = ["auditor"])),
)]
pub(crate) async fn explain(
    State(state): State<AppState>,
    principal: Principal,
    Segment(feature): Segment,
    Params(query): Params<AboutThen>,
) -> Result<Json<Explained>, Problem> {
    let trainer = principal.trainer_to_explain(query.trainer.as_deref())?;
    let now = state.clock.now();
    let moment = query.moment(now)?.unwrap_or_else(|| Moment::now(now));
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&principal.tenant, wanted).await?;
    let unknown = Problem::NotFound("The catalogue has no such feature.");
    let Ok(feature) = FeatureSlug::try_new(&feature) else { return Err(unknown) };
    let asked = (&trainer, &feature);
    let explained = state.reads.explain_feature(&principal.tenant, asked, moment).await?;
    let (explanation, reached) = explained.ok_or(unknown)?;
    reached.require(wanted)?;
    let (evaluated_at, position) = (moment.as_of(), reached.position);
    Ok(Json(Explained::new(trainer, feature, (evaluated_at, position), explanation)))
}

impl Explained {
    fn new(
        trainer_id: TrainerId,
        feature: FeatureSlug,
        (evaluated_at, position): (Timestamp, i64),
        explanation: Explanation,
    ) -> Self {
        let Explanation { entitlement, check, says, steps, remedies, ahead } = explanation;
        let acts = remedies.into_iter().map(Way::from);
        Self {
            trainer_id,
            feature,
            allowed: check.allowed,
            code: check.denial.map(ledger_domain::effective::Denial::code),
            says,
            evaluated_at,
            position,
            entitlement: Feature::new(&entitlement, check.meter.used),
            steps: steps.into_iter().map(Link::from).collect(),
            what_would_change_it: acts.chain(ahead.into_iter().map(Way::from)).collect(),
        }
    }
}

impl From<Step> for Link {
    fn from(step: Step) -> Self {
        Self { what: step.what, says: step.says, at: step.at, events: events(&step.events) }
    }
}

impl From<Remedy> for Way {
    fn from(remedy: Remedy) -> Self {
        Self {
            what: remedy.what,
            says: remedy.says,
            plan: remedy.plan,
            quantity: remedy.quantity,
            amount_minor: remedy.amount.map(|amount| amount.amount_minor),
            currency: remedy.amount.map(|amount| amount.currency),
            events: events(&remedy.events),
            ..Self::default()
        }
    }
}

impl From<Ahead> for Way {
    fn from(ahead: Ahead) -> Self {
        Self {
            what: "time",
            says: ahead.says,
            at: Some(ahead.at),
            allowed: Some(ahead.allowed),
            code: Some(ahead.denial.map(ledger_domain::effective::Denial::code)),
            limit: Some(ahead.limit),
            ..Self::default()
        }
    }
}

fn events(keys: &[EventKey]) -> Vec<Event> {
    let event =
        |key: &EventKey| Event { event_id: key.id.clone(), href: format!("{EVENTS}/{}", key.id) };
    keys.iter().map(event).collect()
}
