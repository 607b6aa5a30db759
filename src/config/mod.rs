//! Settings: one struct per concern, read from an [`Environment`], checked once at the start.
//!
//! To add a setting: a field in the struct of its concern, a line where that struct is read, and a
//! row in the README's table. A setting that does nothing yet has no place here. One that is secret
//! is read with `Environment::secret`, so that it may be a file.

mod auth;
mod cache;
mod environment;
mod jwks;
mod rates;
mod redis_url;
mod secret;
mod secret_file;
mod tenants;
mod token;

pub use auth::AuthConfig;
pub use cache::CacheConfig;
pub use environment::{DEV_FILE, Environment};
pub(crate) use jwks::{JwksConfig, JwksUrl};
pub use rates::RatesConfig;
pub use redis_url::RedisConfig;
pub use secret::{DEVELOPMENT_PREFIXES, Secret};
pub use secret_file::SecretFile;
pub use tenants::{CATALOG_DEFAULT, DEFAULT_TENANT, TenantConfig, TenantSecrets, TenantsConfig};
pub(crate) use tenants::{TenantFolders, catalog_of};
pub use token::{TokenConfig, TokenKey};

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::errors::chain;

/// What is wrong with such a secret.
const MADE_BY_DEV: &str = "it was made by `ledger dev`";

/// Where the service listens unless told otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// Everything that `ledger serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The databases.
    pub database: DatabaseConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// How entitlement tokens are signed; none where none are issued.
    pub tokens: Option<TokenConfig>,
    /// How often callers may call whose tier doesn't say.
    pub rates: RatesConfig,
    /// What is remembered of trainers.
    pub cache: CacheConfig,
    /// Where nodes keep that together; none where each remembers for itself alone.
    pub redis: Option<RedisConfig>,
    /// Whose billing is kept.
    pub tenants: TenantsConfig,
}

/// The databases.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The service's login (`DATABASE_URL`). A secret, since it may hold a password.
    pub url: Secret,
}

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where to listen (`LEDGER_LISTEN`); port 0 takes any free one.
    pub listen: SocketAddr,
}

