//! The sample's world: who there is, what is to happen when, and the webhooks that tell of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::objects;
use super::offer::{Offer, Shop};

/// One webhook, ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// When Stripe would have made it, in seconds since 1970.
    pub(crate) created: i64,
    /// Its bytes.
    pub(crate) body: Vec<u8>,
}

/// What can happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    SignUp,
    TrialWillEnd,
    PeriodEnds,
    Collect,
    Retry,
    Upgrade,
    ScheduleDowngrade,
    CancelAtEnd,
    ChangeMind,
    CancelNow,
    Refund,
    Dispute,
    DisputeCloses,
    BuyAddOn,
}

/// A trainer with a customer at Stripe.
#[derive(Debug, Clone)]
pub(super) struct Trainer {
    pub(super) id: String,
    pub(super) customer: String,
}

/// A subscription from its purchase on.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    /// Whose, as an index.
    pub(super) trainer: usize,
    pub(super) offer: Offer,
    /// Stripe's object; null before the purchase.
    pub(super) subscription: Value,
    /// How many periods began after the anchor.
    pub(super) periods: u32,
    /// The invoice that waits for its payment.
    pub(super) open: Option<Value>,
    /// The payment of that invoice, once it was tried.
    pub(super) intent: Option<String>,
    /// The last charge that succeeded.
    pub(super) charge: Option<Value>,
    pub(super) dispute: Option<Value>,
    /// The schedule, and what it will change the plan to.
    pub(super) schedule: Option<(Value, Offer)>,
}

impl Holding {
    pub(super) fn new(trainer: usize, offer: Offer) -> Self {
        Self {
            trainer,
            offer,
            subscription: Value::Null,
            periods: 0,
            open: None,
            intent: None,
            charge: None,
            dispute: None,
            schedule: None,
        }
    }

    pub(super) fn status(&self) -> &str {
        self.subscription["status"].as_str().unwrap_or_default()
    }

    pub(super) fn item(&self) -> &Value {
        &self.subscription["items"]["data"][0]
    }

    pub(super) fn period(&self) -> (i64, i64) {
        let of = |key: &str| self.item()[key].as_i64().unwrap_or_default();
        (of("current_period_start"), of("current_period_end"))
    }

    /// Whether it runs on and nobody has asked it to end or change.
    pub(super) fn is_settled(&self) -> bool {
        self.status() == "active" && self.schedule.is_none() && !self.is_ending()
    }

    pub(super) fn is_ending(&self) -> bool {
        !self.subscription["cancel_at"].is_null()
    }
}

/// Everything, at one instant.
pub(super) struct World {
    pub(super) now: i64,
    pub(super) dice: Dice,
    pub(super) shop: Shop,
    pub(super) trainers: Vec<Trainer>,
    pub(super) holdings: Vec<Holding>,
    agenda: BinaryHeap<Reverse<(i64, u64, usize, Step)>>,
    planned: u64,
    pub(super) webhooks: Vec<Webhook>,
}

impl World {
    pub(super) fn new(seed: u64, shop: Shop, start: i64) -> Self {
        Self {
            now: start,
            dice: Dice::new(seed),
            shop,
            trainers: Vec::new(),
            holdings: Vec::new(),
            agenda: BinaryHeap::new(),
            planned: 0,
            webhooks: Vec::new(),
        }
    }

    /// Lets something happen to a holding later. Things of one instant happen in the order in which
    /// they were planned.
    pub(super) fn plan(&mut self, at: i64, holding: usize, step: Step) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, holding, step)));
    }

    /// Lets time pass until an instant; what is planned for later never happens.
    pub(super) fn run(&mut self, until: i64) {
        while let Some(Reverse((at, _, holding, step))) = self.agenda.pop() {
            if at > until {
                return;
            }
            self.now = at;
            self.happen(holding, step);
        }
    }

    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.dice.letters(20))
    }

    /// Tells of an object as it is now.
    pub(super) fn tell(&mut self, kind: &str, object: &Value) {
        self.emit(kind, object, None);
    }

    /// Tells that an object changed, unless nothing did.
    pub(super) fn tell_change(&mut self, kind: &str, before: &Value, after: &Value) {
        let previous = objects::previous(before, after);
        if !previous.is_empty() {
            self.emit(kind, after, Some(&previous));
        }
    }

    /// Changes a holding's subscription and tells of it.
    pub(super) fn change(&mut self, holding: usize, change: impl FnOnce(&mut Value)) {
        let before = self.holdings[holding].subscription.clone();
        change(&mut self.holdings[holding].subscription);
        let after = self.holdings[holding].subscription.clone();
        self.tell_change("customer.subscription.updated", &before, &after);
    }

    /// Ends a subscription for good.
    pub(super) fn delete(&mut self, holding: usize, reason: &str) {
        let now = self.now;
        let subscription = &mut self.holdings[holding].subscription;
        if subscription["canceled_at"].is_null() {
            subscription["canceled_at"] = json!(now);
        }
        subscription["ended_at"] = json!(now);
        subscription["status"] = json!("canceled");
        subscription["cancellation_details"]["reason"] = json!(reason);
        let told = subscription.clone();
        self.tell("customer.subscription.deleted", &told);
    }

    fn emit(&mut self, kind: &str, object: &Value, previous: Option<&Map<String, Value>>) {
        let id = self.id("evt");
        let event = objects::event(&id, kind, self.now, object, previous);
        self.webhooks.push(Webhook { created: self.now, body: event.to_string().into_bytes() });
    }
}
