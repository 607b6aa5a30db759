//! Checkout, customers, payments and what becomes of them, prices and products.

use serde::{Deserialize, Serialize};

use super::KeptMetadata;
use crate::event::{Code, is_false};
use crate::id::{StripeId, TrainerId};
use crate::money::Currency;

/// A Checkout Session. See <https://docs.stripe.com/api/checkout/sessions/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckoutSession {
    /// Minor units in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_total: Option<i64>,
    /// Who bought, as the application said when it opened the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference_id: Option<TrainerId>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// When it lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Its id.
    pub id: StripeId,
    /// The invoice it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<StripeId>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// `payment`, `setup` or `subscription`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Code>,
    /// The payment intent it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// `paid`, `unpaid` or `no_payment_required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_status: Option<Code>,
    /// `open`, `complete` or `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Code>,
    /// The subscription it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<StripeId>,
}

/// A customer, without anything personal. See <https://docs.stripe.com/api/customers/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Customer {
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What it pays in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whether it is no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Whether its latest charge failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub delinquent: bool,
    /// Its id.
    pub id: StripeId,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// The test clock whose time it lives by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<StripeId>,
}

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// Stripe's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The card issuer's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<Code>,
}

/// A payment intent. See <https://docs.stripe.com/api/payment_intents/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentIntent {
    /// Minor units asked for.
    pub amount: i64,
    /// Minor units received.
    #[serde(default)]
    pub amount_received: i64,
    /// When it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<i64>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    pub currency: Currency,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Why its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Its id.
    pub id: StripeId,
    /// The invoice it pays; newer API versions say so in the invoice's payment alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<StripeId>,
    /// Its latest charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_charge: Option<StripeId>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// `requires_payment_method`, `requires_action`, `processing`, `succeeded`, `canceled`, ...
    pub status: Code,
}

/// A charge. See <https://docs.stripe.com/api/charges/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Charge {
    /// Minor units.
    pub amount: i64,
    /// Minor units given back so far, in all.
    #[serde(default)]
    pub amount_refunded: i64,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    pub currency: Currency,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Whether it is or was disputed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disputed: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Its id.
    pub id: StripeId,
    /// The invoice it pays; newer API versions don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<StripeId>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// The payment intent it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Whether all of it was given back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refunded: bool,
    /// `succeeded`, `pending` or `failed`; the oldest API versions say `paid` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Code>,
}

/// A refund. See <https://docs.stripe.com/api/refunds/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refund {
    /// Minor units.
    pub amount: i64,
    /// The charge it gives back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<StripeId>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amount counts in.
    pub currency: Currency,
    /// Who gets it; older API versions don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<Code>,
    /// Its id.
    pub id: StripeId,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// The payment intent it gives back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Why it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Code>,
}

/// A dispute. See <https://docs.stripe.com/api/disputes/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dispute {
    /// Minor units.
    pub amount: i64,
    /// The charge that is disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<StripeId>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amount counts in.
    pub currency: Currency,
    /// Its id.
    pub id: StripeId,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// The payment intent that is disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Why it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// `needs_response`, `under_review`, `won`, `lost`, `warning_closed`, ...
    pub status: Code,
}

/// A price. See <https://docs.stripe.com/api/prices/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Price {
    /// Whether it can be bought.
    #[serde(default, skip_serializing_if = "is_false")]
    pub active: bool,
    /// `per_unit` or `tiered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_scheme: Option<Code>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    pub currency: Currency,
    /// Its id.
    pub id: StripeId,
    /// `day`, `week`, `month` or `year`; none for a price paid once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Code>,
    /// How many intervals a period has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_count: Option<i64>,
    /// The key by which programs find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup_key: Option<Box<str>>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// What the business calls it among itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Box<str>>,
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

/// A product. See <https://docs.stripe.com/api/products/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Product {
    /// Whether it can be bought.
    #[serde(default, skip_serializing_if = "is_false")]
    pub active: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// The price that it is sold at by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_price: Option<StripeId>,
    /// Its id.
    pub id: StripeId,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// What customers know it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
}
