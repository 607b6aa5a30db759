//! Which catalogue was in force when.

use std::sync::Arc;

use super::Catalog;

/// A catalogue that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// From when on it is meant to be in force, in microseconds since 1970 UTC.
    pub effective_at: i64,
    /// Where the log holds its publication.
    pub position: i64,
    /// What was published.
    pub catalog: Arc<Catalog>,
}

/// Every catalogue that was published, in whatever order they were learnt.
///
/// The first ever published, that is the one with the lowest position, is in force from the
/// beginning of time. Any other is in force from its own `effective_at` until the next one's; of
/// two with the same instant, the one published later wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogs {
    first: Option<Published>,
    /// All but the first, by instant and then by position.
    later: Vec<Published>,
}

impl Catalogs {
    /// No catalogue at all.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, later: Vec::new() }
    }

    /// Adds a publication. One whose position is known already is the same publication, read
    /// again: it changes nothing.
    pub fn insert(&mut self, effective_at: i64, position: i64, catalog: Arc<Catalog>) {
        if self.iter().any(|known| known.position == position) {
            return;
        }
        let mut later = Published { effective_at, position, catalog };
        match &mut self.first {
            None => {
                self.first = Some(later);
                return;
            }
            Some(first) if position < first.position => std::mem::swap(first, &mut later),
            Some(_) => {}
        }
        let key = (later.effective_at, later.position);
        let index = self.later.partition_point(|x| (x.effective_at, x.position) < key);
        self.later.insert(index, later);
    }

    /// The catalogue in force at an instant; `None` only if none was ever published.
    #[must_use]
    pub fn in_force(&self, at: i64) -> Option<&Arc<Catalog>> {
        self.published_in_force(at).map(|published| &published.catalog)
    }

    /// As [`in_force`](Self::in_force), with where and when it was published.
    #[must_use]
    pub fn published_in_force(&self, at: i64) -> Option<&Published> {
        let begun = self.later.partition_point(|x| x.effective_at <= at);
        self.later[..begun].last().or(self.first.as_ref())
    }

    /// The next instant after `at` from which on another catalogue is in force. What was computed
    /// from the one in force at `at` holds until then.
    #[must_use]
    pub fn next_change_after(&self, at: i64) -> Option<i64> {
        let begun = self.later.partition_point(|x| x.effective_at <= at);
        self.later.get(begun).map(|next| next.effective_at)
    }

    /// All of them: the first ever, then the others by the instant they take effect.
    pub fn iter(&self) -> impl Iterator<Item = &Published> {
        self.first.iter().chain(&self.later)
    }
}
