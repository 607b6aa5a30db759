//! What happens to a subscription, step by step, in the order in which Stripe tells of it
//! (<https://docs.stripe.com/billing/subscriptions/webhooks>).

use chrono::{DateTime, Months};
use serde_json::{Value, json};

use super::objects::{self, Line, Names};
use super::offer::Offer;
use super::world::{Holding, Step, World};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// How often a payment is tried before Stripe gives up.
const ATTEMPTS_MAX: i64 = 4;

impl World {
    pub(super) fn happen(&mut self, holding: usize, step: Step) {
        match step {
            Step::SignUp => self.sign_up(holding),
            Step::TrialWillEnd => self.announce_trial_end(holding),
            Step::PeriodEnds => self.end_period(holding),
            Step::Collect => self.collect(holding),
            Step::Retry => self.retry(holding),
            Step::Upgrade => self.upgrade(holding),
            Step::ScheduleDowngrade => self.schedule_downgrade(holding),
            Step::CancelAtEnd => self.cancel_at_end(holding),
            Step::ChangeMind => self.change_mind(holding),
            Step::CancelNow if self.holdings[holding].is_settled() => {
                self.delete(holding, "cancellation_requested");
            }
            Step::CancelNow => {}
            Step::Refund => self.refund(holding),
            Step::Dispute => self.dispute(holding),
            Step::DisputeCloses => self.close_dispute(holding),
            Step::BuyAddOn => self.buy_add_on(holding),
        }
    }

    /// A checkout is completed: the customer, the subscription, its first invoice, the session.
    fn sign_up(&mut self, index: usize) {
        let Holding { trainer, offer, .. } = self.holdings[index].clone();
        let owner = self.trainers[trainer].clone();
        let trial_days = if offer.level.is_some() { self.shop.trial_days } else { 0 };
        // Some have tried the product before: Checkout gives a trial only once.
        let tries = trial_days > 0 && self.dice.chance(75);
        let trial_end = tries.then_some(self.now + trial_days * DAY);
        if offer.level.is_some() {
            let customer = objects::customer(&owner.customer, &owner.id, self.now);
            self.tell("customer.created", &customer);
        }

        let (subscription, item) = (self.id("sub"), self.id("si"));
        let names =
            Names { subscription: &subscription, customer: &owner.customer, trainer: &owner.id };
        let until = trial_end.unwrap_or_else(|| after(self.now, 1, &offer));
        let item = objects::item(&item, &subscription, &offer, self.now, until);
        let made = objects::subscription(&names, &item, self.now, trial_end);
        let periods = u32::from(trial_end.is_none());
        self.holdings[index] =
            Holding { subscription: made, periods, ..Holding::new(trainer, offer.clone()) };

        let amount = if tries { 0 } else { offer.amount };
        let mut invoice =
            self.new_invoice(index, "subscription_create", &[(&offer, amount, false)]);
        self.holdings[index].subscription["latest_invoice"] = invoice["id"].clone();
        let told = self.holdings[index].subscription.clone();
        self.tell("customer.subscription.created", &told);
        self.tell("invoice.created", &invoice);
        self.finalize(&mut invoice);
        self.pay(index, &mut invoice);
        let session = self.id("cs_test");
        let session = objects::session(&session, &names, self.now, amount);
        self.tell("checkout.session.completed", &session);

        if let Some(end) = trial_end {
            self.plan(end - 3 * DAY, index, Step::TrialWillEnd);
        }
        self.plan(until, index, Step::PeriodEnds);
        self.plan_period(index);
    }

    /// Decides what the trainer does in the period that has begun.
    fn plan_period(&mut self, index: usize) {
        use Step::{BuyAddOn, CancelAtEnd, CancelNow, Dispute, Refund, ScheduleDowngrade, Upgrade};
        let (from, until) = self.holdings[index].period();
        let trial = self.holdings[index].status() == "trialing";
        let tier = self.holdings[index].offer.level.is_some();
        let fates: &[(i64, Option<Step>)] = match (trial, tier) {
            (true, _) => &[(80, None), (20, Some(CancelAtEnd))],
            (false, false) => &[(90, None), (7, Some(CancelAtEnd)), (3, Some(CancelNow))],
            (false, true) => &[
                (70, None),
                (7, Some(Upgrade)),
                (4, Some(ScheduleDowngrade)),
                (6, Some(CancelAtEnd)),
                (1, Some(CancelNow)),
                (3, Some(Refund)),
                (2, Some(Dispute)),
                (7, Some(BuyAddOn)),
            ],
        };
        let weights: Vec<i64> = fates.iter().map(|(weight, _)| *weight).collect();
        if let Some(step) = fates[self.dice.weighted(&weights)].1 {
            // Not in the first hours, which belong to the invoice, and not in the last.
            let at = self.dice.between(from + 2 * DAY, (until - DAY).min(from + 60 * DAY));
            self.plan(at, index, step);
        }
    }

