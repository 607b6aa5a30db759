//! Deliveries as Stripe doesn't promise not to make them: late, out of order, twice, not at all.
//!
//! [`disturb`] turns events into such deliveries. It's pure: the same events, plan and seed give
//! the same deliveries. To add a disturbance, give [`Plan`] a field whose default does nothing, and
//! a step in `disturb`.

mod chance;
mod steps;

use serde::{Deserialize, Serialize};

use self::chance::Chance;
use crate::world::Event;

/// What is to go wrong, and how often. By default nothing does. Rates are percentages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// A delivery comes up to so many seconds late; by itself it changes the order too, where the
    /// receiver of [`Delivery::after_seconds`] waits.
    pub delay_seconds_max: u32,
    /// How far deliveries get out of order.
    pub reorder: Reorder,
    /// How many are delivered a second time, at a random later place.
    pub duplicate_percent: u8,
    /// How many are lost at the first attempt.
    pub drop_percent: u8,
    /// How many of those lost come later after all.
    pub resend_percent: u8,
    /// For how many changes there's a second event object with an id of its own.
    pub two_objects_percent: u8,
    /// Events that were created within so many seconds of a burst's first get its time.
    pub same_second: u32,
    /// Times within so many seconds of a burst's first become seconds that follow each other
    /// closely.
    pub neighbouring_seconds: u32,
    /// For how many objects the event of their creation comes after the one that follows it.
    pub created_updated_swapped_percent: u8,
    /// Deliveries are rendered in one of these versions by chance, if there are any.
    pub api_versions: Vec<String>,
}

impl Plan {
    /// Whether it may give events another time.
    #[must_use]
    pub const fn changes_time(&self) -> bool {
        self.same_second > 0 || self.neighbouring_seconds > 0
    }
}

/// How far deliveries get out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reorder {
    /// Not at all.
    #[default]
    None,
    /// None is more than so many places from its own.
    Window(u32),
    /// Any order.
    Any,
}

/// One delivery of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Which of the events it is, or is a copy of.
    pub index: usize,
    /// The event as delivered: a second object has another id, a collapsed one another time.
    pub event: Event,
    /// Which attempt arrives: 2 when the first was lost.
    pub attempt: u32,
    /// How late it is.
    pub after_seconds: u32,
    /// The version to render it in, if the plan names some.
    pub api_version: Option<String>,
}

/// The deliveries of events in the order in which they are made.
#[must_use]
pub fn disturb(events: &[Event], plan: &Plan, seed: u64) -> Vec<Delivery> {
    let mut chance = Chance::new(seed);
    let mut deliveries = steps::undisturbed(events);
    steps::collapse_seconds(&mut deliveries, plan.same_second);
    steps::gather_seconds(&mut deliveries, plan.neighbouring_seconds);
    steps::second_objects(&mut deliveries, plan.two_objects_percent, &mut chance);
    steps::reorder(&mut deliveries, plan.reorder, &mut chance);
    steps::swap_creations(&mut deliveries, plan.created_updated_swapped_percent, &mut chance);
    steps::lose(&mut deliveries, plan.drop_percent, plan.resend_percent, &mut chance);
    steps::duplicate(&mut deliveries, plan.duplicate_percent, &mut chance);
    steps::delay(&mut deliveries, plan.delay_seconds_max, &mut chance);
    steps::mix_versions(&mut deliveries, &plan.api_versions, &mut chance);
    deliveries
}

#[cfg(test)]
mod tests;
