//! Panics as lines of the log: where each was, and never what was being handled. A task that is
//! done at intervals goes on after its own.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use futures::FutureExt as _;

/// How long a task that has no turns rests after a panic.
pub(crate) const AFTER_PANIC: Duration = Duration::from_secs(5);

/// From now on panics of this process are told as lines of its log.
pub(crate) fn tell() {
    panic::set_hook(Box::new(|info| {
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        let says = message(info.payload());
        // Only where RUST_BACKTRACE asks for it.
        let trace = Backtrace::capture();
        let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
        tracing::error!(at, says, trace, "a panic");
    }));
}

/// Does one turn of a task that has another one at the next tick, whatever happens in this one.
pub(crate) async fn survived(task: &'static str, turn: impl Future<Output = ()>) {
    if AssertUnwindSafe(turn).catch_unwind().await.is_err() {
        tracing::error!(task, "a panic broke off a task, which goes on at its next turn");
    }
}

/// What it says, if that was written down beforehand. A text that was put together may quote what
/// was being handled: of a slice that is out of bounds, it's the text that was to be cut.
fn message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(a text that may hold data)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(panics: impl FnOnce() + panic::UnwindSafe) -> &'static str {
        message(&*panic::catch_unwind(panics).expect_err("it panics"))
    }

    #[tokio::test]
    async fn a_turn_that_panics_is_not_the_last_one() {
        let mut turns = 0;
        for _ in 0..2 {
            survived("test", async {
                turns += 1;
                panic!("a mistake");
            })
            .await;
        }
        assert_eq!(turns, 2);
    }

    #[test]
    fn what_was_handled_is_not_told() {
        let body = "ann@example.test é";
        assert_eq!(message_of(|| panic!("a mistake")), "a mistake");
        for told in [
            message_of(|| panic!("of {body}")),
            message_of(|| assert!(body[..body.len() - 1].is_empty())),
            message_of(|| assert_eq!(body.parse::<i64>().map_err(|_| body).expect("a number"), 0)),
        ] {
            assert_eq!(told, "(a text that may hold data)");
        }
    }
}
