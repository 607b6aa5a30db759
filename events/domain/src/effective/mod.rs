//! What a trainer may do, and why: the one function from which every answer about access is made.
//!
//! [`effective`] takes what a trainer holds, the catalogue and the clock, and nothing else: asked
//! about the past, about a supposed change or about now, it gives the same answer for the same
//! arguments. No job has to run for time to pass; an expired trial, grace or grant is expired
//! when it is next asked about.
//!
//! The way of an answer: each subscription has a standing of its own (`standing`), and with the
//! acts of administrators it makes the list of what is held (`held`). One of the tiers held is
//! the trainer's tier (`tier`); each feature follows whatever gives it (`features`), in windows
//! (`windows`) that are cut out of a calendar (`calendar`). What has been used is compared with
//! that by [`check`].
//!
//! To add a rule: give it a place in one of these files and a table of its edges in `tests`. If it
//! makes time matter, tell the instant to `valid_until`; a property test finds out if you forget.

mod answer;
mod check;
mod entitlement;

pub use answer::{
    Access, Anomaly, Denial, Effective, HeldAddOn, HeldTier, ScheduledTier, Source, status,
};
pub use check::{Check, Meter, Outcome, Warning};
pub use entitlement::{Entitlement, Giver};

use crate::account::{GrantView, SubscriptionView, TrainerView};
use crate::catalog::Catalog;
use crate::id::StripeId;
use crate::time::Timestamp;

/// What one trainer holds, as the facts make it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// The payment disputes of a trainer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disputes {
    /// How many are open.
    pub open: u32,
    /// Those that were lost.
    pub lost: Vec<LostDispute>,
}

/// A payment dispute that was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostDispute {
    /// The subscription whose payment was disputed; none if no fact tells, and then every
    /// subscription that had begun by then is meant.
    pub subscription: Option<StripeId>,
    /// When it was lost.
    pub at: Timestamp,
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