    fn announce_trial_end(&mut self, index: usize) {
        if self.holdings[index].status() == "trialing" {
            let told = self.holdings[index].subscription.clone();
            self.tell("customer.subscription.trial_will_end", &told);
        }
    }

    /// The period moves on before the money: a draft invoice now, its payment an hour later.
    fn end_period(&mut self, index: usize) {
        if !matches!(self.holdings[index].status(), "trialing" | "active") {
            return;
        }
        if self.holdings[index].is_ending() {
            return self.delete(index, "cancellation_requested");
        }
        let changed = self.holdings[index].schedule.take();
        if let Some((_, offer)) = &changed {
            self.holdings[index].offer = offer.clone();
        }
        let offer = self.holdings[index].offer.clone();
        let anchor = self.holdings[index].subscription["billing_cycle_anchor"].as_i64();
        self.holdings[index].periods += 1;
        let periods = self.holdings[index].periods;
        let (from, until) = (self.now, after(anchor.unwrap_or(self.now), periods, &offer));

        let item = self.holdings[index].item()["id"].as_str().unwrap_or_default().to_owned();
        let of = self.holdings[index].subscription["id"].as_str().unwrap_or_default().to_owned();
        let mut item = objects::item(&item, &of, &offer, from, until);
        item["created"] = self.holdings[index].item()["created"].clone();
        let mut renewed = self.holdings[index].subscription.clone();
        renewed["items"]["data"][0] = item;
        renewed["status"] = json!("active");
        let before = std::mem::replace(&mut self.holdings[index].subscription, renewed);
        let invoice =
            self.new_invoice(index, "subscription_cycle", &[(&offer, offer.amount, false)]);
        self.holdings[index].subscription["latest_invoice"] = invoice["id"].clone();
        let told = self.holdings[index].subscription.clone();
        self.tell_change("customer.subscription.updated", &before, &told);
        self.tell("invoice.created", &invoice);
        self.holdings[index].open = Some(invoice);
        if let Some((schedule, _)) = changed {
            self.release(index, schedule);
        }
        self.plan(self.now + HOUR, index, Step::Collect);
        self.plan(until, index, Step::PeriodEnds);
        self.plan_period(index);
    }

    fn upgrade(&mut self, index: usize) {
        let old = self.holdings[index].offer.clone();
        let Some(new) = self.shop.beside(&old, true).cloned() else { return };
        if !self.holdings[index].is_settled() {
            return;
        }
        let (from, until) = self.holdings[index].period();
        let share = |amount: i64| amount * (until - self.now) / (until - from).max(1);
        let lines = [(&old, -share(old.amount), true), (&new, share(new.amount), true)];
        self.holdings[index].offer = new.clone();
        let before = self.holdings[index].subscription.clone();
        let price = objects::price(&new, from);
        self.holdings[index].subscription["items"]["data"][0]["price"] = price;
        let mut invoice = self.new_invoice(index, "subscription_update", &lines);
        self.holdings[index].subscription["latest_invoice"] = invoice["id"].clone();
        let told = self.holdings[index].subscription.clone();
        self.tell_change("customer.subscription.updated", &before, &told);
        self.tell("invoice.created", &invoice);
        self.finalize(&mut invoice);
        self.pay(index, &mut invoice);
    }

    fn schedule_downgrade(&mut self, index: usize) {
        let offer = self.holdings[index].offer.clone();
        let Some(lower) = self.shop.beside(&offer, false).cloned() else { return };
        if !self.holdings[index].is_settled() {
            return;
        }
        let id = self.id("sub_sched");
        let before = objects::schedule(&id, &self.holdings[index].subscription, self.now);
        self.tell("subscription_schedule.created", &before);
        self.change(index, |subscription| subscription["schedule"] = json!(id));
        let mut after = before.clone();
        let boundary = before["phases"][0]["end_date"].clone();
        if let Some(phases) = after["phases"].as_array_mut() {
            phases.push(objects::phase(&boundary, None, &lower.price));
        }
        self.tell_change("subscription_schedule.updated", &before, &after);
        self.holdings[index].schedule = Some((after, lower));
    }

