//! Payment intents, charges, refunds and disputes.

use ledger_domain::event::Code;
use ledger_domain::event::stripe::{Charge, Dispute, Failure, PaymentIntent, Refund};

use super::read::{
    Missing, View, at, code, currency, flag, id_of, int, link, metadata, need, need_int,
};

/// `/api/payment_intents/object`
pub(super) fn intent(node: View<'_>, _cause: &str) -> Result<PaymentIntent, Missing> {
    // A list of charges until 2022-11-15, the latest first.
    let charges = at(node, &["charges", "data"]).unwrap_or(View::NONE).elements();
    let latest = || charges.take(1).find_map(id_of);
    Ok(PaymentIntent {
        amount: need_int(node, "amount")?,
        amount_received: int(node, "amount_received")?.unwrap_or_default(),
        canceled_at: int(node, "canceled_at")?,
        created: int(node, "created")?,
        currency: need(currency(node, "currency"), "currency")?,
        customer: link(node, "customer"),
        failure: node.get("last_payment_error").and_then(|error| {
            let failure =
                Failure { code: code(error, "code"), decline_code: code(error, "decline_code") };
            (failure.code.is_some() || failure.decline_code.is_some()).then_some(failure)
        }),
        id: need(id_of(node), "id")?,
        invoice: link(node, "invoice"),
        latest_charge: link(node, "latest_charge").or_else(latest),
        metadata: metadata(node, "metadata"),
        status: intent_status(need(code(node, "status"), "status")?),
    })
}

/// Two statuses had other names until 2019-02-11 (`/changelog/2019-02-11`).
fn intent_status(status: Code) -> Code {
    match status.as_str() {
        "requires_source" => Code::new("requires_payment_method"),
        "requires_source_action" => Code::new("requires_action"),
        _ => status,
    }
}

/// `/api/charges/object`
pub(super) fn charge(node: View<'_>, _cause: &str) -> Result<Charge, Missing> {
    Ok(Charge {
        amount: need_int(node, "amount")?,
        amount_refunded: int(node, "amount_refunded")?.unwrap_or_default(),
        created: int(node, "created")?,
        currency: need(currency(node, "currency"), "currency")?,
        customer: link(node, "customer"),
        // A link to the dispute instead, before there was a flag.
        disputed: flag(node, "disputed").unwrap_or_else(|| link(node, "dispute").is_some()),
        failure: charge_failure(node),
        id: need(id_of(node), "id")?,
        invoice: link(node, "invoice"),
        metadata: metadata(node, "metadata"),
        payment_intent: link(node, "payment_intent"),
        refunded: flag(node, "refunded").unwrap_or_default(),
        status: code(node, "status"),
    })
}

/// A charge tells the issuer's reason in its outcome (`/declines`); there it may also stand for a
/// decision of Stripe's own, which is no decline code.
fn charge_failure(node: View<'_>) -> Option<Failure> {
    let outcome = node.get("outcome").unwrap_or(View::NONE);
    let by_issuer = code(outcome, "type").is_some_and(|by| by == "issuer_declined");
    let decline_code = code(outcome, "reason").filter(|_| by_issuer);
    Some(Failure { code: Some(code(node, "failure_code")?), decline_code })
}

/// `/api/refunds/object`
pub(super) fn refund(node: View<'_>, _cause: &str) -> Result<Refund, Missing> {
    Ok(Refund {
        amount: need_int(node, "amount")?,
        charge: link(node, "charge"),
        created: int(node, "created")?,
        currency: need(currency(node, "currency"), "currency")?,
        customer: link(node, "customer"),
        failure_reason: code(node, "failure_reason"),
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        payment_intent: link(node, "payment_intent"),
        reason: code(node, "reason"),
        status: code(node, "status"),
    })
}

/// `/api/disputes/object`
pub(super) fn dispute(node: View<'_>, _cause: &str) -> Result<Dispute, Missing> {
    Ok(Dispute {
        amount: need_int(node, "amount")?,
        charge: link(node, "charge"),
        created: int(node, "created")?,
        currency: need(currency(node, "currency"), "currency")?,
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        payment_intent: link(node, "payment_intent"),
        reason: code(node, "reason"),
        status: need(code(node, "status"), "status")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_of_an_intents_statuses_are_read_as_the_new_ones() {
        for (told, read) in [
            ("requires_source", "requires_payment_method"),
            ("requires_source_action", "requires_action"),
            ("requires_payment_method", "requires_payment_method"),
            ("succeeded", "succeeded"),
        ] {
            assert_eq!(intent_status(Code::new(told)), *read, "{told}");
        }
    }
}
