//! Invoices and what pays them.

use serde_json::{Value, json};

use super::subscription::Subscription;
use super::version::Version;

/// What varies of an invoice.
#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) of: Subscription,
    pub(crate) amount: i64,
    pub(crate) status: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) created: i64,
    pub(crate) attempts: i64,
    pub(crate) next_attempt: Option<i64>,
    /// When it was paid.
    pub(crate) paid_at: Option<i64>,
    /// The payment intent; none for an invoice over nothing.
    pub(crate) intent: Option<String>,
}

impl Invoice {
    /// `/api/invoices/object`
    pub(crate) fn json(&self, version: Version) -> Value {
        let mut json = self.common(version);
        let fields = json.as_object_mut().expect("an object");
        let own = match version {
            Version::Of2017 => self.of_2017(),
            _ if version.is_basil() => self.since_basil(),
            _ => self.before_basil(),
        };
        fields.extend(own.as_object().expect("an object").clone());
        json
    }

    /// `/api/invoice-payment/object`
    pub(crate) fn payment_json(&self) -> Value {
        json!({
            "id": self.id.replacen("in_", "inpay_", 1),
            "object": "invoice_payment",
            "amount_paid": self.amount,
            "amount_requested": self.amount,
            "created": self.created,
            "currency": "usd",
            "invoice": self.id,
            "is_default": true,
            "livemode": false,
            "payment": { "payment_intent": self.intent, "type": "payment_intent" },
            "status": "paid",
            "status_transitions": { "canceled_at": null, "paid_at": self.paid_at },
        })
    }

    fn common(&self, version: Version) -> Value {
        let paid = if self.paid_at.is_some() { self.amount } else { 0 };
        json!({
            "id": self.id,
            "object": "invoice",
            "amount_due": self.amount,
            "amount_paid": paid,
            "amount_remaining": self.amount - paid,
            "attempt_count": self.attempts,
            "attempted": self.attempts > 0,
            "billing_reason": self.reason,
            "currency": "usd",
            "customer": self.of.customer,
            "description": null,
            "due_date": null,
            "ending_balance": null,
            "lines": {
                "object": "list",
                "data": [self.line(version)],
                "has_more": false,
                "total_count": 1,
                "url": format!("/v1/invoices/{}/lines", self.id),
            },
            "livemode": false,
            "metadata": {},
            "next_payment_attempt": self.next_attempt,
            "number": "JENNY-0001",
            "period_end": self.of.period.1,
            "period_start": self.of.period.0,
            "receipt_number": "1234-5678",
            "starting_balance": 0,
            "subtotal": self.amount,
            "total": self.amount,
        })
    }

    fn line(&self, version: Version) -> Value {
        let mut line = json!({
            "id": self.id.replacen("in_", "il_", 1),
            "object": "line_item",
            "amount": self.amount,
            "currency": "usd",
            "description": "1 × Plan of Jenny Rosen",
            "discountable": true,
            "livemode": false,
            "metadata": {},
            "period": { "end": self.of.period.1, "start": self.of.period.0 },
            "quantity": 1,
        });
        let own = if version.is_basil() {
            json!({
                "invoice": self.id,
                "parent": {
                    "type": "subscription_item_details",
                    "subscription_item_details": {
                        "subscription": self.of.id, "subscription_item": self.of.item(),
                        "proration": false, "invoice_item": null, "proration_details": null,
                    },
                },
                "pricing": {
                    "type": "price_details",
                    "price_details": {
                        "price": self.of.price.id, "product": self.of.price.product(),
                    },
                    "unit_amount_decimal": self.of.price.amount.to_string(),
                },
            })
        } else {
            let price = version.has_prices().then(|| self.of.price.json());
            json!({
                "plan": self.of.price.plan_json(),
                "price": price,
                "proration": false,
                "subscription": self.of.id,
                "subscription_item": self.of.item(),
                "type": "subscription",
            })
        };
        line.as_object_mut().expect("an object").extend(own.as_object().expect("one").clone());
        line
    }

    /// No status yet but flags, and `date` for when it was made.
    fn of_2017(&self) -> Value {
        json!({
            "billing": "charge_automatically",
            "charge": self.charge(),
            "closed": self.status != "draft",
            "date": self.created,
            "forgiven": false,
            "paid": self.paid_at.is_some(),
            "subscription": self.of.id,
        })
    }

    fn before_basil(&self) -> Value {
        json!({
            "charge": self.charge(),
            "collection_method": "charge_automatically",
            "created": self.created,
            "customer_email": "jenny.rosen@example.test",
            "hosted_invoice_url": "https://invoice.example.test/i/acct_1/secret",
            "paid": self.paid_at.is_some(),
            "payment_intent": self.intent,
            "status": self.status,
            "status_transitions": self.transitions(),
            "subscription": self.of.id,
        })
    }

    fn since_basil(&self) -> Value {
        let trainer = self.of.trainer.as_ref().map(|trainer| json!({ "trainer_id": trainer }));
        json!({
            "collection_method": "charge_automatically",
            "confirmation_secret": null,
            "created": self.created,
            "customer_email": "jenny.rosen@example.test",
            "hosted_invoice_url": "https://invoice.example.test/i/acct_1/secret",
            "parent": {
                "type": "subscription_details",
                "quote_details": null,
                "subscription_details": {
                    "metadata": trainer.unwrap_or_else(|| json!({})),
                    "subscription": self.of.id,
                },
            },
            "status": self.status,
            "status_transitions": self.transitions(),
            "total_taxes": [],
        })
    }

    fn transitions(&self) -> Value {
        let finalized = (self.status != "draft").then_some(self.created);
        json!({
            "finalized_at": finalized, "marked_uncollectible_at": null, "paid_at": self.paid_at,
            "voided_at": null,
        })
    }

    fn charge(&self) -> Option<String> {
        self.intent.as_ref().map(|intent| intent.replacen("pi_", "ch_", 1))
    }
}
