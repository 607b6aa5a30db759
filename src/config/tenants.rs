//! Whose billing is kept, and with which secrets.
//!
//! The tenant `default` is described by the environment. A folder
//! `LEDGER_TENANT_SECRETS_DIR/{tenant}` makes another one: each setting of a tenant is a file in it
//! with the setting's name.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_domain::effective::Billing;
use ledger_domain::id::{StripeId, Tenant};
use ledger_stripe::redact::MetadataKeys;
use ledger_stripe::signature::{SECRETS_MAX, SigningSecret};

use super::secret_file::{SecretFile, read_setting};
use super::{
    AuthConfig, ConfigError, ConfigErrors, Environment, HttpConfig, LISTEN_DEFAULT, MADE_BY_DEV,
    Secret, keep, listen_address, within_reach,
};

/// The tenant of a fresh installation.
pub const DEFAULT_TENANT: &str = "default";
/// The catalogue that is published unless another is named, if there is such a file; otherwise the
/// program brings a copy.
pub const CATALOG_DEFAULT: &str = "catalogs/trainers.toml";

/// Most tenants that folders make.
const TENANTS_MAX: usize = 1_000;
/// The settings that a tenant's folder may hold.
const TENANT_SETTINGS: [&str; 10] = [
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_SECRET_KEY",
    "STRIPE_LIVEMODE",
    "STRIPE_ACCOUNT",
    "STRIPE_METADATA_KEYS",
    "LEDGER_CATALOG",
    "LEDGER_BILLING",
    AuthConfig::OF_TENANT[0],
    AuthConfig::OF_TENANT[1],
    AuthConfig::OF_TENANT[2],
];

/// All tenants.
#[derive(Debug, Clone)]
pub struct TenantsConfig {
    /// The tenant `default`.
    pub default: TenantConfig,
    /// Where folders make other tenants.
    pub folder: Option<PathBuf>,
    /// Where the service listens, which decides what secrets will do.
    pub listen: SocketAddr,
    /// Whether administrators need a second factor, those of every tenant.
    pub admin_mfa: bool,
}

/// One tenant.
#[derive(Clone, Debug)]
pub struct TenantConfig {
    /// Its name.
    pub tenant: Tenant,
    /// What may change while the service runs.
    pub secrets: TenantSecrets,
    /// Whether its log is about real money.
    pub livemode: bool,
    /// Whether a setting told so; otherwise `livemode` is the default.
    pub is_mode_told: bool,
    /// The keys of its tokens (`LEDGER_JWT_SECRET`, `LEDGER_JWKS`), where it has its own. Else, and
    /// always for `default`, they are those of the process.
    pub auth: Option<AuthConfig>,
    /// The Stripe account whose events belong to it; none = events carry no account.
    pub account: Option<StripeId>,
    /// How purchases are paid (`LEDGER_BILLING`). By hand, nobody tells that a trial turned into a
    /// paid subscription, so access ends with the trial.
    pub billing: Billing,
    /// The keys of Stripe's metadata that stay in its webhooks' bodies (`STRIPE_METADATA_KEYS`).
    pub metadata_keys: MetadataKeys,
    /// Its catalogue's file (`LEDGER_CATALOG`).
    pub catalog: PathBuf,
    /// Values for the variables that the catalogue names.
    pub prices: BTreeMap<String, String>,
}

/// A tenant's secrets.
#[derive(Clone, Default)]
pub struct TenantSecrets {
    /// As configured; several are separated by commas.
    pub webhook: Option<Secret>,
    /// The same, ready to verify with.
    pub signing: Arc<[SigningSecret]>,
    /// The file that they come from.
    file: Option<SecretFile>,
}

impl TenantSecrets {
    fn read(environment: &Environment) -> Result<Self, ConfigError> {
        match environment.secret("STRIPE_WEBHOOK_SECRET")? {
            Some(told) => Ok(Self { file: told.file, ..Self::parse(&told.text)? }),
            None => Ok(Self::default()),
        }
    }

