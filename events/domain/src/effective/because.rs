//! Why a feature is denied, in words: the same in a refusal and in an explanation.

use super::standing::{CANCELED, INCOMPLETE_EXPIRED, TRIALING};
use super::{Access, Denial, Effective, Entitlement, HeldAddOn};
use crate::event::Code;

/// Why a feature is denied of which so much is in use: the part of a sentence after its name.
#[must_use]
pub fn because(answer: &Effective, has: &Entitlement, denial: Denial, used: u64) -> String {
    match denial {
        Denial::FeatureNotAvailable if has.cap == Some(0) => {
            "an administrator has capped it at 0".to_owned()
        }
        Denial::FeatureNotAvailable => "nothing that the trainer holds grants it".to_owned(),
        Denial::LimitReached | Denial::QuotaExhausted => {
            format!("{used} of {} are in use", has.limit().unwrap_or_default())
        }
        Denial::SubscriptionInactive => {
            let status = answer.status_of(has).as_str();
            format!("what grants it {} (status {status})", lapse(status))
        }
        Denial::TrialExpired => "it was on trial, and the trial has ended".to_owned(),
        Denial::AccountSuspended => "an administrator has locked the trainer out".to_owned(),
    }
}

/// What is wrong with a subscription in a status in which it can't be used.
fn lapse(status: &str) -> &'static str {
    match status {
        CANCELED | INCOMPLETE_EXPIRED => "has ended",
        "paused" => "is paused",
        "active" | TRIALING => "is locked, since a payment was disputed and lost",
        "past_due" | "unpaid" | "incomplete" => "is not paid for",
        _ => "is locked",
    }
}

impl Effective {
    /// The status of what gives a feature, or would give it: that of an add-on where one does, else
    /// that of the tier.
    #[must_use]
    pub fn status_of(&self, has: &Entitlement) -> &Code {
        self.add_on_of(has).map_or(&self.status, |add_on| &add_on.status)
    }

    /// Whether what gives a feature can be used, or would give it: an add-on where one does, else
    /// the tier.
    #[must_use]
    pub fn access_of(&self, has: &Entitlement) -> Access {
        self.add_on_of(has).map_or(self.access, |add_on| add_on.access)
    }

    fn add_on_of(&self, has: &Entitlement) -> Option<&HeldAddOn> {
        let plan = has.giver.as_ref()?.add_on()?;
        self.add_ons.iter().find(|held| held.slug == *plan)
    }
}
