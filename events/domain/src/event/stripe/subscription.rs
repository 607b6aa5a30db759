//! Subscriptions, their schedules, and what they are sold as.

use serde::{Deserialize, Serialize};

use super::KeptMetadata;
use crate::event::{Code, is_false};
use crate::id::StripeId;
use crate::money::Currency;

/// A subscription. See <https://docs.stripe.com/api/subscriptions/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscription {
    /// The instant that its periods are counted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle_anchor: Option<i64>,
    /// `classic` or `flexible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_mode: Option<Code>,
    /// When it is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<i64>,
    /// Whether it is to end with the current period.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel_at_period_end: bool,
    /// When its cancellation was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<i64>,
    /// Why it was cancelled, in Stripe's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    /// `charge_automatically` or `send_invoice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_method: Option<Code>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What it is paid in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// How long an invoice may stay open, where invoices are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_until_due: Option<i64>,
    /// The discounts on it, as far as they were expanded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// Its id.
    pub id: StripeId,
    /// What it consists of.
    pub items: Items,
    /// Its latest invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_invoice: Option<StripeId>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// Set while its invoices are not collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_collection: Option<PauseCollection>,
    /// A change that waits for its payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_update: Option<PendingUpdate>,
    /// The schedule that steers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<StripeId>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<i64>,
    /// One of Stripe's statuses.
    pub status: Code,
    /// The test clock whose time it lives by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<StripeId>,
    /// When its trial ends or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<i64>,
    /// What happens at the trial's end without a payment method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end_behavior: Option<Code>,
    /// When its trial began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_start: Option<i64>,
}

/// Why a subscription was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cancellation {
    /// What the customer chose from Stripe's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Code>,
    /// `cancellation_requested`, `payment_failed`, `payment_disputed`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
}

/// A list as Stripe embeds it: possibly only its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listed<T> {
    /// What was embedded.
    pub data: Vec<T>,
    /// Whether there is more than what was embedded.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_more: bool,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { data: Vec::new(), has_more: false }
    }
}

/// A subscription's items.
pub type Items = Listed<Item>;

/// One item of a subscription. Older API versions keep the period on the subscription; it is
/// copied to each item here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    /// The end of the period that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_period_end: Option<i64>,
    /// The start of the period that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_period_start: Option<i64>,
    /// The item's id; the oldest API versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StripeId>,
    /// What it is sold as.
    pub price: ItemPrice,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
}

/// The price of an item, as far as the item tells. Older API versions call it a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ItemPrice {
    /// What it is paid in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The price's id.
    pub id: StripeId,
    /// `day`, `week`, `month` or `year`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Code>,
    /// How many intervals a period has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_count: Option<i64>,
    /// The product it is a price of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<StripeId>,
    /// Minor units for one; none where the price is tiered or below a minor unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_amount: Option<i64>,
    /// The same as a decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_amount_decimal: Option<Box<str>>,
    /// `licensed` or `metered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_type: Option<Code>,
}

/// A discount, as far as it was expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Discount {
    /// Minor units off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_off: Option<i64>,
    /// The coupon's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<StripeId>,
    /// The currency of `amount_off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// `once`, `repeating` or `forever`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Code>,
    /// How long a repeating one lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_in_months: Option<i64>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// The discount's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StripeId>,
    /// Percent off, as a decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Box<str>>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
}

/// How a subscription's collection is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PauseCollection {
    /// What becomes of its invoices meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<Code>,
    /// When collection goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes_at: Option<i64>,
}

/// A change of a subscription that waits for its payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PendingUpdate {
    /// When it lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The items that it would bring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// The trial's end that it would bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<i64>,
}

/// A subscription schedule. See <https://docs.stripe.com/api/subscription_schedules/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Schedule {
    /// When it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<i64>,
    /// When its last phase ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<i64>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// The phase that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_phase: Option<PhaseBounds>,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// `release` or `cancel`: what happens after the last phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_behavior: Option<Code>,
    /// Its id.
    pub id: StripeId,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// What it does when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// When it let its subscription go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<i64>,
    /// The subscription it let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_subscription: Option<StripeId>,
    /// `not_started`, `active`, `completed`, `released` or `canceled`.
    pub status: Code,
    /// The subscription it steers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<StripeId>,
    /// The test clock whose time it lives by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<StripeId>,
}

/// Where a phase lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PhaseBounds {
    /// Its end.
    pub end_date: i64,
    /// Its start.
    pub start_date: i64,
}

/// One phase of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Phase {
    /// Its end; the last one may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<i64>,
    /// What the subscription consists of in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<PhaseItem>,
    /// Its start.
    pub start_date: i64,
    /// The end of the trial within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<i64>,
}

/// One item of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PhaseItem {
    /// The price's id.
    pub price: StripeId,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
}
