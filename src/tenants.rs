//! The tenants that the service serves at present.
//!
//! Requests look a tenant up in a map that is replaced as a whole; a task reads the folders again
//! every few seconds, so that a secret is rotated and a tenant is added without a restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger_domain::effective::Billing;
use ledger_domain::event::LogOpened;
use ledger_domain::id::Tenant;
use ledger_log::EventLog;
use ledger_stripe::redact::MetadataKeys;
use ledger_stripe::signature::SigningSecret;

use crate::app::StartError;
use crate::clock::Clock;
use crate::commands::catalog::{CatalogFile, Publication, PublishError, Publisher, publish};
use crate::commands::tenant;
use crate::config::{CATALOG_DEFAULT, TenantConfig, TenantFolders, TenantsConfig};
use crate::errors::chain;
use crate::http::Keyring;
use crate::keyrings::Keyrings;
use crate::panics::survived;
use crate::rotation::Rotation;
use crate::ticks::Ticks;

/// What webhooks and questions need to know of their tenant.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) tenant: Tenant,
    pub(crate) signing: Arc<[SigningSecret]>,
    pub(crate) metadata_keys: MetadataKeys,
    pub(crate) billing: Billing,
    /// What its tokens are checked with; none if by the keys of the process.
    pub(crate) keyring: Option<Arc<Keyring>>,
}

impl From<&TenantConfig> for Served {
    fn from(config: &TenantConfig) -> Self {
        Self {
            tenant: config.tenant.clone(),
            signing: Arc::clone(&config.secrets.signing),
            metadata_keys: config.metadata_keys.clone(),
            billing: config.billing,
            keyring: None,
        }
    }
}

/// The tenants by name.
#[derive(Debug, Default)]
pub(crate) struct Tenants(ArcSwap<BTreeMap<Tenant, Served>>);

impl Tenants {
    /// A tenant, if it is served.
    pub(crate) fn get(&self, name: &str) -> Option<Served> {
        self.0.load().get(name).cloned()
    }

    /// How a tenant's purchases are paid. Of one that isn't served any more nobody tells.
    pub(crate) fn billing(&self, name: &str) -> Billing {
        self.0.load().get(name).map_or(Billing::Manual, |served| served.billing)
    }

    /// A tenant's own keys; none if it has none, or isn't served.
    pub(crate) fn keyring(&self, name: &str) -> Option<Arc<Keyring>> {
        self.0.load().get(name)?.keyring.clone()
    }

    /// Whether a tenant is served.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.load().contains_key(name)
    }

    /// Serves these from now on, and no others.
    pub(crate) fn replace(&self, tenants: impl IntoIterator<Item = Served>) {
        let served = tenants.into_iter().map(|served| (served.tenant.clone(), served));
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
    config: TenantsConfig,
    keyrings: Keyrings,
    publisher: Publisher,
    log: &dyn EventLog,
    clock: &Clock,
) -> Result<(Tenants, Keeper), StartError> {
    let mut keeper = Keeper::new(config, keyrings, publisher);
    let tenants = Tenants::default();
    let configured = keeper.look(log, clock).await?;
    tenants.replace(keeper.served(&configured));
    Ok((tenants, keeper))
}

/// Serves tenants as their folders come, change and go, and follows secrets that are files.
pub(crate) async fn follow(
    mut keeper: Keeper,
    mut rotation: Rotation,
    tenants: Arc<Tenants>,
    log: Arc<dyn EventLog>,
    clock: Clock,
    mut ticks: Ticks,
) {
    while ticks.next().await {
        let turn = async {
            rotation.look();
            match keeper.look(&*log, &clock).await {
                Ok(configured) => tenants.replace(keeper.served(&configured)),
                Err(error) => {
                    tracing::error!(error = chain(&error), "the tenants stay as they are");
                }
            }
        };
        survived("the look at the tenants", turn).await;
    }
}

/// Looks after the tenants: reads their settings, opens their logs, tells what is wrong.
pub(crate) struct Keeper {
    folders: TenantFolders,
    keyrings: Keyrings,
    publisher: Publisher,
    /// What the log of each was opened with.
    opened: BTreeMap<Tenant, LogOpened>,
    /// What was told of each folder that something is wrong with: it is told when it changes, not
    /// at each look.
    told: BTreeMap<String, String>,
}

