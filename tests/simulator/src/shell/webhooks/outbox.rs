//! What is to be delivered, and what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::endpoint::Hook;
use super::told::Told;
use crate::adversary::{Plan, disturb};
use crate::shell::StartError;
use crate::shell::config::Endpoint;
use crate::shell::render::Version;
use crate::world::Event;

/// One event on its way to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) hook: String,
    /// The event's place in the world's list.
    pub(crate) index: usize,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    /// The event as the adversary altered it.
    pub(crate) altered: Option<Event>,
    pub(crate) version: Option<Version>,
    /// When it's to be tried next, in the world's time.
    pub(crate) due: i64,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) state: Stage,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Pending,
    Sending,
    Delivered,
    /// No further attempt is made.
    GivenUp,
    /// Its endpoint is gone or off.
    Canceled,
}

/// One attempt.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: i64,
    /// The answer's status, or what went wrong.
    pub(crate) result: Result<u16, String>,
}

/// How many deliveries are remembered that are over.
const OVER_MAX: usize = 10_000;

/// All endpoints and deliveries.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) hooks: Vec<Hook>,
    /// By their numbers, which count on: those that are open, and the newest that are over.
    deliveries: BTreeMap<usize, Delivery>,
    next: usize,
    open: BTreeSet<usize>,
    over: BTreeSet<usize>,
    /// By event and endpoint, whether it has arrived.
    arrived: HashMap<String, BTreeMap<String, bool>>,
    pub(crate) told: Told,
    pub(crate) account: Version,
    pub(crate) livemode: bool,
    seed: u64,
}

impl Outbox {
    pub(crate) fn new(seed: u64, livemode: bool, account: Version) -> Self {
        Self {
            livemode,
            hooks: Vec::new(),
            deliveries: BTreeMap::new(),
            next: 0,
            open: BTreeSet::new(),
            over: BTreeSet::new(),
            arrived: HashMap::new(),
            told: Told::default(),
            account,
            seed,
        }
    }

    /// Takes an endpoint that is there from the start.
    pub(crate) fn register(
        &mut self,
        id: String,
        endpoint: Endpoint,
        now: i64,
    ) -> Result<(), StartError> {
        let Endpoint { url, secret, enabled_events, api_version, adversary } = endpoint;
        let mut hook = Hook::new(id, url, secret, enabled_events, now);
        hook.plan = adversary;
        hook.livemode = self.livemode;
        if let Some(name) = api_version {
            hook.version = Some(Version::parse(&name).ok_or(StartError::Version(name))?);
        }
        self.hooks.push(hook);
        Ok(())
    }

    /// Takes an endpoint that wants what was before it, except what has arrived there already.
    pub(crate) fn attach(
        &mut self,
        id: &str,
        endpoint: Endpoint,
        events: &[Event],
        now: i64,
    ) -> Result<(), StartError> {
        self.register(id.to_owned(), endpoint, now)?;
        let Self { hooks, arrived, account, .. } = self;
        let Some(hook) = hooks.last_mut() else { return Ok(()) };
        for (index, event) in events.iter().enumerate() {
            if hook.wants(&event.kind, account) {
                let arrived = arrived.entry(event.id.clone()).or_default();
                if !*arrived.entry(hook.id.clone()).or_insert(false) {
                    hook.waiting.push(index);
                }
            }
        }
        Ok(())
    }

    /// Notes what a journal tells: an event has arrived.
    pub(crate) fn has_arrived(&mut self, event: String, hook: String) {
        self.arrived.entry(event).or_default().insert(hook, true);
    }

    /// Takes away what arrived before the last restart.
    pub(crate) fn forget_arrived(&mut self, events: &[Event]) {
        let Self { hooks, arrived, .. } = self;
        for hook in hooks {
            hook.waiting.retain(|&index| {
                let by_hook = arrived.get(&events[index].id);
                by_hook.and_then(|by_hook| by_hook.get(&hook.id)) != Some(&true)
            });
        }
    }

    /// Notes an event for all who want it.
    pub(crate) fn enqueue(&mut self, index: usize, event: &Event) {
        for hook in &mut self.hooks {
            if hook.wants(&event.kind, &self.account) {
                hook.waiting.push(index);
                let arrived = self.arrived.entry(event.id.clone()).or_default();
                arrived.insert(hook.id.clone(), false);
            }
        }
    }

