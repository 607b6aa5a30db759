//! The events: what the ledger may say, each with the version of its shape.
//!
//! To add an event: give it a struct in the module of its kind, a line in `events!` below, golden
//! files, one for each form that it can have, and a schema: tests name what is missing. The
//! compiler lists every place that has to know what it means.
//!
//! A payload is canonical JSON: keys sorted, no floats, decimals as text, absent fields left out.
//! Structs list their fields in alphabetical order, so that serde writes them sorted; a test
//! compares every golden file with its sorted form.

mod admin;
mod metadata;
pub mod stripe;
mod tenant;
mod usage;

pub use admin::*;
pub use metadata::*;
pub use tenant::*;
pub use usage::*;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::EventKey;
use crate::time::Timestamp;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($payload:ty) v $version:literal;)*) => {
        /// One thing that happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($payload),)*
        }

        /// Every event type with the current version of its shape.
        pub const TYPES: &[(&str, i32)] = &[$((stringify!($name), $version),)*];

        /// The schema of each type in its current version, as [`crate::schema`] names them.
        #[cfg(feature = "schema")]
        pub(crate) fn schemas() -> Vec<crate::schema::Made> {
            vec![$(crate::schema::Made::of::<$payload>(
                concat!(stringify!($name), ".v", $version),
                stringify!($name),
            ),)*]
        }

        impl Event {
            /// The type's name in the log.
            #[must_use]
            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// The version of the shape that [`Event::to_data`] writes.
            #[must_use]
            pub const fn schema_version(&self) -> i32 {
                match self { $(Self::$name(_) => $version,)* }
            }

            /// The payload as canonical JSON.
            ///
            /// # Panics
            /// Never: payloads have text keys and no floats.
            #[must_use]
            pub fn to_data(&self) -> Vec<u8> {
                match self { $(Self::$name(payload) => canonical(payload),)* }
            }

            /// Reads a payload of the current version; older ones go through
            /// [`crate::codec::decode`].
            pub(crate) fn from_current(
                name: &str,
                data: &[u8],
            ) -> Option<serde_json::Result<Self>> {
                match name {
                    $(stringify!($name) => Some(parse::<$payload>(data).map(Self::$name)),)*
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// The log of a tenant begins.
    LogOpened(LogOpened) v 1;
    /// A catalogue was published.
    CatalogPublished(CatalogPublished) v 1;
    /// How far denials are enforced was changed.
    EnforcementChanged(EnforcementChanged) v 1;
    /// Another content arrived under an event id that is taken.
    IdReuseSeen(IdReuseSeen) v 1;

    /// Stripe told of a subscription.
    SubscriptionReported(stripe::Reported<stripe::Subscription>) v 1;
    /// Stripe told of a subscription schedule.
    ScheduleReported(stripe::Reported<stripe::Schedule>) v 1;
    /// Stripe told of an invoice.
    InvoiceReported(stripe::Reported<stripe::Invoice>) v 1;
    /// Stripe told which payment paid which invoice.
    InvoicePaymentReported(stripe::Reported<stripe::InvoicePayment>) v 1;
    /// Stripe told of a payment intent.
    PaymentIntentReported(stripe::Reported<stripe::PaymentIntent>) v 1;
    /// Stripe told of a charge.
    ChargeReported(stripe::Reported<stripe::Charge>) v 1;
    /// Stripe told of a refund.
    RefundReported(stripe::Reported<stripe::Refund>) v 1;
    /// Stripe told of a dispute.
    DisputeReported(stripe::Reported<stripe::Dispute>) v 1;
    /// Stripe told of a Checkout Session.
    CheckoutSessionReported(stripe::Reported<stripe::CheckoutSession>) v 1;
    /// Stripe told of a customer.
    CustomerReported(stripe::Reported<stripe::Customer>) v 1;
    /// Stripe told of a price.
    PriceReported(stripe::Reported<stripe::Price>) v 1;
    /// Stripe told of a product.
    ProductReported(stripe::Reported<stripe::Product>) v 1;
    /// Stripe told which of its own entitlements a customer has.
    EntitlementSummaryReported(stripe::Reported<stripe::EntitlementSummary>) v 1;
    /// Stripe told of something that the ledger has no use for, or couldn't read.
    StripeEventRecorded(stripe::StripeEventRecorded) v 1;

    /// A trainer was registered by the application.
    TrainerRegistered(TrainerRegistered) v 1;
    /// An administrator said which trainer a Stripe customer is.
    CustomerLinked(CustomerLinked) v 1;
    /// An administrator gave a trainer a tier.
    TierAssigned(TierAssigned) v 1;
    /// An administrator took an assigned or grandfathered tier back.
    TierAssignmentRevoked(TierAssignmentRevoked) v 1;
    /// An administrator let a trainer keep a tier for a while, with soft limits.
    TierGrandfathered(TierGrandfathered) v 1;
    /// An administrator granted, lifted or capped one feature.
    OverrideGranted(OverrideGranted) v 1;
    /// An administrator took an override back.
    OverrideRevoked(OverrideRevoked) v 1;
    /// An administrator locked a trainer out.
    TrainerSuspended(TrainerSuspended) v 1;
    /// An administrator let a suspended trainer in again.
    TrainerReinstated(TrainerReinstated) v 1;

    /// Usage was counted, whatever the limit.
    UsageRecorded(UsageRecorded) v 1;
    /// Usage was allowed and counted in one step.
    UsageConsumed(UsageConsumed) v 1;
    /// Usage was allowed and is held for a while.
    UsageReserved(UsageReserved) v 1;
    /// A hold was used, in whole or in part.
    ReservationCommitted(ReservationCommitted) v 1;
    /// A hold was given back.
    ReservationReleased(ReservationReleased) v 1;
    /// A standing count went down.
    UsageReleased(UsageReleased) v 1;
}

/// Patterns for whole groups of events: a fold names the events that it knows and passes over the
/// other groups. Every event belongs to exactly one group, else a fold doesn't compile.
macro_rules! of_tenant {
    () => {
        $crate::event::Event::LogOpened(_)
            | $crate::event::Event::CatalogPublished(_)
            | $crate::event::Event::EnforcementChanged(_)
            | $crate::event::Event::PriceReported(_)
            | $crate::event::Event::ProductReported(_)
    };
}
macro_rules! of_customer {
    () => {
        $crate::event::Event::CustomerLinked(_)
            | $crate::event::Event::SubscriptionReported(_)
            | $crate::event::Event::ScheduleReported(_)
            | $crate::event::Event::InvoiceReported(_)
            | $crate::event::Event::InvoicePaymentReported(_)
            | $crate::event::Event::PaymentIntentReported(_)
            | $crate::event::Event::ChargeReported(_)
            | $crate::event::Event::RefundReported(_)
            | $crate::event::Event::DisputeReported(_)
            | $crate::event::Event::CheckoutSessionReported(_)
            | $crate::event::Event::CustomerReported(_)
    };
}
macro_rules! of_trainer {
    () => {
        $crate::event::Event::TrainerRegistered(_)
            | $crate::event::Event::TierAssigned(_)
            | $crate::event::Event::TierAssignmentRevoked(_)
            | $crate::event::Event::TierGrandfathered(_)
            | $crate::event::Event::OverrideGranted(_)
            | $crate::event::Event::OverrideRevoked(_)
            | $crate::event::Event::TrainerSuspended(_)
            | $crate::event::Event::TrainerReinstated(_)
    };
}
macro_rules! of_usage {
    () => {
        $crate::event::Event::UsageRecorded(_)
            | $crate::event::Event::UsageConsumed(_)
            | $crate::event::Event::UsageReserved(_)
            | $crate::event::Event::ReservationCommitted(_)
            | $crate::event::Event::ReservationReleased(_)
            | $crate::event::Event::UsageReleased(_)
    };
}
macro_rules! of_nobody {
    () => {
        $crate::event::Event::IdReuseSeen(_)
            | $crate::event::Event::EntitlementSummaryReported(_)
            | $crate::event::Event::StripeEventRecorded(_)
    };
}
pub(crate) use {of_customer, of_nobody, of_tenant, of_trainer, of_usage};

/// An event with what the log says of it: all that the fold may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What makes it unique.
    pub key: EventKey,
    /// Its place in the log.
    pub position: i64,
    /// When it happened in the world.
    pub occurred_at: Timestamp,
    /// When the log accepted it.
    pub recorded_at: Timestamp,
    /// Who, why and from where.
    pub metadata: Metadata,
    /// What happened.
    pub event: Event,
}

/// Writes canonical JSON.
pub(crate) fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("payloads have text keys and no floats")
}

fn parse<T: DeserializeOwned>(data: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(data)
}

/// Leaves a flag out of the JSON where it is not set.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A short machine-readable word from outside (a status, a reason): kept as it came, because new
/// ones appear without notice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Code(Box<str>);

impl Code {
    /// A word.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}
