//! The signals that ask the process to end.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when SIGINT or SIGTERM comes; from this call on, they no longer end the process.
///
/// # Panics
/// When the system refuses to let the process handle signals.
pub(crate) fn stop() -> impl Future<Output = ()> {
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// The signal that asks the process to read its files again (SIGHUP); from this call on, it no
/// longer ends the process.
///
/// # Panics
/// When the system refuses to let the process handle signals.
pub(crate) fn hangup() -> Signal {
    signal(SignalKind::hangup()).expect("SIGHUP can be handled")
}