    /// Turns the events that wait into deliveries, for better or worse.
    pub(crate) fn schedule(&mut self, events: &[Event], now: i64) {
        let harmless = Plan::default();
        // An event has one time: who changes it comes before who would tell the true one.
        let changes_time =
            |at: &usize| self.hooks[*at].plan.as_ref().is_some_and(|plan| plan.changes_time());
        let mut order: Vec<usize> = (0..self.hooks.len()).collect();
        order.sort_by_key(|at| !changes_time(at));
        for at in order {
            let hook = &mut self.hooks[at];
            let waiting = std::mem::take(&mut hook.waiting);
            let Some(first) = waiting.first() else { continue };
            let batch: Vec<Event> = waiting.iter().map(|&index| events[index].clone()).collect();
            // Each batch has luck of its own, at each endpoint.
            let luck = u64::try_from(*first).unwrap_or_default().rotate_left(32);
            let seed = self.seed ^ luck ^ u64::try_from(at).unwrap_or_default();
            let plan = hook.plan.as_ref().unwrap_or(&harmless);
            let (id, disturbed) = (hook.id.clone(), disturb(&batch, plan, seed));
            for mut delivery in disturbed {
                let index = waiting[delivery.index];
                self.told.learn(index, &events[index], &mut delivery.event);
                let altered = (delivery.event != events[index]).then_some(delivery.event);
                if let Some(twin) = altered.as_ref().filter(|twin| twin.id != events[index].id) {
                    let arrived = self.arrived.entry(twin.id.clone()).or_default();
                    arrived.entry(id.clone()).or_insert(false);
                }
                // A version that doesn't know the type can't tell of it: the endpoint's own does.
                let version = delivery.api_version.as_deref().and_then(Version::parse);
                let version = version.filter(|version| version.knows(&events[index].kind));
                let due = now + i64::from(delivery.after_seconds);
                self.push(&id, index, &events[index], altered, version, due);
            }
        }
    }

    fn push(
        &mut self,
        hook: &str,
        index: usize,
        event: &Event,
        altered: Option<Event>,
        version: Option<Version>,
        due: i64,
    ) {
        let delivery = Delivery {
            hook: hook.to_owned(),
            index,
            event_id: altered.as_ref().unwrap_or(event).id.clone(),
            event_type: event.kind.clone(),
            altered,
            version,
            due,
            attempts: Vec::new(),
            state: Stage::Pending,
        };
        self.open.insert(self.next);
        self.deliveries.insert(self.next, delivery);
        self.next += 1;
    }

    /// Takes note that a delivery is over, and forgets the oldest of too many.
    fn close(&mut self, at: usize) {
        self.open.remove(&at);
        self.over.insert(at);
        while self.over.len() > OVER_MAX {
            let oldest = self.over.pop_first();
            oldest.and_then(|oldest| self.deliveries.remove(&oldest));
        }
    }

    /// Whether an endpoint that an event waits for may get it with another time.
    pub(crate) fn may_alter(&self) -> bool {
        let alters = |hook: &Hook| {
            !hook.waiting.is_empty() && hook.plan.as_ref().is_some_and(|plan| plan.changes_time())
        };
        self.hooks.iter().any(alters)
    }

    /// Has an event, as it's told, delivered once more, to each endpoint that is on. Returns to how
    /// many.
    pub(crate) fn resend(&mut self, index: usize, event: &Event, now: i64) -> usize {
        let on = self.hooks.iter().filter(|hook| hook.is_enabled);
        let hooks: Vec<String> = on.map(|hook| hook.id.clone()).collect();
        for hook in &hooks {
            self.push(hook, index, event, Some(event.clone()), None, now);
            let arrived = self.arrived.entry(event.id.clone()).or_default();
            arrived.entry(hook.clone()).or_insert(false);
        }
        hooks.len()
    }

    /// How many endpoints lack an event.
    pub(crate) fn pending(&self, event: &str) -> u64 {
        let missing = |arrived: &BTreeMap<String, bool>| {
            arrived.values().filter(|arrived| !**arrived).count()
        };
        u64::try_from(self.arrived.get(event).map_or(0, missing)).unwrap_or(u64::MAX)
    }

    /// The deliveries that are open, in the order in which they're due.
    pub(crate) fn open(&self, until: Option<i64>) -> Vec<usize> {
        let mut open: Vec<usize> = self.open.iter().copied().collect();
        open.retain(|&at| {
            let delivery = &self.deliveries[&at];
            let is_due = until.is_none_or(|until| delivery.due <= until);
            delivery.state == Stage::Pending && is_due
        });
        open.sort_by_key(|at| (self.deliveries[at].due, *at));
        open
    }

    /// Whether anything waits, due or not.
    pub(crate) fn outstanding(&self) -> usize {
        self.open.len() + self.hooks.iter().map(|hook| hook.waiting.len()).sum::<usize>()
    }

    /// The same for one endpoint.
    pub(crate) fn outstanding_for(&self, hook: &str) -> usize {
        let open = self.open.iter().filter(|at| self.deliveries[at].hook == hook).count();
        open + self.hook(hook).map_or(0, |hook| hook.waiting.len())
    }

    /// A delivery that isn't over.
    pub(crate) fn delivery(&self, at: usize) -> &Delivery {
        &self.deliveries[&at]
    }

