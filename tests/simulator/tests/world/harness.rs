//! Calling a world, and looking at what it told.

use ledger_simulator::world::{Answer, ApiError, Config, Event, Method, Request, World};
use serde_json::{Map, Value, json};

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A world with a few prices and one customer, and a mark in its events.
pub(crate) struct Sim {
    pub(crate) world: World,
    mark: usize,
}

impl Sim {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let mut sim = Self { world: World::new(config), mark: 0 };
        sim.post("products", json!({ "id": "prod_tier", "name": "Tier" }));
        for (id, interval, amount) in [
            ("price_starter", "month", 3_000),
            ("price_pro", "month", 6_000),
            ("price_pro_year", "year", 60_000),
        ] {
            sim.post(
                "prices",
                json!({ "id": id, "lookup_key": id, "product": "prod_tier", "currency": "usd",
                    "unit_amount": amount, "recurring": { "interval": interval } }),
            );
        }
        sim.skip();
        sim
    }

    #[expect(clippy::result_large_err, reason = "it is what the world answers")]
    pub(crate) fn call(
        &mut self,
        method: Method,
        path: &str,
        form: &Value,
    ) -> Result<Answer, ApiError> {
        let request = Request {
            method,
            path: format!("/v1/{path}"),
            params: strings(form).as_object().cloned().unwrap_or_default(),
            id: Some("req_1".to_owned()),
            idempotency_key: Some("key-1".to_owned()),
        };
        self.world.call(&request)
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, form: Value) -> Value {
        match self.call(Method::Post, path, &form) {
            Ok(Answer::Object(object)) => object,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refused(&mut self, path: &str, form: Value) -> ApiError {
        self.call(Method::Post, path, &form).unwrap_err()
    }

    #[track_caller]
    pub(crate) fn delete(&mut self, path: &str) -> Value {
        match self.call(Method::Delete, path, &json!({})) {
            Ok(Answer::Object(object)) => object,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn list(&mut self, path: &str, form: Value) -> Vec<Value> {
        match self.call(Method::Get, path, &form) {
            Ok(Answer::List { data, .. }) => data,
            other => panic!("{path}: {other:?}"),
        }
    }

    /// A customer with a default card.
    pub(crate) fn customer(&mut self, card: &str) -> String {
        let settings = json!({ "default_payment_method": card });
        let made = self.post("customers", json!({ "invoice_settings": settings }));
        id_of(&made)
    }

    /// A customer with a default card, subscribed to a price.
    pub(crate) fn subscriber(&mut self, price: &str) -> (String, String) {
        let made = self.subscriber_untold(price);
        self.skip();
        made
    }

    /// The same, and the mark stays where it is.
    pub(crate) fn subscriber_untold(&mut self, price: &str) -> (String, String) {
        let customer = self.customer("pm_card_visa");
        let form = json!({ "customer": customer, "items": [{ "price": price }] });
        let made = self.post("subscriptions", form);
        (customer, id_of(&made))
    }

    pub(crate) fn card(&mut self, customer: &str, card: &str) {
        let settings = json!({ "default_payment_method": card });
        self.post(&format!("customers/{customer}"), json!({ "invoice_settings": settings }));
        self.skip();
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.world.advance_to(self.world.now() + seconds);
    }

    pub(crate) fn get(&self, id: &str) -> Value {
        self.world.find(id).unwrap()
    }

    /// The intent that an invoice is to be paid by.
    #[track_caller]
    pub(crate) fn intent_of(&self, invoice: &str) -> String {
        let payments = self.world.payments_of(invoice).unwrap();
        payments["data"][0]["payment"]["payment_intent"].as_str().unwrap().to_owned()
    }

    /// Begins to look at events from here on.
    pub(crate) fn skip(&mut self) {
        self.mark = self.world.events().len();
    }

    /// What happened since the mark, which moves on.
    pub(crate) fn told(&mut self) -> Vec<Event> {
        let told = self.world.events()[self.mark..].to_vec();
        self.skip();
        told
    }

    /// The kinds of what happened since the mark, which moves on.
    pub(crate) fn kinds(&mut self) -> Vec<String> {
        self.told().into_iter().map(|event| event.kind).collect()
    }
}

pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// The first event of a kind.
#[track_caller]
pub(crate) fn of_kind<'a>(events: &'a [Event], kind: &str) -> &'a Event {
    let kinds: Vec<_> = events.iter().map(|event| &event.kind).collect();
    events.iter().find(|event| event.kind == kind).unwrap_or_else(|| panic!("{kind} in {kinds:?}"))
}

/// The old values that an event tells.
#[track_caller]
pub(crate) fn previous(event: &Event) -> Value {
    Value::Object(event.previous_attributes.clone().unwrap())
}

fn strings(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let leaves = map.iter().map(|(name, value)| (name.clone(), strings(value)));
            Value::Object(leaves.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(strings).collect(),
        Value::String(text) => json!(text),
        other => json!(other.to_string()),
    }
}