/// One thing that is wrong with the settings, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting that is needed is not there.
    #[error("{setting} is not set: {hint}")]
    Missing {
        /// Its name.
        setting: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A setting has a value that can't be used.
    #[error("{setting} can't be used: {hint}")]
    Bad {
        /// Its name.
        setting: String,
        /// What is wrong and what to do; never the value itself.
        hint: String,
    },
    /// A file that a setting names can't be read.
    #[error("{setting} names {}, which can't be read: {hint}", path.display())]
    File {
        /// The setting's name.
        setting: String,
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl ConfigError {
    /// A value that can't be used.
    pub(crate) fn bad(setting: &str, hint: impl Into<String>) -> Self {
        Self::Bad { setting: setting.into(), hint: hint.into() }
    }
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        for line in self.0.iter().map(|error| chain(error)) {
            // Two settings may be read from the same file.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let database = keep(DatabaseConfig::read(environment), &mut errors);
        let http = keep(HttpConfig::read(environment), &mut errors);
        let auth = keep(AuthConfig::read(environment), &mut errors);
        let tokens = keep(TokenConfig::read(environment), &mut errors);
        let rates = keep(RatesConfig::read(environment), &mut errors);
        let cache = keep(CacheConfig::read(environment), &mut errors);
        let redis = keep(RedisConfig::read(environment), &mut errors);
        let tenants = TenantsConfig::read(environment).map_err(|mut all| errors.append(&mut all.0));
        keep(check_log_filter(environment), &mut errors);
        if let Some(http) = &http {
            let tokens = tokens.as_ref().and_then(Option::as_ref);
            errors.extend(check_reach(http, auth.as_ref(), tokens, tenants.as_ref().ok()));
        }
        let whole = || {
            let (database, http, auth, tokens) = (database?, http?, auth?, tokens?);
            let (rates, cache, redis, tenants) = (rates?, cache?, redis?, tenants.ok()?);
            Some(Self { database, http, auth, tokens, rates, cache, redis, tenants })
        };
        match whole() {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// Refuses to be reached from other machines with secrets that anybody could know.
    ///
    /// # Errors
    /// When a development secret meets an address beyond loopback.
    pub fn check_reach(&self) -> Result<(), ConfigErrors> {
        let errors =
            check_reach(&self.http, Some(&self.auth), self.tokens.as_ref(), Some(&self.tenants));
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
    }
}

/// What [`Config::check_reach`] finds wrong, as far as the settings are known.
fn check_reach(
    http: &HttpConfig,
    auth: Option<&AuthConfig>,
    tokens: Option<&TokenConfig>,
    tenants: Option<&TenantsConfig>,
) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if http.listen.ip().is_loopback() {
        return errors;
    }
    let mut refuse = |setting, why| errors.push(within_reach(setting, why, http.listen));
    if let Some(why) = auth.and_then(AuthConfig::weakness) {
        refuse("LEDGER_JWT_SECRET", why);
    }
    if tokens.is_some_and(TokenConfig::is_development) {
        refuse("LEDGER_TOKEN_KEY", MADE_BY_DEV);
    }
    if tenants.is_some_and(|tenants| tenants.default.secrets.is_development()) {
        refuse("STRIPE_WEBHOOK_SECRET", MADE_BY_DEV);
    }
    errors
}

/// A secret that anybody could know, where anybody can try it.
fn within_reach(setting: &str, why: &str, listen: SocketAddr) -> ConfigError {
    let hint = format!(
        "{why}, and LEDGER_LISTEN ({listen}) can be reached from other machines: set a secret of \
         your own, or listen on 127.0.0.1"
    );
    ConfigError::bad(setting, hint)
}

/// The logging that RUST_LOG asks for; without it the usual one of the caller's.
///
/// # Errors
/// When it can't be understood.
pub fn log_filter(environment: &Environment, usual: &str) -> Result<EnvFilter, ConfigError> {
    let text = environment.get("RUST_LOG").unwrap_or(usual);
    EnvFilter::builder().parse(text).map_err(|_| {
        let hint = "it is not a filter like `info` or `info,billing_ledger=debug`";
        ConfigError::bad("RUST_LOG", hint)
    })
}

fn check_log_filter(environment: &Environment) -> Result<(), ConfigError> {
    log_filter(environment, "info").map(drop)
}

impl DatabaseConfig {
    /// Reads the service's database.
    ///
    /// # Errors
    /// When it isn't set, or isn't a PostgreSQL URL.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let url = postgres_url(environment, "DATABASE_URL")?.ok_or(ConfigError::Missing {
            setting: "DATABASE_URL",
            hint: "give the PostgreSQL URL of the service's login, or `--data-dir .ledger` to use \
                   what `ledger dev` started",
        })?;
        Ok(Self { url })
    }
}

/// The owner's database, for migrations.
///
/// # Errors
/// When neither it nor the service's database is set, or it isn't a PostgreSQL URL.
pub fn owner_url(environment: &Environment) -> Result<Secret, ConfigError> {
    match postgres_url(environment, "LEDGER_OWNER_DATABASE_URL")? {
        Some(url) => Ok(url),
        None => Err(ConfigError::Missing {
            setting: "LEDGER_OWNER_DATABASE_URL",
            hint: "give the PostgreSQL URL of the login that owns the tables, or `--data-dir \
                   .ledger` to use what `ledger dev` started",
        }),
    }
}

impl HttpConfig {
    fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let text = environment.get("LEDGER_LISTEN").unwrap_or(LISTEN_DEFAULT);
        Ok(Self { listen: listen_address(text)? })
    }
}

/// An address to listen on.
///
/// # Errors
/// When the text isn't one.
pub fn listen_address(text: &str) -> Result<SocketAddr, ConfigError> {
    let usual = text.replace("localhost:", "127.0.0.1:");
    usual.parse().map_err(|_| {
        let hint = format!("{text:?} is not IP:PORT, as in {LISTEN_DEFAULT} or 0.0.0.0:8080");
        ConfigError::bad("LEDGER_LISTEN", hint)
    })
}

fn postgres_url(
    environment: &Environment,
    setting: &'static str,
) -> Result<Option<Secret>, ConfigError> {
    let Some(told) = environment.secret(setting)? else { return Ok(None) };
    let text = &told.text;
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Some(Secret::new(text)));
    }
    Err(ConfigError::bad(setting, "it must look like postgres://user@host/database"))
}

fn keep<T>(read: Result<T, ConfigError>, errors: &mut Vec<ConfigError>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

#[cfg(test)]
mod tests;
