//! How each kind of Stripe object takes part in the order of facts: what is compared, what comes
//! first within a second, what is over, and what history remembers.

use serde::{Deserialize, Serialize};

use super::compared::{Fields, Name};
use super::facts::Snapshot;
use super::landmarks::Mark;
use super::links::CustomerBrief;
use super::ties::Tie;
use super::{history, transitions};
use crate::event::stripe::{
    Charge, Customer, Dispute, Invoice, InvoicePayment, Item, KeptMetadata, PaymentIntent,
    PendingUpdate, Price, Product, Refund, Reported, Schedule, Subscription,
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
        "deleted" => 6,
        _ => 2,
    }
}

/// The ranks of a subscription's events that tell no old values, among those of [`by_cause`].
const PAUSED: i64 = 1;
const RESUMED: i64 = 3;
const NOTICED: i64 = 4;
const APPLIED: i64 = 5;

impl Snapshot for Subscription {
    type Brief = SubscriptionBrief;
    const IS_CREATION_TOLD: bool = true;

    /// Not the latest invoice: the oldest API versions don't tell it.
    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.entries(self.items.data.len());
        for (i, item) in self.items.data.iter().enumerate() {
            let of = |name| Name::Of("items", i, name);
            fields.field(of("price"), &item.price.id);
            fields.field(of("quantity"), &item.quantity);
            fields.instant(of("current_period_start"), item.current_period_start);
            fields.instant(of("current_period_end"), item.current_period_end);
        }
        fields.field("customer", &self.customer);
        fields.field("metadata", &self.metadata);
        fields.instant("cancel_at", self.cancel_at);
        fields.field("cancel_at_period_end", &self.cancel_at_period_end);
        fields.instant("canceled_at", self.canceled_at);
        fields.instant("ended_at", self.ended_at);
        fields.instant("trial_start", self.trial_start);
        fields.instant("trial_end", self.trial_end);
        fields.instant("billing_cycle_anchor", self.billing_cycle_anchor);
        fields.field("schedule", &self.schedule);
        fields.field("collection_paused", &self.pause_collection.is_some());
        fields.field("update_pending", &self.pending_update.is_some());
    }

    fn is_expected_step(before: &SubscriptionBrief, after: &SubscriptionBrief) -> bool {
        transitions::is_expected(before.status.as_str(), after.status.as_str())
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
    }

    fn rank(&self, cause: &Code) -> i64 {
        match cause.as_str() {
            // It goes on after it was paused, and can't be paused again in that second.
            "paused" => PAUSED,
            "resumed" => RESUMED,
            // A notice changes nothing: likely, an event before it made what it shows.
            "trial_will_end" => NOTICED,
            // An update beside it tells what was applied.
            "pending_update_applied" => APPLIED,
            _ => by_cause(cause),
        }
    }

    /// Between its creation and its deletion, anything may follow anything, but for a resumption
    /// and the pause before it.
    fn decides(rank: i64, other: i64) -> bool {
        let is_between = |rank: i64| (PAUSED..=APPLIED).contains(&rank);
        let is_pause = (rank.min(other), rank.max(other)) == (PAUSED, RESUMED);
        rank != other && (is_pause || !(is_between(rank) && is_between(other)))
    }

    fn is_echo(rank: i64) -> bool {
        rank == APPLIED
    }

    /// A pending update lapses without an `updated` beside it, and changes nothing else. A notice
    /// that a trial will end changes nothing at all.
    fn before_by(&self, cause: &Code) -> Option<Self> {
        if *cause == "trial_will_end" {
            return Some(self.clone());
        }
        let lapsed = *cause == "pending_update_expired" && self.pending_update.is_none();
        let pending = PendingUpdate { expires_at: None, items: Vec::new(), trial_end: None };
        lapsed.then(|| Self { pending_update: Some(pending), ..self.clone() })
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted" || matches!(self.status.as_str(), "canceled" | "incomplete_expired")
    }

    fn brief(reported: &Reported<Self>) -> SubscriptionBrief {
        let now = &reported.snapshot;
        SubscriptionBrief {
            status: now.status.clone(),
            prices: now.items.data.iter().map(|item| item.price.id.clone()).collect(),
            period: current_period(&now.items.data),
            cancel_at: cancel_at(now),
            collection_paused: now.pause_collection.is_some(),
        }
    }

    fn bears(brief: &SubscriptionBrief, mark: Mark) -> bool {
        history::bears(brief, mark)
    }
}

impl Snapshot for Schedule {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.entries(self.phases.len());
        for (i, phase) in self.phases.iter().enumerate() {
            let of = |name| Name::Of("phases", i, name);
            fields.instant(of("start_date"), Some(phase.start_date));
            fields.instant(of("end_date"), phase.end_date);
            fields.field(of("items"), &phase.items);
            fields.instant(of("trial_end"), phase.trial_end);
        }
        fields.instant("current_phase.start_date", self.current_phase.map(|p| p.start_date));
        fields.instant("current_phase.end_date", self.current_phase.map(|p| p.end_date));
        fields.field("subscription", &self.subscription);
        fields.field("end_behavior", &self.end_behavior);
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
    }

    fn rank(&self, cause: &Code) -> i64 {
        match cause.as_str() {
            "created" => 0,
            "released" | "completed" | "canceled" | "aborted" => 2,
            _ => 1,
        }
    }

    fn brief(_: &Reported<Self>) {}
}

