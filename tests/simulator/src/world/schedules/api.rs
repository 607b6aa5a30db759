//! The calls about schedules.

use super::super::World;
use super::super::calendar::Interval;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::super::subscriptions::{Billing, Status, fitting, interval_of, prices_of};
use super::super::template::integer;
use super::{Phase, Schedule, applied};

type Answered = Result<Answer, ApiError>;

const BEHAVIORS: [&str; 3] = ["create_prorations", "none", "always_invoice"];

impl World {
    pub(in super::super) fn create_schedule(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["from_subscription", "metadata"])?;
        let subscription = params::required(form, "from_subscription")?;
        let metadata = params::metadata(form, Form::new())?;
        self.named("subscription", &subscription, "from_subscription")?;
        let of = &self.subscriptions[&subscription];
        if of.schedule.is_some() || of.cancel_at.is_some() {
            let message = "You cannot migrate a subscription that is already attached to a \
                           schedule, or set to be canceled.";
            return Err(ApiError::state("subscription_has_schedule", message));
        }
        if !matches!(of.status, Status::Active | Status::Trialing | Status::PastDue) {
            let message = "You cannot migrate a subscription in this status to a schedule.";
            return Err(ApiError::state("subscription_unexpected_state", message));
        }
        let of = of.clone();
        let phase = Phase {
            start: of.period.0,
            end: of.period.1,
            items: of.items,
            proration: "create_prorations",
            metadata: Form::new(),
        };
        let schedule = Schedule {
            id: self.ids.next("sub_sched"),
            customer: of.customer,
            clock: of.clock,
            created: self.now_of(&subscription),
            subscription: Some(subscription.clone()),
            released: None,
            status: "active",
            phases: vec![phase],
            current: Some(0),
            end_behavior: "release",
            metadata,
            canceled_at: None,
            completed_at: None,
            released_at: None,
            flexible: of.flexible,
        };
        let id = schedule.id.clone();
        self.list_made("subscription_schedule", &id);
        self.schedules.insert(id.clone(), schedule);
        if let Some(of) = self.subscriptions.get_mut(&subscription) {
            of.schedule = Some(id.clone());
        }
        self.emit("subscription_schedule.created", &id);
        self.emit("customer.subscription.updated", &subscription);
        self.answer(&id)
    }

    fn active_schedule(&self, id: &str) -> Result<(Schedule, String), ApiError> {
        let rendered = self.named("subscription_schedule", id, "schedule")?;
        self.in_status(&rendered, &["active"])?;
        let schedule = self.schedules[id].clone();
        let subscription = schedule.subscription.clone();
        let subscription = subscription.ok_or_else(|| {
            ApiError::state("schedule_unexpected_state", "It has no subscription")
        })?;
        Ok((schedule, subscription))
    }

    pub(in super::super) fn update_schedule(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["phases", "end_behavior", "metadata", "proration_behavior"])?;
        let (mut schedule, subscription) = self.active_schedule(id)?;
        schedule.metadata = params::metadata(form, schedule.metadata.clone())?;
        if let Some(end) = params::word(form, "end_behavior", &["release", "cancel"])? {
            schedule.end_behavior = end;
        }
        let billing = match params::word(form, "proration_behavior", &BEHAVIORS)? {
            Some("none") => Billing::None,
            Some("always_invoice") => Billing::Always,
            _ => Billing::Create,
        };
        if let Some(phases) = params::forms(form, "phases")? {
            let now = self.now_of(&subscription);
            schedule.phases = self.phases(&phases, &schedule, &subscription)?;
            let current =
                schedule.phases.iter().position(|phase| phase.start <= now && now < phase.end);
            schedule.current = current;
            if current.is_none() {
                let message = "The current phase must not end in the past.";
                return Err(ApiError::invalid("phases", message));
            }
        }
        let current = schedule.current.and_then(|at| schedule.phases.get(at)).cloned();
        self.schedules.insert(id.to_owned(), schedule);
        self.emit("subscription_schedule.updated", id);
        let of = &self.subscriptions[&subscription];
        if let Some(phase) = current {
            let quantities = |items: &[super::Item]| -> Vec<i64> {
                items.iter().map(|item| item.quantity).collect()
            };
            let differs = prices_of(&phase.items) != prices_of(&of.items)
                || quantities(&phase.items) != quantities(&of.items);
            if differs {
                let items = applied(&of.items, &phase);
                self.rebill(&subscription, items, billing);
            }
        }
        self.answer(id)
    }

    /// The phases that a form lists, one after the other from the current one's start.
    fn phases(
        &mut self,
        forms: &[&Form],
        schedule: &Schedule,
        subscription: &str,
    ) -> Result<Vec<Phase>, ApiError> {
        let anchor = self.subscriptions[subscription].anchor;
        let now = self.now_of(subscription);
        let current = schedule.current.and_then(|at| schedule.phases.get(at));
        let mut start = current.map_or(now, |phase| phase.start);
        let mut phases: Vec<Phase> = Vec::new();
        if forms.is_empty() || forms.len() > 10 {
            return Err(ApiError::invalid("phases", "A schedule has one to ten phases."));
        }
        for form in forms {
            let known = [
                "items",
                "start_date",
                "end_date",
                "iterations",
                "duration",
                "proration_behavior",
                "metadata",
            ];
            params::known(form, "phases", &known)?;
            if let Some(asked) = params::time(form, "start_date")?
                && asked != start
            {
                let message = "A phase must start when the one before it ends; the current phase's \
                               start can't be changed.";
                return Err(ApiError::invalid("phases[0][start_date]", message));
            }
            let items = self.new_items(form, "items", now)?;
            fitting(&items)?;
            let interval = interval_of(&items);
            let end = match params::time(form, "end_date")? {
                Some(end) => end,
                None => Self::duration(form, interval, anchor, start)?,
            };
            if end <= start {
                let message = "A phase must end after it starts.";
                return Err(ApiError::invalid("phases[0][end_date]", message));
            }
            let proration = params::word(form, "proration_behavior", &BEHAVIORS)?;
            let proration = proration.unwrap_or("create_prorations");
            let metadata = params::metadata(form, Form::new())?;
            phases.push(Phase { start, end, items, proration, metadata });
            start = end;
        }
        Ok(phases)
    }

    /// Where a phase ends that is given by its length: so many periods, or a duration.
    fn duration(form: &Form, interval: Interval, anchor: i64, start: i64) -> Result<i64, ApiError> {
        if let Some(duration) = params::nested(form, "duration")? {
            params::known(duration, "duration", &["interval", "interval_count"])?;
            let unit = params::word(duration, "interval", &["day", "week", "month", "year"])?;
            let unit = unit.ok_or_else(|| ApiError::missing("duration[interval]"))?;
            let count = params::integer(duration, "interval_count")?.unwrap_or(1);
            return Ok(Interval::new(unit, count).next(anchor.min(start), start));
        }
        let periods = params::integer(form, "iterations")?.unwrap_or(1);
        if !(1..=120).contains(&periods) {
            return Err(ApiError::invalid("iterations", "Invalid integer"));
        }
        Ok((0..periods).fold(start, |end, _| interval.next(anchor.min(start), end)))
    }

    pub(in super::super) fn release_schedule(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        let (_, subscription) = self.active_schedule(id)?;
        let now = self.now_of(&subscription);
        if let Some(schedule) = self.schedules.get_mut(id) {
            schedule.status = "released";
            schedule.released_at = Some(now);
            schedule.released = schedule.subscription.take();
            schedule.current = None;
        }
        if let Some(of) = self.subscriptions.get_mut(&subscription) {
            of.schedule = None;
        }
        self.emit("subscription_schedule.released", id);
        self.emit("customer.subscription.updated", &subscription);
        self.answer(id)
    }

    pub(in super::super) fn cancel_schedule(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        let (_, subscription) = self.active_schedule(id)?;
        self.end(&subscription, Some("cancellation_requested"));
        self.answer(id)
    }

    pub(in super::super) fn list_schedules(&self, form: &Form) -> Answered {
        params::known(form, "", &["customer", "scheduled", "created"])?;
        let customer = params::text(form, "customer")?;
        let created = params::created(form)?;
        let found = self.all("subscription_schedule").filter(|schedule| {
            customer.as_ref().is_none_or(|one| schedule["customer"] == one.as_str())
                && created(integer(schedule, "created"))
        });
        Ok(Answer::List { url: "/v1/subscription_schedules".to_owned(), data: found.collect() })
    }
}
