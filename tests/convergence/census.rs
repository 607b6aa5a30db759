//! What lives reach. A generator that no longer gets somewhere would let everything pass there.

use std::collections::{BTreeMap, BTreeSet};

use ledger_simulator::world::World;

/// In how many of a thousand lives each kind of event is told, and each status is had, at least:
/// about half of what was counted. Whatever else is reached needs a line here.
const PER_THOUSAND: [(&str, u32); 102] = [
    ("charge is failed", 200),
    ("charge is succeeded", 371),
    ("charge.dispute.closed", 42),
    ("charge.dispute.created", 59),
    ("charge.dispute.funds_reinstated", 15),
    ("charge.dispute.funds_withdrawn", 38),
    ("charge.dispute.updated", 25),
    ("charge.failed", 200),
    ("charge.refunded", 53),
    ("charge.succeeded", 371),
    ("charge.updated", 83),
    ("checkout.session is complete", 257),
    ("checkout.session is expired", 16),
    ("checkout.session.completed", 257),
    ("checkout.session.expired", 16),
    ("customer.created", 500),
    ("customer.deleted", 38),
    ("customer.subscription.created", 409),
    ("customer.subscription.deleted", 142),
    ("customer.subscription.paused", 63),
    ("customer.subscription.pending_update_applied", 37),
    ("customer.subscription.pending_update_expired", 42),
    ("customer.subscription.resumed", 30),
    ("customer.subscription.trial_will_end", 169),
    ("customer.subscription.updated", 362),
    ("customer.updated", 500),
    ("dispute is lost", 12),
    ("dispute is needs_response", 38),
    ("dispute is prevented", 9),
    ("dispute is under_review", 13),
    ("dispute is warning_closed", 10),
    ("dispute is warning_needs_response", 21),
    ("dispute is warning_under_review", 6),
    ("dispute is won", 10),
    ("invoice is draft", 409),
    ("invoice is open", 409),
    ("invoice is paid", 405),
    ("invoice is uncollectible", 9),
    ("invoice is void", 77),
    ("invoice.created", 409),
    ("invoice.finalized", 409),
    ("invoice.marked_uncollectible", 9),
    ("invoice.paid", 405),
    ("invoice.payment_action_required", 13),
    ("invoice.payment_failed", 210),
    ("invoice.payment_succeeded", 405),
    ("invoice.updated", 376),
    ("invoice.voided", 77),
    ("invoice_payment is paid", 371),
    ("invoice_payment.paid", 371),
    ("invoiceitem.created", 133),
    ("invoiceitem.updated", 124),
    ("payment_intent is canceled", 88),
    ("payment_intent is requires_action", 25),
    ("payment_intent is requires_payment_method", 385),
    ("payment_intent is succeeded", 371),
    ("payment_intent.canceled", 88),
    ("payment_intent.created", 385),
    ("payment_intent.payment_failed", 200),
    ("payment_intent.requires_action", 25),
    ("payment_intent.succeeded", 371),
    ("payment_method.attached", 500),
    ("plan.created", 500),
    ("plan.updated", 24),
    ("price.created", 500),
    ("price.updated", 24),
    ("product.created", 500),
    ("product.updated", 38),
    ("refund is failed", 24),
    ("refund is succeeded", 53),
    ("refund.created", 53),
    ("refund.failed", 24),
    ("refund.updated", 24),
    ("setup_intent is requires_payment_method", 41),
    ("setup_intent is succeeded", 41),
    ("setup_intent.created", 41),
    ("setup_intent.succeeded", 41),
    ("subscription is active", 376),
    ("subscription is canceled", 142),
    ("subscription is incomplete", 217),
    ("subscription is incomplete_expired", 31),
    ("subscription is past_due", 154),
    ("subscription is paused", 63),
    ("subscription is trialing", 229),
    ("subscription is unpaid", 32),
    ("subscription pauses by keep_as_draft", 18),
    ("subscription pauses by mark_uncollectible", 21),
    ("subscription pauses by void", 21),
    ("subscription_schedule is active", 81),
    ("subscription_schedule is canceled", 8),
    ("subscription_schedule is completed", 11),
    ("subscription_schedule is released", 10),
    ("subscription_schedule.canceled", 8),
    ("subscription_schedule.completed", 11),
    ("subscription_schedule.created", 81),
    ("subscription_schedule.released", 10),
    ("subscription_schedule.updated", 81),
    ("test_helpers.test_clock is advancing", 2),
    ("test_helpers.test_clock is ready", 37),
    ("test_helpers.test_clock.advancing", 2),
    ("test_helpers.test_clock.created", 37),
    ("test_helpers.test_clock.ready", 2),
];

/// In how many lives what was reached.
#[derive(Debug, Default)]
pub(crate) struct Census {
    lives: u32,
    reached: BTreeMap<String, u32>,
}

impl Census {
    pub(crate) fn take_in(&mut self, world: &World) {
        let mut reached = BTreeSet::new();
        for event in world.events() {
            reached.insert(event.kind.clone());
            let object = &event.object;
            let kind = object["object"].as_str().unwrap_or_default();
            let behavior = &object["pause_collection"]["behavior"];
            let said = [("is", &object["status"]), ("pauses by", behavior)];
            let said = said.iter().filter_map(|(how, word)| Some((how, word.as_str()?)));
            reached.extend(said.map(|(how, word)| format!("{kind} {how} {word}")));
        }
        self.lives += 1;
        for what in reached {
            *self.reached.entry(what).or_default() += 1;
        }
    }

    /// That enough was reached, where there were lives enough to ask.
    pub(crate) fn expect_all(&self) {
        if self.lives < 1_000 {
            return;
        }
        let counted = |what: &str| self.reached.get(what).copied().unwrap_or_default();
        let is_rare = |(what, least): &&(&str, u32)| {
            u64::from(counted(what)) * 1_000 < u64::from(*least) * u64::from(self.lives)
        };
        let rare: Vec<_> = PER_THOUSAND.iter().filter(is_rare).collect();
        let is_listed = |what: &str| PER_THOUSAND.iter().any(|(listed, _)| *listed == what);
        let unlisted: Vec<_> = self.reached.iter().filter(|(what, _)| !is_listed(what)).collect();
        let all = &self.reached;
        assert!(rare.is_empty(), "too rare: {rare:?}\nin {} lives: {all:#?}", self.lives);
        assert!(unlisted.is_empty(), "without a line: {unlisted:#?}\nin {} lives", self.lives);
    }
}
