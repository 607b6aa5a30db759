//! Invoices and their payments.

use ledger_domain::event::Code;
use ledger_domain::event::stripe::{
    Invoice, InvoiceLine, InvoicePayment, PaidBy, StatusTransitions,
};
use ledger_domain::id::StripeId;

use super::catalogue::item_price_id;
use super::read::{
    Missing, View, at, code, currency, first_int, flag, id_of, int, link, metadata, need, need_int,
    page, sum, within,
};

/// `/api/invoices/object`. What belongs to the subscription stands under `parent` since
/// 2025-03-31.basil.
pub(super) fn invoice(node: View<'_>, cause: &str) -> Result<Invoice, Missing> {
    let id = id_of(node);
    if id.is_none() && cause != "upcoming" {
        return Err(Missing::at("id"));
    }
    let parent = at(node, &["parent", "subscription_details"]);
    let subscription_metadata = parent.filter(|parent| parent.get("metadata").is_some());
    let subscription_metadata = subscription_metadata.or_else(|| node.get("subscription_details"));
    let (amount_due, amount_paid) = (need_int(node, "amount_due")?, need_int(node, "amount_paid")?);
    let amount_remaining =
        int(node, "amount_remaining")?.or_else(|| amount_due.checked_sub(amount_paid));
    Ok(Invoice {
        amount_due,
        amount_paid,
        // Older bodies may lack it.
        amount_remaining: need(amount_remaining, "amount_remaining")?,
        attempt_count: int(node, "attempt_count")?.unwrap_or_default(),
        billing_reason: code(node, "billing_reason"),
        // Called `billing` until 2019-10-17.
        collection_method: code(node, "collection_method").or_else(|| code(node, "billing")),
        // Called `date` until 2019-03-14.
        created: first_int(node, ["created", "date"])?,
        currency: need(currency(node, "currency"), "currency")?,
        customer: link(node, "customer"),
        due_date: int(node, "due_date")?,
        id,
        lines: page(node, "lines", line)?,
        metadata: metadata(node, "metadata"),
        next_payment_attempt: int(node, "next_payment_attempt")?,
        payments: payments(node)?,
        period_end: int(node, "period_end")?,
        period_start: int(node, "period_start")?,
        status: code(node, "status").or_else(|| old_status(node, cause)),
        status_transitions: transitions(node)?,
        subscription: parent
            .and_then(|parent| link(parent, "subscription"))
            .or_else(|| link(node, "subscription")),
        subscription_metadata: subscription_metadata
            .map(|details| metadata(details, "metadata"))
            .unwrap_or_default(),
        subtotal: int(node, "subtotal")?.unwrap_or_default(),
        tax: tax(node)?,
        test_clock: link(node, "test_clock"),
        total: need_int(node, "total")?,
    })
}

/// Until 2018-11-08 an invoice had flags instead of a status; `closed` said that its collection
/// had stopped, not that nothing was owed (`/changelog/2018-11-08`). What was finalised is no
/// draft, also before its payment was tried; that it was voided is told by the event alone.
fn old_status(node: View<'_>, cause: &str) -> Option<Code> {
    let is = |key| flag(node, key).unwrap_or_default();
    let is_finalized = matches!(int(node, "finalized_at"), Ok(Some(_)));
    let status = match flag(node, "paid")? {
        true => "paid",
        false if cause == "voided" => "void",
        false if is("forgiven") => "uncollectible",
        false if is("attempted") || is("closed") || is_finalized => "open",
        false => "draft",
    };
    Some(Code::new(status))
}

/// One tax before there were lists of them.
fn tax(node: View<'_>) -> Result<Option<i64>, Missing> {
    if let Some(tax) = sum(node, "total_taxes")? {
        return Ok(Some(tax));
    }
    int(node, "tax")?.map_or_else(|| sum(node, "total_tax_amounts"), |tax| Ok(Some(tax)))
}

