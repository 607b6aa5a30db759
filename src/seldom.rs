//! Lines that anybody can cause: one of each kind in a while, with the number of those left out, so
//! that nobody fills the disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a line of a kind silences others of its kind.
const WINDOW: Duration = Duration::from_secs(10);

/// Which lines were written lately. Kinds are constants of the program, so there are few.
#[derive(Debug, Default)]
struct Seldom(Mutex<BTreeMap<&'static str, Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    left_out: u64,
}

impl Seldom {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether a line of a kind is to be written now: then with the number of those that were left
    /// out since the last one.
    fn tell(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get_mut(kind) {
            Some(window) if now.saturating_duration_since(window.began) < WINDOW => {
                window.left_out += 1;
                None
            }
            known => {
                let left_out = known.map_or(0, |window| window.left_out);
                windows.insert(kind, Window { began: now, left_out: 0 });
                Some(left_out)
            }
        }
    }

    /// How many lines of which kinds were left out in windows that are over, and no line told so
    /// since: what comes in one burst would be told by nobody.
    fn left_over(&self, now: Instant) -> Vec<(&'static str, u64)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_over = Vec::new();
        windows.retain(|kind, window| {
            let is_over = now.saturating_duration_since(window.began) >= WINDOW;
            if is_over && window.left_out > 0 {
                left_over.push((*kind, window.left_out));
            }
            !is_over
        });
        left_over
    }
}

/// The lines of the whole program.
static LINES: Seldom = Seldom::new();

/// [`Seldom::tell`], of the program's lines and now.
pub(crate) fn tell(kind: &'static str) -> Option<u64> {
    LINES.tell(kind, Instant::now())
}

/// Tells of the lines that were left out and that no later line will count.
pub(crate) fn tell_left_over() {
    for (kind, left_out) in LINES.left_over(Instant::now()) {
        tracing::warn!(kind, left_out, "lines of one kind were left out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_a_kind_in_a_window_and_the_next_counts_the_others() {
        let (seldom, began) = (Seldom::new(), Instant::now());
        let at = |ms: u64| began + Duration::from_millis(ms);
        assert_eq!(seldom.tell("no_match", at(0)), Some(0));
        for ms in 1..1_000 {
            assert_eq!(seldom.tell("no_match", at(ms)), None);
        }
        assert_eq!(seldom.tell("too_old", at(1_000)), Some(0), "another kind has its own");
        assert_eq!(seldom.tell("no_match", at(9_999)), None);
        assert_eq!(seldom.tell("no_match", at(10_000)), Some(1_000));
        assert_eq!(seldom.tell("no_match", at(19_999)), None);
        assert_eq!(seldom.tell("no_match", at(30_000)), Some(1));
    }

    #[test]
    fn what_a_burst_left_out_is_told_once_its_window_is_over() {
        let (seldom, began) = (Seldom::new(), Instant::now());
        seldom.tell("one", began);
        for _ in 0..3 {
            seldom.tell("two", began);
        }
        assert_eq!(seldom.left_over(began + WINDOW / 2), []);
        assert_eq!(seldom.left_over(began + WINDOW), [("two", 2)]);
        assert_eq!(seldom.left_over(began + WINDOW), []);
        assert_eq!(seldom.tell("two", began + WINDOW), Some(0), "it was told already");
    }
}
