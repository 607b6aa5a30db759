//! Subscription schedules: what a subscription will be from when on.

mod api;

use serde_json::{Map, Value, json};

use super::World;
use super::subscriptions::{Billing, Change, Item, Payment, Status, interval_of, prices_of};
use super::template::{filled, template, text};

/// A schedule.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) clock: Option<String>,
    pub(super) created: i64,
    pub(super) subscription: Option<String>,
    pub(super) released: Option<String>,
    pub(super) status: &'static str,
    pub(super) phases: Vec<Phase>,
    /// Which phase it is in, while it is active.
    pub(super) current: Option<usize>,
    pub(super) end_behavior: &'static str,
    pub(super) metadata: Map<String, Value>,
    pub(super) canceled_at: Option<i64>,
    pub(super) completed_at: Option<i64>,
    pub(super) released_at: Option<i64>,
    pub(super) flexible: bool,
}

/// What holds from one time to another.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) items: Vec<Item>,
    pub(super) proration: &'static str,
    pub(super) metadata: Map<String, Value>,
}

impl Schedule {
    /// When the current phase ends.
    pub(super) fn boundary(&self) -> Option<i64> {
        self.current.and_then(|at| self.phases.get(at)).map(|phase| phase.end)
    }

    /// The phase after the current one.
    pub(super) fn next_phase(&self) -> Option<&Phase> {
        self.current.and_then(|at| self.phases.get(at + 1))
    }

    /// The first phase after the current one in which something else is sold.
    pub(super) fn next_change(&self) -> Option<&Phase> {
        let (now, later) = self.phases.get(self.current?..)?.split_first()?;
        let sold = |phase: &Phase| {
            let mut prices = prices_of(&phase.items);
            prices.sort_unstable();
            prices.dedup();
            prices
        };
        later.iter().find(|phase| sold(phase) != sold(now))
    }

    pub(super) fn render(&self, livemode: bool) -> Value {
        let current = self.current.and_then(|at| self.phases.get(at));
        let current =
            current.map(|phase| json!({ "start_date": phase.start, "end_date": phase.end }));
        let phases: Vec<Value> = self.phases.iter().map(Self::render_phase).collect();
        let mode = if self.flexible { "flexible" } else { "classic" };
        let mut schedule = filled(
            "subscription_schedule",
            json!({
                "id": self.id,
                "billing_mode": { "type": mode, "flexible": self.flexible.then(|| json!({})) },
                "canceled_at": self.canceled_at,
                "completed_at": self.completed_at,
                "created": self.created,
                "current_phase": current,
                "customer": self.customer,
                "end_behavior": self.end_behavior,
                "livemode": livemode,
                "metadata": self.metadata,
                "phases": phases,
                "released_at": self.released_at,
                "released_subscription": self.released,
                "status": self.status,
                "subscription": self.subscription,
                "test_clock": self.clock,
            }),
        );
        schedule["default_settings"]["transfer_data"] = Value::Null;
        schedule["default_settings"]["billing_thresholds"] = Value::Null;
        schedule
    }

    fn render_phase(phase: &Phase) -> Value {
        let template = template("subscription_schedule")["phases"][0].clone();
        let items: Vec<Value> = phase
            .items
            .iter()
            .map(|item| {
                let mut rendered = template["items"][0].clone();
                let price = text(&item.price, "id");
                rendered["price"] = json!(price);
                rendered["plan"] = json!(price);
                rendered["quantity"] = json!(item.quantity);
                rendered["metadata"] = json!(item.metadata);
                rendered["billing_thresholds"] = Value::Null;
                rendered
            })
            .collect();
        let mut rendered = template;
        rendered["items"] = json!(items);
        rendered["currency"] =
            phase.items.first().map_or(Value::Null, |item| item.price["currency"].clone());
        rendered["start_date"] = json!(phase.start);
        rendered["end_date"] = json!(phase.end);
        rendered["metadata"] = json!(phase.metadata);
        rendered["proration_behavior"] = json!(phase.proration);
        rendered["transfer_data"] = Value::Null;
        rendered["billing_thresholds"] = Value::Null;
        rendered["invoice_settings"] = Value::Null;
        rendered
    }
}

/// A subscription's items with what a phase says of them: the same items in the same places.
fn applied(current: &[Item], phase: &Phase) -> Vec<Item> {
    let mut items = phase.items.clone();
    for (item, old) in items.iter_mut().zip(current) {
        item.id.clone_from(&old.id);
        item.created = old.created;
    }
    items
}

impl World {
    /// At the end of a phase: the next one holds, or the schedule is over. Changes the subscription
    /// without telling of it, and answers what is to be told of the schedule afterwards.
    pub(super) fn boundary(&mut self, subscription: &str) -> Vec<(&'static str, String)> {
        let now = self.now_of(subscription);
        let Some(of) = self.subscriptions.get_mut(subscription) else { return Vec::new() };
        let schedule = of.schedule.clone().and_then(|id| self.schedules.get_mut(&id));
        let Some(schedule) = schedule else { return Vec::new() };
        if schedule.boundary().is_none_or(|end| end > now) {
            return Vec::new();
        }
        let id = schedule.id.clone();
        if let Some(next) = schedule.next_phase() {
            of.items = applied(&of.items, next);
            schedule.current = schedule.current.map(|at| at + 1);
            return vec![("subscription_schedule.updated", id)];
        }
        of.schedule = None;
        schedule.current = None;
        if schedule.end_behavior == "cancel" {
            schedule.status = "completed";
            schedule.completed_at = Some(now);
            self.end(subscription, Some("cancellation_requested"));
            self.emit("subscription_schedule.completed", &id);
            return Vec::new();
        }
        schedule.status = "released";
        schedule.released_at = Some(now);
        schedule.released = schedule.subscription.take();
        vec![("subscription_schedule.released", id)]
    }

    /// A phase ends within a period.
    pub(super) fn phase_ends(&mut self, subscription: &str) {
        let Some(before) = self.subscriptions.get(subscription).cloned() else { return };
        let next = before.schedule.as_ref().and_then(|id| self.schedules.get(id));
        let billing = match next.and_then(Schedule::next_phase).map(|phase| phase.proration) {
            Some("none") => Billing::None,
            Some("always_invoice") => Billing::Always,
            _ => Billing::Create,
        };
        let told = self.boundary(subscription);
        let Some(of) = self.subscriptions.get_mut(subscription) else { return };
        if of.status.is_final() {
            return;
        }
        let items = std::mem::replace(&mut of.items, before.items);
        self.rebill(subscription, items, billing);
        for (kind, schedule) in told {
            self.emit(kind, &schedule);
        }
    }

    /// Bills other items from now on.
    fn rebill(&mut self, subscription: &str, items: Vec<Item>, billing: Billing) {
        let Some(of) = self.subscriptions.get(subscription) else { return };
        let billed = matches!(of.status, Status::Active | Status::PastDue);
        let begins = billed && interval_of(&items) != of.interval();
        self.change_billing(
            subscription,
            Change { items, begins, billing, payment: Payment::Allow, prorated_at: None },
        );
    }

    /// A schedule ends with its subscription.
    pub(super) fn schedule_ended(&mut self, id: &str, status: &'static str) {
        let Some(schedule) = self.schedules.get(id) else { return };
        let now = self.present(&schedule.customer);
        if let Some(schedule) = self.schedules.get_mut(id) {
            schedule.status = status;
            schedule.canceled_at = Some(now);
            schedule.current = None;
        }
        self.emit("subscription_schedule.canceled", id);
    }
}
