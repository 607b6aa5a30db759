//! `ledger audit checkpoint`.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use ledger_domain::id::Tenant;
use ledger_log::postgres::RawLog;
use ledger_log::seal::verify::{Claim, Verdict};

use super::{Failure, Looked, bar, moving};
use crate::cli::tell;
use crate::config::{DEFAULT_TENANT, Environment};
use crate::seals::checkpoint::{Checkpoint, NAME_DEFAULT, check_name};
use crate::seals::{self, key};

/// Sign what the log holds now, after recomputing all of it
#[derive(Debug, Args)]
pub(in crate::cli) struct SignCheckpoint {
    /// Whose log
    #[arg(long, default_value = DEFAULT_TENANT, value_parser = |text: &str| Tenant::try_new(text))]
    tenant: Tenant,
    /// The private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// An earlier checkpoint by the same key, which the log must continue
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// What stands before the tenant in the first line, as a name that is yours alone
    #[arg(long, value_name = "NAME", default_value = NAME_DEFAULT, value_parser = check_name)]
    name: String,
    /// Where to write it; printed unless set
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl SignCheckpoint {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let key = key::private(&self.key).map_err(Failure::usage)?;
        let since = self.since.as_deref().map(|path| Checkpoint::read(path, &key.verifying_key()));
        let since = since.transpose().map_err(Failure::usage)?;
        let Looked { pools, reader, log } = Looked::at(environment, &self.tenant).await?;
        if let Some(since) = &since {
            continues(since, &self.tenant, &log).map_err(Failure::found)?;
        }
        let claim = since.as_ref().map(|since| since.claim);
        let bar = bar("recomputing", log.head.end());
        let verdict = seals::verify(&reader, &log.head, claim, moving(&bar)).await;
        bar.finish_and_clear();
        pools.close().await;
        let claim = sound(&verdict.map_err(Failure::unavailable)?).map_err(Failure::found)?;
        let RawLog { log_id, epoch, recorded_at, .. } = log;
        let (name, tenant) = (self.name, self.tenant.to_string());
        let note = Checkpoint { name, tenant, log_id, claim, epoch, recorded_at }.sign(&key);
        match &self.out {
            Some(path) => {
                let written = std::fs::write(path, note);
                let written = written.with_context(|| format!("write {}", path.display()));
                written.map_err(Failure::usage)?;
            }
            None => tell(&note),
        }
        Ok(())
    }
}

/// Whether the log is the one that was signed, and wasn't restored since.
fn continues(since: &Checkpoint, tenant: &Tenant, log: &RawLog) -> anyhow::Result<()> {
    if (since.tenant.as_str(), since.log_id) != (tenant.as_str(), log.log_id) {
        bail!("the earlier checkpoint is of another log");
    }
    if since.epoch != log.epoch {
        bail!(
            "the log was restored since the earlier checkpoint: its epoch is {}, and was {}. What \
             was signed then no longer holds; without --since the log is signed as it is now",
            log.epoch,
            since.epoch
        );
    }
    Ok(())
}

/// The size and root of a sound log.
fn sound(verdict: &Verdict) -> anyhow::Result<Claim> {
    match (verdict.faults.first(), verdict.root) {
        (Some(fault), _) => Err(anyhow!("{fault}").context("nothing was signed")),
        (None, Some(root)) if verdict.events > 0 => Ok(Claim { size: verdict.events, root }),
        _ => bail!("the log holds no event yet"),
    }
}
