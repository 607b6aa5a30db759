//! `ledger replay verify`, `ledger replay status` and `ledger replay as-of`.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use ledger_domain::id::Tenant;
use ledger_log::postgres::{Pools, PostgresLog};
use ledger_projections::ReadModel;
use ledger_replay::verify::{Phase, TableReport};
use ledger_replay::{Progress, Report, State, Status, Verifier, VerifyConfig, status};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::as_of::AsOfArguments;
use super::failure::Failure;
use crate::config::{DEFAULT_TENANT, DatabaseConfig, Environment};
use crate::{app, ids, signals};

/// Replay the log: verify read models, tell how far they are, or ask about the past
#[derive(Debug, Subcommand)]
pub(super) enum ReplayCommand {
    /// Build read models anew beside the live ones, and tell every row that differs
    ///
    /// With `usage`, the counters that limits are checked against are compared with the events of
    /// usage, too. The service may go on meanwhile. Ends with 1 if anything differs.
    Verify(Verify),
    /// Tell how far the log and the read models are, and what is parked
    ///
    /// Ends with 1 if anything is parked, or if read models can't go on: they are of another log,
    /// ahead of theirs, or at different positions.
    Status(Whose),
    /// Tell what a trainer could do at a past instant
    ///
    /// Folded from the log: nothing that is known now is read, so that `--known-at` tells what the
    /// ledger itself would have answered then.
    AsOf(AsOfArguments),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Which ones; all of them unless named
    #[arg(value_name = "READ_MODEL", value_parser = parse_model)]
    read_models: Vec<ReadModel>,
    #[command(flatten)]
    whose: Whose,
    /// How many differing rows of each table to list; the rest is counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,
    /// How much memory folded state may keep, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    cache: usize,
}

#[derive(Debug, Args)]
pub(super) struct Whose {
    /// Whose read models
    #[arg(long, default_value = DEFAULT_TENANT, value_parser = |text: &str| Tenant::try_new(text))]
    tenant: Tenant,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ReplayCommand {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let config = DatabaseConfig::read(environment).map_err(Failure::usage)?;
        let owner = format!("ledger replay {}", ids::fresh().simple());
        let pools = Pools::connect_lazy(config.url.reveal(), &owner).map_err(Failure::usage)?;
        let log = app::connect(&pools).await.map_err(Failure::unavailable)?;
        let done = match self {
            Self::Verify(verify) => verify.run(&pools, &log, owner).await,
            Self::Status(whose) => tell_status(&pools, &log, &whose).await,
            Self::AsOf(question) => question.run(&pools, &log, environment).await,
        };
        log.shutdown().await;
        pools.close().await;
        done
    }
}

impl Verify {
    async fn run(
        self,
        pools: &Pools,
        log: &Arc<PostgresLog>,
        owner: String,
    ) -> Result<(), Failure> {
        let mut config = VerifyConfig {
            cache_bytes: self.cache.saturating_mul(1 << 20),
            differences_max: self.rows,
            ..VerifyConfig::new(owner)
        };
        if !self.read_models.is_empty() {
            config.models.retain(|model| self.read_models.contains(model));
        }
        let verifier = Verifier::new(pools.clone(), Arc::clone(log) as _, config);
        let (progress, stop) = (watch::Sender::new(Progress::default()), CancellationToken::new());
        let verify = verifier.verify(&self.whose.tenant, &stop, &progress);
        let report = with_bar(verify, progress.subscribe(), &stop).await;
        let report = report.map_err(|error| match error.is_unavailable() {
            true => Failure::unavailable(error),
            false => Failure::found(error),
        })?;
        if self.whose.json {
            print_json(&report)?;
        } else {
            print!("{}", told(&report));
        }
        if report.equal {
            return Ok(());
        }
        Err(Failure::found(anyhow::anyhow!(wrong(&report))))
    }
}

/// Draws a bar while work is under way, and lets signals end it in order.
pub(super) async fn with_bar<T>(
    work: impl Future<Output = T>,
    mut progress: watch::Receiver<Progress>,
    stop: &CancellationToken,
) -> T {
    // On standard error, and on a terminal alone.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos}/{human_len}");
    bar.set_style(style.expect("a constant template").progress_chars("=> "));
    let mut signal = std::pin::pin!(signals::stop());
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = &mut signal, if !stop.is_cancelled() => stop.cancel(),
            Ok(()) = progress.changed() => {
                let progress = progress.borrow_and_update();
                bar.set_length(u64::try_from(progress.target).unwrap_or(0));
                bar.set_position(u64::try_from(progress.position).unwrap_or(0));
                bar.set_message(message(&progress));
            }
        }
    };
    bar.finish_and_clear();
    done
}

