//! What a panic costs: the event or the unit that it is about, where that is known, and else the
//! session. The next one begins from what the database holds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt as _;

use super::trouble::Trouble;

/// Does something that promises to be total; where it breaks the promise, tells the reason. What
/// it was changing must not be used afterwards.
pub(super) fn caught<T>(what: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|panic| Err(format!("{what} panicked: {}", message(&*panic))))
}

/// The same of what a session consists of: a panic is a trouble like others, and counted. It has a
/// place of its own, since it is large and would be moved about on the stack.
pub(super) fn survived<T>(
    work: impl Future<Output = Result<T, Trouble>>,
) -> impl Future<Output = Result<T, Trouble>> {
    AssertUnwindSafe(Box::pin(work)).catch_unwind().map(|done| {
        done.unwrap_or_else(|panic| {
            metrics::counter!("ledger_projection_panics_total").increment(1);
            Err(Trouble::Panicked(message(&*panic)))
        })
    })
}

/// What it says, if that was written down beforehand: a text that was put together may quote what
/// was being handled. Where it was is in the log, by the hook that tells panics.
fn message(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(a text that may hold data)")
}
