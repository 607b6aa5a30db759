//! What was told otherwise than it happened. Whoever asks for an event gets it as it's delivered,
//! and gets the second objects too: at Stripe, both are the same object.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::world::Event;

/// An event's place in the world's list, and after it that of each second object for its change.
pub(crate) type Place = (usize, usize);

/// What the adversary made of events.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// When each event is said to have been created, from when it was first on its way.
    created: HashMap<String, i64>,
    /// Second objects for one change, which the world doesn't know.
    twins: HashMap<String, (Place, Event)>,
    /// Their ids, by the place of the first.
    twins_of: HashMap<usize, Vec<String>>,
    is_altered: bool,
}

impl Told {
    /// Takes note of an event that is on its way. What was said of its time before is said again.
    pub(crate) fn learn(&mut self, index: usize, event: &Event, delivered: &mut Event) {
        if delivered.id == event.id {
            delivered.created = *self.created.entry(event.id.clone()).or_insert(delivered.created);
            self.is_altered |= delivered.created != event.created;
        } else if let Some((_, known)) = self.twins.get(&delivered.id) {
            delivered.created = known.created;
        } else {
            let of = self.twins_of.entry(index).or_default();
            of.push(delivered.id.clone());
            self.twins.insert(delivered.id.clone(), ((index, of.len()), delivered.clone()));
            self.is_altered = true;
        }
    }

    /// Whether anything is told otherwise than it happened.
    pub(crate) fn is_altered(&self) -> bool {
        self.is_altered
    }

    /// An event as it's told.
    pub(crate) fn event<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        match self.created.get(&event.id) {
            Some(&created) if created != event.created => {
                Cow::Owned(Event { created, ..event.clone() })
            }
            _ => Cow::Borrowed(event),
        }
    }

    /// A second object, by its id.
    pub(crate) fn twin(&self, id: &str) -> Option<(Place, &Event)> {
        self.twins.get(id).map(|(place, event)| (*place, event))
    }

    /// The second objects for a change.
    pub(crate) fn twins_of(&self, index: usize) -> impl Iterator<Item = (Place, &Event)> {
        let ids = self.twins_of.get(&index).into_iter().flatten();
        ids.filter_map(|id| self.twin(id))
    }
}
