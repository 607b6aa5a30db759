//! Checkout Sessions, customers, and what Stripe itself says they may do.

use ledger_domain::event::Code;
use ledger_domain::event::stripe::{CheckoutSession, Customer, EntitlementSummary, Listed};
use ledger_domain::id::TrainerId;

use super::read::{
    Missing, View, code, currency, flag, id_of, int, link, metadata, need, page, text,
};

/// `/api/checkout/sessions/object`
pub(super) fn session(node: View<'_>, cause: &str) -> Result<CheckoutSession, Missing> {
    // Sessions told no status before 2021; what happened tells it as well.
    let status = || match cause {
        "completed" | "async_payment_succeeded" | "async_payment_failed" => Some("complete"),
        "expired" => Some("expired"),
        _ => None,
    };
    Ok(CheckoutSession {
        amount_total: int(node, "amount_total")?,
        client_reference_id: node
            .get("client_reference_id")
            .and_then(View::as_str)
            .and_then(|id| TrainerId::try_new(id).ok()),
        created: int(node, "created")?,
        currency: currency(node, "currency"),
        customer: link(node, "customer"),
        expires_at: int(node, "expires_at")?,
        id: need(id_of(node), "id")?,
        invoice: link(node, "invoice"),
        metadata: metadata(node, "metadata"),
        mode: code(node, "mode"),
        payment_intent: link(node, "payment_intent"),
        payment_status: code(node, "payment_status"),
        status: code(node, "status").or_else(|| status().map(Code::new)),
        subscription: link(node, "subscription"),
    })
}

/// `/api/customers/object`
pub(super) fn customer(node: View<'_>, cause: &str) -> Result<Customer, Missing> {
    Ok(Customer {
        created: int(node, "created")?,
        currency: currency(node, "currency"),
        // The event of the deletion brings the customer as it was.
        deleted: cause == "deleted" || flag(node, "deleted").unwrap_or_default(),
        delinquent: flag(node, "delinquent").unwrap_or_default(),
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        test_clock: link(node, "test_clock"),
    })
}

/// `/api/entitlements/active-entitlement-summary/object`
pub(super) fn entitlements(node: View<'_>, _cause: &str) -> Result<EntitlementSummary, Missing> {
    let Listed { data, has_more } = page(node, "entitlements", |entitlement| {
        need(text(entitlement, "lookup_key"), "lookup_key").map(|key| Code::new(&key))
    })?;
    Ok(EntitlementSummary {
        customer: need(link(node, "customer"), "customer")?,
        lookup_keys: Listed { data, has_more },
    })
}
