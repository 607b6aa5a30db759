//! What lives reach. A generator that no longer gets somewhere would let everything pass there.

use std::collections::{BTreeMap, BTreeSet};

use ledger_simulator::world::World;

use crate::truth::Compared;

/// In how many of a thousand lives each kind of event is told, and each status is had, at least:
/// about half of what was counted. Whatever else is reached needs a line here.
const PER_THOUSAND: [(&str, u32); 102] = [
    ("charge is failed", 213),
    ("charge is succeeded", 379),
    ("charge.dispute.closed", 42),
    ("charge.dispute.created", 60),
    ("charge.dispute.funds_reinstated", 15),
    ("charge.dispute.funds_withdrawn", 39),
    ("charge.dispute.updated", 26),
    ("charge.failed", 213),
    ("charge.refunded", 62),
    ("charge.succeeded", 379),
    ("charge.updated", 84),
    ("checkout.session is complete", 261),
    ("checkout.session is expired", 20),
    ("checkout.session.completed", 261),
    ("checkout.session.expired", 20),
    ("customer.created", 500),
    ("customer.deleted", 37),
    ("customer.subscription.created", 413),
    ("customer.subscription.deleted", 142),
    ("customer.subscription.paused", 53),
    ("customer.subscription.pending_update_applied", 46),
    ("customer.subscription.pending_update_expired", 43),
    ("customer.subscription.resumed", 25),
    ("customer.subscription.trial_will_end", 166),
    ("customer.subscription.updated", 364),
    ("customer.updated", 500),
    ("dispute is lost", 6),
    ("dispute is needs_response", 39),
    ("dispute is prevented", 7),
    ("dispute is under_review", 12),
    ("dispute is warning_closed", 12),
    ("dispute is warning_needs_response", 21),
    ("dispute is warning_under_review", 8),
    ("dispute is won", 10),
    ("invoice is draft", 413),
    ("invoice is open", 413),
    ("invoice is paid", 409),
    ("invoice is uncollectible", 12),
    ("invoice is void", 82),
    ("invoice.created", 413),
    ("invoice.finalized", 413),
    ("invoice.marked_uncollectible", 12),
    ("invoice.paid", 409),
    ("invoice.payment_action_required", 18),
    ("invoice.payment_failed", 222),
    ("invoice.payment_succeeded", 409),
    ("invoice.updated", 387),
    ("invoice.voided", 82),
    ("invoice_payment is paid", 379),
    ("invoice_payment.paid", 379),
    ("invoiceitem.created", 149),
    ("invoiceitem.updated", 138),
    ("payment_intent is canceled", 94),
    ("payment_intent is requires_action", 28),
    ("payment_intent is requires_payment_method", 393),
    ("payment_intent is succeeded", 379),
    ("payment_intent.canceled", 94),
    ("payment_intent.created", 393),
    ("payment_intent.payment_failed", 213),
    ("payment_intent.requires_action", 28),
    ("payment_intent.succeeded", 379),
    ("payment_method.attached", 500),
    ("plan.created", 500),
    ("plan.updated", 26),
    ("price.created", 500),
    ("price.updated", 26),
    ("product.created", 500),
    ("product.updated", 33),
    ("refund is failed", 29),
    ("refund is succeeded", 62),
    ("refund.created", 62),
    ("refund.failed", 29),
    ("refund.updated", 29),
    ("setup_intent is requires_payment_method", 45),
    ("setup_intent is succeeded", 45),
    ("setup_intent.created", 45),
    ("setup_intent.succeeded", 45),
    ("subscription is active", 385),
    ("subscription is canceled", 142),
    ("subscription is incomplete", 220),
    ("subscription is incomplete_expired", 35),
    ("subscription is past_due", 156),
    ("subscription is paused", 53),
    ("subscription is trialing", 225),
    ("subscription is unpaid", 54),
    ("subscription pauses by keep_as_draft", 19),
    ("subscription pauses by mark_uncollectible", 20),
    ("subscription pauses by void", 20),
    ("subscription_schedule is active", 88),
    ("subscription_schedule is canceled", 9),
    ("subscription_schedule is completed", 12),
    ("subscription_schedule is released", 14),
    ("subscription_schedule.canceled", 9),
    ("subscription_schedule.completed", 12),
    ("subscription_schedule.created", 88),
    ("subscription_schedule.released", 14),
    ("subscription_schedule.updated", 88),
    ("test_helpers.test_clock is advancing", 3),
    ("test_helpers.test_clock is ready", 43),
    ("test_helpers.test_clock.advancing", 3),
    ("test_helpers.test_clock.created", 43),
    ("test_helpers.test_clock.ready", 3),
];

