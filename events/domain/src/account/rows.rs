//! What a customer's facts show: the views of its subscriptions and payments.

use std::collections::BTreeSet;

use super::customer::CustomerUnit;
use super::fact::Fact;
use super::facts::Facts;
use super::landmarks::Mark;
use super::part::{Part, part_name};
use super::snapshots::{InvoiceBrief, cancel_at, current_period, trainer_in};
use super::view::{PaymentKind, PaymentView, ScheduledChange, SubscriptionView};
use crate::event::Code;
use crate::event::stripe::{
    Charge, Dispute, Invoice, PaymentIntent, Phase, Refund, Schedule, Subscription,
};
use crate::id::{StripeId, TrainerId};
use crate::time::{Interval, Timestamp};

impl PaymentView {
    /// Adds a fact of another object to what the row is made from.
    fn rests_on<B>(&mut self, fact: &Fact<B>) {
        self.event_ids.push(fact.key.clone());
        self.updated_at = self.updated_at.max(Timestamp::from_unix(fact.at));
        self.position = self.position.max(fact.position);
    }
}

impl CustomerUnit {
    /// The trainer that a subscription's latest fact names, else the customer's.
    pub(super) fn owner_of(&self, subscription: &StripeId) -> Option<TrainerId> {
        match self.parts.get(&part_name("subscription", subscription)) {
            Some(Part::Subscription(facts)) => self.owner(facts),
            _ => self.customers_trainer().cloned(),
        }
    }

    pub(super) fn owner(&self, facts: &Facts<Subscription>) -> Option<TrainerId> {
        let named = facts.current().and_then(|(_, snapshot)| trainer_in(&snapshot.metadata));
        named.or_else(|| self.linked_trainer().cloned())
    }

    /// The trainer that the customer is linked to; where no link is known, the one that all its
    /// subscriptions name.
    pub(super) fn customers_trainer(&self) -> Option<&TrainerId> {
        self.linked_trainer().or_else(|| self.index.only_trainer())
    }

    pub(super) fn trainer_for(&self, subscription: Option<&StripeId>) -> Option<TrainerId> {
        match subscription {
            Some(subscription) => self.owner_of(subscription),
            None => self.customers_trainer().cloned(),
        }
    }

    /// The parts whose views depend on touched parts and payments, on subscriptions that something
    /// let go of and on those that have another owner, those included.
    pub(super) fn affected(
        &self,
        touched: &BTreeSet<String>,
        mut payments: BTreeSet<StripeId>,
        (let_go, moved): (&BTreeSet<StripeId>, &BTreeSet<StripeId>),
    ) -> BTreeSet<String> {
        let invoices = |about: &String| about.starts_with("invoice/").then(|| about.clone());
        let of_moved: Vec<String> =
            moved.iter().flat_map(|id| self.index.about(id)).filter_map(invoices).collect();
        let mut affected = touched.clone();
        affected.extend(of_moved);
        let mut subscriptions: BTreeSet<&StripeId> = let_go.union(moved).collect();
        for name in &affected {
            subscriptions.extend(self.index.mentions(name).iter().flat_map(|m| &m.subscriptions));
            payments.extend(self.index.payment_of(name).cloned());
            if let Part::Invoice(facts) = &self.parts[name]
                && let Some(id) = facts.current().and_then(|(_, invoice)| invoice.id.as_ref())
            {
                payments.extend(self.index.ties.payments_of(id).cloned());
            }
        }
        affected.extend(subscriptions.iter().map(|id| part_name("subscription", id)));
        // An invoice may name the charge alone, and the charge has the intent's row.
        let ties = &self.index.ties;
        let intents = payments.iter().filter_map(|payment| ties.payment_of_charge(payment));
        let intents: Vec<StripeId> = intents.cloned().collect();
        payments.extend(intents);
        let members = payments.iter().flat_map(|payment| self.index.members(payment));
        affected.extend(members.cloned());
        affected.retain(|name| self.parts.contains_key(name));
        affected
    }

    pub(super) fn subscription_view(
        &self,
        facts: &Facts<Subscription>,
    ) -> Option<SubscriptionView> {
        let (fact, s) = facts.current()?;
        let at = |seconds: Option<i64>| seconds.map(Timestamp::from_unix);
        let interval = |(from, until)| Interval {
            from: Timestamp::from_unix(from),
            until: Timestamp::from_unix(until),
        };
        Some(SubscriptionView {
            id: s.id.clone(),
            customer: s.customer.clone(),
            trainer: self.owner(facts),
            status: s.status.clone(),
            items: s.items.data.clone(),
            items_complete: !s.items.has_more,
            anchor: at(s.billing_cycle_anchor.or(s.start_date)),
            started_at: at(s.start_date.or(s.created)),
            current_period: current_period(&s.items.data).map(interval),
            trial: s.trial_start.zip(s.trial_end).map(interval),
            cancel_at: at(cancel_at(s)),
            canceled_at: at(s.canceled_at),
            ended_at: at(s.ended_at),
            past_due_since: self.past_due_since(facts, s).map(Timestamp::from_unix),
            collection_paused: s.pause_collection.is_some(),
            scheduled: self.scheduled_change(fact.at, s),
            once_active: once_active(facts),
            last_event: fact.key.clone(),
            position: facts.position(),
        })
    }

