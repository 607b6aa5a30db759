//! `ledger dev`: a whole ledger on one's own machine, with nothing to configure.

mod env_file;
mod postgres;
mod sample;
mod settings;
mod shop;
mod simulator;
mod tour;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use ledger_projections::Installed;

use crate::app::{self, Listening, Running};
use crate::cli::{migrate, tell};
use crate::clock::Clock;
use crate::commands;
use crate::commands::catalog::Publisher;
use crate::config::{Config, ConfigErrors, Environment, TenantConfig};
use postgres::Postgres;
use settings::Chosen;
use simulator::Stripe;

/// Where everything is kept unless a folder is named.
pub(crate) const DATA_DIR_DEFAULT: &str = ".ledger";
/// How long the service may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// What was asked for.
pub(crate) struct Request {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: Option<String>,
    pub(crate) sample: bool,
    pub(crate) environment: Environment,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Start(#[from] app::StartError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Starts everything, says so, and ends everything once `stopped` is done.
pub(crate) async fn run(
    request: Request,
    stopped: impl Future<Output = ()>,
) -> Result<(), DevError> {
    let mut stopped = std::pin::pin!(stopped);
    // What is wrong with the settings is said at once, before anything is started.
    let mut chosen = Chosen::new(&request)?;
    let config = commands::settings::read(&chosen.environment())?;
    let listening = app::listen(&config).await?;
    let started = async {
        let stripe = start_stripe(&request, &mut chosen, &config.tenants.default).await?;
        let postgres = start_postgres(&request.data_dir).await?;
        let up = start(&request, chosen, stripe, &postgres, listening).await;
        DevResult::Ok((postgres, up))
    };
    // A signal while starting ends the program; the database server ends with it.
    let (postgres, up) = tokio::select! {
        started = started => started?,
        () = stopped.as_mut() => return Ok(()),
    };
    let ended = match up {
        Ok(up) => {
            // One wait for the signal: it may come while the sample is played.
            let presented = tokio::select! {
                Err(error) = present(&request, &up) => Err(error),
                error = postgres.died() => Err(error.into()),
                () = stopped => Ok(()),
            };
            if let Some(stripe) = up.stripe {
                stripe.stop().await;
            }
            up.running.shutdown().await;
            presented
        }
        Err(error) => Err(error),
    };
    let stop = tokio::task::spawn_blocking(move || postgres.stop()).await;
    ended?;
    stop.context("stop PostgreSQL")?.context("stop PostgreSQL")?;
    Ok(())
}

type DevResult<T> = Result<T, DevError>;

/// The service, and what it was started with.
struct Up {
    running: Running,
    /// What stands in for Stripe, where no Stripe is named.
    stripe: Option<Stripe>,
    chosen: Chosen,
    config: Config,
}

async fn start_stripe(
    request: &Request,
    chosen: &mut Chosen,
    tenant: &TenantConfig,
) -> DevResult<Option<Stripe>> {
    if chosen.is_simulated() {
        return Ok(Some(Stripe::start(request, chosen, tenant).await?));
    }
    if request.sample {
        let why = "the sample is played in the simulator: unset STRIPE_SECRET_KEY, or leave out \
                   --sample";
        return Err(DevError::Usage(why.to_owned()));
    }
    Ok(None)
}

async fn start_postgres(data_dir: &Path) -> anyhow::Result<Postgres> {
    let dir = data_dir.to_owned();
    say(&format!("starting a private PostgreSQL in {}", dir.display()));
    let started = tokio::task::spawn_blocking(move || Postgres::start(&dir)).await;
    started.context("start PostgreSQL")?
}

async fn start(
    request: &Request,
    mut chosen: Chosen,
    stripe: Option<Stripe>,
    postgres: &Postgres,
    listening: Listening,
) -> DevResult<Up> {
    let (owner, service) = (postgres.owner_url(), postgres.service_url());
    let installed = migrate::migrate(&owner, &[postgres::LOGIN])
        .await
        .context("bring the database up to date")?;
    if installed == Installed::Anew {
        eprintln!("{}", migrate::ANEW);
    }
    chosen.set("DATABASE_URL", &service);
    chosen.set("LEDGER_OWNER_DATABASE_URL", &owner);
    let config = Config::read(&chosen.environment())?;
    // Whoever tries catalogues out edits the file and starts again.
    let (clock, publisher) = (Clock::system(), Publisher::OwnStart);
    let running = app::start_as(config.clone(), clock, publisher, listening).await?;
    chosen.set("LEDGER_URL", &format!("http://{}", running.address()));
    chosen.set("LEDGER_LISTEN", &running.address().to_string());
    chosen.write(&request.data_dir)?;
    Ok(Up { running, stripe, chosen, config })
}

/// Lets the webhooks arrive, waits until everything can be asked, and says what there is.
async fn present(request: &Request, up: &Up) -> DevResult<()> {
    let url = up.chosen.get("LEDGER_URL");
    if let Some(stripe) = &up.stripe {
        let secrets = up.config.tenants.default.secrets.webhook.as_ref();
        // The newest of several comes first.
        let secrets = secrets.into_iter().flat_map(|secrets| secrets.reveal().split(','));
        let secret = secrets.map(str::trim).find(|secret| !secret.is_empty());
        stripe.attach(url, secret.context("there is no secret to sign webhooks with")?)?;
        stripe.catch_up().await?;
    }
    wait_until_ready(up, url).await?;
    tell(&format!("ready {url}\n"));
    let stripe = up.stripe.as_ref();
    tell(&tour::text(&up.config.auth, url, &request.data_dir, stripe)?);
    Ok(())
}

async fn wait_until_ready(up: &Up, url: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let ready = async {
        loop {
            ticks.tick().await;
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success())
                && up.running.is_current().await
            {
                return;
            }
        }
    };
    if tokio::time::timeout(READY_TIMEOUT, ready).await.is_err() {
        bail!("the service did not become ready within {} seconds", READY_TIMEOUT.as_secs());
    }
    Ok(())
}

/// Progress, for people.
fn say(text: &str) {
    eprintln!("{text}");
}
