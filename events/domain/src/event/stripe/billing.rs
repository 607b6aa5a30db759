//! Invoices, and which payments paid them.

use serde::{Deserialize, Serialize};

use super::{KeptMetadata, Listed};
use crate::event::{Code, is_false};
use crate::id::StripeId;
use crate::money::Currency;

/// An invoice. See <https://docs.stripe.com/api/invoices/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invoice {
    /// Minor units to pay in all.
    #[serde(default)]
    pub amount_due: i64,
    /// Minor units paid so far.
    #[serde(default)]
    pub amount_paid: i64,
    /// Minor units still to pay.
    #[serde(default)]
    pub amount_remaining: i64,
    /// How often its payment was tried.
    #[serde(default)]
    pub attempt_count: i64,
    /// `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_reason: Option<Code>,
    /// `charge_automatically` or `send_invoice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_method: Option<Code>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    pub currency: Currency,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// By when it is to be paid, where it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<i64>,
    /// Its id; the preview of an upcoming invoice has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StripeId>,
    /// What is billed.
    #[serde(default)]
    pub lines: Listed<InvoiceLine>,
    /// The kept keys of its metadata.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub metadata: KeptMetadata,
    /// When its payment is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payment_attempt: Option<i64>,
    /// What pays it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<PaidBy>,
    /// The end of the time in which its items were added; not the period of the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<i64>,
    /// The start of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<i64>,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Code>,
    /// When it came to be what it is.
    #[serde(default, skip_serializing_if = "StatusTransitions::is_empty")]
    pub status_transitions: StatusTransitions,
    /// The subscription it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<StripeId>,
    /// The kept keys of the subscription's metadata when the invoice was finalised.
    #[serde(default, skip_serializing_if = "KeptMetadata::is_empty")]
    pub subscription_metadata: KeptMetadata,
    /// Minor units before discounts and tax.
    #[serde(default)]
    pub subtotal: i64,
    /// Minor units of tax, where the webhook tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<i64>,
    /// The test clock whose time it lives by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<StripeId>,
    /// Minor units after discounts and tax.
    #[serde(default)]
    pub total: i64,
}

/// When an invoice came to be what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusTransitions {
    /// When it was made final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized_at: Option<i64>,
    /// When it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked_uncollectible_at: Option<i64>,
    /// When it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<i64>,
    /// When it was voided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided_at: Option<i64>,
}

impl StatusTransitions {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvoiceLine {
    /// Minor units; negative for a credit.
    pub amount: i64,
    /// The line's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StripeId>,
    /// The end of what it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<i64>,
    /// The start of what it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<i64>,
    /// The price's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<StripeId>,
    /// The product's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<StripeId>,
    /// Whether it settles a change within a period.
    #[serde(default, skip_serializing_if = "is_false")]
    pub proration: bool,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// The subscription it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<StripeId>,
    /// The item of the subscription it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_item: Option<StripeId>,
}

/// What pays an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaidBy {
    /// Minor units, where the webhook tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_paid: Option<i64>,
    /// The charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<StripeId>,
    /// The payment intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// `open`, `paid` or `canceled`, where the webhook tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Code>,
}

/// Which payment paid which invoice. See <https://docs.stripe.com/api/invoice-payment/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvoicePayment {
    /// Minor units paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_paid: Option<i64>,
    /// Minor units asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_requested: Option<i64>,
    /// The charge that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<StripeId>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// What its amounts count in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its id.
    pub id: StripeId,
    /// The invoice that was paid.
    pub invoice: StripeId,
    /// The payment intent that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// `open`, `paid` or `canceled`.
    pub status: Code,
}

/// Which of Stripe's own entitlements a customer has.
/// See <https://docs.stripe.com/api/entitlements/active-entitlement>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EntitlementSummary {
    /// Who has them.
    pub customer: StripeId,
    /// The look-up keys of the features.
    pub lookup_keys: Listed<Code>,
}
