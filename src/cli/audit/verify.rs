//! `ledger audit verify`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::postgres::RawLog;
use ledger_log::seal::verify::{BundleVerifier, Fault, Verdict};
use serde::Serialize;
use uuid::Uuid;

use super::{Failure, Looked, bar, moving};
use crate::cli::tell;
use crate::config::{DEFAULT_TENANT, Environment};
use crate::seals::checkpoint::{Checkpoint, CheckpointError};
use crate::seals::export::{Header, Holds, Lines};
use crate::seals::{self, key};

/// Recompute every hash of a log or of an export, and name the first wrong position
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// Whose log
    #[arg(long, default_value = DEFAULT_TENANT, value_parser = |text: &str| Tenant::try_new(text))]
    tenant: Tenant,
    /// A checkpoint that was published outside the database
    #[arg(long, value_name = "FILE", requires = "public_key")]
    checkpoint: Option<PathBuf>,
    /// The public key that the checkpoint is signed for
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    public_key: Option<PathBuf>,
    /// Verify an export, without any database
    #[arg(long, value_name = "FILE", requires = "checkpoint", conflicts_with = "tenant")]
    from_export: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Report {
    tenant: String,
    log_id: Uuid,
    /// The log's epoch now.
    epoch: i32,
    /// How many events were looked at.
    events: i64,
    root: Option<String>,
    checkpoint: Option<Signed>,
    sound: bool,
    /// The position up to which the events are those that were signed.
    proved_to: Option<i64>,
    first_wrong: Option<Wrong>,
    /// The first of each kind.
    faults: Vec<Wrong>,
}

#[derive(Serialize)]
struct Signed {
    origin: String,
    size: i64,
    root: String,
    epoch: i32,
    recorded_at: Timestamp,
}

#[derive(Serialize, Clone)]
struct Wrong {
    position: i64,
    through: i64,
    kind: &'static str,
    what: String,
}

impl From<&Fault> for Wrong {
    fn from(fault: &Fault) -> Self {
        let Fault { position, through, what } = *fault;
        Self { position, through, kind: what.code(), what: what.to_string() }
    }
}

impl Verify {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let checkpoint = match (&self.checkpoint, &self.public_key) {
            (Some(path), Some(key)) => {
                let key = key::public(key).map_err(Failure::usage)?;
                Some(Checkpoint::read(path, &key).map_err(unsigned)?)
            }
            _ => None,
        };
        let (report, note) = match (&self.from_export, checkpoint) {
            (Some(path), Some(checkpoint)) => of_export(path, &checkpoint)?,
            (_, checkpoint) => self.of_log(environment, checkpoint).await?,
        };
        if self.json {
            let json = serde_json::to_string_pretty(&report).map_err(Failure::unavailable)?;
            tell(&format!("{json}\n"));
        } else {
            tell(&told(&report, &note));
        }
        match report.first_wrong {
            None => Ok(()),
            Some(Wrong { position, through, what, .. }) if position == through => {
                Err(Failure::found(anyhow::anyhow!("first wrong position {position}: {what}")))
            }
            Some(Wrong { position, through, what, .. }) => Err(Failure::found(anyhow::anyhow!(
                "first wrong position between {position} and {through}: {what}"
            ))),
        }
    }

    async fn of_log(
        &self,
        environment: &Environment,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(Report, String), Failure> {
        let Looked { pools, reader, log } = Looked::at(environment, &self.tenant).await?;
        if let Some(checkpoint) = &checkpoint {
            same_log(checkpoint, self.tenant.as_str(), log.log_id)?;
        }
        let claim = checkpoint.as_ref().map(|checkpoint| checkpoint.claim);
        let bar = bar("verifying", log.head.end());
        let verdict = seals::verify(&reader, &log.head, claim, moving(&bar)).await;
        bar.finish_and_clear();
        pools.close().await;
        let verdict = verdict.map_err(Failure::unavailable)?;
        let note = note_of_log(&log, checkpoint.as_ref(), &verdict);
        let (tenant, epoch) = (self.tenant.to_string(), log.epoch);
        Ok((report((tenant, log.log_id, epoch), checkpoint.as_ref(), &verdict), note))
    }
}

/// What else is to be said of a log.
fn note_of_log(log: &RawLog, checkpoint: Option<&Checkpoint>, verdict: &Verdict) -> String {
    let Some(checkpoint) = checkpoint else {
        return "  compared with the roots and leaves beside the events alone: whoever can write \
                the database can make these anew, so this proves less than a checkpoint does\n"
            .to_owned();
    };
    let mut note = String::new();
    if log.epoch != checkpoint.epoch {
        note.push_str(&format!(
            "  the log has epoch {}, the checkpoint {}: it was restored from a backup in between\n",
            log.epoch, checkpoint.epoch
        ));
    }
    if let Some(proved) = verdict.proved.filter(|proved| *proved < verdict.events) {
        note.push_str(&format!(
            "  positions {} to {} are in no checkpoint yet, and were compared with what is stored \
             beside them\n",
            proved + 1,
            verdict.events
        ));
    }
    note
}

