//! `ledger schema check` and `ledger schema show`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledger_domain::id::Tenant;
use ledger_log::postgres::Pools;
use ledger_replay::Progress;
use ledger_replay::readable::{
    self, Found, LogReport, ReadableError, Tally, read_data, read_metadata,
};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::replay::{print_json, with_bar};
use super::schema_files::schema_of;
use super::tell;
use crate::config::{DatabaseConfig, Environment};
use crate::{app, ids};

/// Tell whether this program can read every event of a log, and what events look like
#[derive(Debug, Subcommand)]
pub(super) enum SchemaCommand {
    /// Read every event of a log as this program would, and name those that it can't
    ///
    /// Nothing is written, and the service may go on meanwhile. Ends with 1 if there is any:
    /// data of another shape, a type or a version that this program doesn't know.
    Check(Check),
    /// Print the JSON Schema of an event's data
    #[command(disable_version_flag = true)]
    Show {
        /// The event's type, or `Metadata` for what stands beside the data of each
        #[arg(value_name = "TYPE")]
        event_type: String,
        /// The version; the newest unless given
        #[arg(long, value_name = "N")]
        version: Option<i32>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Whose log; all of them unless named
    #[arg(long, value_parser = |text: &str| Tenant::try_new(text), conflicts_with = "files")]
    tenant: Option<Tenant>,
    /// Read golden files of a folder instead (`Type.v1.json`, `Type.v1.case.json`)
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// How many unreadable events of each log to name; the rest is counted
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rows: usize,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl SchemaCommand {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self {
            Self::Check(Check { files: Some(folder), rows, json, .. }) => {
                check_files(&folder, rows, json)
            }
            Self::Check(check) => check.run(environment).await,
            Self::Show { event_type, version } => show(&event_type, version),
        }
    }
}

impl Check {
    async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = DatabaseConfig::read(environment).map_err(Failure::usage)?;
        let name = format!("ledger schema {}", ids::fresh().simple());
        let pools = Pools::connect_lazy(config.url.reveal(), &name).map_err(Failure::usage)?;
        let log = app::connect(&pools).await.map_err(Failure::unavailable)?;
        let (progress, stop) = (watch::Sender::new(Progress::default()), CancellationToken::new());
        let tenant = self.tenant.as_ref();
        let check = readable::check(&*log, tenant, self.rows, &stop, &progress);
        let reports = with_bar(check, progress.subscribe(), &stop).await;
        log.shutdown().await;
        pools.close().await;
        let reports = reports.map_err(|error: ReadableError| match error.is_unavailable() {
            true => Failure::unavailable(error),
            false => Failure::found(error),
        })?;
        let unreadable = reports.iter().map(|report| report.found.unreadable_events()).sum();
        if self.json {
            print_json(&Logs { readable: unreadable == 0, logs: reports })?;
        } else {
            print!("{}", told_logs(&reports));
        }
        ended(unreadable)
    }
}

/// What is said of all logs.
#[derive(Serialize)]
struct Logs {
    readable: bool,
    logs: Vec<LogReport>,
}

/// What is said of a folder.
#[derive(Serialize)]
struct Files {
    readable: bool,
    #[serde(flatten)]
    found: Found<File>,
}

/// Where an event is that isn't in a log.
#[derive(Debug, Serialize)]
struct File {
    file: String,
}

fn show(event_type: &str, version: Option<i32>) -> Result<(), Failure> {
    let Some(schema) = schema_of(event_type, version) else {
        let version = version.map(|version| format!(" version {version}")).unwrap_or_default();
        let unknown =
            anyhow::anyhow!("event type {event_type}{version} is unknown to this program");
        return Err(Failure::usage(unknown));
    };
    tell(schema);
    Ok(())
}

fn ended(unreadable: u64) -> Result<(), Failure> {
    if unreadable == 0 {
        return Ok(());
    }
    Err(Failure::found(anyhow::anyhow!("this program can't read {unreadable} of the events")))
}

