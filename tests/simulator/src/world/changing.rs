//! Objects that are still known as they were when somebody began to change them, until an event
//! tells of the change or the call or the act of time is over. What nobody told of by then isn't
//! among the old values of a later event, just as it isn't at Stripe.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Index;

/// Objects of one kind, by their ids.
#[derive(Debug, Clone)]
pub(super) struct Changing<T> {
    now: BTreeMap<String, T>,
    before: BTreeMap<String, T>,
    /// Those that may have changed, whether something told of it or not.
    changed: BTreeSet<String>,
}

impl<T> Default for Changing<T> {
    fn default() -> Self {
        Self { now: BTreeMap::new(), before: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<T: Clone> Changing<T> {
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.now.get(id)
    }

    /// An object to be changed.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        let object = self.now.get_mut(id)?;
        if !self.before.contains_key(id) {
            self.before.insert(id.to_owned(), object.clone());
            self.changed.insert(id.to_owned());
        }
        Some(object)
    }

    /// Puts an object there, new or changed.
    pub(super) fn insert(&mut self, id: String, object: T) {
        self.changed.insert(id.clone());
        if let Some(before) = self.now.insert(id.clone(), object) {
            self.before.entry(id).or_insert(before);
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.now.values()
    }

    /// What an object was, if it has been changed and nothing told of that yet.
    pub(super) fn before(&self, id: &str) -> Option<&T> {
        self.before.get(id)
    }

    /// Something tells of an object.
    pub(super) fn tell(&mut self, id: &str) {
        self.before.remove(id);
    }

    /// Those that may have changed since this was asked, or they were settled.
    pub(super) fn take_changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// What nobody told of is told no more.
    pub(super) fn settle(&mut self) {
        self.before.clear();
        self.changed.clear();
    }
}

impl<T, Q: AsRef<str> + ?Sized> Index<&Q> for Changing<T> {
    type Output = T;

    fn index(&self, id: &Q) -> &T {
        &self.now[id.as_ref()]
    }
}