fn of_export(path: &Path, checkpoint: &Checkpoint) -> Result<(Report, String), Failure> {
    let open = || File::open(path).with_context(|| format!("{} can't be read", path.display()));
    let file = open().map_err(Failure::usage)?;
    let bytes = file.metadata().map_or(0, |about| about.len());
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, file));
    let header = lines.header().map_err(Failure::usage)?;
    same_log(checkpoint, &header.tenant, header.log_id)?;
    if header.holds != Holds::Whole && !header.proofs {
        let why = "it holds a part of the log without proofs, and can't be verified: export it \
                   with --proofs and --checkpoint";
        return Err(Failure::usage(anyhow::anyhow!(why)));
    }
    let mut verifier = BundleVerifier::new(header.reach(), checkpoint.claim);
    let bar = bar("verifying", i64::try_from(bytes).unwrap_or(0));
    while let Some(event) = lines.event().map_err(Failure::found)? {
        verifier.event(event);
        bar.set_position(lines.bytes());
    }
    bar.finish_and_clear();
    let verdict = verifier.finish();
    let note = note_of_export(&header);
    let of = (header.tenant, header.log_id, header.epoch);
    Ok((report(of, Some(checkpoint), &verdict), note))
}

fn note_of_export(header: &Header) -> String {
    match (header.holds, &header.trainer) {
        (Holds::Trainer, Some(trainer)) => format!(
            "  it says of itself that it holds the events of {trainer}: each of them is proved, \
             and not that none is left out\n"
        ),
        (Holds::Range, _) => {
            format!("  it holds positions {} to {}\n", header.from, header.to)
        }
        _ => String::new(),
    }
}

/// A file that somebody forged is wrong; one that is no checkpoint was named by mistake.
fn unsigned(error: anyhow::Error) -> Failure {
    match error.downcast_ref() {
        Some(CheckpointError::Signature(_)) => Failure::found(error),
        _ => Failure::usage(error),
    }
}

fn same_log(checkpoint: &Checkpoint, tenant: &str, log_id: Uuid) -> Result<(), Failure> {
    if (checkpoint.tenant.as_str(), checkpoint.log_id) == (tenant, log_id) {
        return Ok(());
    }
    Err(Failure::found(anyhow::anyhow!(
        "the checkpoint is of the log {}.{}, and this is {tenant}.{log_id}",
        checkpoint.tenant,
        checkpoint.log_id
    )))
}

fn report(
    (tenant, log_id, epoch): (String, Uuid, i32),
    checkpoint: Option<&Checkpoint>,
    verdict: &Verdict,
) -> Report {
    let faults: Vec<Wrong> = verdict.faults.iter().map(Wrong::from).collect();
    Report {
        tenant,
        log_id,
        epoch,
        events: verdict.events,
        root: verdict.root.map(hex::encode),
        checkpoint: checkpoint.map(|it| Signed {
            origin: it.origin(),
            size: it.claim.size,
            root: hex::encode(it.claim.root),
            epoch: it.epoch,
            recorded_at: it.recorded_at,
        }),
        sound: faults.is_empty(),
        proved_to: verdict.proved,
        first_wrong: faults.first().cloned(),
        faults,
    }
}

/// A report for people.
fn told(report: &Report, note: &str) -> String {
    let Report { tenant, log_id, epoch, events, .. } = report;
    let mut text = format!("{tenant}, log {log_id}, epoch {epoch}: {events} events\n");
    if let Some(root) = &report.root {
        text.push_str(&format!("  root {root}\n"));
    }
    if let Some(Signed { origin, size, recorded_at, .. }) = &report.checkpoint {
        text.push_str(&format!("  checkpoint of {origin}: {size} events up to {recorded_at}\n"));
    }
    text.push_str(note);
    for Wrong { position, through, what, .. } in &report.faults {
        let last = if position == through { String::new() } else { format!(" to {through}") };
        text.push_str(&format!("  WRONG at position {position}{last}: {what}\n"));
    }
    if report.sound {
        text.push_str(match (report.proved_to, report.events) {
            (_, 0) => "  there is no event to be verified\n",
            (Some(_), _) => "  sound: these events were signed\n",
            (None, _) => "  sound in itself\n",
        });
    }
    text
}