fn message(progress: &Progress) -> String {
    match &progress.phase {
        Phase::Waiting => "waiting".to_owned(),
        Phase::Comparing { table } => format!("comparing {table}"),
        Phase::Building | Phase::Reading => {
            let what = if progress.phase == Phase::Building { "building" } else { "reading" };
            let left = progress.time_left().filter(|left| *left < Duration::from_secs(1 << 22));
            let left = left.map_or_else(|| "?".to_owned(), |left| HumanDuration(left).to_string());
            format!("{what}, {:.0} events/s, {left} left", progress.events_per_second)
        }
    }
}

/// A report for people: one line for each table, and the rows that differ.
fn told(report: &Report) -> String {
    let mut text = format!("{} at position {}\n", report.tenant, report.position);
    for model in &report.read_models {
        for table in &model.tables {
            let name = format!("{}.{}", model.read_model.as_str(), table.table);
            text.push_str(&told_table(&name, table));
        }
    }
    if let Some(counters) = &report.counters {
        text.push_str(&told_table(&counters.table.table, &counters.table));
        if counters.unread > 0 {
            let unread = counters.unread;
            text.push_str(&format!("    {unread} not compared: their events can't be read\n"));
        }
    }
    for unit in &report.parked {
        text.push_str(&format!(
            "  parked in {}: {}: {}\n",
            unit.read_model, unit.unit, unit.reason
        ));
    }
    text
}

/// What differs, in short.
fn wrong(report: &Report) -> String {
    let mut tables = report.read_models.iter().flat_map(|model| &model.tables);
    let models = (!tables.all(TableReport::is_equal)).then_some("the read models");
    let of_usage = report.counters.as_ref().filter(|counters| !counters.table.is_equal());
    let counters = of_usage.map(|_| "the counters of usage");
    let which: Vec<_> = models.into_iter().chain(counters).collect();
    let what_to_do = match counters {
        Some(_) => "; docs/metrics.md says what to do (Counters that differ)",
        None => "",
    };
    format!("{} are not what the log says{what_to_do}", which.join(" and "))
}

fn told_table(name: &str, table: &TableReport) -> String {
    let mut text = format!("  {name:<40} {}\n", in_short(table));
    table.shape.iter().for_each(|shape| text.push_str(&format!("    {shape}\n")));
    table.differences.iter().for_each(|row| text.push_str(&told_row(row)));
    if table.more > 0 {
        text.push_str(&format!("    and {} more\n", table.more));
    }
    text
}

fn in_short(table: &TableReport) -> String {
    let rows = table.rebuilt.as_ref().map_or(0, |rebuilt| rebuilt.rows);
    match table.differing_rows() {
        0 if table.is_equal() => format!("equal, {rows} rows"),
        0 => "of another shape".to_owned(),
        differing => format!("DIFFERS in {differing} of {rows} rows"),
    }
}

fn told_row(row: &ledger_replay::verify::Difference) -> String {
    let mut text = format!("    {}\n", row.key);
    match (&row.live, &row.rebuilt) {
        (Some(live), Some(rebuilt)) => {
            for column in &row.columns {
                let (is, should) = (&live[column], &rebuilt[column]);
                text.push_str(&format!("      {column} is {is} and should be {should}\n"));
            }
        }
        (Some(live), None) => text.push_str(&format!("      should not be there: {live}\n")),
        (None, rebuilt) => {
            let rebuilt = rebuilt.as_ref().unwrap_or(&Value::Null);
            text.push_str(&format!("      is missing: {rebuilt}\n"));
        }
    }
    if !row.event_ids.is_empty() {
        text.push_str(&format!("      events: {}\n", row.event_ids.join(", ")));
    }
    text
}

async fn tell_status(pools: &Pools, log: &PostgresLog, whose: &Whose) -> Result<(), Failure> {
    let status = status(pools, log, &whose.tenant).await.map_err(Failure::unavailable)?;
    if whose.json {
        print_json(&status)?;
    } else {
        print!("{}", told_status(&status));
    }
    let mut wrong = halted(&status);
    if status.log.is_none() {
        // A name that is misspelt would else look as if all were well.
        wrong.push("there is no log of this tenant; `ledger serve` opens one".to_owned());
    }
    if !wrong.is_empty() && status.log.is_some() {
        wrong.push(
            "the read models can't go on; docs/metrics.md says what to do (Halted read models)"
                .to_owned(),
        );
    }
    if !status.parked.is_empty() {
        wrong.push("events are parked that could not be taken in".to_owned());
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::found(anyhow::anyhow!(wrong.join("\n"))))
}