    /// Secrets that are separated by commas or lines.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let list = text.split(['\n', '\r']).collect::<Vec<_>>().join(",");
        let signing = SigningSecret::parse_list(&list).map_err(|error| {
            let hint = format!("{error} (at most {SECRETS_MAX}, separated by commas or lines)");
            ConfigError::bad("STRIPE_WEBHOOK_SECRET", hint)
        })?;
        Ok(Self { webhook: Some(Secret::new(&list)), signing: signing.into(), file: None })
    }

    /// What the file holds now; none if it is the same, or if there is no file.
    fn reread(&self) -> Result<Option<Self>, ConfigError> {
        let Some(file) = &self.file else { return Ok(None) };
        let fresh = Self { file: Some(file.clone()), ..Self::parse(&file.read()?)? };
        if fresh.is_development() && !self.is_development() {
            let hint = "it was made by `ledger dev`; such a one is taken at a start only";
            return Err(ConfigError::bad("STRIPE_WEBHOOK_SECRET_FILE", hint));
        }
        Ok((fresh.webhook != self.webhook).then_some(fresh))
    }

    /// Whether one of them was made by `ledger dev`, and is fit for one's own machine only.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.webhook.as_ref().is_some_and(Secret::is_development)
    }
}

impl std::fmt::Debug for TenantSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenantSecrets({} for webhooks)", self.signing.len())
    }
}

impl TenantsConfig {
    /// Reads the tenant `default`, and where others come from.
    ///
    /// # Errors
    /// Every setting that can't be used.
    pub fn read(environment: &Environment) -> Result<Self, ConfigErrors> {
        let tenant = Tenant::try_new(DEFAULT_TENANT).expect("a constant name");
        let mut errors = Vec::new();
        let default = TenantConfig::read(tenant, environment);
        let default = default.map_err(|mut all| errors.append(&mut all.0));
        let admin_mfa = keep(AuthConfig::read_admin_mfa(environment), &mut errors);
        let folder = environment.path("LEDGER_TENANT_SECRETS_DIR");
        if let Some(folder) = &folder {
            let read = std::fs::read_dir(folder).map_err(|source| ConfigError::File {
                setting: "LEDGER_TENANT_SECRETS_DIR".into(),
                path: folder.clone(),
                hint: "it must be a folder with one folder for each tenant",
                source,
            });
            keep(read, &mut errors);
        }
        match (default, admin_mfa) {
            (Ok(default), Some(admin_mfa)) if errors.is_empty() => {
                // A mistake in it is told where the rest of HTTP is read.
                let listen = HttpConfig::read(environment).map(|http| http.listen);
                let listen = listen.or_else(|_| listen_address(LISTEN_DEFAULT))?;
                Ok(Self { default, folder, listen, admin_mfa })
            }
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// Every tenant as it is configured now: `default` first, then those of the folders by name.
    /// A folder that can't be used is told of, and does not keep the others from working.
    #[must_use]
    pub fn all(&self) -> (Vec<TenantConfig>, Vec<ConfigErrors>) {
        let (tenants, problems) = TenantFolders::new(self.clone()).read();
        (tenants, problems.into_values().collect())
    }

    /// How a tenant's purchases are paid; like those of `default` where it isn't configured.
    #[must_use]
    pub fn billing(&self, tenant: &Tenant) -> Billing {
        let (tenants, _) = self.all();
        let found = tenants.iter().find(|config| config.tenant == *tenant);
        found.unwrap_or(&self.default).billing
    }

    /// The keys of a tenant's tokens, where they are its own.
    ///
    /// # Errors
    /// When its folder can't be used.
    pub fn own_keys(&self, tenant: &Tenant) -> Result<Option<AuthConfig>, ConfigErrors> {
        let folder = self.folder.as_ref().map(|all| all.join(tenant.as_str()));
        match folder.filter(|folder| folder.is_dir()) {
            Some(folder) => Ok(self.read_folder(&folder)?.auth),
            None => Ok(None),
        }
    }

    fn read_folder(&self, folder: &Path) -> Result<TenantConfig, ConfigErrors> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let bad = |hint: String| ConfigError::bad("LEDGER_TENANT_SECRETS_DIR", hint);
        let tenant =
            Tenant::try_new(name).map_err(|error| bad(format!("folder {name:?}: {error}")))?;
        if name == DEFAULT_TENANT {
            let hint = "the tenant `default` is described by the environment; remove its folder";
            return Err(bad(hint.into()).into());
        }
        let mut environment = Environment::default();
        for entry in entries(folder)? {
            let setting = entry.file_name().into_string().unwrap_or_default();
            if TENANT_SETTINGS.contains(&setting.as_str()) || setting.starts_with("STRIPE_PRICE_") {
                let text = read_setting(&setting, &entry.path())?;
                // A key that was cut off must not leave the tenant to those of the process.
                if AuthConfig::OF_TENANT.contains(&setting.as_str()) && text.trim().is_empty() {
                    return Err(ConfigError::bad(&setting, "its file is empty").into());
                }
                environment = environment.with(&setting, &text);
            } else if !setting.starts_with('.') {
                let known = TENANT_SETTINGS.join(", ");
                let hint = format!(
                    "folder {name:?}: {:?} is no setting of a tenant; those are {known} and \
                     STRIPE_PRICE_*",
                    entry.file_name()
                );
                return Err(bad(hint).into());
            }
        }
        let mut config = TenantConfig::read(tenant, &environment)?;
        if config.secrets.is_development() && !self.listen.ip().is_loopback() {
            let refused = within_reach("STRIPE_WEBHOOK_SECRET", MADE_BY_DEV, self.listen);
            return Err(refused.into());
        }
        config.auth = AuthConfig::of_tenant(&environment, self.admin_mfa)?;
        let weakness = config.auth.as_ref().and_then(AuthConfig::weakness);
        if let Some(why) = weakness.filter(|_| !self.listen.ip().is_loopback()) {
            return Err(within_reach("LEDGER_JWT_SECRET", why, self.listen).into());
        }
        if environment.get("LEDGER_CATALOG").is_none() {
            // A product of its own is likely, the same product under another account is possible.
            config.catalog.clone_from(&self.default.catalog);
        }
        if billing(&environment)?.is_none() {
            config.billing = self.default.billing;
        }
        Ok(config)
    }
}

/// The folders of tenants, and the secrets of `default`, read again and again.
#[derive(Debug)]
pub(crate) struct TenantFolders {
    config: TenantsConfig,
    /// What each folder said when it could last be read. A tenant goes when its folder goes, not
    /// when reading fails.
    last: BTreeMap<Tenant, TenantConfig>,
}

impl TenantFolders {
    pub(crate) const fn new(config: TenantsConfig) -> Self {
        Self { config, last: BTreeMap::new() }
    }