/// The time of finalisation stood on the invoice itself until 2019-03-14.
fn transitions(node: View<'_>) -> Result<StatusTransitions, Missing> {
    let transitions = within(node, &["status_transitions"], |transitions| {
        Ok(StatusTransitions {
            finalized_at: int(transitions, "finalized_at")?,
            marked_uncollectible_at: int(transitions, "marked_uncollectible_at")?,
            paid_at: int(transitions, "paid_at")?,
            voided_at: int(transitions, "voided_at")?,
        })
    })?;
    let mut transitions = transitions.unwrap_or_default();
    if transitions.finalized_at.is_none() {
        transitions.finalized_at = int(node, "finalized_at")?;
    }
    Ok(transitions)
}

/// Several payments since 2025-03-31.basil, where they were expanded; one before.
fn payments(node: View<'_>) -> Result<Vec<PaidBy>, Missing> {
    let payments = page(node, "payments", |payment| {
        let paid = payment.get("payment").unwrap_or(View::NONE);
        Ok(PaidBy {
            amount_paid: int(payment, "amount_paid")?,
            charge: link(paid, "charge"),
            payment_intent: link(paid, "payment_intent"),
            status: code(payment, "status"),
        })
    })?;
    if !payments.data.is_empty() {
        return Ok(payments.data);
    }
    let (charge, payment_intent) = (link(node, "charge"), link(node, "payment_intent"));
    let paid = charge.is_some() || payment_intent.is_some();
    let only = PaidBy { amount_paid: None, charge, payment_intent, status: None };
    Ok(paid.then_some(only).into_iter().collect())
}

/// `/api/invoice-line-item/object`
fn line(node: View<'_>) -> Result<InvoiceLine, Missing> {
    let bound = |key| within(node, &["period"], |period| int(period, key)).map(Option::flatten);
    let pricing = at(node, &["pricing", "price_details"]);
    let old_price = || ["price", "plan"].into_iter().filter_map(|key| node.get(key));
    let parent = line_parent(node).unwrap_or(View::NONE);
    Ok(InvoiceLine {
        amount: need_int(node, "amount")?,
        // Beside the old ids, which were not unique, stood the ones that came after them.
        id: link(node, "unique_id").or_else(|| id_of(node)),
        period_end: bound("end")?,
        period_start: bound("start")?,
        price: pricing.and_then(|pricing| link(pricing, "price")).or_else(|| item_price_id(node)),
        product: pricing
            .and_then(|pricing| link(pricing, "product"))
            .or_else(|| old_price().find_map(|price| link(price, "product"))),
        proration: flag(parent, "proration")
            .or_else(|| flag(node, "proration"))
            .unwrap_or_default(),
        quantity: int(node, "quantity")?,
        subscription: link(parent, "subscription")
            .or_else(|| link(node, "subscription"))
            .or_else(|| old_subscription(node)),
        subscription_item: link(parent, "subscription_item")
            .or_else(|| link(node, "subscription_item")),
    })
}

/// Where a line comes from, since 2025-03-31.basil.
fn line_parent(node: View<'_>) -> Option<View<'_>> {
    let parent = node.get("parent")?;
    ["subscription_item_details", "invoice_item_details", "subscription_details"]
        .into_iter()
        .find_map(|details| parent.get(details))
}

/// Until 2019-12-03 a subscription's line could have the subscription's id for its own
/// (`/changelog/2019-12-03/standardizes-invoice-line-item-ids`).
fn old_subscription(node: View<'_>) -> Option<StripeId> {
    let is_subscription = node.get("type")?.as_str()? == "subscription";
    id_of(node).filter(|id| is_subscription && id.as_str().starts_with("sub_"))
}

/// `/api/invoice-payment/object`
pub(super) fn invoice_payment(node: View<'_>, _cause: &str) -> Result<InvoicePayment, Missing> {
    let payment = node.get("payment").unwrap_or(View::NONE);
    Ok(InvoicePayment {
        amount_paid: int(node, "amount_paid")?,
        amount_requested: int(node, "amount_requested")?,
        charge: link(payment, "charge"),
        created: int(node, "created")?,
        currency: currency(node, "currency"),
        id: need(id_of(node), "id")?,
        invoice: need(link(node, "invoice"), "invoice")?,
        payment_intent: link(payment, "payment_intent"),
        status: need(code(node, "status"), "status")?,
    })
}
