//! The Stripe of `ledger dev`: the simulator, kept in the data folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use ledger_simulator::shell::{
    Account, Clock, Config, Endpoint, JournalError, Keeping, Running, Sending, StartError, Time,
};
use ledger_simulator::world;
use tokio::time::Instant;

use super::sample::{self, Inside};
use super::settings::{Chosen, random_number};
use super::shop::Shop;
use super::{DevError, DevResult, Request, say};
use crate::commands::catalog::CatalogFile;
use crate::config::TenantConfig;

/// What was asked of it, in the data folder.
const FILE: &str = "simulator.ndjson";
/// Where a sample is lived until it's whole.
const FILE_OF_SAMPLE: &str = "simulator.ndjson.new";
/// A hundred thousand calls, more or less; a start reads and repeats them all.
const BYTES_MAX: u64 = 64 << 20;
/// Our endpoint there.
const ENDPOINT: &str = "we_ledger_dev";
/// How many webhooks are under way at the same time.
const CONCURRENCY: usize = 16;
/// Pauses between attempts, in seconds: whoever plays with it doesn't wait for hours.
const RETRY_AFTER_S: [i64; 8] = [1, 2, 5, 15, 60, 300, 1_800, 7_200];
/// How long no webhook may arrive before something must be wrong.
const STALL_MAX: Duration = Duration::from_secs(60);

/// The simulator, and what is on sale there.
pub(super) struct Stripe {
    running: Running,
    pub(super) shop: Shop,
}

impl Stripe {
    /// Goes on with the account in the data folder, or begins one; with the sample's life in it if
    /// that is wanted. Tells the settings where it is.
    pub(super) async fn start(
        request: &Request,
        chosen: &mut Chosen,
        tenant: &TenantConfig,
    ) -> DevResult<Self> {
        let dir = &request.data_dir;
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        let file = CatalogFile::of(tenant).context("read the catalogue")?;
        let shop = Shop::new(&file.parsed.catalog);
        let settings = |file: &str, begins: i64| Config {
            keeping: Some(Keeping {
                path: dir.join(file),
                salt: random_number(),
                bytes_max: BYTES_MAX,
            }),
            keys: vec![chosen.get("STRIPE_SECRET_KEY").to_owned()],
            time: Time::Following(Duration::from_secs(1)),
            sending: Sending {
                concurrency: CONCURRENCY,
                retry_after: RETRY_AFTER_S.to_vec(),
                ..Sending::default()
            },
            ..Config::new(world::Config {
                seed: random_number(),
                now: begins,
                livemode: tenant.livemode,
                ..world::Config::default()
            })
        };
        let now = Clock::system().now();
        let mut account = open(settings(FILE, now), dir)?;
        if request.sample {
            match sample::inside(&mut account) {
                Inside::Sample => {}
                Inside::Others => return Err(taken(dir)),
                Inside::Nobody if shop.tiers.is_empty() => {
                    return Err(DevError::Usage(
                        "the catalogue sells no tier, so there is no sample to play".to_owned(),
                    ));
                }
                // The old account is held until the new one has its place: nobody comes between.
                Inside::Nobody => {
                    let begins = now - sample::SECONDS;
                    account = live(settings(FILE_OF_SAMPLE, begins), dir, &shop, now).await?;
                }
            }
        }
        shop.open(&mut account).context("put the catalogue on sale in the simulator")?;
        let running = account.serve().await.context("start the simulator")?;
        chosen.set("STRIPE_API_BASE", &running.url);
        Ok(Self { running, shop })
    }

    /// Tells it where webhooks go.
    pub(super) fn attach(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        let endpoint = Endpoint {
            url: format!("{url}/api/v1/webhooks/stripe"),
            secret: secret.to_owned(),
            enabled_events: vec!["*".to_owned()],
            api_version: None,
            adversary: None,
        };
        self.running.attach(ENDPOINT, endpoint).context("register the webhook endpoint")
    }

