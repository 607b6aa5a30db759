//! A trainer's life so far: what changed, and what was paid.

use ledger_domain::account::{Change, ChangeView, PaymentView};
use ledger_domain::catalog::{Catalog, Plan, PlanKind};
use ledger_domain::id::{EventId, StripeId};
use ledger_domain::money::Currency;
use ledger_domain::time::Timestamp;
use ledger_projections::queries::Place;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cursor;
use super::openapi::schema;
use super::params::{Position, limit};
use super::problem::Problem;
use crate::reads::{From, Lapse, Past, PastStep};

/// Which part of a life is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Who, if a service asks.
    #[param(value_type = Option<schema::TrainerId>)]
    pub(crate) trainer: Option<String>,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
    /// Where the last page ended.
    #[param(value_type = Option<schema::Cursor>)]
    pub(crate) cursor: Option<String>,
    /// How many changes and how many payments, 50 unless said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

impl HistoryQuery {
    /// How many changes and how many payments are wanted.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

/// Who took the steps that time took.
const CLOCK: &str = "clock";

/// A trainer's life, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    changes: Vec<Step>,
    payments: Vec<Payment>,
    /// Where the next page begins; null = there is no more.
    #[schema(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    position: i64,
}

/// Something that changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
struct Step {
    /// What happened, as `upgraded`.
    action: &'static str,
    /// The plan before.
    #[schema(value_type = Option<schema::PlanSlug>)]
    from: Option<String>,
    /// The plan after.
    #[schema(value_type = Option<schema::PlanSlug>)]
    to: Option<String>,
    /// Who did it: `stripe`, `clock`, or who called.
    actor: Box<str>,
    reason: Option<String>,
    #[schema(value_type = schema::Timestamp)]
    at: Timestamp,
    /// The event that tells of it.
    #[schema(value_type = schema::EventId)]
    event_id: EventId,
}

/// Money that moved, or should have.
#[derive(Debug, Serialize, ToSchema)]
struct Payment {
    /// What it is, as `invoice`.
    kind: &'static str,
    status: String,
    amount_minor: i64,
    #[schema(value_type = schema::Currency)]
    currency: Currency,
    #[schema(value_type = schema::Timestamp)]
    at: Timestamp,
    /// The events that tell of it.
    #[schema(value_type = Vec<schema::EventId>)]
    event_ids: Vec<EventId>,
}

/// A place in each list, as a cursor holds it; none = the list was shown to its end.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    changes: Option<(Timestamp, String, i32)>,
    payments: Option<(Timestamp, String, i32)>,
}

/// Where the lists begin.
pub(crate) fn from(text: Option<&str>) -> Result<(From, From), Problem> {
    let Some(text) = text else { return Ok((From::Start, From::Start)) };
    let Cursor { changes, payments } = cursor::decode(text)?;
    let place = |place: Option<(Timestamp, String, i32)>| match place {
        // No text of the database's holds a zero, so this list gave no such cursor.
        Some((_, subject, _)) if subject.contains('\0') => Err(cursor::unknown()),
        Some((at, subject, ordinal)) => {
            Ok(From::After(Place { at: at.to_datetime(), subject, ordinal }))
        }
        None => Ok(From::End),
    };
    Ok((place(changes)?, place(payments)?))
}

impl History {
    pub(crate) fn new(past: &Past) -> Self {
        let (steps, payments) = (&past.steps, &past.payments);
        let place = |next: &Option<Place>| {
            next.as_ref().map(|place| (place.at.into(), place.subject.clone(), place.ordinal))
        };
        let next = Cursor { changes: place(&steps.next), payments: place(&payments.next) };
        let has_more = next.changes.is_some() || next.payments.is_some();
        Self {
            changes: steps.steps.iter().map(|step| Step::of(step, past)).collect(),
            payments: payments.payments.iter().map(Payment::new).collect(),
            cursor: has_more.then(|| cursor::encode(&next)),
            position: past.reached.position,
        }
    }
}

impl Step {
    fn of(step: &PastStep, past: &Past) -> Self {
        let at = match step {
            PastStep::Told(change) => change.at,
            PastStep::Lapsed(lapse) => lapse.at,
        };
        // A price may have been named only later than it was first used.
        let instants = [at, past.now].into_iter();
        let in_force = instants.filter_map(|at| past.catalogs.in_force(at.micros()));
        let known: Vec<&Catalog> = in_force.map(|catalog| &**catalog).collect();
        match step {
            PastStep::Told(change) => Self::told(change, &known),
            PastStep::Lapsed(lapse) => Self::lapsed(lapse, &known),
        }
    }

    fn told(change: &ChangeView, known: &[&Catalog]) -> Self {
        let (from, to) = (plan(known, &change.from_prices), plan(known, &change.to_prices));
        let given = change.tier.as_ref().map(ToString::to_string);
        let is_taken = matches!(change.change, Change::AssignmentRevoked);
        Self {
            action: action(change.change, from, to),
            from: slug(from).or_else(|| given.clone().filter(|_| is_taken)),
            to: slug(to).or_else(|| given.filter(|_| !is_taken)),
            actor: change.actor.clone(),
            // A reason lies beside the log. The acts that can be asked for and have one are about a
            // whole tenant, as a change of enforcement is, and in nobody's history.
            reason: None,
            at: change.at,
            event_id: change.event.id.clone(),
        }
    }

    fn lapsed(lapse: &Lapse, known: &[&Catalog]) -> Self {
        let of_grant = lapse.tier.as_ref().map(ToString::to_string);
        let from = slug(plan(known, &lapse.prices)).or(of_grant);
        Self {
            action: lapse.what.as_str(),
            to: from.clone().filter(|_| lapse.what.leaves_plan()),
            from,
            actor: CLOCK.into(),
            reason: None,
            at: lapse.at,
            event_id: lapse.event.clone(),
        }
    }
}

fn slug(plan: Option<&Plan>) -> Option<String> {
    plan.map(|plan| plan.slug().to_string())
}

/// The plan that one of the prices means, by the first catalogue that knows one.
fn plan<'a>(known: &[&'a Catalog], prices: &[StripeId]) -> Option<&'a Plan> {
    known.iter().find_map(|catalog| {
        prices.iter().find_map(|price| catalog.plan_by_price(price)).map(|(plan, _)| plan)
    })
}

/// Whether a change of plan leads up or down is for the order of plans to say, never for prices.
fn action(change: Change, from: Option<&Plan>, to: Option<&Plan>) -> &'static str {
    match (change, from.map(rank), to.map(rank)) {
        (Change::PlanChanged, Some(from), Some(to)) if to > from => "upgraded",
        (Change::PlanChanged, Some(from), Some(to)) if to < from => "downgraded",
        _ => change.as_str(),
    }
}

/// A plan's place among its kind.
const fn rank(plan: &Plan) -> u32 {
    match plan.kind() {
        PlanKind::Tier { level, .. } => level,
        PlanKind::AddOn { rank: Some(rank) } => rank,
        PlanKind::AddOn { rank: None } => u32::MAX,
    }
}

impl Payment {
    fn new(payment: &PaymentView) -> Self {
        Self {
            kind: payment.kind.as_str(),
            status: payment.status.as_str().to_owned(),
            amount_minor: payment.amount_minor,
            currency: payment.currency,
            at: payment.created_at,
            event_ids: payment.event_ids.iter().map(|key| key.id.clone()).collect(),
        }
    }
}
