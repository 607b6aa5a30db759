//! What is counted and timed. docs/metrics.md explains every name.

mod families;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ledger_domain::effective::Denial;
use metrics::{Counter, Histogram, counter, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::ingest::Rejected;
use crate::reads::Refusal;

/// Upper bounds of the buckets of every `_seconds` histogram.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Upper bounds of the buckets of every histogram that counts events.
const EVENTS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// How often what was recorded is folded into buckets; until then it takes memory.
pub(crate) const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The meters that are touched at every request, each looked up once: finding one by its name and
/// labels takes longer than to count.
pub(crate) struct Meters {
    pub(crate) received: Counter,
    pub(crate) verified: Counter,
    pub(crate) appended: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) id_reuses: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) seconds: Histogram,
    checks: Outcomes,
    decisions: Outcomes,
    /// By the path of the API.
    routes: RwLock<HashMap<Box<str>, Arc<Answers>>>,
    handle: PrometheusHandle,
}

/// A counter for each outcome of a decision.
type Outcomes = BTreeMap<&'static str, Counter>;

/// The meters of one path.
struct Answers {
    seconds: Histogram,
    by_status: RwLock<BTreeMap<u16, Counter>>,
}

impl Answers {
    fn new(route: &str) -> Self {
        let seconds = histogram!("ledger_http_request_seconds", "route" => route.to_owned());
        Self { seconds, by_status: RwLock::default() }
    }

    fn count(&self, route: &str, status: u16) {
        let known = self.by_status.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(&status) {
            return counter.increment(1);
        }
        drop(known);
        let counter = requests(route, status);
        counter.increment(1);
        self.by_status.write().unwrap_or_else(PoisonError::into_inner).insert(status, counter);
    }
}

fn requests(route: &str, status: u16) -> Counter {
    let labels = [("route", route.to_owned()), ("status", status.to_string())];
    counter!("ledger_http_requests_total", &labels)
}

/// Counters that other parts of the program touch where something happens that is seldom.
const SELDOM: [&str; 21] = [
    "ledger_entitlement_cache_hits_total",
    "ledger_entitlement_cache_misses_total",
    "ledger_entitlement_redis_failures_total",
    "ledger_entitlement_redis_hits_total",
    "ledger_entitlement_redis_misses_total",
    "ledger_entitlement_redis_unwritten_total",
    "ledger_entitlement_usage_queries_total",
    "ledger_http_connections_dismissed_total",
    "ledger_jwks_failures_total",
    "ledger_jwks_fetches_total",
    "ledger_log_conflicts_total",
    "ledger_log_duplicates_total",
    "ledger_log_guard_failures_total",
    "ledger_log_outages_total",
    "ledger_log_panics_total",
    "ledger_projection_events_total",
    "ledger_projection_pages_total",
    "ledger_projection_panics_total",
    "ledger_projection_parked_total",
    "ledger_projection_restored_total",
    "ledger_webhooks_unavailable_total",
];

/// What came of a question or an act that nothing stands against.
pub(crate) const GRANTED: &str = "granted";
/// What came of one that is let pass, and that full enforcement would deny.
pub(crate) const WOULD_DENY: &str = "would_deny";