/// At most one status in so many is left out, where one in 9,000 was counted: few are, so that one
/// unlucky life counts for much.
const LEFT_OUT_ONE_IN: usize = 500;

/// At most so many subscriptions in a hundred are left out, and so many trainers: about twice what
/// was counted.
const SUBSCRIPTIONS_PERCENT: usize = 5;
const TRAINERS_PERCENT: usize = 16;

/// At most one price or product in so many is left out, where none was counted.
const SOLD_LEFT_OUT_ONE_IN: usize = 500;

/// In how many lives what was reached.
#[derive(Debug, Default)]
pub(crate) struct Census {
    lives: u32,
    reached: BTreeMap<String, u32>,
    /// Statuses of invoices, payments, refunds and disputes that were compared with the truth, and
    /// those that weren't.
    compared: usize,
    left_out: usize,
    /// Prices and products, and those that weren't compared.
    sold: usize,
    sold_left_out: usize,
    /// Subscriptions whose present and history were compared, at how many seconds, and those that
    /// weren't.
    subscriptions: usize,
    seconds: usize,
    undecided: usize,
    /// Trainers whose access was compared, and those of whom it wasn't.
    trainers: usize,
    trainers_left_out: usize,
}

impl Census {
    pub(crate) fn take_in(&mut self, world: &World, compared: &Compared) {
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
        self.compared += compared.statuses.compared;
        self.left_out += compared.statuses.left_out;
        self.sold += compared.sold;
        self.sold_left_out += compared.sold_left_out;
        self.subscriptions += compared.subscriptions - compared.undecided;
        self.seconds += compared.seconds;
        self.undecided += compared.undecided;
        self.trainers += compared.trainers - compared.trainers_left_out;
        self.trainers_left_out += compared.trainers_left_out;
        self.lives += 1;
        for what in reached {
            *self.reached.entry(what).or_default() += 1;
        }
    }

    /// That enough was reached and compared, where there were lives enough to ask.
    pub(crate) fn expect_all(&self) {
        let Self { lives, compared, left_out, subscriptions, seconds, undecided, .. } = self;
        let Self { trainers, trainers_left_out, sold, sold_left_out, .. } = self;
        println!(
            "{lives} lives: {compared} statuses compared, {left_out} left out; {subscriptions} \
             subscriptions with {seconds} seconds of history, {undecided} left out; access of \
             {trainers} trainers, {trainers_left_out} left out; {sold_left_out} of {sold} prices \
             and products left out"
        );
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
        let is_little = left_out * LEFT_OUT_ONE_IN <= compared + left_out;
        assert!(is_little, "{left_out} statuses were left out, {compared} compared");
        let is_little = sold_left_out * SOLD_LEFT_OUT_ONE_IN <= *sold;
        assert!(is_little, "{sold_left_out} of {sold} prices and products were left out");
        let few = |left_out: usize, compared: usize, percent: usize| {
            left_out * 100 <= (left_out + compared) * percent
        };
        let is_few = few(*undecided, *subscriptions, SUBSCRIPTIONS_PERCENT);
        assert!(is_few, "{undecided} subscriptions were left out, {subscriptions} compared");
        let is_few = few(*trainers_left_out, *trainers, TRAINERS_PERCENT);
        assert!(is_few, "{trainers_left_out} trainers were left out, {trainers} compared");
        assert!(rare.is_empty(), "too rare: {rare:?}\nin {} lives: {all:#?}", self.lives);
        assert!(unlisted.is_empty(), "without a line: {unlisted:#?}\nin {} lives", self.lives);
    }
}