    /// Every tenant, `default` first; and what is wrong, by the name of the folder. A tenant whose
    /// folder can't be read stays as it was, if it was ever read; `default` always was.
    pub(crate) fn read(&mut self) -> (Vec<TenantConfig>, BTreeMap<String, ConfigErrors>) {
        let mut problems = BTreeMap::new();
        match self.config.default.secrets.reread() {
            Ok(None) => {}
            Ok(Some(fresh)) => {
                tracing::info!(secrets = fresh.signing.len(), "the secrets of webhooks changed");
                self.config.default.secrets = fresh;
            }
            Err(error) => drop(problems.insert(DEFAULT_TENANT.to_owned(), error.into())),
        }
        if let Some(folder) = &self.config.folder {
            match subfolders(folder) {
                Ok(folders) => self.last = self.read_all(&folders, &mut problems),
                Err(error) => drop(problems.insert(folder.display().to_string(), error.into())),
            }
        }
        let mut tenants = vec![self.config.default.clone()];
        tenants.extend(self.last.values().cloned());
        (tenants, problems)
    }

    fn read_all(
        &self,
        folders: &[PathBuf],
        problems: &mut BTreeMap<String, ConfigErrors>,
    ) -> BTreeMap<Tenant, TenantConfig> {
        let mut tenants = BTreeMap::new();
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let config = self.config.read_folder(folder).or_else(|error| {
                let last = self.last.get(name.as_str()).cloned();
                problems.insert(name, error);
                last.ok_or(())
            });
            if let Ok(config) = config {
                tenants.insert(config.tenant.clone(), config);
            }
        }
        tenants
    }
}

