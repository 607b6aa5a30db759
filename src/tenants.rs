//! The tenants that the service serves at present.
//!
//! Requests look a tenant up in a map that is replaced as a whole; a task reads the folders again
//! every few seconds, so that a secret is rotated and a tenant is added without a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger_domain::id::Tenant;
use ledger_log::EventLog;
use ledger_stripe::signature::SigningSecret;

use crate::app::StartError;
use crate::clock::Clock;
use crate::commands::catalog::{CatalogFile, Publication, PublishError, publish};
use crate::commands::tenant;
use crate::config::{TenantConfig, TenantsConfig};
use crate::errors::chain;
use crate::ticks::Ticks;

/// What a webhook needs to know of its tenant.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) tenant: Tenant,
    pub(crate) signing: Arc<[SigningSecret]>,
}

/// The tenants by name.
#[derive(Debug, Default)]
pub(crate) struct Tenants(ArcSwap<BTreeMap<Tenant, Served>>);

impl Tenants {
    /// A tenant, if it is served.
    pub(crate) fn get(&self, name: &str) -> Option<Served> {
        self.0.load().get(name).cloned()
    }

    /// Whether a tenant is served.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.load().contains_key(name)
    }

    /// Serves these from now on, and no others.
    pub(crate) fn replace<'a>(&self, tenants: impl IntoIterator<Item = &'a TenantConfig>) {
        let served = tenants.into_iter().map(|config| {
            let signing = Arc::clone(&config.secrets.signing);
            (config.tenant.clone(), Served { tenant: config.tenant.clone(), signing })
        });
        self.0.store(Arc::new(served.collect()));
    }

    /// Everybody's names.
    pub(crate) fn names(&self) -> Vec<Tenant> {
        self.0.load().keys().cloned().collect()
    }
}

/// Makes every configured tenant ready to be served. The tenant `default` has to be; another one
/// that isn't does not keep the others from being served, and is tried again later.
///
/// # Errors
/// When `default` can't be served.
pub(crate) async fn open_all(
    config: &TenantsConfig,
    log: &dyn EventLog,
    clock: &Clock,
) -> Result<Tenants, StartError> {
    let (configured, errors) = config.all();
    for error in errors {
        tracing::warn!(error = chain(&error), "a tenant is left out");
    }
    let mut ready = Vec::new();
    for tenant in &configured {
        match prepare(log, clock, tenant).await {
            Ok(()) => ready.push(tenant),
            Err(error) if tenant.tenant == config.default.tenant => return Err(error),
            Err(error) => left_out(&tenant.tenant, &error),
        }
    }
    let tenants = Tenants::default();
    tenants.replace(ready);
    Ok(tenants)
}

fn left_out(tenant: &Tenant, error: &StartError) {
    tracing::warn!(%tenant, error = chain(error), "a tenant is left out");
}

/// Opens a tenant's log, and publishes its catalogue if it isn't the last one published.
async fn prepare(
    log: &dyn EventLog,
    clock: &Clock,
    config: &TenantConfig,
) -> Result<(), StartError> {
    let tenant = &config.tenant;
    if config.secrets.signing.is_empty() {
        tracing::warn!(%tenant, "no webhook can be verified: STRIPE_WEBHOOK_SECRET is not set");
    }
    let catalog = |error: PublishError| StartError::Catalog(Box::new(error));
    // First the file: a log is not opened for a tenant that can't be served.
    let file = CatalogFile::of(config).map_err(catalog)?;
    let unset: Vec<&str> =
        file.parsed.unset_variables.iter().map(|unset| unset.variable.as_str()).collect();
    if !unset.is_empty() {
        let variables = unset.join(" ");
        tracing::warn!(%tenant, variables, "some plans can't be bought: their prices are not set");
    }
    tenant::open(log, clock, config)
        .await
        .map_err(|source| StartError::Open { tenant: tenant.to_string(), source })?;
    match publish(log, clock, tenant, &file, "ledger serve").await.map_err(catalog)? {
        Publication::Published(position) => {
            tracing::info!(%tenant, position, "a catalogue was published");
        }
        Publication::Unchanged(_) => {}
    }
    Ok(())
}

/// Serves tenants as their folders come, change and go.
pub(crate) async fn follow(
    config: TenantsConfig,
    tenants: Arc<Tenants>,
    log: Arc<dyn EventLog>,
    clock: Clock,
    mut ticks: Ticks,
) {
    let mut known = tenants.names();
    let mut told = BTreeSet::new();
    while ticks.next().await {
        let (configured, errors) = config.all();
        for error in errors {
            tracing::debug!(%error, "a tenant is left out");
        }
        let mut served = Vec::new();
        for tenant in configured {
            if !known.contains(&tenant.tenant) {
                if let Err(error) = prepare(&*log, &clock, &tenant).await {
                    if told.insert(tenant.tenant.clone()) {
                        left_out(&tenant.tenant, &error);
                    }
                    continue;
                }
                told.remove(&tenant.tenant);
                known.push(tenant.tenant.clone());
            }
            served.push(tenant);
        }
        tenants.replace(&served);
    }
}
