//! `ledger catalog check` and `ledger catalog publish`.

use std::path::PathBuf;

use clap::Subcommand;
use ledger_domain::catalog::Catalog;

use super::failure::Failure;
use crate::app;
use crate::clock::Clock;
use crate::commands::catalog::{CatalogFile, Publication, PublishError, Publisher, publish};
use crate::config::{Config, DEFAULT_TENANT, Environment};

/// Check or publish a catalogue of tiers, add-ons and features
#[derive(Debug, Subcommand)]
pub(super) enum CatalogCommand {
    /// Tell every mistake of a catalogue, with its line
    Check {
        /// The file
        file: PathBuf,
    },
    /// Put a catalogue in force from now on, unless it is the one in force
    ///
    /// It stays in force until another one is published: `ledger serve` publishes its
    /// LEDGER_CATALOG only where none ever was.
    Publish {
        /// The file; without one, the tenant's LEDGER_CATALOG
        file: Option<PathBuf>,
        /// Whose catalogue
        #[arg(long, default_value = DEFAULT_TENANT)]
        tenant: String,
    },
}

impl CatalogCommand {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self {
            Self::Check { file } => check(&file, environment),
            Self::Publish { file, tenant } => publish_file(file, &tenant, environment).await,
        }
    }
}

fn check(path: &std::path::Path, environment: &Environment) -> Result<(), Failure> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let file = match CatalogFile::read(path, &variable) {
        Ok(file) => file,
        Err(error @ PublishError::File { .. }) => return Err(Failure::usage(error)),
        Err(error) => return Err(Failure::found(error)),
    };
    for warning in &file.parsed.warnings {
        eprintln!("{}: {warning}", path.display());
    }
    for unset in &file.parsed.unset_variables {
        eprintln!(
            "{}: line {}: {} is not set: nobody can buy {} by the {}, and whoever pays that price \
             at Stripe already has no access",
            path.display(),
            unset.line,
            unset.variable,
            unset.plan,
            unset.interval
        );
    }
    println!("{} is fine: {}", path.display(), summary(&file.parsed.catalog));
    Ok(())
}

fn summary(catalog: &Catalog) -> String {
    format!(
        "{} tiers, {} add-ons, {} features",
        catalog.tiers().len(),
        catalog.add_ons().len(),
        catalog.features().len()
    )
}

async fn publish_file(
    file: Option<PathBuf>,
    tenant: &str,
    environment: &Environment,
) -> Result<(), Failure> {
    let config = Config::read(environment).map_err(Failure::usage)?;
    let (tenants, _) = config.tenants.all();
    let mut tenant = tenants
        .into_iter()
        .find(|one| one.tenant.as_str() == tenant)
        .ok_or_else(|| Failure::usage(anyhow::anyhow!("there is no tenant {tenant:?}")))?;
    if let Some(file) = file {
        tenant.catalog = file;
    }
    let file = CatalogFile::of(&tenant).map_err(|error| match error {
        PublishError::Mistakes { .. } => Failure::found(error),
        _ => Failure::usage(error),
    })?;
    let clock = Clock::system();
    let log = app::open_log(&config.database).await.map_err(Failure::unavailable)?;
    let done = publish(&*log, &clock, &tenant.tenant, &file, Publisher::Operator).await;
    log.shutdown().await;
    match done.map_err(Failure::unavailable)? {
        Publication::Published(position) => println!("published at position {position}"),
        Publication::Unchanged(position) | Publication::Kept { position, .. } => {
            println!("nothing to do: the same was published at position {position}");
        }
    }
    Ok(())
}
