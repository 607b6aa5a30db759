//! What every engine must keep, as tests. An engine's test binary names how to make an empty log:
//!
//! ```no_run
//! # fn main() {}
//! async fn empty() -> (std::sync::Arc<dyn ledger_log::EventLog>, ()) {
//!     let log = ledger_log::MemoryLog::new(ledger_log::system_clock());
//!     (std::sync::Arc::new(log), ())
//! }
//! ledger_log::contract_tests!(empty());
//! ```
//!
//! The second value is kept until the test ends. To add a rule, write a function here and name it
//! in the macro.

mod append;
mod decide;
mod model;
mod read;

pub use append::*;
pub use decide::*;
pub use model::*;
pub use read::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ledger_domain::id::Tenant;

use crate::port::{EventLog, Recorded};
use crate::seal::Frontier;
use crate::testing::{opening, tenant};

/// The log under test.
pub type Log = Arc<dyn EventLog>;

/// The longest that a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each rule.
#[macro_export]
macro_rules! contract_tests {
    ($make:expr) => {
        $crate::contract_tests!(
            $make,
            a_log_is_opened_once,
            a_log_must_be_opened_first,
            a_key_is_appended_once_by_a_hundred_callers,
            a_key_with_another_content_is_refused,
            a_retry_succeeds_after_others_have_appended,
            expected_revisions_are_exact,
            writers_of_one_stream_lose_no_update,
            an_append_is_all_or_none,
            an_append_may_hold_what_is_known,
            an_append_may_chain_revisions,
            positions_follow_acknowledgements,
            tenants_are_apart,
            what_breaks_a_limit_is_refused,
            a_limit_is_never_overshot,
            a_granted_decision_is_granted_again,
            a_refusal_is_not_remembered,
            usage_is_no_fact,
            a_decision_with_another_content_is_refused,
            a_decision_that_misbehaves_hurts_nobody,
            decisions_see_plain_appends,
            holds_keep_their_quantity_until_settled,
            a_decision_sees_the_hold_that_it_names,
            holds_end_by_themselves,
            usage_counts_in_its_window,
            pages_are_read_in_order,
            pages_are_bounded_in_bytes,
            events_are_read_at_positions,
            streams_are_read_in_order,
            events_are_found_by_key,
            what_lies_beside_is_kept_and_bound,
            the_seal_is_over_what_is_read,
            watchers_are_woken
        );

        #[test]
        fn sequences_of_commands_follow_the_model() {
            let runtime = ::tokio::runtime::Runtime::new().expect("a runtime");
            let (log, _kept) = runtime.block_on($make);
            $crate::contract::follows_the_model(&runtime, &[log]);
        }
    };
    ($make:expr, $($rule:ident),+) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let (log, _kept) = $make.await;
                let rule = $crate::contract::$rule(log);
                ::tokio::time::timeout($crate::contract::PATIENCE, rule).await.expect("in time");
            }
        )+
    };
}

/// An opened log of a tenant that nobody else uses.
pub async fn open(log: &Log) -> Tenant {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let tenant = tenant(&format!("tenant_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    let head = log.open(&tenant, opening()).await.expect("opens");
    assert_eq!(head.position, 1);
    tenant
}

/// The whole log, checked for all that holds of every log.
pub async fn read_all(log: &Log, tenant: &Tenant) -> Vec<Recorded> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.position);
        let page = log.read(tenant, after, 100).await.expect("reads");
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    check(&events);
    events
}

/// Positions and revisions without holes, keys once, time forward.
pub fn check(events: &[Recorded]) {
    let mut keys = std::collections::HashSet::new();
    let mut streams = std::collections::HashMap::new();
    let mut previous: Option<&Recorded> = None;
    for event in events {
        let last = previous.map_or(0, |event| event.position);
        assert_eq!(event.position, last + 1, "a hole after {last}");
        assert!(previous.is_none_or(|p| p.recorded_at <= event.recorded_at), "time runs back");
        assert!(keys.insert(&event.key), "{:?} is there twice", event.key);
        let next = streams.entry(&event.stream).or_insert(0);
        assert_eq!(event.revision, *next, "in {}", event.stream);
        *next += 1;
        previous = Some(event);
    }
}

/// The root over the leaves of these events.
#[must_use]
pub fn root(events: &[Recorded]) -> crate::port::Hash {
    let mut frontier = Frontier::default();
    events.iter().for_each(|event| frontier.append(event.leaf()));
    frontier.root()
}
