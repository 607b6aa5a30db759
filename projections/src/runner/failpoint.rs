//! Places where a test may make the runner panic. Without the feature `failpoints` nothing is done
//! there.

use ledger_domain::id::EventKey;

/// Where a runner is.
#[derive(Debug, Clone, Copy)]
pub enum Point<'a> {
    /// An event is about to be decoded.
    Decode(&'a EventKey),
    /// It is to be found out whose an event is.
    Route(&'a EventKey),
    /// A unit's rows are to be made.
    Rows(&'a str),
    /// A page is written and not committed, by the runner of this owner.
    Commit(&'a str),
}

/// What a test does there, in every runner of the process.
#[cfg(feature = "failpoints")]
pub static HOOK: std::sync::OnceLock<fn(Point<'_>)> = std::sync::OnceLock::new();

#[cfg(feature = "failpoints")]
pub(super) fn reach(point: Point<'_>) {
    if let Some(hook) = HOOK.get() {
        hook(point);
    }
}

#[cfg(not(feature = "failpoints"))]
pub(super) const fn reach(_point: Point<'_>) {}