    pub(crate) fn hook(&self, id: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.id == id)
    }

    pub(crate) fn hook_mut(&mut self, id: &str) -> Option<&mut Hook> {
        self.hooks.iter_mut().find(|hook| hook.id == id)
    }

    /// An endpoint in Stripe's shape.
    pub(crate) fn find(&self, id: &str) -> Option<Value> {
        self.hook(id).map(Hook::json)
    }

    pub(crate) fn begin(&mut self, at: usize) {
        if let Some(delivery) = self.deliveries.get_mut(&at) {
            delivery.state = Stage::Sending;
        }
    }

    /// Takes a begun delivery back, since it wasn't sent after all.
    pub(crate) fn put_off(&mut self, at: usize) {
        if let Some(delivery) = self.deliveries.get_mut(&at) {
            delivery.state = Stage::Pending;
        }
    }

    /// Notes what became of an attempt; a failed one is retried later, if it's not the last.
    pub(crate) fn finish(
        &mut self,
        at: usize,
        result: Result<u16, String>,
        now: i64,
        retry_after: &[i64],
    ) -> bool {
        // Its endpoint may have gone while it was sent, and it may be forgotten since.
        let Some(delivery) = self.deliveries.get_mut(&at) else { return false };
        let succeeded = matches!(result, Ok(200..=299));
        let failed_before = delivery.attempts.len();
        delivery.attempts.push(Attempt { at: now, result });
        let was_canceled = delivery.state == Stage::Canceled;
        if succeeded {
            delivery.state = Stage::Delivered;
            let arrived = self.arrived.entry(delivery.event_id.clone()).or_default();
            if let Some(arrived) = arrived.get_mut(&delivery.hook) {
                *arrived = true;
            }
        } else if was_canceled {
            return false;
        } else if let Some(delay) = retry_after.get(failed_before) {
            (delivery.state, delivery.due) = (Stage::Pending, now + delay);
            return false;
        } else {
            delivery.state = Stage::GivenUp;
        }
        self.close(at);
        succeeded
    }

    /// Ends what is on the way to an endpoint that is gone or off. To one that is gone nothing is
    /// missing any more.
    pub(crate) fn cancel(&mut self, hook: &str, is_gone: bool) {
        let is_meant = |at: &usize| self.deliveries[at].hook == hook;
        for at in self.open.iter().copied().filter(is_meant).collect::<Vec<_>>() {
            if let Some(delivery) = self.deliveries.get_mut(&at) {
                delivery.state = Stage::Canceled;
            }
            self.close(at);
        }
        let Self { arrived, hooks, .. } = self;
        if let Some(hook) = hooks.iter_mut().find(|each| each.id == hook) {
            hook.waiting.clear();
        }
        if is_gone {
            arrived.values_mut().for_each(|arrived| {
                arrived.remove(hook);
            });
            hooks.retain(|each| each.id != hook);
        }
    }

    /// All deliveries that are remembered, for who wants to see them.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.deliveries.values().map(Delivery::json).collect()
    }
}

impl Delivery {
    fn json(&self) -> Value {
        let attempt = |attempt: &Attempt| {
            let error = attempt.result.as_ref().err();
            json!({ "at": attempt.at, "status": attempt.result.as_ref().ok(), "error": error })
        };
        let stage = match self.state {
            Stage::Pending => "pending",
            Stage::Sending => "sending",
            Stage::Delivered => "delivered",
            Stage::GivenUp => "given_up",
            Stage::Canceled => "canceled",
        };
        json!({
            "endpoint": self.hook,
            "event": self.event_id,
            "type": self.event_type,
            "state": stage,
            "next_attempt": (self.state == Stage::Pending).then_some(self.due),
            "attempts": self.attempts.iter().map(attempt).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_deliveries_are_remembered_and_all_that_are_open() {
        let version = Version::parse("2024-06-20").expect("a version");
        let mut outbox = Outbox::new(1, false, version);
        let event = Event {
            id: "evt_1".into(),
            kind: "customer.created".into(),
            created: 0,
            livemode: false,
            object: json!({}),
            previous_attributes: None,
            request_id: None,
            idempotency_key: None,
            test_clock: None,
            intent: None,
        };
        for _ in 0..OVER_MAX + 20 {
            outbox.push("we_1", 0, &event, None, None, 0);
        }
        // The first ones stay open, and others come to their end in any order.
        for at in (7..OVER_MAX + 20).rev() {
            outbox.finish(at, Ok(200), 0, &[]);
        }
        assert_eq!(outbox.open(None), (0..7).collect::<Vec<_>>());
        assert_eq!((outbox.log().len(), outbox.outstanding()), (OVER_MAX + 7, 7));
        assert!(!outbox.deliveries.contains_key(&19) && outbox.deliveries.contains_key(&20));
        assert!(!outbox.finish(19, Ok(200), 0, &[]), "it is forgotten");
        outbox.cancel("we_1", true);
        assert_eq!((outbox.log().len(), outbox.outstanding()), (OVER_MAX, 0));
    }
}
