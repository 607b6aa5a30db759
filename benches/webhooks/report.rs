//! What was measured, in tables.

use crate::ledger::Measured;
use crate::stats::{Times, median, ms};
use crate::sync_engine::Rates;
use crate::usage::Share;

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
    print_rates(rounds);
    print_times(rounds);
    print_processors(rounds);
    println!();
    let value = |name, value: fn(&Measured) -> f64| {
        if let Some(spread) = of_ledger(rounds, value) {
            println!("{name:34} {:10.0}", spread.median);
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    value("body, bytes on average", |m| m.body_bytes_mean as f64);
    value("steady load, webhooks a second", |m| m.steady_per_second);
    value("service in RAM, MiB, afterwards", |m| m.resident_mib);
    value("service in RAM, MiB, at most", |m| m.resident_mib_max);
}

fn print_rates(rounds: &[Round]) {
    let durable = of_ledger(rounds, |m| m.durable_per_second);
    println!(
        "\n{:34} {:>10} {:>21} {:>15}",
        "webhooks a second", "median", "rounds", "ledger durable"
    );
    let line = |name: &str, rate: Option<Spread>| {
        if let (Some(Spread { least, median, most }), Some(durable)) = (rate, durable) {
            let rounds = format!("{least:.0} - {most:.0}");
            let ratio = durable.median / median;
            println!("{name:34} {median:10.0} {rounds:>21} {ratio:14.2}x");
        }
    };
    line("ledger, durable", durable);
    line("ledger, until visible", of_ledger(rounds, |m| m.visible_per_second));
    let sync = |value: fn(Rates) -> f64| of(rounds, |round| round.sync_engine.map(value));
    line("sync-engine, one at a time", sync(|rates| rates.one_at_a_time));
    line("sync-engine, concurrent", sync(|rates| rates.concurrent));
    line("bare single-row INSERTs", of(rounds, |round| round.inserts.map(|(rate, _)| rate)));
    line("bare HTTP, nothing stored", of(rounds, |round| round.bare.map(|(rate, _)| rate)));
}

fn print_times(rounds: &[Round]) {
    println!("\n{:34} {:>10} {:>10} {:>10}", "milliseconds", "p50", "p99", "max");
    let line = |name, times: fn(&Round) -> Option<Times>| {
        let of = |part: fn(Times) -> f64| of(rounds, |round| times(round).map(part));
        let parts = [of(|t| ms(t.p50)), of(|t| ms(t.p99)), of(|t| ms(t.max))];
        if let [Some(p50), Some(p99), Some(max)] = parts {
            let (p50, p99, max) = (p50.median, p99.median, max.median);
            println!("{name:34} {p50:10.2} {p99:10.2} {max:10.2}");
        }
    };
    line("answer at full speed", |r| Some(r.ledger.as_ref()?.answer));
    line("bare INSERT", |r| Some(r.inserts?.1));
    line("bare HTTP", |r| Some(r.bare?.1));
    line("answer at the steady load", |r| Some(r.ledger.as_ref()?.steady_answer));
    line("acknowledgement to visible", |r| Some(r.ledger.as_ref()?.acknowledged_to_visible));
    line("sending to visible", |r| Some(r.ledger.as_ref()?.sent_to_visible));
}

fn print_processors(rounds: &[Round]) {
    let print = |unit: &str, scale: fn(Share) -> f64| {
        println!(
            "\n{unit:34} {:>10} {:>10} {:>10} {:>10}",
            "service", "PostgreSQL", "generator", "others"
        );
        let line = |name: &str, share: fn(&Measured) -> Share| {
            let part = |part: fn(Share) -> f64| {
                let of_one = |m: &Measured| part(share(m)) * scale(share(m));
                of(rounds, |round| round.ledger.as_ref().map(of_one))
            };
            let parts = [
                part(|s| s.service),
                part(|s| s.postgres),
                part(|s| s.generator),
                part(|s| s.others),
            ];
            if let [Some(service), Some(postgres), Some(generator), Some(others)] = parts {
                let parts = [service, postgres, generator, others].map(|spread| spread.median);
                let [service, postgres, generator, others] = parts;
                println!("{name:34} {service:10.2} {postgres:10.2} {generator:10.2} {others:10.2}");
            }
        };
        line("full speed, until acknowledged", |m| m.share);
        line("full speed, until visible", |m| m.share_until_visible);
        line("steady load", |m| m.steady_share);
    };
    print("processors used", |_| 1.0);
    print("microseconds used for a webhook", |share| share.micros_each);
}

/// The median of the rounds and how far they were apart.
#[derive(Debug, Clone, Copy)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

fn of_ledger(rounds: &[Round], value: fn(&Measured) -> f64) -> Option<Spread> {
    of(rounds, |round| round.ledger.as_ref().map(value))
}

fn of(rounds: &[Round], value: impl Fn(&Round) -> Option<f64>) -> Option<Spread> {
    let values: Vec<f64> = rounds.iter().filter_map(value).collect();
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some(Spread { least, median: median(values), most })
}
