//! `ledger audit export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{Pools, RawLog, RawReader, StoredLeaves};
use ledger_log::seal::verify::{Claim, RawEvent};
use ledger_log::{Hash, ReadError};

use super::{Failure, Looked, bar, moving};
use crate::config::{DEFAULT_TENANT, Environment};
use crate::reads::trail;
use crate::seals::checkpoint::Checkpoint;
use crate::seals::export::{FORMAT, Header, Holds, Line};
use crate::seals::prover::Prover;
use crate::seals::{csv, key};

/// How many of a trainer's positions are looked up at once, and how many events read.
const POSITIONS_MAX: usize = 10_000;

/// Write the log, or a trainer's part of it, to a file that can be verified without a database
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// `ndjson` can be verified; `csv` is for spreadsheets and can't
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Whose log
    #[arg(long, default_value = DEFAULT_TENANT, value_parser = |text: &str| Tenant::try_new(text))]
    tenant: Tenant,
    /// Only the events that name this trainer, or made what is known of it
    #[arg(long, value_name = "ID", value_parser = |text: &str| TrainerId::try_new(text))]
    trainer: Option<TrainerId>,
    /// The first position, or the instant from which events were accepted
    #[arg(long, value_name = "POSITION|TIME", value_parser = parse_bound)]
    from: Option<Bound>,
    /// The last position, or the instant before which events were accepted
    #[arg(long, value_name = "POSITION|TIME", value_parser = parse_bound)]
    to: Option<Bound>,
    /// Go no further than this checkpoint, and put it into the export
    #[arg(long, value_name = "FILE", requires = "public_key")]
    checkpoint: Option<PathBuf>,
    /// The public key that the checkpoint is signed for
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    public_key: Option<PathBuf>,
    /// Prove each event by the checkpoint, so that a part of the log can be verified
    #[arg(long, requires = "checkpoint")]
    proofs: bool,
    /// Where to write it; standard output unless set
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Position(i64),
    Time(Timestamp),
}

fn parse_bound(text: &str) -> Result<Bound, String> {
    if let Ok(position) = text.parse() {
        return Ok(Bound::Position(position));
    }
    text.parse().map(Bound::Time).map_err(|error| format!("a position, or: {error}"))
}

/// Where the lines go.
struct Output {
    to: Box<dyn Write>,
    format: Format,
}

