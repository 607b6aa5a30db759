//! What each metric means. `/metrics` says it beside the figures, docs/metrics.md at more length.
//!
//! To add a metric: a line here, and a row there.

use metrics::Unit::{self, Count, Seconds};
use metrics::{describe_counter, describe_gauge, describe_histogram};

/// How a metric moves.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

/// Every metric: its name, what it counts in, and what it means.
const FAMILIES: &[(Kind, &str, Unit, &str)] = &[
    (Counter, "ledger_checks_total", Count, "Questions about single features, by outcome."),
    (Counter, "ledger_decisions_total", Count, "Usage that was decided about, by outcome."),
    (
        Gauge,
        "ledger_entitlement_cache_bytes",
        Count,
        "About how many bytes the remembered trainers take.",
    ),
    (Gauge, "ledger_entitlement_cache_entries", Count, "Trainers that are remembered."),
    (
        Counter,
        "ledger_entitlement_cache_hits_total",
        Count,
        "Questions about a trainer that were answered from memory.",
    ),
    (
        Counter,
        "ledger_entitlement_cache_misses_total",
        Count,
        "Questions about a trainer that couldn't be answered from memory.",
    ),
    (
        Gauge,
        "ledger_entitlement_feed_age_seconds",
        Seconds,
        "How long ago it was last heard whose answers changed.",
    ),
    (
        Counter,
        "ledger_entitlement_redis_failures_total",
        Count,
        "Calls of Redis that failed, or took too long.",
    ),
    (
        Counter,
        "ledger_entitlement_redis_hits_total",
        Count,
        "Questions about a trainer that were answered from what another node left in Redis.",
    ),
    (Gauge, "ledger_entitlement_redis_in_use", Count, "0 while Redis is left alone, else 1."),
    (
        Counter,
        "ledger_entitlement_redis_misses_total",
        Count,
        "Questions for which Redis had nothing.",
    ),
    (
        Counter,
        "ledger_entitlement_redis_refused_total",
        Count,
        "What was found in Redis and not used, by reason.",
    ),
    (
        Counter,
        "ledger_entitlement_redis_unwritten_total",
        Count,
        "What was to be left in Redis and wasn't.",
    ),
    (
        Counter,
        "ledger_entitlement_usage_queries_total",
        Count,
        "Queries for usage that hadn't come with what else was read of a trainer.",
    ),
    (
        Counter,
        "ledger_http_connections_dismissed_total",
        Count,
        "Connections closed to make room for another one while they waited for their clients.",
    ),
    (Histogram, "ledger_http_request_seconds", Seconds, "How long answers of the API took."),
    (Counter, "ledger_http_requests_total", Count, "Answers of the API, by route and status."),
    (Counter, "ledger_jwks_failures_total", Count, "Failures to fetch the public keys of tokens."),
    (Counter, "ledger_jwks_fetches_total", Count, "Times that those keys were to be fetched."),
    (
        Gauge,
        "ledger_log_ahead_of_clock_seconds",
        Seconds,
        "How far the last event's recorded_at lies in the future.",
    ),
    (Histogram, "ledger_log_append_seconds", Seconds, "How long batches of appends took."),
    (Gauge, "ledger_log_appending", Count, "0 while nothing can be appended, else 1."),
    (Histogram, "ledger_log_batch_events", Count, "Events in a batch of appends."),
    (Counter, "ledger_log_conflicts_total", Count, "Appends that expected another revision."),
    (Counter, "ledger_log_duplicates_total", Count, "Events that the log had already."),
    (
        Counter,
        "ledger_log_guard_failures_total",
        Count,
        "Batches given up because another process had written.",
    ),
    (Counter, "ledger_log_outages_total", Count, "Times that the database was lost."),
    (
        Counter,
        "ledger_log_panics_total",
        Count,
        "Batches that a mistake of the ledger's broke off.",
    ),
    (Counter, "ledger_projection_events_total", Count, "Events folded into read models."),
    (Gauge, "ledger_projection_halted", Count, "1 while a tenant's read models stand still."),
    (Gauge, "ledger_projection_lag_events", Count, "Events that the read models lack."),
    (
        Gauge,
        "ledger_projection_lag_seconds",
        Seconds,
        "How long ago the log accepted the first event that the read models lack.",
    ),
    (Histogram, "ledger_projection_page_seconds", Seconds, "How long pages took to be folded."),
    (Counter, "ledger_projection_pages_total", Count, "Transactions that folded events."),
    (
        Counter,
        "ledger_projection_panics_total",
        Count,
        "Times that a mistake of the ledger's broke off a projection.",
    ),
    (
        Counter,
        "ledger_projection_parked_total",
        Count,
        "Times that a customer or trainer was parked anew.",
    ),
    (
        Gauge,
        "ledger_projection_parked_units",
        Count,
        "Customers and trainers whose events can't be folded.",
    ),
    (Gauge, "ledger_projection_position", Count, "The position that the read models are at."),
    (
        Counter,
        "ledger_projection_restored_total",
        Count,
        "Customers and trainers whose state was read from the tables.",
    ),
    (Histogram, "ledger_webhook_seconds", Seconds, "From the head of a webhook to its answer."),
    (Counter, "ledger_webhooks_appended_total", Count, "Webhooks put into the log."),
    (
        Counter,
        "ledger_webhooks_dead_letters_total",
        Count,
        "Webhooks of a known type that could not be read.",
    ),
    (Counter, "ledger_webhooks_duplicates_total", Count, "Webhooks that the log had already."),
    (
        Counter,
        "ledger_webhooks_id_reuses_total",
        Count,
        "Webhooks under an id that was taken by another content.",
    ),
    (Counter, "ledger_webhooks_received_total", Count, "Webhooks that arrived."),
    (Counter, "ledger_webhooks_rejected_total", Count, "Webhooks not taken in, by reason."),
    (
        Counter,
        "ledger_webhooks_unavailable_total",
        Count,
        "Webhooks answered 503, so that Stripe tries again.",
    ),
    (Counter, "ledger_webhooks_verified_total", Count, "Webhooks with a good signature."),
];

/// Tells the recorder of this process what each metric means.
pub(super) fn describe() {
    for &(kind, name, unit, meaning) in FAMILIES {
        match kind {
            Counter => describe_counter!(name, unit, meaning),
            Gauge => describe_gauge!(name, unit, meaning),
            Histogram => describe_histogram!(name, unit, meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_has_the_same_metrics() {
        let documented: BTreeSet<&str> = include_str!("../../docs/metrics.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name)
            .collect();
        let described: BTreeSet<&str> = FAMILIES.iter().map(|(_, name, ..)| *name).collect();
        assert_eq!(documented, described);
        assert_eq!(described.len(), FAMILIES.len(), "each once");
    }
}
