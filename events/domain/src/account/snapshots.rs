//! How each kind of Stripe object takes part in the order of facts: what is compared, what comes
//! first within a second, what is over, and what history remembers.

use serde::{Deserialize, Serialize};

use super::facts::Snapshot;
use super::links::Tie;
use crate::event::stripe::{
    Charge, CheckoutSession, Customer, Dispute, Invoice, InvoicePayment, Item, KeptMetadata,
    PaymentIntent, Price, Product, Refund, Schedule, Subscription,
};
use crate::event::{Code, is_false};
use crate::id::{StripeId, TrainerId};

/// What history remembers of a fact about a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SubscriptionBrief {
    /// Its status.
    pub(super) status: Code,
    /// The prices of its items.
    pub(super) prices: Vec<StripeId>,
    /// The period that runs.
    pub(super) period: Option<(i64, i64)>,
    /// When it is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cancel_at: Option<i64>,
    /// Whether its collection is paused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) collection_paused: bool,
}

/// What history remembers of a fact about an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InvoiceBrief {
    /// Whether the fact tells of a failed payment.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) failed: bool,
}

/// The period that runs, as the first item that has one tells it.
#[must_use]
pub(super) fn current_period(items: &[Item]) -> Option<(i64, i64)> {
    items.iter().find_map(|item| Some((item.current_period_start?, item.current_period_end?)))
}

/// When a subscription is to end: said outright, or with its period.
#[must_use]
pub(super) fn cancel_at(subscription: &Subscription) -> Option<i64> {
    let period_end = || current_period(&subscription.items.data).map(|(_, end)| end);
    let with_period = subscription.cancel_at_period_end.then(period_end).flatten();
    subscription.cancel_at.or(with_period)
}

/// The trainer that an object's metadata names.
pub(super) fn trainer_in(metadata: &KeptMetadata) -> Option<TrainerId> {
    metadata.get("trainer_id").and_then(|id| TrainerId::try_new(id).ok())
}

/// Created first, deleted last.
fn by_cause(cause: &Code) -> i64 {
    match cause.as_str() {
        "created" => 0,
        "deleted" => 2,
        _ => 1,
    }
}

impl Snapshot for Subscription {
    type Brief = SubscriptionBrief;

    fn compared(&self) -> impl Serialize {
        let items: Vec<_> = self
            .items
            .data
            .iter()
            .map(|i| (&i.price.id, i.quantity, i.current_period_start, i.current_period_end))
            .collect();
        (
            (&self.status, items, &self.customer, &self.metadata),
            (self.cancel_at, self.cancel_at_period_end, self.canceled_at, self.ended_at),
            (self.trial_start, self.trial_end, self.billing_cycle_anchor, &self.schedule),
            // Not the latest invoice: the oldest API versions don't tell it.
            (self.pause_collection.is_some(), self.pending_update.is_some()),
        )
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted" || matches!(self.status.as_str(), "canceled" | "incomplete_expired")
    }

    fn brief(&self, _cause: &Code) -> SubscriptionBrief {
        SubscriptionBrief {
            status: self.status.clone(),
            prices: self.items.data.iter().map(|item| item.price.id.clone()).collect(),
            period: current_period(&self.items.data),
            cancel_at: cancel_at(self),
            collection_paused: self.pause_collection.is_some(),
        }
    }
}

impl Snapshot for Schedule {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, &self.phases, &self.current_phase, &self.subscription, &self.end_behavior)
    }

    fn rank(&self, cause: &Code) -> i64 {
        match cause.as_str() {
            "created" => 0,
            "released" | "completed" | "canceled" | "aborted" => 2,
            _ => 1,
        }
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for Invoice {
    type Brief = InvoiceBrief;

    fn compared(&self) -> impl Serialize {
        (
            (&self.status, self.total, self.amount_due, self.amount_paid, self.amount_remaining),
            // Not the instants of its transitions: the oldest API versions tell one of them.
            (self.attempt_count, self.next_payment_attempt),
        )
    }

    fn rank(&self, cause: &Code) -> i64 {
        let by_status = match self.status.as_ref().map(Code::as_str) {
            None | Some("draft") => 0,
            Some("open") => 2,
            Some("uncollectible") => 4,
            Some(_) => 6,
        };
        // Within one status: how often payment was tried tells what came later.
        let later = i64::from(*cause != "created" && *cause != "finalized");
        (by_status + later) * 1_000 + self.attempt_count.clamp(0, 999)
    }

    fn brief(&self, cause: &Code) -> InvoiceBrief {
        InvoiceBrief { failed: *cause == "payment_failed" }
    }

    fn ties(&self) -> Vec<Tie> {
        Tie::of_invoice(self)
    }
}

impl Snapshot for InvoicePayment {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, self.amount_paid, &self.payment_intent, &self.charge)
    }

    fn rank(&self, _cause: &Code) -> i64 {
        i64::from(self.status != "open")
    }

    fn brief(&self, _cause: &Code) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_invoice_payment(self)
    }
}

impl Snapshot for PaymentIntent {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, self.amount, self.amount_received, &self.latest_charge, self.canceled_at)
    }

    fn rank(&self, cause: &Code) -> i64 {
        match (self.status.as_str(), cause.as_str()) {
            (_, "created") => 0,
            ("succeeded" | "canceled", _) => 4,
            ("processing", _) => 3,
            ("requires_action", _) => 2,
            _ => 1,
        }
    }

    fn brief(&self, _cause: &Code) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_payment_intent(self)
    }
}

impl Snapshot for Charge {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, self.amount, self.amount_refunded, self.refunded, self.disputed)
    }

    /// What was given back only grows.
    fn rank(&self, _cause: &Code) -> i64 {
        self.amount_refunded
    }

    fn brief(&self, _cause: &Code) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_charge(self)
    }
}

impl Snapshot for Refund {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, self.amount, &self.failure_reason)
    }

    fn rank(&self, cause: &Code) -> i64 {
        match self.status.as_ref().map(Code::as_str) {
            _ if *cause == "created" => 0,
            Some("failed" | "canceled") => 3,
            Some("succeeded") => 2,
            _ => 1,
        }
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for Dispute {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, self.amount, &self.reason)
    }

    fn rank(&self, cause: &Code) -> i64 {
        let over = matches!(
            self.status.as_str(),
            "won" | "lost" | "warning_closed" | "charge_refunded" | "prevented"
        );
        match cause.as_str() {
            "created" => 0,
            _ if !over => 1,
            "closed" => 2,
            _ => 3,
        }
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for CheckoutSession {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (&self.status, &self.payment_status, &self.customer, &self.subscription)
    }

    fn rank(&self, cause: &Code) -> i64 {
        match cause.as_str() {
            "async_payment_succeeded" | "async_payment_failed" => 1,
            _ => 0,
        }
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for Customer {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (self.deleted, self.delinquent, &self.metadata, self.currency)
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for Price {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (self.active, self.currency, &self.product, self.unit_amount, &self.unit_amount_decimal)
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(&self, _cause: &Code) {}
}

impl Snapshot for Product {
    type Brief = ();

    fn compared(&self) -> impl Serialize {
        (self.active, &self.name, &self.default_price)
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(&self, _cause: &Code) {}
}
