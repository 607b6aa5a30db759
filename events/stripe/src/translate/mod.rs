//! What a webhook says, in the ledger's words: one webhook gives exactly one event, and the
//! event's type and data depend on that webhook alone.
//!
//! All API versions from 2017 on give the same shapes. Where a field has moved, the new place is
//! read first and then the old one, because a body may have both. Enums stay open, references may
//! be ids or whole objects, and only what the ledger can't do without is asked for.

mod before;
mod catalogue;
mod checkout;
mod invoice;
mod origin;
mod payment;
mod read;
mod schedule;
mod subscription;

use ledger_domain::event::stripe::{Reported, StripeEventRecorded, Unread};
use ledger_domain::event::{Code, Event, Metadata};
use ledger_domain::id::{EventKey, Namespace};
use ledger_domain::time::Timestamp;
use serde::Serialize;

use crate::redact::{EnvelopeKind, Node, Redacted};
use read::{Missing, View};

/// The version of the rules in here. Whatever is translated tells which ones translated it.
pub const TRANSLATOR_VERSION: i32 = 1;

/// A webhook as an event of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Translated {
    /// What makes the event unique: Stripe's id of it.
    pub key: EventKey,
    /// What happened.
    pub event: Event,
    /// When it happened: Stripe's `created`.
    pub occurred_at: Timestamp,
    /// What the envelope said, and whom the object names. `source` is [`Source::Stripe`]; a caller
    /// that got the event in another way says so.
    ///
    /// [`Source::Stripe`]: ledger_domain::event::Source::Stripe
    pub metadata: Metadata,
    /// By which two contents under one id are told apart. Covers what no delivery and no API
    /// version changes: type, created, account, livemode, the object's id.
    pub content_hash: [u8; 32],
    /// Set when the type is known but the object lacks something: the path of what it lacks. Such
    /// an event belongs on the list of dead letters.
    pub dead_letter: Option<Box<str>>,
}

/// Translates a webhook. It never fails: what can't be read becomes a `StripeEventRecorded` that
/// says why.
#[must_use]
pub fn translate(redacted: &Redacted) -> Translated {
    let envelope = redacted.envelope();
    let (event, dead_letter) = match event(redacted) {
        Ok(event) => (event, None),
        Err(reason) => {
            let dead_letter = match &reason {
                Unread::Unusable(path) => Some(path.clone()),
                Unread::Unused | Unread::Thin => None,
            };
            (Event::StripeEventRecorded(StripeEventRecorded { reason }), dead_letter)
        }
    };
    Translated {
        key: EventKey::new(Namespace::stripe(), envelope.id.clone()),
        event,
        occurred_at: Timestamp::from_unix(envelope.created),
        metadata: origin::metadata(redacted),
        content_hash: origin::content_hash(redacted),
        dead_letter,
    }
}

/// The kinds of object that the ledger understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Charge,
    CheckoutSession,
    Customer,
    Dispute,
    EntitlementSummary,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    Price,
    Product,
    Refund,
    Schedule,
    Subscription,
}

/// What an event's type begins with, the kind of object it is about, and what such an object says
/// in its `object` field. What follows the beginning is the cause; a beginning that contains
/// another comes before it. Source: `/api/events/types`.
const TYPES: [(&str, Kind, &str); 14] = [
    ("charge.dispute.", Kind::Dispute, "dispute"),
    ("charge.refund.", Kind::Refund, "refund"),
    ("charge.", Kind::Charge, "charge"),
    ("checkout.session.", Kind::CheckoutSession, "checkout.session"),
    ("customer.subscription.", Kind::Subscription, "subscription"),
    ("customer.", Kind::Customer, "customer"),
    (
        "entitlements.active_entitlement_summary.",
        Kind::EntitlementSummary,
        "entitlements.active_entitlement_summary",
    ),
    ("invoice.", Kind::Invoice, "invoice"),
    ("invoice_payment.", Kind::InvoicePayment, "invoice_payment"),
    ("payment_intent.", Kind::PaymentIntent, "payment_intent"),
    ("price.", Kind::Price, "price"),
    ("product.", Kind::Product, "product"),
    ("refund.", Kind::Refund, "refund"),
    ("subscription_schedule.", Kind::Schedule, "subscription_schedule"),
];