impl Snapshot for Invoice {
    type Brief = InvoiceBrief;

    const TELLS_TWO_CHANGES: bool = true;

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("total", &self.total);
        fields.field("amount_due", &self.amount_due);
        // Of a draft nothing is paid. Old values don't say so where one event tells of an invoice's
        // finalisation and payment at once.
        let is_draft = self.status.as_ref().is_none_or(|status| *status == "draft");
        let (paid, remaining) = (self.amount_paid, self.amount_remaining);
        fields.field("amount_paid", &if is_draft { 0 } else { paid });
        fields.field("amount_remaining", &if is_draft { self.amount_due } else { remaining });
        fields.field("attempt_count", &self.attempt_count);
        fields.instant("next_payment_attempt", self.next_payment_attempt);
        // Not the instants of its transitions: the oldest API versions tell one of them.
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
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

    /// Neither a paid nor a void invoice becomes anything else:
    /// <https://docs.stripe.com/invoicing/overview#invoice-statuses>.
    fn is_final(&self, _cause: &Code) -> bool {
        self.status.as_ref().is_some_and(|status| matches!(status.as_str(), "paid" | "void"))
    }

    fn brief(reported: &Reported<Self>) -> InvoiceBrief {
        InvoiceBrief { failed: reported.cause == "payment_failed" }
    }

    fn bears(brief: &InvoiceBrief, mark: Mark) -> bool {
        mark == Mark::Failed && brief.failed
    }

    fn ties(&self) -> Vec<Tie> {
        Tie::of_invoice(self)
    }
}

impl Snapshot for InvoicePayment {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("amount_paid", &self.amount_paid);
        fields.field("payment_intent", &self.payment_intent);
        fields.field("charge", &self.charge);
    }

    fn rank(&self, _cause: &Code) -> i64 {
        i64::from(self.status != "open")
    }

    fn brief(_: &Reported<Self>) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_invoice_payment(self)
    }
}

impl Snapshot for PaymentIntent {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("amount", &self.amount);
        fields.field("amount_received", &self.amount_received);
        // Not the latest charge: no row shows it, and two failures of one second differ in nothing
        // else.
        fields.instant("canceled_at", self.canceled_at);
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
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

    /// Until it succeeds or is canceled it may be tried, wait and fail again and again.
    fn decides(rank: i64, other: i64) -> bool {
        rank != other && (rank.min(other) == 0 || rank.max(other) == 4)
    }

    fn may_return(from: i64, to: i64) -> bool {
        !Self::decides(from, to)
    }

    /// <https://docs.stripe.com/payments/paymentintents/lifecycle>
    fn is_final(&self, _cause: &Code) -> bool {
        matches!(self.status.as_str(), "succeeded" | "canceled")
    }

    fn brief(_: &Reported<Self>) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_payment_intent(self)
    }
}

impl Snapshot for Charge {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("amount", &self.amount);
        fields.field("amount_refunded", &self.amount_refunded);
        fields.field("refunded", &self.refunded);
        fields.field("disputed", &self.disputed);
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
    }

    /// What was given back grows, but where a refund fails.
    fn rank(&self, _cause: &Code) -> i64 {
        self.amount_refunded
    }

    fn brief(_: &Reported<Self>) {}

    fn ties(&self) -> Vec<Tie> {
        Tie::of_charge(self)
    }
}

impl Snapshot for Refund {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("amount", &self.amount);
        fields.field("failure_reason", &self.failure_reason);
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
    }

    fn rank(&self, cause: &Code) -> i64 {
        match self.status.as_ref().map(Code::as_str) {
            _ if *cause == "created" => 0,
            Some("failed" | "canceled") => 3,
            Some("succeeded") => 2,
            _ => 1,
        }
    }

    fn brief(_: &Reported<Self>) {}
}

impl Snapshot for Dispute {
    /// Whether it is lost.
    type Brief = bool;

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("amount", &self.amount);
        fields.field("reason", &self.reason);
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

    fn brief(reported: &Reported<Self>) -> bool {
        reported.snapshot.status == "lost"
    }

    fn bears(is_lost: &bool, mark: Mark) -> bool {
        mark == Mark::NotLost && !is_lost
    }
}

impl Snapshot for Customer {
    type Brief = CustomerBrief;

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("deleted", &self.deleted);
        fields.field("delinquent", &self.delinquent);
        fields.field("metadata", &self.metadata);
        fields.field("currency", &self.currency);
    }

    fn customer(&self) -> Option<&StripeId> {
        Some(&self.id)
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(reported: &Reported<Self>) -> CustomerBrief {
        CustomerBrief::of(reported)
    }
}

impl Snapshot for Price {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("active", &self.active);
        fields.field("currency", &self.currency);
        fields.field("lookup_key", &self.lookup_key);
        fields.field("nickname", &self.nickname);
        fields.field("product", &self.product);
        fields.field("unit_amount", &self.unit_amount);
        fields.field("unit_amount_decimal", &self.unit_amount_decimal);
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(_: &Reported<Self>) {}
}

impl Snapshot for Product {
    type Brief = ();

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("active", &self.active);
        fields.field("name", &self.name);
        fields.field("default_price", &self.default_price);
    }

    fn rank(&self, cause: &Code) -> i64 {
        by_cause(cause)
    }

    fn is_final(&self, cause: &Code) -> bool {
        *cause == "deleted"
    }

    fn brief(_: &Reported<Self>) {}
}
