//! The trainers' subscriptions, as Stripe tells of them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "whsec_a_secret_for_one_bench_only";

/// The name of a trainer.
pub(crate) fn trainer(nth: usize) -> String {
    format!("trainer-{nth:07}")
}

/// A signed request that tells of a trainer's subscription, bought a day ago.
pub(crate) fn purchase(nth: usize) -> Result<Vec<u8>> {
    let now = i64::try_from(now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let (began, ends) = (now - 86_400, now + 29 * 86_400);
    let subscription = json!({
        "id": format!("sub_{nth}"), "object": "subscription", "customer": format!("cus_{nth}"),
        "status": "active", "created": began, "start_date": began, "livemode": false,
        "billing_cycle_anchor": began, "cancel_at_period_end": false, "currency": "usd",
        "metadata": { "trainer_id": trainer(nth) },
        "items": { "object": "list", "has_more": false, "data": [{
            "id": format!("si_{nth}"), "object": "subscription_item", "quantity": 1,
            "current_period_start": began, "current_period_end": ends,
            "price": { "id": "price_professional_month", "object": "price", "currency": "usd",
                "unit_amount": 5900, "unit_amount_decimal": "5900", "product": "prod_professional",
                "recurring": {
                    "interval": "month", "interval_count": 1, "usage_type": "licensed",
                } },
        }] },
    });
    let event = json!({
        "id": format!("evt_{nth}"), "object": "event", "api_version": "2025-09-30.clover",
        "created": began, "livemode": false, "type": "customer.subscription.created",
        "data": { "object": subscription },
    });
    let body = event.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(format!("{now}.{body}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!(
        "POST /api/v1/webhooks/stripe HTTP/1.1\r\nhost: ledger\r\n\
         content-type: application/json\r\nstripe-signature: t={now},v1={signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Ok([head.as_bytes(), body.as_bytes()].concat())
}

#[expect(clippy::disallowed_methods, reason = "signatures bear the time of day")]
fn now() -> SystemTime {
    SystemTime::now()
}
