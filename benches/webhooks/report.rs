//! What was measured, in tables.

use crate::ledger::Measured;
use crate::stats::{Times, median, ms};
use crate::sync_engine::Rates;

/// Everything that one round measured.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) sync_engine: Option<Rates>,
    pub(crate) inserts: Option<(f64, Times)>,
    pub(crate) bare: Option<(f64, Times)>,
    pub(crate) ledger: Option<Measured>,
}

impl Round {
    /// A round in a line or two, for those who wait.
    pub(crate) fn print(&self) {
        if let Some(Rates { one_at_a_time, concurrent }) = self.sync_engine {
            println!("  sync-engine: {one_at_a_time:.0}/s one at a time, {concurrent:.0}/s");
        }
        if let (Some((inserts, _)), Some((bare, _))) = (self.inserts, self.bare) {
            println!("  bare INSERTs {inserts:.0}/s, bare HTTP {bare:.0}/s");
        }
        if let Some(ledger) = &self.ledger {
            println!(
                "  ledger: durable {:.0}/s (p99 {:.1} ms), visible {:.0}/s; steady: visible {:.1} \
                 ms after the acknowledgement (p99); others used {:.2} and {:.2} processors",
                ledger.durable_per_second,
                ms(ledger.answer.p99),
                ledger.visible_per_second,
                ms(ledger.acknowledged_to_visible.p99),
                ledger.share.others,
                ledger.steady_share.others,
            );
        }
    }
}

/// The medians of all rounds.
pub(crate) fn print(rounds: &[Round]) {
    let ledger = |value: fn(&Measured) -> f64| of(rounds, |round| round.ledger.as_ref().map(value));
    let durable = ledger(|m| m.durable_per_second);
    let table = Table { durable: durable.map_or(0.0, |spread| spread.median) };

    println!("\n{:34} {:>10} {:>21} {:>9}", "webhooks a second", "median", "rounds", "ratio");
    table.rate("ledger, durable", durable);
    table.rate("ledger, until visible", ledger(|m| m.visible_per_second));
    let sync = |value: fn(Rates) -> f64| of(rounds, |round| round.sync_engine.map(value));
    table.rate("sync-engine, one at a time", sync(|rates| rates.one_at_a_time));
    table.rate("sync-engine, concurrent", sync(|rates| rates.concurrent));
    table.rate("bare single-row INSERTs", of(rounds, |r| r.inserts.map(|(rate, _)| rate)));
    table.rate("bare HTTP, nothing stored", of(rounds, |r| r.bare.map(|(rate, _)| rate)));

    println!("\n{:34} {:>10} {:>10} {:>10}", "milliseconds (medians)", "p50", "p99", "max");
    let times = |name, value: fn(&Round) -> Option<Times>| {
        let of = |part: fn(Times) -> f64| of(rounds, |round| value(round).map(part));
        let parts = [of(|t| ms(t.p50)), of(|t| ms(t.p99)), of(|t| ms(t.max))];
        if let [Some(p50), Some(p99), Some(max)] = parts {
            let (p50, p99, max) = (p50.median, p99.median, max.median);
            println!("{name:34} {p50:10.2} {p99:10.2} {max:10.2}");
        }
    };
    times("answer at full speed", |r| Some(r.ledger.as_ref()?.answer));
    times("bare INSERT", |r| Some(r.inserts?.1));
    times("bare HTTP", |r| Some(r.bare?.1));
    times("answer at the steady load", |r| Some(r.ledger.as_ref()?.steady_answer));
    times("acknowledgement to visible", |r| Some(r.ledger.as_ref()?.acknowledged_to_visible));
    times("sending to visible", |r| Some(r.ledger.as_ref()?.sent_to_visible));

    println!(
        "\n{:34} {:>10} {:>10} {:>10} {:>8}",
        "processors used", "service", "PostgreSQL", "generator", "others"
    );
    let share = |name, part: fn(&Measured) -> crate::usage::Share| {
        let of = |value: fn(crate::usage::Share) -> f64| {
            of(rounds, |round| round.ledger.as_ref().map(|m| value(part(m))))
        };
        let parts = [of(|s| s.service), of(|s| s.postgres), of(|s| s.generator), of(|s| s.others)];
        if let [Some(service), Some(postgres), Some(generator), Some(others)] = parts {
            println!(
                "{name:34} {:10.2} {:10.2} {:10.2} {:8.2}",
                service.median, postgres.median, generator.median, others.median
            );
        }
    };
    share("full speed, until acknowledged", |m| m.share);
    share("full speed, until visible", |m| m.share_until_visible);
    share("steady load", |m| m.steady_share);

    println!();
    let value = |name, value: fn(&Measured) -> f64| {
        if let Some(spread) = ledger(value) {
            println!("{name:34} {:10.0}", spread.median);
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    value("body, bytes on average", |m| m.body_bytes_mean as f64);
    value("steady load, webhooks a second", |m| m.steady_per_second);
    value("service in RAM, MiB, afterwards", |m| m.resident_mib);
    value("service in RAM, MiB, at most", |m| m.resident_mib_max);
}

/// The median of the rounds and how far they were apart.
#[derive(Debug, Clone, Copy)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

fn of(rounds: &[Round], value: impl Fn(&Round) -> Option<f64>) -> Option<Spread> {
    let values: Vec<f64> = rounds.iter().filter_map(value).collect();
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some(Spread { least, median: median(values), most })
}

struct Table {
    /// What every rate is compared with.
    durable: f64,
}

impl Table {
    fn rate(&self, name: &str, spread: Option<Spread>) {
        if let Some(Spread { least, median, most }) = spread {
            let rounds = format!("{least:.0} - {most:.0}");
            let ratio = self.durable / median;
            println!("{name:34} {median:10.0} {rounds:>21} {ratio:8.2}x");
        }
    }
}
