//! Usage that is asked for and counted in one step, decided as the service decides it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ledger_domain::catalog::{Allowance, FeatureKind};
use ledger_domain::effective::{Entitlement, Outcome as Enforced};
use ledger_domain::event::{Event, Metadata, Source};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, StreamName, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_domain::usage::{Tally, Terms, decide_consume};
use ledger_log::postgres::PostgresLog;
use ledger_log::{
    Counter, CounterKey, Decided, Decision, EventLog, Expected, NewEvent, Outcome, UsageChange,
    UsageEntry, Verdict,
};
use uuid::Uuid;

use crate::{Calls, Work};

/// Of how many trainers usage is counted.
const TRAINERS: usize = 5_000;
/// More than a bench counts.
const LIMIT: u64 = 1_000_000_000;

/// Asks and counts, as `POST /api/v1/usage/{feature}/consume` does.
pub(crate) async fn consume(
    log: Arc<PostgresLog>,
    tenant: Tenant,
    work: Work,
    caller: usize,
    ends: Arc<AtomicBool>,
) -> Calls {
    let mut times = Vec::with_capacity(1 << 16);
    let mut trainer = caller;
    while !ends.load(Ordering::Relaxed) {
        // All of them by turns, in an order that has no neighbours.
        trainer = (trainer + 1_237) % TRAINERS;
        let decision = decision(if work == Work::Consume { trainer } else { 0 });
        let began = Instant::now();
        let decided = log.append_decided(&tenant, decision).await.unwrap();
        times.push(began.elapsed());
        assert!(matches!(decided, Decided::Granted(Outcome::Appended { .. }, _)), "{decided:?}");
    }
    (times, 1)
}

fn decision(trainer: usize) -> Decision {
    let terms = terms(trainer);
    #[expect(clippy::disallowed_methods, reason = "ids as a caller without a key gets them")]
    let id = EventId::try_new(&Uuid::now_v7().to_string()).unwrap();
    let key = EventKey::new(Namespace::try_new("api").unwrap(), id);
    let (trainer, feature) = (terms.trainer.clone(), terms.feature.clone());
    Decision {
        key: key.clone(),
        content_hash: [7; 32],
        counter: CounterKey { trainer, feature, window: None },
        hold: None,
        decide: Arc::new(move |counter| {
            let Counter { used, held, hold, facts, now } = *counter;
            match decide_consume(&terms, &Tally { used, held, hold, facts, now }, 1) {
                Ok(event) => Verdict::Append(Box::new(new_event(&key, &terms, &event, now))),
                Err(_) => Verdict::Refuse,
            }
        }),
    }
}

/// What a trainer has of a standing count.
fn terms(trainer: usize) -> Terms {
    Terms {
        trainer: TrainerId::try_new(&format!("t{trainer}")).unwrap(),
        feature: FeatureSlug::try_new("customers").unwrap(),
        entitlement: Some(Entitlement {
            kind: FeatureKind::Limit,
            allowance: Allowance::Capped(LIMIT),
            soft: false,
            giver: None,
            cap: None,
            denial: None,
            window: None,
            warn_percent: 80,
        }),
        outcome: Enforced { mode: "on", enforced: true },
        catalog_position: 1,
        // That of the log's opening, which is its only fact.
        position: 1,
        is_whole: true,
        new_enough: None,
        from: Timestamp::MIN,
        until: None,
    }
}

fn new_event(key: &EventKey, terms: &Terms, event: &Event, now: Timestamp) -> NewEvent {
    let (trainer, feature) = (terms.trainer.clone(), terms.feature.clone());
    let metadata = Metadata { actor: "shop".into(), source: Source::Api, ..Metadata::default() };
    NewEvent {
        key: key.clone(),
        stream: StreamName::try_new(&format!("usage-{trainer}-{feature}")).unwrap(),
        expected: Expected::NoStream,
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        occurred_at: now,
        data: event.to_data(),
        metadata: metadata.to_bytes(),
        content_hash: [7; 32],
        body: None,
        text: None,
        usage: Some(UsageEntry {
            trainer,
            feature,
            occurred_at: now,
            change: UsageChange::Count(1),
        }),
    }
}
