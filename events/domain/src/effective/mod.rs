//! What a trainer may do, and why: the one function from which every answer about access is made.
//!
//! [`effective`] takes what a trainer holds, the catalogue and the clock, and nothing else: asked
//! about the past, about a supposed change or about now, it gives the same answer for the same
//! arguments. No job has to run for time to pass; an expired trial, grace or grant is expired
//! when it is next asked about.
//!
//! The way of an answer: each subscription has a standing of its own (`standing`), and with the
//! acts of administrators it makes the list of what is held (`held`). One of the tiers held is
//! the trainer's tier (`tier`); each feature follows whatever gives it (`features`), but for what
//! administrators did to it (`overrides`), in windows (`windows`) that are cut out of a calendar
//! (`calendar`). `world` puts the parts together. What was used is compared with that by
//! [`check()`].
//!
//! To add a rule: give it a place in one of these files, and a table of its edges in `tests`. Ask
//! nobody but the `clock` whether an instant has come, so that `valid_until` knows; a property
//! test finds out if you forget.

mod add_ons;
mod answer;
mod because;
mod calendar;
mod check;
mod clock;
mod disputes;
mod enforcement;
mod entitlement;
pub mod explain;
mod features;
mod held;
mod overrides;
mod required;
mod standing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tier;
mod windows;
mod world;

pub use answer::{
    Access, Anomaly, Denial, Effective, HeldAddOn, HeldTier, ScheduledTier, Source, status,
};
pub use because::because;
pub use check::{Check, Meter, Warning, check};
pub use disputes::{Disputes, LostDispute};
pub use enforcement::{Outcome, bucket};
pub use entitlement::{Entitlement, Giver};
pub use required::{required_add_on, required_tier};
pub use windows::window_at;
pub use world::effective;

use world::World;

use serde::{Deserialize, Serialize};

use crate::account::{Accounts, GrantView, SubscriptionView, TrainerView};
use crate::catalog::Catalog;
use crate::id::TrainerId;
use crate::time::Timestamp;

/// What one trainer holds, as the facts make it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// What is known of the trainer; none if nobody ever said anything.
    pub trainer: Option<TrainerView>,
    /// Every subscription of the trainer, ended ones too, in any order.
    pub subscriptions: Vec<SubscriptionView>,
    /// Everything that administrators gave, expired and revoked grants too, in any order.
    pub grants: Vec<GrantView>,
    /// The trainer's payment disputes.
    pub disputes: Disputes,
}

impl Holdings {
    /// What a trainer holds by some facts.
    #[must_use]
    pub fn of(accounts: &Accounts, trainer: &TrainerId) -> Self {
        let acts = accounts.trainer(trainer);
        Self {
            trainer: acts.map(|acts| acts.trainer.clone()),
            subscriptions: accounts.subscriptions_of(trainer).cloned().collect(),
            grants: acts.map(|acts| acts.grants.clone()).unwrap_or_default(),
            disputes: accounts.payments_of(trainer).collect(),
        }
    }
}

/// What an answer depends on besides what the trainer holds.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The catalogue in force at `now`.
    pub catalog: &'a Catalog,
    /// When another catalogue comes into force, as far as one is known. An answer isn't valid
    /// for longer.
    pub catalog_until: Option<Timestamp>,
    /// How purchases are paid.
    pub billing: Billing,
    /// The instant that is asked about.
    pub now: Timestamp,
}

/// How purchases are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Billing {
    /// By Stripe, which tells what came of it.
    Stripe,
    /// By hand: nobody will tell that a trial turned into a paid subscription.
    Manual,
}