    /// The first failed payment of the oldest open invoice, else the first fact of the present
    /// run of facts that call it past due.
    fn past_due_since(&self, facts: &Facts<Subscription>, s: &Subscription) -> Option<i64> {
        if s.status != "past_due" {
            return None;
        }
        let failed = self.index.open_of(&s.id).filter_map(|name| match &self.parts[name] {
            Part::Invoice(invoice) => first_failure(invoice, &s.id),
            _ => None,
        });
        let since_invoice = failed.min().map(|(_, at)| at);
        let run = facts.last(Mark::Undue).map_or(0, |last| last + 1)..facts.all().len();
        let first = facts.counting(run).next().map(|(_, fact)| fact.at);
        since_invoice.or(first).or_else(|| facts.current().map(|(fact, _)| fact.at))
    }

    /// What a live schedule will make of a subscription next, judged by the phase that Stripe says
    /// is running, not by a clock. A schedule that the subscription doesn't name any more has let
    /// go of it.
    fn scheduled_change(&self, said: i64, s: &Subscription) -> Option<ScheduledChange> {
        let schedules = self.index.schedules_of(&s.id).filter_map(|name| match &self.parts[name] {
            Part::Schedule(facts) => facts.current(),
            _ => None,
        });
        let steering = schedules.filter(|(fact, schedule)| {
            let is_named = s.schedule.as_ref() == Some(&schedule.id);
            (is_named || fact.at > said) && steers(schedule, &s.id)
        });
        steering.map(|(_, schedule)| schedule).find_map(next_change)
    }

    pub(super) fn invoice_view(&self, facts: &Facts<Invoice>) -> Option<PaymentView> {
        let (fact, invoice) = facts.current()?;
        Some(PaymentView {
            subscription: invoice.subscription.clone(),
            trainer: self.trainer_for(invoice.subscription.as_ref()),
            status: invoice.status.clone().unwrap_or_else(|| Code::new("draft")),
            paid_minor: invoice.amount_paid,
            attempt_count: invoice.attempt_count,
            next_attempt_at: invoice.next_payment_attempt.map(Timestamp::from_unix),
            reason: invoice.billing_reason.clone(),
            ..self.payment_row(
                (PaymentKind::Invoice, invoice.id.as_ref()?),
                (invoice.total, invoice.currency),
                (invoice.created, fact.at),
                &[facts],
            )
        })
    }

    /// The row of a payment intent and its charges, or of a charge without an intent.
    pub(super) fn payment_view(&self, name: &str) -> Option<PaymentView> {
        let id = self.index.payment_of(name)?.clone();
        let intent = match self.parts.get(&part_name("payment_intent", &id)) {
            Some(Part::PaymentIntent(facts)) => Some(facts),
            _ => None,
        };
        let charges: Vec<&Facts<Charge>> = self.charges_of(&id).collect();
        let refunded = charges.iter().filter_map(|c| Some(c.current()?.1.amount_refunded));
        let refunded = refunded.fold(0, i64::saturating_add);
        let (mut view, shown) = match intent {
            Some(facts) => (self.intent_row(facts)?, None),
            None => {
                let charge = telling(&charges)?;
                (self.charge_row(charge, &id)?, Some(charge))
            }
        };
        for facts in charges.iter().filter(|it| !shown.is_some_and(|one| std::ptr::eq(one, **it))) {
            facts.all().iter().for_each(|fact| view.rests_on(fact));
        }
        view.refunded_minor = i64::max(refunded, self.refunds_of(&id));
        view.invoice = self.invoice_of(&id);
        let paid = view.invoice.as_ref().and_then(|id| self.paid_by(id, &charges));
        if let Some((paid, said)) = paid {
            (view.status, view.paid_minor, view.reason) = (Code::new("succeeded"), paid, None);
            view.rests_on(said);
        }
        view.subscription = self.subscription_of(view.invoice.as_ref());
        view.trainer = self.trainer_for(view.subscription.as_ref());
        Some(view)
    }

    /// What a payment brought in, by what is known of its invoice and its charges, and the
    /// invoice's fact that says so: an invoice that is paid was paid by the charge that succeeded,
    /// whether or not the intent says so yet.
    fn paid_by(
        &self,
        invoice: &StripeId,
        charges: &[&Facts<Charge>],
    ) -> Option<(i64, &Fact<InvoiceBrief>)> {
        let Some(Part::Invoice(facts)) = self.parts.get(&part_name("invoice", invoice)) else {
            return None;
        };
        let (fact, invoice) = facts.current()?;
        let is_paid = invoice.status.as_ref().is_some_and(|status| *status == "paid");
        let (_, charge) = telling(charges)?.current()?;
        let has_succeeded = charge.status.as_ref().is_some_and(|status| *status == "succeeded");
        (is_paid && has_succeeded).then_some((charge.amount, fact))
    }

