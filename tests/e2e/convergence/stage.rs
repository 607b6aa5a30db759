//! A world of the simulator's, called as an application calls Stripe, and its webhooks.

use ledger_simulator::shell::render::{Links, Renderer, Version};
use ledger_simulator::world::{Answer, Config, Event, Method, Request, World};
use serde_json::{Map, Value, json};

use super::truth::{Of, expect_invoices, expect_truth};
use crate::harness::TestApp;

/// The version of most accounts.
pub(crate) const USUAL: &str = "2025-09-30.clover";

/// The prices of the tiers and add-ons, as the end-to-end tests' catalogue has them.
pub(crate) const PRICES: [(&str, &str, i64); 5] = [
    ("price_starter_month", "month", 1_900),
    ("price_professional_month", "month", 4_900),
    ("price_enterprise_month", "month", 14_900),
    ("price_professional_year", "year", 49_000),
    ("price_ai_starter_month", "month", 900),
];

/// A small Stripe, one trainer of which the ledger is told.
pub(crate) struct Stage {
    pub(crate) world: World,
    trainer: String,
    version: Version,
    calls: u32,
    /// How many events have been delivered.
    told: usize,
    position: i64,
}

impl Stage {
    /// An account with prices. The seed makes its ids its own.
    pub(crate) fn new(trainer: &str, config: Config) -> Self {
        let version = Version::parse(USUAL).expect("a version");
        let (world, trainer) = (World::new(config), trainer.to_owned());
        let mut stage = Self { world, trainer, version, calls: 0, told: 0, position: 0 };
        stage.post("products", &json!({ "id": "prod_tier", "name": "Tier" }));
        for (id, interval, amount) in PRICES {
            let form = json!({
                "id": id, "product": "prod_tier", "currency": "usd", "unit_amount": amount,
                "recurring": { "interval": interval },
            });
            stage.post("prices", &form);
        }
        // The catalogue knows the prices; that they were made is another test's.
        stage.told = stage.world.events().len();
        stage
    }

    /// The trainer's name.
    pub(crate) fn trainer(&self) -> &str {
        &self.trainer
    }

    /// The same, speaking another version.
    pub(crate) fn in_version(mut self, version: &str) -> Self {
        self.version = Version::parse(version).expect("a version");
        self
    }

    #[track_caller]
    pub(crate) fn call(&mut self, method: Method, path: &str, form: &Value) -> Value {
        self.calls += 1;
        let request = Request {
            method,
            path: format!("/v1/{path}"),
            params: form.as_object().map(leaves).unwrap_or_default(),
            id: Some(format!("req_{}", self.calls)),
            idempotency_key: None,
        };
        match self.world.call(&request) {
            Ok(Answer::Object(object)) => object,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, form: &Value) -> Value {
        self.call(Method::Post, path, form)
    }

    /// A customer who lives by a test clock of their own: the clock's id and the customer's.
    pub(crate) fn clocked(&mut self, frozen: i64, card: Option<&str>) -> (String, String) {
        let clock = self.post("test_helpers/test_clocks", &json!({ "frozen_time": frozen }));
        let clock = id_of(&clock);
        let mut form = json!({ "test_clock": clock });
        if let Some(card) = card {
            form["payment_method"] = json!(card);
            form["invoice_settings"] = json!({ "default_payment_method": card });
        }
        let customer = id_of(&self.post("customers", &form));
        (clock, customer)
    }

    /// A customer with a card that works, who lives in real time.
    pub(crate) fn customer(&mut self) -> String {
        let settings = json!({ "default_payment_method": "pm_card_visa" });
        id_of(&self.post("customers", &json!({ "invoice_settings": settings })))
    }

    /// A subscription of this trainer's, with more parameters.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, customer: &str, price: &str, more: &Value) -> String {
        let mut form = json!({
            "customer": customer, "items": [{ "price": price }],
            "metadata": { "trainer_id": self.trainer },
        });
        let fields = form.as_object_mut().expect("an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        id_of(&self.post("subscriptions", &form))
    }

    /// Moves a test clock to an instant.
    #[track_caller]
    pub(crate) fn advance(&mut self, clock: &str, to: i64) {
        let path = format!("test_helpers/test_clocks/{clock}/advance");
        self.post(&path, &json!({ "frozen_time": to }));
    }

    /// Real time passes.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.world.advance_to(self.world.now() + seconds);
    }

    /// How Stripe calls a subscription's state.
    pub(crate) fn status(&self, subscription: &str) -> String {
        let truth = self.world.truth().into_iter().find(|it| it.subscription == subscription);
        truth.expect("a subscription").status
    }

    /// The end of a subscription's period.
    pub(crate) fn period_end(&self, subscription: &str) -> i64 {
        let truth = self.world.truth().into_iter().find(|it| it.subscription == subscription);
        truth.expect("a subscription").period.1
    }

    /// The webhooks since the last call, in the order of what happened.
    pub(crate) fn webhooks(&mut self) -> Vec<Value> {
        let webhooks = webhooks(self.world.events(), self.told, &self.version);
        self.told = self.world.events().len();
        webhooks
    }

    /// Tells the ledger what happened since the last call, and compares its answers with the truth.
    pub(crate) async fn expect_truth(&mut self, app: &TestApp) {
        let webhooks = self.webhooks();
        self.position = app.stripe().deliver_all(&webhooks).await.max(self.position);
        self.expect_truth_at(app, self.position).await;
    }

    /// The same, where the access that it comes to is known beforehand.
    pub(crate) async fn expect_access(&mut self, app: &TestApp, access: &str) {
        self.expect_truth(app).await;
        let path = format!("/api/v1/tiers/current?trainer={}", self.trainer);
        let current = app.service().read_at(&path, self.position).await;
        assert_eq!(current["access"], access, "{current}");
    }

    /// Compares the ledger's answers with the truth, once it has reached a position.
    pub(crate) async fn expect_truth_at(&self, app: &TestApp, position: i64) {
        let names = (self.trainer.as_str(), self.trainer.as_str());
        let (world, events) = (&self.world, self.world.events());
        let of = Of { world, events, names, tells_payments: true };
        assert!(expect_truth(&app.service(), &of, position).await, "nobody knows whose it is");
    }

    /// Compares the rows of the trainer's invoices with the truth, as far as they are folded.
    pub(crate) async fn expect_invoices(&self, app: &TestApp) {
        expect_invoices(app.owner(), &self.world, &self.trainer).await;
    }
}

/// The webhooks about what happened from some event on; a version leaves out what it doesn't know.
pub(crate) fn webhooks(events: &[Event], from: usize, version: &Version) -> Vec<Value> {
    let links = Links::of(events);
    let renderer = Renderer { links: &links };
    let told = events.iter().enumerate().skip(from);
    let known = told.filter(|(_, event)| version.knows(&event.kind));
    known.map(|(at, event)| renderer.event(at, event, version, 1)).collect()
}

pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// A form, whose leaves are texts.
fn leaves(form: &Map<String, Value>) -> Map<String, Value> {
    fn text(value: &Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(leaves(fields)),
            Value::Array(list) => list.iter().map(text).collect(),
            Value::String(text) => json!(text),
            other => json!(other.to_string()),
        }
    }
    form.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}