impl Export {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let signed = match (&self.checkpoint, &self.public_key) {
            (Some(path), Some(key)) => Some(self.signed(path, key).map_err(Failure::usage)?),
            _ => None,
        };
        if self.proofs && self.format == Format::Csv {
            return Err(Failure::usage(anyhow!("a table can't hold proofs: export ndjson")));
        }
        let Looked { pools, reader, log } = Looked::at(environment, &self.tenant).await?;
        let header = self.header(&reader, &log, signed).await?;
        let bar = bar("exporting", header.to);
        let done = match self.prover(&reader, &header, &bar).await {
            Ok(prover) => self.write((&pools, &reader), &header, prover, &bar).await,
            Err(failure) => Err(failure),
        };
        bar.finish_and_clear();
        pools.close().await;
        done
    }

    /// What proves events, if proofs are wanted.
    async fn prover<'a>(
        &self,
        reader: &'a RawReader,
        header: &Header,
        bar: &ProgressBar,
    ) -> Result<Option<Prover<'a>>, Failure> {
        let Some(root) = Hash::try_from(&header.root[..]).ok().filter(|_| self.proofs) else {
            return Ok(None);
        };
        let claim = Claim { size: header.size, root };
        match Prover::over(reader, claim, moving(bar)).await {
            Ok(Some(prover)) => Ok(Some(prover)),
            Ok(None) => Err(Failure::found(anyhow!(
                "the log isn't what the checkpoint has signed: see `ledger audit verify`"
            ))),
            Err(error) if error.is::<ReadError>() => Err(Failure::unavailable(error)),
            Err(error) => Err(Failure::found(error)),
        }
    }

    fn signed(
        &self,
        path: &std::path::Path,
        key: &std::path::Path,
    ) -> anyhow::Result<(Checkpoint, String)> {
        let checkpoint = Checkpoint::read(path, &key::public(key)?)?;
        Ok((checkpoint, std::fs::read_to_string(path)?))
    }

    async fn header(
        &self,
        reader: &RawReader,
        log: &RawLog,
        signed: Option<(Checkpoint, String)>,
    ) -> Result<Header, Failure> {
        let (size, root, checkpoint) = match signed {
            None => (log.head.position, log.head.root.clone(), None),
            Some((it, _))
                if (it.tenant.as_str(), it.log_id) != (self.tenant.as_str(), log.log_id) =>
            {
                return Err(Failure::found(anyhow!("the checkpoint is of another log")));
            }
            Some((it, text)) => (it.claim.size, it.claim.root.to_vec(), Some(text)),
        };
        let end = size.min(log.head.end());
        let bound = async |bound: Option<Bound>, otherwise, after| match bound {
            None => Ok(otherwise),
            Some(Bound::Position(position)) => Ok(position),
            Some(Bound::Time(at)) => reader.last_before(at, end).await.map(|last| last + after),
        };
        let from = bound(self.from, 1, 1).await.map_err(Failure::unavailable)?;
        let to = bound(self.to, end, 0).await.map_err(Failure::unavailable)?;
        let (from, to) = (from.max(1), to.min(end));
        let holds = match (&self.trainer, from, to) {
            (Some(_), ..) => Holds::Trainer,
            (None, 1, to) if to == end => Holds::Whole,
            _ => Holds::Range,
        };
        Ok(Header {
            format: FORMAT.to_owned(),
            tenant: self.tenant.to_string(),
            log_id: log.log_id,
            epoch: log.epoch,
            size,
            root,
            holds,
            from,
            to,
            trainer: self.trainer.as_ref().map(ToString::to_string),
            proofs: self.proofs,
            checkpoint,
        })
    }

    async fn write(
        &self,
        (pools, reader): (&Pools, &RawReader),
        header: &Header,
        mut prover: Option<Prover<'_>>,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut output = Output::open(self.out.as_deref(), self.format).map_err(Failure::usage)?;
        let lines = self.lines((pools, reader), header, prover.as_mut(), &mut output, bar);
        match lines.await {
            // A reader that has gone away has enough.
            Err(error) if has_gone(&error) => Ok(()),
            done => done.map_err(Failure::unavailable),
        }
    }

    async fn lines(
        &self,
        (pools, reader): (&Pools, &RawReader),
        header: &Header,
        mut prover: Option<&mut Prover<'_>>,
        output: &mut Output,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        output.header(header)?;
        let (mut leaves, mut after) = (StoredLeaves::new(reader), header.from - 1);
        while after < header.to {
            let (events, seen) = self.next(pools, reader, after, header.to).await?;
            after = seen;
            for event in events {
                let leaf = leaves.at(event.position).await?;
                let proof = match &mut prover {
                    Some(prover) => prover.prove(&event).await?,
                    None => None,
                };
                output.event(event, leaf, proof)?;
            }
            moving(bar)(after);
        }
        output.finish()
    }

    /// The next events after a position, and the position up to which there are no others.
    async fn next(
        &self,
        pools: &Pools,
        reader: &RawReader,
        after: i64,
        to: i64,
    ) -> anyhow::Result<(Vec<RawEvent>, i64)> {
        let Some(trainer) = &self.trainer else {
            let events = reader.events(after, to).await?;
            let last = events.last().map_or(to, |event| event.position);
            return Ok((events, last));
        };
        let within = (after, to.saturating_add(1));
        let found = trail::events_of(pools, &self.tenant, trainer, within, POSITIONS_MAX).await;
        let (positions, reached) = found?;
        if reached.position < to {
            bail!(
                "whose the events after position {} are isn't known yet: wait for the read models \
                 or set --to",
                reached.position
            );
        }
        let events = reader.events_at(&positions).await?;
        let last = events.last().map_or(to, |event| event.position);
        Ok((events, last))
    }
}

fn has_gone(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

impl Output {
    fn open(path: Option<&std::path::Path>, format: Format) -> anyhow::Result<Self> {
        let to: Box<dyn Write> = match path {
            None => Box::new(io::stdout().lock()),
            Some(path) => {
                let file = File::create(path);
                Box::new(file.with_context(|| format!("{} can't be written", path.display()))?)
            }
        };
        Ok(Self { to: Box::new(BufWriter::with_capacity(1 << 20, to)), format })
    }

    fn header(&mut self, header: &Header) -> anyhow::Result<()> {
        match self.format {
            Format::Ndjson => self.json(header),
            Format::Csv => Ok(self.to.write_all(csv::HEADER.as_bytes())?),
        }
    }

    fn event(
        &mut self,
        event: RawEvent,
        leaf: Option<Hash>,
        proof: Option<Vec<Hash>>,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Ndjson => self.json(&Line::new(event, leaf, proof)),
            Format::Csv => Ok(self.to.write_all(csv::line(&event).as_bytes())?),
        }
    }

    fn json(&mut self, line: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.to, line).map_err(io::Error::from)?;
        Ok(self.to.write_all(b"\n")?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.to.flush().context("write the export")
    }
}