/// Which read models their runner would not carry on, and why.
fn halted(status: &Status) -> Vec<String> {
    let live = status.read_models.iter().filter(|model| model.version == "live");
    let of_log = live.clone().filter_map(|model| match model.state {
        State::OtherLog => Some(format!(
            "{} was made from another log, or before the log was restored",
            model.schema
        )),
        State::AheadOfLog => Some(format!("{} holds events that the log has lost", model.schema)),
        State::Current | State::Behind | State::NotBegun => None,
    });
    let mut wrong: Vec<String> = of_log.collect();
    let mut positions = live.clone().map(|model| model.position);
    let first = positions.next();
    if positions.any(|position| Some(position) != first) {
        let each = live.map(|model| format!("{} at {}", model.schema, model.position));
        wrong.push(format!(
            "they are at different positions: {}",
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    wrong
}

fn told_status(status: &Status) -> String {
    let mut text = match &status.log {
        Some(log) => format!(
            "{}: the log ends at position {}, {}\n",
            status.tenant, log.position, log.recorded_at
        ),
        None => format!("{}: there is no log\n", status.tenant),
    };
    for model in &status.read_models {
        let state = serde_json::to_value(model.state).unwrap_or_default();
        let state = state.as_str().unwrap_or_default().replace('_', " ");
        let lag = model.lag_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        text.push_str(&format!(
            "  {:<24} {state:<14} position {:<10} {} events, {lag} behind\n",
            model.schema, model.position, model.lag_events
        ));
    }
    for unit in &status.parked {
        text.push_str(&format!(
            "  parked in {}: {}, {} events wait, {} attempts, next {}: {}\n",
            unit.read_model,
            unit.unit,
            unit.events,
            unit.attempts,
            unit.next_attempt_at,
            unit.reason
        ));
    }
    if status.more_parked {
        text.push_str("  and more are parked\n");
    }
    text
}

pub(super) fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(document).map_err(Failure::unavailable)?);
    Ok(())
}

fn parse_model(text: &str) -> Result<ReadModel, String> {
    let found = ReadModel::ALL.into_iter().find(|model| model.as_str() == text);
    found.ok_or_else(|| format!("there are {}", ReadModel::ALL.map(ReadModel::as_str).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_replay::verify::{CountersReport, Difference, Digest, ModelReport};
    use serde_json::json;

    fn difference(live: Option<Value>, rebuilt: Option<Value>) -> Difference {
        let columns =
            if live.is_some() && rebuilt.is_some() { vec!["used".into()] } else { vec![] };
        let event_ids = vec!["evt_1".into()];
        Difference { key: json!({"id": "a"}), columns, live, rebuilt, event_ids }
    }

    #[test]
    fn a_difference_is_told_with_both_values_and_events() {
        let (one, two) = (json!({"id": "a", "used": 1}), json!({"id": "a", "used": 2}));
        assert_eq!(
            told_row(&difference(Some(one.clone()), Some(two.clone()))),
            "    {\"id\":\"a\"}\n      used is 1 and should be 2\n      events: evt_1\n"
        );
        assert!(told_row(&difference(Some(one), None)).contains("should not be there: {\"id\""));
        assert!(told_row(&difference(None, Some(two))).contains("is missing: {\"id\""));
    }

    #[test]
    fn a_report_has_a_line_for_each_table_and_counts_what_it_does_not_list() {
        let digest = |digest: &str| Some(Digest { rows: 3, digest: digest.into() });
        let table = TableReport {
            table: "t".into(),
            live: digest("1"),
            rebuilt: digest("1"),
            shape: Vec::new(),
            differences: Vec::new(),
            more: 0,
            same_meaning: 0,
        };
        let differing = TableReport {
            table: "u".into(),
            live: digest("2"),
            differences: vec![difference(None, Some(json!({})))],
            more: 1,
            ..table.clone()
        };
        let report = Report {
            tenant: Tenant::try_new("default").unwrap(),
            position: 9,
            equal: false,
            attempts: 1,
            read_models: vec![ModelReport {
                read_model: ReadModel::Usage,
                tables: vec![table, differing.clone()],
            }],
            counters: Some(CountersReport { position: 9, table: differing, unread: 2 }),
            parked: Vec::new(),
        };
        let told = told(&report);
        let lines: Vec<_> = told.lines().map(str::trim).collect();
        assert_eq!(lines[0], "default at position 9");
        assert!(lines[1].starts_with("usage.t ") && lines[1].ends_with("equal, 3 rows"), "{told}");
        assert!(lines[2].ends_with("DIFFERS in 2 of 3 rows"), "{told}");
        let [.., more, unread] = &lines[..] else { panic!("{told}") };
        assert_eq!(*more, "and 1 more");
        assert_eq!(*unread, "2 not compared: their events can't be read");
    }

    #[test]
    fn an_unknown_read_model_is_refused_with_the_known_ones() {
        assert_eq!(parse_model("usage"), Ok(ReadModel::Usage));
        assert!(parse_model("user").unwrap_err().contains("subscriptions, grants, catalog, usage"));
    }
}
