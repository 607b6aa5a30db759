//! Checkout sessions: their state and its rendering.

mod acts;
mod api;

use serde_json::{Map, Value, json};

use super::subscriptions::{Item, amount_of};
use super::template::filled;

/// A page on which somebody may subscribe.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) expires_at: i64,
    pub(super) status: &'static str,
    pub(super) payment_status: &'static str,
    pub(super) customer: Option<String>,
    /// The customer made of a buyer who is none yet; shown when the session is complete.
    pub(super) buyer: Option<String>,
    pub(super) email: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) metadata: Map<String, Value>,
    /// What the subscription will carry.
    pub(super) carried: Map<String, Value>,
    pub(super) description: Option<String>,
    pub(super) trial: Option<Promised>,
    pub(super) missing_method: &'static str,
    pub(super) flexible: bool,
    /// `always` or `if_required`.
    pub(super) collection: &'static str,
    pub(super) success_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) invoice: Option<String>,
    /// The payment under way, and what it is made with.
    pub(super) intent: Option<String>,
    pub(super) method: Option<String>,
}

/// A trial that somebody gets who subscribes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Promised {
    /// So many days from then on.
    Days(i64),
    /// Until this time.
    Until(i64),
}

impl Promised {
    /// When it ends for who subscribes now.
    fn end(self, now: i64) -> i64 {
        match self {
            Self::Days(days) => now + days * 86_400,
            Self::Until(end) => end,
        }
    }
}

impl Session {
    /// What is to be paid on the page.
    pub(super) fn due(&self) -> i64 {
        match self.trial {
            Some(_) => 0,
            None => self.items.iter().map(amount_of).sum(),
        }
    }

    pub(super) fn render(&self, livemode: bool) -> Value {
        let currency = self.items.first().map(|item| item.price["currency"].clone());
        let email = self.email.as_deref();
        let details = (self.status == "complete" || email.is_some()).then(|| {
            json!({ "address": null, "email": email, "name": null, "phone": null,
                "tax_exempt": "none", "tax_ids": null, "business_name": null,
                "individual_name": null })
        });
        let url = (self.status == "open").then(|| format!("https://checkout.test/c/{}", self.id));
        filled(
            "checkout.session",
            json!({
                "id": self.id,
                "adaptive_pricing": { "enabled": false },
                "amount_subtotal": self.due(),
                "amount_total": self.due(),
                "cancel_url": self.cancel_url,
                "client_reference_id": self.reference,
                "created": self.created,
                "currency": currency,
                "customer": self.customer,
                "customer_creation": "always",
                "customer_details": details,
                "customer_email": self.email,
                "expires_at": self.expires_at,
                "invoice": self.invoice,
                "livemode": livemode,
                "metadata": self.metadata,
                "mode": "subscription",
                "payment_method_collection": self.collection,
                "payment_status": self.payment_status,
                "status": self.status,
                "subscription": self.subscription,
                "success_url": self.success_url,
                "total_details":
                    { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
                "ui_mode": "hosted_page",
                "url": url,
            }),
        )
    }
}