    /// Waits until every webhook so far has arrived, showing how far it is.
    pub(super) async fn catch_up(&self) -> anyhow::Result<()> {
        let total = self.running.backlog(ENDPOINT);
        let bar = progress_bar(total);
        let (mut left, mut since) = (total, Instant::now());
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while left > 0 {
            ticks.tick().await;
            let now_left = self.running.backlog(ENDPOINT);
            if now_left != left {
                since = Instant::now();
            } else if since.elapsed() > STALL_MAX {
                bail!(
                    "{left} webhooks don't arrive; GET {}/simulator/deliveries tells why",
                    self.running.url
                );
            }
            left = now_left;
            bar.set_position(total.saturating_sub(left).try_into().unwrap_or(u64::MAX));
        }
        bar.finish_and_clear();
        if total > 0 {
            say(&format!("delivered {total} webhooks"));
        }
        Ok(())
    }

    /// Trainers worth looking at.
    pub(super) fn cast(&self) -> sample::Cast {
        self.running.with_world(|world| sample::cast(world, &self.shop))
    }

    pub(super) async fn stop(self) {
        self.running.stop().await;
    }
}

/// Lives the sample's life in a file of its own, which takes its place only when it's whole: an
/// interrupted one begins anew, and nobody was told of it.
async fn live(config: Config, dir: &Path, shop: &Shop, until: i64) -> DevResult<Account> {
    let unfinished = dir.join(FILE_OF_SAMPLE);
    if unfinished.exists() {
        std::fs::remove_file(&unfinished).context("remove an unfinished sample")?;
    }
    say("living months of a small product in the Stripe simulator");
    let mut account = open(config, dir)?;
    shop.open(&mut account).context("put the catalogue on sale in the simulator")?;
    let lived = sample::play(&mut account, shop, until).await;
    lived.context("play the sample")?;
    account.keep_in(&dir.join(FILE)).context("keep the sample")?;
    Ok(account)
}

fn open(config: Config, dir: &Path) -> anyhow::Result<Account> {
    Account::open(config).map_err(|error| {
        let advice = advice(&error, dir);
        anyhow::Error::new(error).context(format!("start the Stripe simulator{advice}"))
    })
}

/// What to do about it. Nobody is told to remove a folder that may be in use, or whole.
fn advice(error: &StartError, dir: &Path) -> String {
    let StartError::Journal(error) = error else { return String::new() };
    match error {
        JournalError::InUse(_) => {
            " (another `ledger dev` has this folder: use that one, end it, or name another folder \
             with --data-dir)"
                .to_owned()
        }
        JournalError::Full { .. }
        | JournalError::Unreadable { .. }
        | JournalError::Diverged { .. } => {
            format!(" (to begin afresh, remove {})", dir.display())
        }
        JournalError::File { .. } => String::new(),
    }
}

fn taken(dir: &Path) -> DevError {
    DevError::Usage(format!(
        "somebody has bought something in {0} already, and a sample begins months ago: leave out \
         --sample, name another folder with --data-dir, or remove {0}",
        dir.display()
    ))
}

fn progress_bar(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "delivering webhooks  {bar:32} {human_pos}/{human_len}  {per_sec}  {eta} left",
    );
    let bar = ProgressBar::new(count.try_into().unwrap_or(u64::MAX));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_played_again_is_to_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let config = || Config {
            keeping: Some(Keeping { path: path.clone(), salt: 1, bytes_max: BYTES_MAX }),
            ..Config::new(world::Config::default())
        };
        let told = |opened: anyhow::Result<Account>| match opened {
            Ok(_) => panic!("it can't be opened"),
            Err(error) => format!("{error:#}"),
        };
        let first = open(config(), folder.path()).unwrap();
        let second = told(open(config(), folder.path()));
        assert!(second.contains("another `ledger dev`"), "{second}");
        assert!(!second.contains("remove"), "{second}");
        drop(first);
        assert!(open(config(), folder.path()).is_ok(), "nobody has it any more");

        std::fs::write(&path, "nonsense\n").unwrap();
        let torn = told(open(config(), folder.path()));
        assert!(torn.contains("remove"), "{torn}");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let closed = told(open(config(), folder.path()));
        assert!(!closed.contains("remove"), "{closed}");
    }
}
