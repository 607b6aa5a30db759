//! Panics as lines of the log: where each was, and never what was being handled.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

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