/// What a decision comes to: whether it lets pass, and why full enforcement denies it.
pub(crate) const fn outcome(is_allowed: bool, denied_by: Option<&'static str>) -> &'static str {
    match denied_by {
        None => GRANTED,
        Some(_) if is_allowed => WOULD_DENY,
        Some(code) => code,
    }
}

/// The statuses of answers of which one may be one too many.
const STATUSES: [u16; 2] = [500, 503];

impl Meters {
    /// The meters of this process; several services in one process share them.
    ///
    /// Every counter whose labels are known beforehand is there from the start with 0: a counter
    /// that begins with its first event has no rate when it matters most.
    pub(crate) fn new() -> Self {
        let handle = recorder().clone();
        SELDOM.iter().for_each(|name| counter!(*name).increment(0));
        for reason in Rejected::REASONS {
            counter!("ledger_webhooks_rejected_total", "reason" => reason).increment(0);
        }
        for reason in Refusal::ALL.map(Refusal::reason) {
            counter!("ledger_entitlement_redis_refused_total", "reason" => reason).increment(0);
        }
        let outcomes = || [GRANTED, WOULD_DENY].into_iter().chain(Denial::ALL.map(Denial::code));
        let of = |name: &'static str| -> Outcomes {
            outcomes().map(|outcome| (outcome, counter!(name, "outcome" => outcome))).collect()
        };
        let (checks, decisions) = (of("ledger_checks_total"), of("ledger_decisions_total"));
        Self {
            received: counter!("ledger_webhooks_received_total"),
            verified: counter!("ledger_webhooks_verified_total"),
            appended: counter!("ledger_webhooks_appended_total"),
            duplicates: counter!("ledger_webhooks_duplicates_total"),
            dead_letters: counter!("ledger_webhooks_dead_letters_total"),
            id_reuses: counter!("ledger_webhooks_id_reuses_total"),
            unavailable: counter!("ledger_webhooks_unavailable_total"),
            seconds: histogram!("ledger_webhook_seconds"),
            checks,
            decisions,
            routes: RwLock::default(),
            handle,
        }
    }

    /// Counts a webhook that was refused.
    pub(crate) fn rejected(&self, reason: &'static str) {
        counter!("ledger_webhooks_rejected_total", "reason" => reason).increment(1);
    }

    /// Counts an answered request of the API.
    pub(crate) fn answered(&self, route: &str, status: u16, seconds: f64) {
        let answers = self.of_route(route);
        answers.count(route, status);
        answers.seconds.record(seconds);
    }

    fn of_route(&self, route: &str) -> Arc<Answers> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = known.get(route) {
            return Arc::clone(answers);
        }
        drop(known);
        let answers = Arc::new(Answers::new(route));
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(route.into()).or_insert(answers))
    }

    /// Lets a path of the API be counted from now on.
    pub(crate) fn begin(&self, route: &str) {
        STATUSES.iter().for_each(|status| requests(route, *status).increment(0));
    }

    /// Counts a decision about usage that was carried out: [`GRANTED`], [`WOULD_DENY`], or the code
    /// of the denial.
    pub(crate) fn decided(&self, outcome: &'static str) {
        count(&self.decisions, outcome);
    }

    /// Counts a question about a feature, of which nothing remains; outcomes as of decisions.
    pub(crate) fn checked(&self, outcome: &'static str) {
        count(&self.checks, outcome);
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded into buckets.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Every [`outcome`] is there from the start.
fn count(outcomes: &Outcomes, outcome: &str) {
    if let Some(counter) = outcomes.get(outcome) {
        counter.increment(1);
    }
}

fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_events".into()), &EVENTS))
            .expect("the lists of buckets are not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // If the program around us has a recorder of its own, that one gets the numbers.
        let _ = metrics::set_global_recorder(recorder);
        families::describe();
        handle
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_read() {
        let meters = Meters::new();
        // This process's tests share the numbers, so each has outcomes and paths of its own.
        for _ in 0..2 {
            meters.answered("/some/path", 418, 0.003);
            meters.checked("account_suspended");
            meters.decided("trial_expired");
        }
        let text = meters.render();
        for counted in [
            "ledger_http_requests_total{route=\"/some/path\",status=\"418\"} 2",
            "ledger_checks_total{outcome=\"account_suspended\"} 2",
            "ledger_decisions_total{outcome=\"trial_expired\"} 2",
            "ledger_checks_total{outcome=\"trial_expired\"} 0",
            "ledger_http_request_seconds_count{route=\"/some/path\"} 2",
        ] {
            assert!(text.contains(counted), "{counted}: {text}");
        }
        meters.rejected("no_match");
        meters.answered("/api/v1/tiers", 200, 0.003);
        let text = meters.render();
        assert!(text.contains("ledger_webhooks_rejected_total{reason=\"no_match\"}"), "{text}");
        assert!(text.contains("ledger_http_request_seconds_bucket"), "{text}");
        assert!(text.contains("# HELP ledger_webhooks_rejected_total Webhooks not"), "{text}");
    }
}