impl TenantConfig {
    /// Whether it is the tenant that the environment describes.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.tenant.as_str() == DEFAULT_TENANT
    }

    /// Reads one tenant's settings.
    ///
    /// # Errors
    /// Every one of them that can't be used.
    pub fn read(tenant: Tenant, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let secrets = keep(TenantSecrets::read(environment), &mut errors);
        let livemode = keep(livemode(environment), &mut errors);
        let account = environment.get("STRIPE_ACCOUNT").map(StripeId::try_new).transpose();
        let account = account.map_err(|e| ConfigError::bad("STRIPE_ACCOUNT", e.to_string()));
        let account = keep(account, &mut errors);
        let billing = keep(billing(environment), &mut errors);
        let metadata_keys = keep(metadata_keys(environment), &mut errors);
        let (Some(secrets), Some(livemode), Some(account), Some(billing), Some(metadata_keys)) =
            (secrets, livemode, account, billing, metadata_keys)
        else {
            return Err(ConfigErrors(errors));
        };
        let (catalog, prices) = catalog_of(environment);
        Ok(Self {
            tenant,
            secrets,
            livemode: livemode.unwrap_or(false),
            is_mode_told: livemode.is_some(),
            auth: None,
            account,
            billing: billing.unwrap_or(Billing::Manual),
            metadata_keys,
            catalog,
            prices,
        })
    }
}

/// The file of a tenant's catalogue, and values for the variables that it names.
pub(crate) fn catalog_of(environment: &Environment) -> (PathBuf, BTreeMap<String, String>) {
    let file = environment.path("LEDGER_CATALOG").unwrap_or_else(|| CATALOG_DEFAULT.into());
    let prices = environment.starting_with("STRIPE_PRICE_");
    (file, prices.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The ledger's own keys of metadata, and those that are listed.
fn metadata_keys(environment: &Environment) -> Result<MetadataKeys, ConfigError> {
    let listed = environment.get("STRIPE_METADATA_KEYS").map(|list| list.split(','));
    let listed = listed.into_iter().flatten().map(str::trim);
    MetadataKeys::try_new(listed).map_err(|error| {
        ConfigError::bad("STRIPE_METADATA_KEYS", format!("{error}; keys are separated by commas"))
    })
}

/// As said, else by Stripe if there is a key for it; none if neither tells.
fn billing(environment: &Environment) -> Result<Option<Billing>, ConfigError> {
    match environment.get("LEDGER_BILLING") {
        Some("stripe") => Ok(Some(Billing::Stripe)),
        Some("manual") => Ok(Some(Billing::Manual)),
        Some(_) => Err(ConfigError::bad("LEDGER_BILLING", "it must be stripe or manual")),
        None => Ok(environment.secret("STRIPE_SECRET_KEY")?.map(|_| Billing::Stripe)),
    }
}

/// As said, else by the prefix of the API key; none if neither tells.
///
/// A log is of one mode for good, so what contradicts itself is refused.
fn livemode(environment: &Environment) -> Result<Option<bool>, ConfigError> {
    let said = match environment.get("STRIPE_LIVEMODE") {
        Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        Some(_) => return Err(ConfigError::bad("STRIPE_LIVEMODE", "it must be true or false")),
        None => None,
    };
    let key = environment.secret("STRIPE_SECRET_KEY")?.and_then(|key| mode_of_key(&key.text));
    match (said, key) {
        (Some(said), Some(key)) if said != key => {
            let why = "the prefix of STRIPE_SECRET_KEY tells the other mode";
            Err(ConfigError::bad("STRIPE_LIVEMODE", why))
        }
        _ => Ok(said.or(key)),
    }
}

fn mode_of_key(key: &str) -> Option<bool> {
    let (_, rest) = key.split_once('_').filter(|(kind, _)| ["sk", "rk"].contains(kind))?;
    match rest.split_once('_')?.0 {
        "live" => Some(true),
        "test" => Some(false),
        _ => None,
    }
}

/// The folders in a folder, by name; hidden ones (as orchestrators make) are left out.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let paths = entries(folder)?.into_iter().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = paths
        .filter(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
        .filter(|path| match path.metadata() {
            Ok(found) => found.is_dir(),
            // Whatever it is, it's there: reading it tells what is wrong.
            Err(_) => path.symlink_metadata().is_ok(),
        })
        .collect();
    folders.sort();
    folders.truncate(TENANTS_MAX);
    Ok(folders)
}

/// Everything in a folder, or an error: a part of it would look like settings that were removed.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, ConfigError> {
    let read = std::fs::read_dir(folder).and_then(Iterator::collect);
    read.map_err(|source| ConfigError::File {
        setting: "LEDGER_TENANT_SECRETS_DIR".into(),
        path: folder.into(),
        hint: "it must be a folder that the service's user can read",
        source,
    })
}