/// The kind and the cause, if the ledger has a use for this type. `customer.tax_id.created` is
/// about a tax id, not about a customer: what has one more dot is another object's.
fn kind_of(event_type: &str) -> Option<(Kind, &str, &'static str)> {
    let (cause, kind, object) = TYPES.iter().find_map(|(start, kind, object)| {
        Some((event_type.strip_prefix(start)?, *kind, *object))
    })?;
    (!cause.is_empty() && !cause.contains('.')).then_some((kind, cause, object))
}

fn event(redacted: &Redacted) -> Result<Event, Unread> {
    let envelope = redacted.envelope();
    if envelope.kind == EnvelopeKind::Thin {
        return Err(Unread::Thin);
    }
    let (kind, cause, expected) = kind_of(&envelope.type_).ok_or(Unread::Unused)?;
    let object = redacted.object().ok_or_else(|| Missing::at("").into_unread())?;
    if object.get("object").and_then(Node::as_str).is_some_and(|found| found != expected) {
        return Err(Missing::at("object").into_unread());
    }
    let report = Report { object, previous: redacted.previous(), cause };
    report.as_event(kind).map_err(Missing::into_unread)
}

/// One webhook about one object of a known kind.
struct Report<'r> {
    object: &'r Node,
    previous: Option<&'r Node>,
    cause: &'r str,
}

impl Report<'_> {
    fn as_event(&self, kind: Kind) -> Result<Event, Missing> {
        Ok(match kind {
            Kind::Charge => Event::ChargeReported(self.of(payment::charge)?),
            Kind::CheckoutSession => Event::CheckoutSessionReported(self.of(checkout::session)?),
            Kind::Customer => Event::CustomerReported(self.of(checkout::customer)?),
            Kind::Dispute => Event::DisputeReported(self.of(payment::dispute)?),
            Kind::EntitlementSummary => {
                Event::EntitlementSummaryReported(self.of(checkout::entitlements)?)
            }
            Kind::Invoice => Event::InvoiceReported(self.of(invoice::invoice)?),
            Kind::InvoicePayment => {
                Event::InvoicePaymentReported(self.of(invoice::invoice_payment)?)
            }
            Kind::PaymentIntent => Event::PaymentIntentReported(self.of(payment::intent)?),
            Kind::Price => Event::PriceReported(self.of(catalogue::price)?),
            Kind::Product => Event::ProductReported(self.of(catalogue::product)?),
            Kind::Refund => Event::RefundReported(self.of(payment::refund)?),
            Kind::Schedule => Event::ScheduleReported(self.of(schedule::schedule)?),
            Kind::Subscription => Event::SubscriptionReported(self.of(subscription::subscription)?),
        })
    }

    fn of<S: Serialize + PartialEq>(
        &self,
        normalise: impl Fn(View<'_>, &str) -> Result<S, Missing>,
    ) -> Result<Reported<S>, Missing> {
        let snapshot = normalise(View::now(self.object), self.cause)?;
        let before = before::before(self, &snapshot, normalise);
        Ok(Reported { before, cause: Code::new(self.cause), snapshot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_names_a_kind_and_a_cause() {
        for (event_type, expect) in [
            (
                "customer.subscription.pending_update_applied",
                Some((Kind::Subscription, "pending_update_applied")),
            ),
            ("customer.updated", Some((Kind::Customer, "updated"))),
            ("charge.refunded", Some((Kind::Charge, "refunded"))),
            ("charge.refund.updated", Some((Kind::Refund, "updated"))),
            ("refund.failed", Some((Kind::Refund, "failed"))),
            ("charge.dispute.funds_withdrawn", Some((Kind::Dispute, "funds_withdrawn"))),
            ("invoice_payment.paid", Some((Kind::InvoicePayment, "paid"))),
            ("invoice.upcoming", Some((Kind::Invoice, "upcoming"))),
            ("customer.tax_id.created", None),
            ("customer.source.updated", None),
            ("invoiceitem.created", None),
            ("plan.created", None),
            ("customer.", None),
            ("customer", None),
        ] {
            let found = kind_of(event_type).map(|(kind, cause, _)| (kind, cause));
            assert_eq!(found, expect, "{event_type}");
        }
    }

    #[test]
    fn longer_beginnings_come_first() {
        for (index, (start, ..)) in TYPES.iter().enumerate() {
            let hidden = TYPES[..index].iter().any(|(earlier, ..)| start.starts_with(earlier));
            assert!(!hidden, "{start} is never reached");
        }
    }
}