    fn intent_row(&self, facts: &Facts<PaymentIntent>) -> Option<PaymentView> {
        let (fact, intent) = facts.current()?;
        let failure = intent.failure.as_ref();
        Some(PaymentView {
            status: intent.status.clone(),
            paid_minor: intent.amount_received,
            reason: failure.and_then(|f| f.decline_code.clone().or_else(|| f.code.clone())),
            ..self.payment_row(
                (PaymentKind::Payment, &intent.id),
                (intent.amount, intent.currency),
                (intent.created, fact.at),
                &[facts],
            )
        })
    }

    fn charge_row(&self, facts: &Facts<Charge>, id: &StripeId) -> Option<PaymentView> {
        let (fact, charge) = facts.current()?;
        let failure = charge.failure.as_ref();
        let status = charge.status.clone().unwrap_or_else(|| Code::new("succeeded"));
        Some(PaymentView {
            paid_minor: if status == "succeeded" { charge.amount } else { 0 },
            reason: failure.and_then(|f| f.decline_code.clone().or_else(|| f.code.clone())),
            status,
            ..self.payment_row(
                (PaymentKind::Payment, id),
                (charge.amount, charge.currency),
                (charge.created, fact.at),
                &[facts],
            )
        })
    }

    pub(super) fn refund_view(&self, name: &str, facts: &Facts<Refund>) -> Option<PaymentView> {
        let (fact, refund) = facts.current()?;
        Some(PaymentView {
            status: refund.status.clone().unwrap_or_else(|| Code::new("succeeded")),
            reason: refund.failure_reason.clone().or_else(|| refund.reason.clone()),
            ..self.belonging(
                name,
                self.payment_row(
                    (PaymentKind::Refund, &refund.id),
                    (refund.amount, refund.currency),
                    (refund.created, fact.at),
                    &[facts],
                ),
            )
        })
    }

    pub(super) fn dispute_view(&self, name: &str, facts: &Facts<Dispute>) -> Option<PaymentView> {
        let (fact, dispute) = facts.current()?;
        Some(PaymentView {
            status: dispute.status.clone(),
            reason: dispute.reason.clone(),
            lost_at: lost_since(facts).map(Timestamp::from_unix),
            ..self.belonging(
                name,
                self.payment_row(
                    (PaymentKind::Dispute, &dispute.id),
                    (dispute.amount, dispute.currency),
                    (dispute.created, fact.at),
                    &[facts],
                ),
            )
        })
    }
}

/// The first fact of the present run of facts that call a dispute lost: later ones tell of its
/// money and evidence.
fn lost_since(facts: &Facts<Dispute>) -> Option<i64> {
    let run = facts.last(Mark::NotLost).map_or(0, |last| last + 1);
    facts.all().get(run).map(|fact| fact.at)
}

/// Whether a subscription was active before it was over.
fn once_active(facts: &Facts<Subscription>) -> bool {
    let first = facts.first(Mark::Active);
    first.is_some_and(|first| facts.counting(first..first + 1).next().is_some())
}

/// Of a payment's charges the one that tells how it went: the one that succeeded, else the latest.
fn telling<'a>(charges: &[&'a Facts<Charge>]) -> Option<&'a Facts<Charge>> {
    let rank = |facts: &&Facts<Charge>| {
        let (fact, charge) = facts.current()?;
        let has_failed = charge.status.as_ref().is_some_and(|status| *status != "succeeded");
        Some((!has_failed, fact.at, charge.id.clone()))
    };
    charges.iter().copied().max_by_key(rank)
}

fn steers(schedule: &Schedule, subscription: &StripeId) -> bool {
    schedule.subscription.as_ref() == Some(subscription)
        && matches!(schedule.status.as_str(), "active" | "not_started")
}

/// The first phase to come that sells something else than the one that runs: a phase may as well
/// differ in nothing that is shown.
fn next_change(schedule: &Schedule) -> Option<ScheduledChange> {
    let after = schedule.current_phase.map_or(i64::MIN, |phase| phase.end_date);
    let running = schedule.current_phase.and_then(|running| {
        schedule.phases.iter().find(|phase| phase.start_date == running.start_date)
    });
    let sold = |phase: &Phase| {
        let prices = phase.items.iter().map(|item| item.price.clone());
        prices.collect::<BTreeSet<StripeId>>()
    };
    let sold_now = running.map(sold);
    let phases = schedule.phases.iter().filter(|phase| phase.start_date >= after);
    let changing = phases.filter(|phase| Some(sold(phase)) != sold_now);
    let next = changing.min_by_key(|phase| phase.start_date)?;
    Some(ScheduledChange {
        at: Timestamp::from_unix(next.start_date),
        prices: next.items.iter().map(|item| item.price.clone()).collect(),
    })
}

/// When an open invoice of a subscription was made, and when its payment first failed.
fn first_failure(facts: &Facts<Invoice>, subscription: &StripeId) -> Option<(i64, i64)> {
    let (_, invoice) = facts.current()?;
    let is_open = invoice.status.as_ref().is_some_and(|status| *status == "open");
    if !is_open || invoice.subscription.as_ref() != Some(subscription) {
        return None;
    }
    let first = &facts.all()[facts.first(Mark::Failed)?];
    Some((invoice.created.unwrap_or(first.at), first.at))
}