impl Keeper {
    fn new(config: TenantsConfig, keyrings: Keyrings, publisher: Publisher) -> Self {
        let folders = TenantFolders::new(config);
        Self { folders, keyrings, publisher, opened: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// What requests need to know of those who were found to be served.
    fn served(&self, configured: &[TenantConfig]) -> impl Iterator<Item = Served> {
        configured.iter().map(|config| {
            let keyring = self.keyrings.of(&config.tenant);
            Served { keyring, ..Served::from(config) }
        })
    }

    /// Tells who can be served now.
    async fn look(
        &mut self,
        log: &dyn EventLog,
        clock: &Clock,
    ) -> Result<Vec<TenantConfig>, StartError> {
        let (configured, problems) = self.folders.read();
        let mut wrong = BTreeMap::new();
        for (folder, error) in problems {
            let is_kept = configured.iter().any(|config| config.tenant.as_str() == folder);
            let text = chain(&error);
            if self.told.get(&folder) != Some(&text) {
                let kept = if is_kept { "it is served as before" } else { "it is left out" };
                tracing::warn!(folder, error = text, "a tenant's settings can't be used: {kept}");
            }
            wrong.insert(folder, text);
        }
        let mut served = Vec::new();
        for config in configured {
            match self.admit(log, clock, &config).await {
                Ok(()) => served.push(config),
                Err(error) if config.is_default() => return Err(error),
                Err(error) => {
                    let (tenant, text) = (config.tenant.to_string(), chain(&error));
                    if self.told.get(&tenant) != Some(&text) {
                        left_out(&tenant, &error, &text);
                    }
                    wrong.insert(tenant, text);
                }
            }
        }
        for folder in self.told.keys().filter(|folder| !wrong.contains_key(*folder)) {
            tracing::info!(folder, "nothing is wrong with the tenant's settings any more");
        }
        self.told = wrong;
        self.keyrings.retain(|tenant| served.iter().any(|config| config.tenant == *tenant));
        Ok(served)
    }

    async fn admit(
        &mut self,
        log: &dyn EventLog,
        clock: &Clock,
        config: &TenantConfig,
    ) -> Result<(), StartError> {
        match self.opened.get(&config.tenant) {
            Some(opened) => compare(opened, config)?,
            None => {
                let opened = prepare(log, clock, config, self.publisher).await?;
                self.opened.insert(config.tenant.clone(), opened);
            }
        }
        let keys = self.keyrings.take(&config.tenant, config.auth.as_ref());
        keys.map_err(StartError::Certificates)
    }
}

fn left_out(tenant: &str, error: &StartError, text: &str) {
    if matches!(error, StartError::Contradiction { .. }) {
        tracing::error!(tenant, error = text, "a tenant is left out");
    } else {
        tracing::warn!(tenant, error = text, "a tenant is left out");
    }
}

/// Opens a tenant's log, and publishes its catalogue if none ever was.
async fn prepare(
    log: &dyn EventLog,
    clock: &Clock,
    config: &TenantConfig,
    publisher: Publisher,
) -> Result<LogOpened, StartError> {
    let tenant = &config.tenant;
    let catalog = |error: PublishError| StartError::Catalog(Box::new(error));
    // First the file: a log is not opened for a tenant that can't be served.
    let file = CatalogFile::of(config).map_err(catalog)?;
    let opened = open(log, clock, config).await?;
    compare(&opened, config)?;
    match publish(log, clock, tenant, &file, publisher).await.map_err(catalog)? {
        Publication::Published(position) => {
            tracing::info!(%tenant, position, "a catalogue was published");
            tell_unset(config, &file);
        }
        Publication::Unchanged(_) => tell_unset(config, &file),
        Publication::Kept { position, difference } => {
            tracing::warn!(
                %tenant,
                position,
                "the catalogue of the settings differs in {difference} from the one that was \
                 published, which stays in force: `{}` publishes that of the settings",
                command_to_publish(config)
            );
        }
    }
    if config.secrets.signing.is_empty() {
        tracing::warn!(%tenant, "no webhook can be verified: STRIPE_WEBHOOK_SECRET is not set");
    }
    Ok(opened)
}

/// The command that puts the catalogue of a tenant's settings in force.
fn command_to_publish(config: &TenantConfig) -> String {
    let mut command = "ledger catalog publish".to_owned();
    if config.catalog != Path::new(CATALOG_DEFAULT) {
        command.push_str(&format!(" {}", config.catalog.display()));
    }
    if !config.is_default() {
        command.push_str(&format!(" --tenant {}", config.tenant));
    }
    command
}

/// Tells which variables a catalogue in force names in vain.
fn tell_unset(config: &TenantConfig, file: &CatalogFile) {
    let unset = &file.parsed.unset_variables;
    if unset.is_empty() {
        return;
    }
    let each = unset
        .iter()
        .map(|unset| format!("{} ({}, by the {})", unset.variable, unset.plan, unset.interval));
    tracing::warn!(
        tenant = %config.tenant,
        variables = each.collect::<Vec<_>>().join(", "),
        "some prices are not set: nobody can buy these plans by them, and whoever pays such a \
         price at Stripe already has no access; set the variables and run `{}`",
        command_to_publish(config)
    );
}

/// Opens a log with settings that somebody chose: they hold for good.
async fn open(
    log: &dyn EventLog,
    clock: &Clock,
    config: &TenantConfig,
) -> Result<LogOpened, StartError> {
    let tenant = &config.tenant;
    let failed = |source| StartError::Open { tenant: tenant.to_string(), source };
    let is_new = log.head(tenant).await.map_err(|error| failed(error.into()))?.is_none();
    if is_new && !config.is_default() {
        check_complete(config)?;
    } else if is_new && !config.is_mode_told {
        tracing::warn!(
            %tenant,
            "the log is opened in test mode, for good: neither STRIPE_LIVEMODE nor the prefix of \
             STRIPE_SECRET_KEY tells the mode; for real money, start with STRIPE_LIVEMODE=true on \
             another database"
        );
    }
    tenant::open(log, clock, config).await.map_err(|error| failed(error.into()))
}

/// A folder may be looked at while it is being written.
fn check_complete(config: &TenantConfig) -> Result<(), StartError> {
    let mut missing = Vec::new();
    if config.secrets.signing.is_empty() {
        missing.push("STRIPE_WEBHOOK_SECRET");
    }
    if !config.is_mode_told {
        missing.push("STRIPE_LIVEMODE (or a STRIPE_SECRET_KEY whose prefix tells the mode)");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(StartError::Incomplete {
        tenant: config.tenant.to_string(),
        missing: missing.join(" and "),
    })
}

fn compare(opened: &LogOpened, config: &TenantConfig) -> Result<(), StartError> {
    tenant::compare(opened, config).map_err(|error| StartError::Contradiction {
        tenant: config.tenant.to_string(),
        source: error.into(),
    })
}

#[cfg(test)]
#[path = "tenants_tests.rs"]
mod tests;
