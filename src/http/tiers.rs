//! `GET /api/v1/tiers`, `/tiers/current` and `/tiers/history`.

use axum::Json;
use axum::extract::State;
use ledger_domain::catalog::{Allowance, Catalog, Feature, Plan};
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::auth::{Caller, Principal};
use super::history::{self, History, HistoryQuery};
use super::openapi::{Refused, schema};
use super::params::{AboutTenant, AboutTrainer, Params};
use super::problem::Problem;
use super::shapes::Current;

/// The catalogue's tiers, the lowest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tiers {
    tiers: Vec<Tier>,
    position: i64,
}

/// A tier, as anyone may see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicTier)]
struct Tier {
    #[schema(value_type = schema::PlanSlug)]
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
#[derive(Debug, Serialize, ToSchema)]
struct Granted {
    #[schema(value_type = schema::FeatureSlug)]
    slug: String,
    name: String,
    #[schema(pattern = "^(flag|limit|quota)$")]
    kind: &'static str,
    granted: bool,
    /// The limit or quota; null where it is unlimited, and for a flag.
    limit: Option<u64>,
}

/// The tiers, with what they grant
///
/// Anyone may look; a token says whose catalogue, and without one it is the tenant `default`'s, and
/// nothing is waited for.
#[utoipa::path(
    get,
    path = "/api/v1/tiers",
    operation_id = "tiers",
    tag = "tiers",
    params(AboutTenant),
    responses((status = 200, description = "The tiers in order", body = Tiers), Refused),
    security((), ("token" = [])),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<AboutTenant>,
) -> Result<Json<Tiers>, Problem> {
    let wanted = query.min_position.map(|at| at.0);
    let (catalog, reached) = match caller.principal() {
        Ok(principal) => {
            state.reads.wait_for(&principal.tenant, wanted).await?;
            state.reads.catalog(&principal.tenant).await?
        }
        // Nobody without a token was told a position, and waiting would let anybody hold
        // connections.
        Err(_) => state.reads.public_catalog().await?,
    };
    reached.require(wanted)?;
    let tiers = catalog.tiers().iter().map(|tier| Tier::new(tier, &catalog)).collect();
    Ok(Json(Tiers { tiers, position: reached.position }))
}

/// What a trainer has now
///
/// Of a trainer nobody has heard of, `tier` is null and `status` is `none`, or what the default
/// tier gives.
#[utoipa::path(
    get,
    path = "/api/v1/tiers/current",
    operation_id = "current_tier",
    tag = "tiers",
    params(AboutTrainer),
    responses((status = 200, description = "Tier, status, access, limits", body = Current), Refused),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn current(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutTrainer>,
) -> Result<Json<Current>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&principal.tenant, wanted).await?;
    let standing = state.reads.standing(&principal.tenant, &trainer, wanted).await?;
    standing.reached.require(wanted)?;
    Ok(Json(Current::new(trainer, &standing.answer, &standing.used, standing.reached.position)))
}

/// What changed for a trainer, and what was paid
///
/// The latest first, a page of each list at a time.
#[utoipa::path(
    get,
    path = "/api/v1/tiers/history",
    operation_id = "tier_history",
    tag = "tiers",
    params(HistoryQuery),
    responses((status = 200, description = "Changes and payments", body = History), Refused),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
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
