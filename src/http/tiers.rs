//! `GET /api/v1/tiers`, `/tiers/current` and `/tiers/history`.

use axum::Json;
use axum::extract::State;
use ledger_domain::catalog::{Allowance, Catalog, Feature, Plan};
use serde::Serialize;

use super::AppState;
use super::auth::{Caller, Principal};
use super::history::{self, History, HistoryQuery};
use super::params::{AboutTenant, AboutTrainer, Params};
use super::problem::Problem;
use super::shapes::Current;

/// `GET /api/v1/tiers`
#[derive(Debug, Serialize)]
pub(crate) struct Tiers {
    tiers: Vec<Tier>,
    position: i64,
}

/// A tier, as anyone may see it.
#[derive(Debug, Serialize)]
struct Tier {
    slug: String,
    name: String,
    description: String,
    level: Option<u32>,
    /// Whether it can be bought; who has it keeps it either way.
    active: bool,
    requests_per_minute: Option<u32>,
    features: Vec<Granted>,
}

/// What a tier grants of a feature.
#[derive(Debug, Serialize)]
struct Granted {
    slug: String,
    name: String,
    kind: &'static str,
    granted: bool,
    /// The limit or quota; null where it is unlimited, and for a flag.
    limit: Option<u64>,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<AboutTenant>,
) -> Result<Json<Tiers>, Problem> {
    let tenant = caller.tenant();
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&tenant, wanted).await?;
    let (catalog, reached) = state.reads.catalog(&tenant).await?;
    reached.require(wanted)?;
    let tiers = catalog.tiers().iter().map(|tier| Tier::new(tier, &catalog)).collect();
    Ok(Json(Tiers { tiers, position: reached.position }))
}

pub(crate) async fn current(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutTrainer>,
) -> Result<Json<Current>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&principal.tenant, wanted).await?;
    let standing = state.reads.standing(&principal.tenant, &trainer).await?;
    standing.reached.require(wanted)?;
    Ok(Json(Current::new(trainer, &standing.answer, &standing.used, standing.reached.position)))
}

pub(crate) async fn history(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&principal.tenant, wanted).await?;
    let (from, limit) = (history::from(query.cursor.as_deref())?, query.limit()?);
    let past = state.reads.past(&principal.tenant, &trainer, from, limit).await?;
    past.reached.require(wanted)?;
    Ok(Json(History::new(&past)))
}

impl Tier {
    fn new(tier: &Plan, catalog: &Catalog) -> Self {
        Self {
            slug: tier.slug().to_string(),
            name: tier.name().to_owned(),
            description: tier.description().to_owned(),
            level: tier.level(),
            active: tier.is_active(),
            requests_per_minute: tier.requests_per_minute(),
            features: catalog.features().iter().map(|f| Granted::new(f, tier)).collect(),
        }
    }
}

impl Granted {
    fn new(feature: &Feature, tier: &Plan) -> Self {
        let allowance = tier.allowance(feature.slug()).unwrap_or(feature.kind().nothing());
        Self {
            slug: feature.slug().to_string(),
            name: feature.name().to_owned(),
            kind: feature.kind().as_str(),
            granted: Allowance::grants_something(allowance),
            limit: allowance.cap(),
        }
    }
}