    fn release(&mut self, index: usize, mut schedule: Value) {
        schedule["status"] = json!("released");
        schedule["released_at"] = json!(self.now);
        schedule["released_subscription"] = schedule["subscription"].take();
        schedule["current_phase"] = Value::Null;
        self.tell("subscription_schedule.released", &schedule);
        self.change(index, |subscription| subscription["schedule"] = Value::Null);
    }

    /// Flexible billing: the end is an instant, and the status stays until then.
    fn cancel_at_end(&mut self, index: usize) {
        let holding = &self.holdings[index];
        if !(holding.is_settled() || holding.status() == "trialing" && !holding.is_ending()) {
            return;
        }
        let (now, end) = (self.now, self.holdings[index].period().1);
        self.change(index, |subscription| {
            subscription["cancel_at"] = json!(end);
            subscription["canceled_at"] = json!(now);
            subscription["cancellation_details"] =
                json!({ "feedback": "too_expensive", "reason": "cancellation_requested" });
        });
        if self.dice.chance(25) {
            let at = self.dice.between(now, end);
            self.plan(at, index, Step::ChangeMind);
        }
    }

    fn change_mind(&mut self, index: usize) {
        if matches!(self.holdings[index].status(), "trialing" | "active") {
            self.change(index, |subscription| {
                subscription["cancel_at"] = Value::Null;
                subscription["canceled_at"] = Value::Null;
                subscription["cancellation_details"] = json!({ "feedback": null, "reason": null });
            });
        }
    }

    fn buy_add_on(&mut self, index: usize) {
        let trainer = self.holdings[index].trainer;
        let has_one = |other: &Holding| other.trainer == trainer && other.offer.level.is_none();
        if self.shop.add_ons.is_empty() || self.holdings.iter().any(has_one) {
            return;
        }
        let count = i64::try_from(self.shop.add_ons.len()).unwrap_or(1);
        let pick = usize::try_from(self.dice.below(count)).unwrap_or(0);
        let offer = self.shop.add_ons[pick].clone();
        self.holdings.push(Holding::new(trainer, offer));
        let bought = self.holdings.len() - 1;
        self.sign_up(bought);
    }

    /// An invoice of a holding, with what it bills and whether that settles a change.
    fn new_invoice(&mut self, index: usize, reason: &str, bills: &[(&Offer, i64, bool)]) -> Value {
        let id = self.id("in");
        let (from, until) = self.holdings[index].period();
        let lines: Vec<Line<'_>> = bills
            .iter()
            .map(|&(offer, amount, proration)| {
                let period = if proration { (self.now, until) } else { (from, until) };
                Line { id: self.id("il"), offer, amount, period, proration }
            })
            .collect();
        objects::invoice(&id, &self.holdings[index].subscription, reason, self.now, &lines)
    }

    pub(super) fn give_up(&mut self, index: usize) {
        if self.dice.chance(70) {
            self.delete(index, "payment_failed");
        } else {
            self.change(index, |subscription| subscription["status"] = json!("unpaid"));
        }
    }

    fn retry(&mut self, index: usize) {
        let Some(mut invoice) = self.holdings[index].open.take() else { return };
        if self.holdings[index].status() != "past_due" {
            return;
        }
        if self.dice.chance(55) {
            self.pay(index, &mut invoice);
            self.change(index, |subscription| subscription["status"] = json!("active"));
            return;
        }
        self.fail(index, &mut invoice);
        let attempts = invoice["attempt_count"].as_i64().unwrap_or(ATTEMPTS_MAX);
        self.holdings[index].open = Some(invoice);
        if attempts < ATTEMPTS_MAX {
            self.plan(self.now + 3 * DAY, index, Step::Retry);
        } else {
            self.give_up(index);
        }
    }

    fn collect(&mut self, index: usize) {
        let Some(mut invoice) = self.holdings[index].open.take() else { return };
        if self.holdings[index].status() != "active" {
            return;
        }
        self.finalize(&mut invoice);
        if !self.dice.chance(9) {
            return self.pay(index, &mut invoice);
        }
        self.fail(index, &mut invoice);
        self.change(index, |subscription| subscription["status"] = json!("past_due"));
        self.holdings[index].open = Some(invoice);
        self.plan(self.now + 3 * DAY, index, Step::Retry);
    }
}

/// The end of the nth period after an anchor; the 31st becomes the last day of a shorter month.
fn after(anchor: i64, periods: u32, offer: &Offer) -> i64 {
    let months = periods * if offer.yearly { 12 } else { 1 };
    let end = DateTime::from_timestamp(anchor, 0)
        .and_then(|anchor| anchor.checked_add_months(Months::new(months)));
    end.map_or(anchor + 30 * DAY, |end| end.timestamp())
}
