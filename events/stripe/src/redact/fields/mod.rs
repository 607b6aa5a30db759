//! The allow-lists: what is kept of each type of object.
//!
//! Whatever is not listed is dropped, which can't be undone, and whatever is listed is stored for
//! years: list what billing is about (ids, states, amounts, times), never what a person is about
//! (names, addresses, free text, links that open without a password, anything of a card but its
//! brand, funding and country); names that are always forbidden stand in [`super::personal`]. To
//! keep one more field, add a line to its object's table, and add one to
//! [`REDACTION_VERSION`](super::REDACTION_VERSION).
//!
//! The table for an expanded object follows from the field it stands in, since its own `object`
//! field may come too late; only an event's `data.object` goes by its `object` field.
//!
//! Source: the objects of Stripe's API reference, `/api/<object>/object`, in the versions from
//! 2017 on.

mod catalogue;
mod customer;
mod invoice;
mod payment;
mod schedule;
mod subscription;

use super::shape::{Shape, shapes};

shapes! {
    /// What can be told of an object of a type that has no table.
    OTHER {
        amount: Int,
        charge: Link(&REFERENCE),
        created: Int,
        currency: Code,
        customer: Link(&REFERENCE),
        deleted: Flag,
        id: Id,
        invoice: Link(&REFERENCE),
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        payment_intent: Link(&REFERENCE),
        reason: Code,
        status: Code,
        subscription: Link(&REFERENCE),
        test_clock: Link(&REFERENCE),
        type: Code,
    }

    /// An object of which its id is enough.
    REFERENCE {
        deleted: Flag,
        id: Id,
        object: Code,
    }

    /// `/api/pagination`: a list of which the first elements come along.
    PAGE {
        data: List(&Object(&REFERENCE)),
        has_more: Flag,
        object: Code,
        total_count: Int,
    }

    /// `related_object` of a thin event (`/api/v2/core/events/object`).
    RELATED {
        id: Id,
        type: Code,
    }
}

/// The table for an object by its `object` field.
pub(crate) fn shape_of(object: Option<&str>) -> &'static Shape {
    match object {
        Some("subscription") => &subscription::SUBSCRIPTION,
        Some("subscription_item") => &subscription::SUBSCRIPTION_ITEM,
        Some("subscription_schedule") => &schedule::SUBSCRIPTION_SCHEDULE,
        Some("invoice") => &invoice::INVOICE,
        Some("line_item" | "item" | "invoiceitem") => &invoice::LINE,
        Some("invoice_payment") => &invoice::INVOICE_PAYMENT,
        Some("checkout.session") => &customer::CHECKOUT_SESSION,
        Some("customer") => &customer::CUSTOMER,
        Some("entitlements.active_entitlement_summary") => &customer::ENTITLEMENT_SUMMARY,
        Some("payment_intent") => &payment::PAYMENT_INTENT,
        Some("setup_intent") => &payment::SETUP_INTENT,
        Some("payment_method" | "card" | "source") => &payment::PAYMENT_METHOD,
        Some("charge") => &payment::CHARGE,
        Some("refund") => &payment::REFUND,
        Some("dispute") => &payment::DISPUTE,
        Some("price") => &catalogue::PRICE,
        Some("plan") => &catalogue::PLAN,
        Some("product") => &catalogue::PRODUCT,
        Some("coupon") => &catalogue::COUPON,
        Some("discount") => &catalogue::DISCOUNT,
        _ => &OTHER,
    }
}

/// Whether an object stands where something that is sold belongs, and calls itself something else:
/// then what it is called may be a person's name.
pub(crate) fn is_not_for_sale(shape: &Shape, object: Option<&str>) -> bool {
    let is_table_of = |object| std::ptr::eq(shape_of(object), shape);
    let is_for_sale = ["product", "price", "plan"].iter().any(|sold| is_table_of(Some(*sold)));
    is_for_sale && object.is_some() && !is_table_of(object)
}
