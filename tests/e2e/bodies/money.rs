//! Payment intents, charges, refunds and disputes.

use serde_json::{Value, json};

use super::invoice::Invoice;
use super::version::Version;

/// A charge, and with it the payment intent that made it.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) intent: String,
    pub(crate) customer: String,
    pub(crate) invoice: String,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) refunded: i64,
    pub(crate) disputed: bool,
    /// Whether the bank declined it.
    pub(crate) declined: bool,
}

/// A dispute about a charge.
#[derive(Debug, Clone)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) charge: Charge,
    pub(crate) status: &'static str,
    pub(crate) created: i64,
}

impl Charge {
    /// What pays an invoice.
    pub(crate) fn of(invoice: &Invoice, intent: &str, created: i64) -> Self {
        Self {
            intent: intent.to_owned(),
            customer: invoice.of.customer.clone(),
            invoice: invoice.id.clone(),
            amount: invoice.amount,
            created,
            refunded: 0,
            disputed: false,
            declined: false,
        }
    }

    /// The charge's own id.
    pub(crate) fn id(&self) -> String {
        self.intent.replacen("pi_", "ch_", 1)
    }

    /// `/api/payment_intents/object`
    pub(crate) fn intent_json(&self, version: Version) -> Value {
        let error = self.declined.then(|| {
            json!({
                "code": "card_declined", "decline_code": "insufficient_funds",
                "message": "Jenny's card has insufficient funds.", "type": "card_error",
            })
        });
        let received = if self.declined { 0 } else { self.amount };
        let mut json = json!({
            "id": self.intent,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_received": received,
            "canceled_at": null,
            "client_secret": format!("{}_secret_a1b2", self.intent),
            "created": self.created,
            "currency": "usd",
            "customer": self.customer,
            "description": "Subscription creation",
            "last_payment_error": error,
            "latest_charge": self.id(),
            "livemode": false,
            "metadata": {},
            "receipt_email": "jenny.rosen@example.test",
            "status": if self.declined { "requires_payment_method" } else { "succeeded" },
        });
        if !version.is_basil() {
            json["invoice"] = json!(self.invoice);
        }
        json
    }

    /// `/api/charges/object`
    pub(crate) fn json(&self, version: Version) -> Value {
        let mut json = json!({
            "id": self.id(),
            "object": "charge",
            "amount": self.amount,
            "amount_captured": if self.declined { 0 } else { self.amount },
            "amount_refunded": self.refunded,
            "billing_details": {
                "address": { "city": "Berlin", "country": "DE", "line1": "Unter den Linden 1" },
                "email": "jenny.rosen@example.test", "name": "Jenny Rosen", "phone": null,
            },
            "captured": !self.declined,
            "created": self.created,
            "currency": "usd",
            "customer": self.customer,
            "disputed": self.disputed,
            "failure_code": self.declined.then_some("card_declined"),
            "livemode": false,
            "metadata": {},
            "outcome": { "network_status": "approved_by_network", "type": "authorized" },
            "paid": !self.declined,
            "payment_intent": self.intent,
            "payment_method_details": {
                "card": { "brand": "visa", "country": "US", "funding": "credit", "last4": "4242" },
                "type": "card",
            },
            "receipt_url": "https://pay.example.test/receipts/secret",
            "refunded": self.refunded == self.amount,
            "status": if self.declined { "failed" } else { "succeeded" },
        });
        if !version.is_basil() {
            json["invoice"] = json!(self.invoice);
        }
        json
    }

    /// `/api/refunds/object`
    pub(crate) fn refund_json(&self, id: &str, amount: i64, created: i64) -> Value {
        json!({
            "id": id,
            "object": "refund",
            "amount": amount,
            "charge": self.id(),
            "created": created,
            "currency": "usd",
            "metadata": {},
            "payment_intent": self.intent,
            "reason": "requested_by_customer",
            "receipt_number": null,
            "status": "succeeded",
        })
    }
}

impl Dispute {
    /// `/api/disputes/object`
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.charge.amount,
            "charge": self.charge.id(),
            "created": self.created,
            "currency": "usd",
            "evidence": { "customer_name": "Jenny Rosen", "customer_email_address": null },
            "evidence_details": { "due_by": self.created, "has_evidence": false, "past_due": false },
            "is_charge_refundable": false,
            "livemode": false,
            "metadata": {},
            "payment_intent": self.charge.intent,
            "reason": "fraudulent",
            "status": self.status,
        })
    }
}
