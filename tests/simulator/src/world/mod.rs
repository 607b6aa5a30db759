//! The state of a small Stripe, and what happens in it by calls and by time.
//!
//! Everything here is synchronous and follows from its arguments: no clock, no chance, no I/O.
//! Events come from changes of state: whoever changes an object calls `World::emit`, which renders
//! it, compares that with what it was before the change and records the event. To add a resource,
//! write a file that handles its paths, list them in `route.rs`, and put its example into
//! `fixtures/objects.json`.
//!
//! Beyond Stripe's own API there are paths for what a person does on a page or a bank does by
//! itself: `POST /v1/test_helpers/checkout/sessions/{id}/pay | decline | authenticate | expire`,
//! `POST /v1/test_helpers/payment_intents/{id}/authenticate`,
//! `POST /v1/test_helpers/refunds/{id}/fail`, `POST /v1/test_helpers/disputes` and
//! `POST /v1/test_helpers/disputes/{id}/close`. Products and prices may be given an `id`.
//!
//! Deliberately simpler than Stripe: there are no taxes, discounts and customer balances (what a
//! credit leaves over is forfeited), a subscription's items share one interval, and an item shows
//! its price as it was when it was chosen.

#![expect(
    clippy::result_large_err,
    reason = "a refusal carries all that the answer shows, and is no frequent path"
)]

mod billing;
mod calendar;
mod catalog;
mod changing;
mod clocks;
mod config;
mod customers;
pub mod diff;
mod disputes;
mod due;
mod emit;
mod error;
mod ids;
mod invoices;
pub mod life;
mod params;
mod past;
mod payments;
mod portal;
mod refunds;
pub mod request;
mod route;
mod schedules;
mod sessions;
mod subscriptions;
mod template;
mod truth;

use std::collections::BTreeMap;

use serde_json::Value;

pub use config::{Config, Exhausted, RetryPolicy};
pub(crate) use params::created;
pub use past::{Said, Stood};
pub use request::{API_VERSION, Answer, ApiError, Event, Method, Request};
pub use truth::Truth;

use changing::Changing;
use ids::Ids;
use invoices::Invoice;
use payments::Card;
use schedules::Schedule;
use sessions::Session;
use subscriptions::Subscription;

/// A Stripe account with all that is in it.
#[derive(Debug, Clone)]
pub struct World {
    config: Config,
    now: i64,
    ids: Ids,
    events: Vec<Event>,
    /// The ids of every kind of object, in order of creation.
    made: BTreeMap<&'static str, Vec<String>>,
    /// Kind and id of what time may still do something to, in order of creation.
    awaiting: Vec<(&'static str, String)>,
    /// Objects without behaviour of their own, as they are rendered.
    plain: Changing<Value>,
    subscriptions: Changing<Subscription>,
    /// How each subscription stood.
    past: BTreeMap<String, Vec<Stood>>,
    /// Who each customer was said to be.
    said: BTreeMap<String, Vec<Said>>,
    invoices: Changing<Invoice>,
    schedules: Changing<Schedule>,
    sessions: Changing<Session>,
    /// How each payment method behaves.
    cards: BTreeMap<String, Card>,
    /// Which invoice a payment intent pays.
    paid_by: BTreeMap<String, String>,
    /// Id and key of the request under way.
    request: Option<(String, Option<String>)>,
}

impl World {
    /// An empty account.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            now: config.now,
            ids: Ids::new(config.seed),
            config,
            events: Vec::new(),
            made: BTreeMap::new(),
            awaiting: Vec::new(),
            plain: Changing::default(),
            subscriptions: Changing::default(),
            past: BTreeMap::new(),
            said: BTreeMap::new(),
            invoices: Changing::default(),
            schedules: Changing::default(),
            sessions: Changing::default(),
            cards: BTreeMap::new(),
            paid_by: BTreeMap::new(),
            request: None,
        }
    }

    /// One call of the API.
    ///
    /// # Errors
    ///
    /// What Stripe would refuse, in Stripe's words.
    pub fn call(&mut self, request: &Request) -> Result<Answer, ApiError> {
        self.request = request.id.clone().map(|id| (id, request.idempotency_key.clone()));
        let answer = self.route(request);
        self.forget_changes();
        self.request = None;
        answer
    }

    /// The real time.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Moves the real time on. What falls due until then happens at its own time and in order; who
    /// lives by a test clock is not concerned. Time never goes back.
    pub fn advance_to(&mut self, now: i64) {
        self.pass(None, now);
    }

    /// Makes all ids from now on others than they would have been. Two worlds that were the same
    /// until now never give one id to two things.
    pub fn salt_ids(&mut self, salt: u64) {
        self.ids.salt(salt);
    }

    /// All that happened, in order of creation.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Any object by its id, with references unexpanded.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Value> {
        if let Some(subscription) = self.subscriptions.get(id) {
            return Some(subscription.render());
        }
        if let Some(invoice) = self.invoices.get(id) {
            return Some(invoice.render(self.config.livemode));
        }
        if let Some(schedule) = self.schedules.get(id) {
            return Some(schedule.render(self.config.livemode));
        }
        if let Some(session) = self.sessions.get(id) {
            return Some(session.render(self.config.livemode));
        }
        self.plain.get(id).cloned()
    }

    /// The list of an invoice's payments, oldest first, which an invoice shows only to who asks.
    #[must_use]
    pub fn payments_of(&self, invoice: &str) -> Option<Value> {
        let ids = &self.invoices.get(invoice)?.payments;
        let payments: Vec<Value> = ids.iter().filter_map(|id| self.find(id)).collect();
        Some(template::list(&format!("/v1/invoice_payments?invoice={invoice}"), &payments))
    }

    /// All objects of a kind, newest first, without those deleted.
    fn all(&self, kind: &str) -> impl Iterator<Item = Value> {
        let ids = self.made.get(kind).into_iter().flatten().rev();
        ids.filter_map(|id| self.find(id)).filter(|object| object["deleted"] != true)
    }

    /// An object that a parameter names, of the kind that is meant.
    fn named(&self, kind: &str, id: &str, param: &str) -> Result<Value, ApiError> {
        match self.find(id) {
            Some(object) if object["object"] == kind && object["deleted"] != true => Ok(object),
            _ => Err(ApiError::no_such(&noun(kind), id, param)),
        }
    }

    /// Notes that there is a new object.
    fn list_made(&mut self, kind: &'static str, id: &str) {
        self.made.entry(kind).or_default().push(id.to_owned());
        if due::MAY_FALL_DUE.contains(&kind) {
            self.awaiting.push((kind, id.to_owned()));
        }
    }

    /// Puts a new object without behaviour into the world.
    fn make(&mut self, kind: &'static str, object: Value) -> String {
        let id = template::text(&object, "id").to_owned();
        self.list_made(kind, &id);
        self.plain.insert(id.clone(), object);
        id
    }

    /// Sets fields of an object without behaviour.
    fn set(&mut self, id: &str, fields: Value) {
        if let Some(object) = self.plain.get_mut(id) {
            template::fill(object, fields);
        }
    }
}

/// How an error calls a kind of object.
fn noun(kind: &str) -> String {
    match kind {
        "payment_method" => "PaymentMethod".to_owned(),
        "checkout.session" => "checkout.session".to_owned(),
        "test_helpers.test_clock" => "test clock".to_owned(),
        other => other.to_owned(),
    }
}
