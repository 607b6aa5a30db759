//! `GET /api/v1/entitlements/{feature}/explain`: why a feature is answered as it is.

use axum::Json;
use axum::extract::State;
use ledger_domain::effective::explain::{Ahead, Explanation, Remedy, Step};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, PlanSlug, TrainerId};
use ledger_domain::money::Money;
use ledger_domain::time::Timestamp;
use ledger_replay::Moment;
use serde::Serialize;

use super::AppState;
use super::auth::Principal;
use super::params::{AboutThen, Params, Segment};
use super::problem::Problem;
use super::shapes::Feature;

/// Where an auditor finds an event.
const EVENTS: &str = "/api/v1/audit/events";

/// The answer, the chain behind it, and what would change it.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    trainer_id: TrainerId,
    feature: FeatureSlug,
    /// Whether one more may be used.
    allowed: bool,
    /// Why not, under full enforcement.
    code: Option<&'static str>,
    says: String,
    evaluated_at: Timestamp,
    position: i64,
    entitlement: Feature,
    steps: Vec<Link>,
    what_would_change_it: Vec<Way>,
}

/// A step of the chain.
#[derive(Debug, Serialize)]
struct Link {
    what: &'static str,
    says: String,
    at: Option<Timestamp>,
    events: Vec<Event>,
}

/// An event, and where to find it.
#[derive(Debug, Serialize)]
struct Event {
    event_id: EventId,
    href: String,
}

/// Something that would change the answer: an act, or time alone.
#[derive(Debug, Serialize)]
struct Way {
    what: &'static str,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanSlug>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
    #[serde(flatten)]
    amount: Option<Money>,
    #[serde(flatten)]
    then: Option<Then>,
    events: Vec<Event>,
}

/// The answer from an instant on.
#[derive(Debug, Serialize)]
struct Then {
    at: Timestamp,
    allowed: bool,
    code: Option<&'static str>,
    limit: Option<u64>,
}

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
            amount: remedy.amount,
            then: None,
            events: events(&remedy.events),
        }
    }
}

impl From<Ahead> for Way {
    fn from(ahead: Ahead) -> Self {
        let then = Then {
            at: ahead.at,
            allowed: ahead.allowed,
            code: ahead.denial.map(ledger_domain::effective::Denial::code),
            limit: ahead.limit,
        };
        Self {
            what: "time",
            says: ahead.says,
            plan: None,
            quantity: None,
            amount: None,
            then: Some(then),
            events: Vec::new(),
        }
    }
}

fn events(keys: &[EventKey]) -> Vec<Event> {
    let event =
        |key: &EventKey| Event { event_id: key.id.clone(), href: format!("{EVENTS}/{}", key.id) };
    keys.iter().map(event).collect()
}