fn check_files(folder: &Path, listed_max: usize, json: bool) -> Result<(), Failure> {
    let mut tally = Tally::new(listed_max);
    for (name, path) in golden_files(folder).map_err(Failure::usage)? {
        let data = std::fs::read(&path).map_err(|error| {
            Failure::usage(anyhow::Error::new(error).context(path.display().to_string()))
        })?;
        let data = data.strip_suffix(b"\n").unwrap_or(&data);
        let (event_type, version) = named(&name).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("{name} is not called `Type.v1.json`, or with a case"))
        })?;
        let read = match event_type {
            "Metadata" => read_metadata(data),
            _ => read_data(event_type, version, data),
        };
        tally.add(event_type, version, read, || File { file: name.clone() });
    }
    let found = tally.found();
    if found.events == 0 {
        let nothing = anyhow::anyhow!("{} holds no golden files", folder.display());
        return Err(Failure::usage(nothing));
    }
    let unreadable = found.unreadable_events();
    if json {
        print_json(&Files { readable: unreadable == 0, found })?;
    } else {
        print!("{}", told(&found, |place| place.file.clone()));
    }
    ended(unreadable)
}

/// The JSON files of a folder by name, in order.
fn golden_files(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let read = || -> std::io::Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            files.extend(name.filter(|name| name.ends_with(".json")).map(|name| (name, path)));
        }
        files.sort();
        Ok(files)
    };
    read().map_err(|error| anyhow::Error::new(error).context(folder.display().to_string()))
}

/// The type and version that a golden file's name tells. Metadata have no version.
fn named(name: &str) -> Option<(&str, i32)> {
    let mut parts = name.split('.');
    let event_type = parts.next().filter(|name| !name.is_empty())?;
    if event_type == "Metadata" {
        return Some((event_type, 1));
    }
    Some((event_type, parts.next()?.strip_prefix('v')?.parse().ok()?))
}

fn told_logs(reports: &[LogReport]) -> String {
    if reports.is_empty() {
        return "there is no log\n".to_owned();
    }
    let mut text = String::new();
    for report in reports {
        text.push_str(&format!("{} up to position {}\n", report.tenant, report.position));
        text.push_str(&told(&report.found, |place| {
            format!("position {}, {}/{}", place.position, place.key.namespace, place.key.id)
        }));
    }
    text
}

/// A line for each type and version, and one for each event that can't be read.
fn told<P>(found: &Found<P>, place: impl Fn(&P) -> String) -> String {
    let mut text = String::new();
    for shape in &found.types {
        let name = format!("{} v{}", printable(&shape.event_type), shape.version);
        let wrong = match shape.unreadable {
            0 => String::new(),
            unreadable => format!(", {unreadable} CAN'T BE READ"),
        };
        text.push_str(&format!("  {name:<32} {}{wrong}\n", shape.events));
    }
    if found.of_more_types > 0 {
        text.push_str(&format!("  and {} of more types\n", found.of_more_types));
    }
    for event in &found.unreadable {
        let reason = printable(&event.why.reason);
        text.push_str(&format!("  {}: {reason}\n", place(&event.place)));
    }
    if found.more > 0 {
        text.push_str(&format!("  and {} more that can't be read\n", found.more));
    }
    text
}

/// A text as a terminal may get it: somebody may have written anything into the log.
fn printable(text: &str) -> String {
    let shown =
        |of: char| if of.is_control() { of.escape_default().to_string() } else { of.into() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(printable("can't \u{1b}[2J"), "can't \\u{1b}[2J");
    }

    #[test]
    fn a_golden_files_name_tells_type_and_version() {
        assert_eq!(named("TierAssigned.v1.json"), Some(("TierAssigned", 1)));
        assert_eq!(named("TierAssigned.v12.least.json"), Some(("TierAssigned", 12)));
        assert_eq!(named("Metadata.full.json"), Some(("Metadata", 1)));
        for name in ["TierAssigned.json", "TierAssigned.1.json", ".v1.json", "x.vx.json"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
