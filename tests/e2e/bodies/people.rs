//! Customers and their way in.

use serde_json::{Value, json};

/// `/api/customers/object`
pub(crate) fn customer(id: &str, created: i64, metadata: &Value) -> Value {
    json!({
        "id": id,
        "object": "customer",
        "address": { "city": "Berlin", "country": "DE", "line1": "Unter den Linden 1" },
        "balance": 0,
        "created": created,
        "currency": "usd",
        "default_source": null,
        "delinquent": false,
        "description": "met at the fair",
        "email": "jenny.rosen@example.test",
        "invoice_prefix": "0759376C",
        "livemode": false,
        "metadata": metadata,
        "name": "Jenny Rosen",
        "phone": "+49 30 1234567",
        "preferred_locales": ["de"],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    })
}

/// What varies of a Checkout Session.
pub(crate) struct Checkout<'a> {
    pub(crate) id: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) subscription: &'a str,
    /// `client_reference_id`.
    pub(crate) trainer: Option<&'a str>,
    pub(crate) created: i64,
    pub(crate) amount: i64,
}

impl Checkout<'_> {
    /// `/api/checkout/sessions/object`, completed.
    pub(crate) fn json(&self) -> Value {
        let payment = if self.amount > 0 { "paid" } else { "no_payment_required" };
        json!({
            "id": self.id,
            "object": "checkout.session",
            "amount_subtotal": self.amount,
            "amount_total": self.amount,
            "cancel_url": "https://app.example.test/back",
            "client_reference_id": self.trainer,
            "created": self.created,
            "currency": "usd",
            "customer": self.customer,
            "customer_details": {
                "email": "jenny.rosen@example.test", "name": "Jenny Rosen", "phone": null,
                "address": { "country": "DE", "postal_code": "10117" },
            },
            "customer_email": null,
            "expires_at": self.created + 86_400,
            "livemode": false,
            "metadata": {},
            "mode": "subscription",
            "payment_status": payment,
            "status": "complete",
            "subscription": self.subscription,
            "success_url": "https://app.example.test/thanks",
            "url": null,
        })
    }
}
