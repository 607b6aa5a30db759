//! The calls that a step stands for.

mod changes;
mod money;

use serde_json::{Map, Value, json};

use super::super::template::text;
use super::super::{Answer, Config, Method, Request, World};
use super::{CARDS, PRICES, Step};

/// So many customers a life has at most.
const CUSTOMERS_MAX: usize = 3;

/// A world, and what was made in it.
pub(super) struct Player {
    pub(super) world: World,
    calls: u32,
    customers: Vec<String>,
    clock: Option<String>,
}

impl Player {
    pub(super) fn new(config: Config) -> Self {
        let mut player =
            Self { world: World::new(config), calls: 0, customers: Vec::new(), clock: None };
        player.post("products", &json!({ "id": "prod_tier", "name": "Tier" }));
        player.post("products", &json!({ "id": "prod_ai", "name": "AI" }));
        for (id, interval, amount) in PRICES {
            let product = if id.starts_with("price_ai_") { "prod_ai" } else { "prod_tier" };
            player.post(
                "prices",
                &json!({
                    "id": id, "lookup_key": id, "product": product, "currency": "usd",
                    "unit_amount": amount, "recurring": { "interval": interval },
                }),
            );
        }
        player
    }

    fn call(&mut self, method: Method, path: &str, form: &Value) -> Option<Value> {
        self.calls += 1;
        let request = Request {
            method,
            path: format!("/v1/{path}"),
            params: strings(form),
            id: Some(format!("req_{}", self.calls)),
            idempotency_key: Some(format!("key-{}", self.calls)),
        };
        match self.world.call(&request) {
            Ok(Answer::Object(object)) => Some(object),
            _ => None,
        }
    }

    fn post(&mut self, path: &str, form: &Value) -> Option<Value> {
        self.call(Method::Post, path, form)
    }

    /// One of the objects of a kind that fit, counted from the oldest.
    fn pick(&self, kind: &str, number: u8, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut fitting: Vec<Value> = self.world.all(kind).filter(fits).collect();
        fitting.reverse();
        let at = usize::from(number).checked_rem(fitting.len())?;
        Some(fitting.swap_remove(at))
    }

    fn customer(&self, number: u8) -> Option<(String, String)> {
        let at = usize::from(number).checked_rem(self.customers.len())?;
        Some((self.customers[at].clone(), format!("trainer-{}", at + 1)))
    }

    pub(super) fn play(&mut self, step: Step) {
        let _made_sense: Option<Value> = match step {
            Step::Wait { hours } => {
                self.world.advance_to(self.world.now() + i64::from(hours) * 3_600);
                None
            }
            Step::Clock { hours } => self.advance_clock(hours),
            Step::Customer { card, clock } => self.new_customer(card, clock),
            Step::Card { customer, card } => self
                .customer(customer)
                .and_then(|(customer, _)| self.set_card(&customer, of(&CARDS, card))),
            Step::Checkout { .. } => self.checkout(step),
            Step::Subscribe { .. } => self.subscribe(step),
            Step::Page { customer, price, names } => self.page(customer, price, names),
            Step::Bundle { customer, price, more, quantity } => {
                self.bundle(customer, price, more, quantity)
            }
            Step::Name { customer, trainer } => {
                self.customer(customer).and_then(|(customer, _)| {
                    let form = json!({ "metadata": { "trainer_id": named(trainer) } });
                    self.post(&format!("customers/{customer}"), &form)
                })
            }
            Step::Pay { .. }
            | Step::Void { .. }
            | Step::Uncollectible { .. }
            | Step::Authenticate { .. }
            | Step::Refund { .. }
            | Step::FailRefund { .. }
            | Step::Dispute { .. }
            | Step::Evidence { .. }
            | Step::CloseDispute { .. } => self.money(step),
            Step::SetPrice { price, how } => {
                let form = match how % 4 {
                    0 | 1 => json!({ "nickname": format!("Price {how}") }),
                    other => json!({ "active": other == 3 }),
                };
                self.post(&format!("prices/{}", of(&PRICES, price).0), &form)
            }
            Step::SetProduct { product, name } => {
                let product = of(&["prod_tier", "prod_ai"], product);
                let form = json!({ "name": format!("Product {name}") });
                self.post(&format!("products/{product}"), &form)
            }
            Step::Forget { customer } => self.customer(customer).and_then(|(customer, _)| {
                self.call(Method::Delete, &format!("customers/{customer}"), &json!({}))
            }),
            other => self.subscription(other),
        };
    }

    fn advance_clock(&mut self, hours: u16) -> Option<Value> {
        let clock = self.clock.clone()?;
        let now = self.world.find(&clock)?["frozen_time"].as_i64()?;
        let form = json!({ "frozen_time": now + i64::from(hours) * 3_600 });
        self.post(&format!("test_helpers/test_clocks/{clock}/advance"), &form)
    }

    fn new_customer(&mut self, card: u8, clock: bool) -> Option<Value> {
        if self.customers.len() >= CUSTOMERS_MAX {
            return None;
        }
        if clock && self.clock.is_none() {
            let form = json!({ "frozen_time": self.world.now() });
            let made = self.post("test_helpers/test_clocks", &form)?;
            self.clock = Some(text(&made, "id").to_owned());
        }
        let mut form = json!({ "name": format!("Customer {}", self.customers.len() + 1) });
        if let Some(clock) = self.clock.as_ref().filter(|_| clock) {
            form["test_clock"] = json!(clock);
        }
        let made = self.post("customers", &form)?;
        let id = text(&made, "id").to_owned();
        let settings = json!({ "default_payment_method": of(&CARDS, card) });
        self.post(&format!("customers/{id}"), &json!({ "invoice_settings": settings }));
        self.customers.push(id);
        Some(made)
    }

    /// Gives a customer another default card, or with an empty name none.
    fn set_card(&mut self, customer: &str, card: &str) -> Option<Value> {
        let form = json!({ "invoice_settings": { "default_payment_method": card } });
        self.post(&format!("customers/{customer}"), &form)
    }

    fn checkout(&mut self, step: Step) -> Option<Value> {
        let Step::Checkout { customer, price, card, trial_days: days, missing } = step else {
            return None;
        };
        let (customer, trainer) = self.customer(customer)?;
        let mut data = json!({ "metadata": { "trainer_id": trainer } });
        if days > 0 {
            data["trial_period_days"] = json!(days);
        }
        let mut form = json!({
            "mode": "subscription", "customer": customer, "client_reference_id": trainer,
            "success_url": "https://example.test/done",
            "line_items": [{ "price": of(&PRICES, price).0, "quantity": 1 }],
        });
        if let Some(missing) = without_card(missing).filter(|_| days > 0) {
            data["trial_settings"] = missing;
            form["payment_method_collection"] = json!("if_required");
        }
        form["subscription_data"] = data;
        self.buy(&form, of(&CARDS, card))
    }

    /// Opens a page, and pays on it.
    fn buy(&mut self, form: &Value, card: &str) -> Option<Value> {
        let session = self.post("checkout/sessions", form)?;
        let act = format!("test_helpers/checkout/sessions/{}", text(&session, "id"));
        let paid = self.post(&format!("{act}/pay"), &json!({ "payment_method": card }))?;
        if card == "pm_card_authenticationRequired" {
            return self.post(&format!("{act}/authenticate"), &json!({}));
        }
        Some(paid)
    }

    fn page(&mut self, customer: u8, price: u8, names: u8) -> Option<Value> {
        let mut form = json!({
            "mode": "subscription", "success_url": "https://example.test/done",
            "line_items": [{ "price": of(&PRICES, price).0, "quantity": 1 }],
        });
        if names % 6 == 5 && self.customers.len() < CUSTOMERS_MAX {
            form["client_reference_id"] = json!(format!("trainer-{}", self.customers.len() + 1));
            let done = self.buy(&form, CARDS[0])?;
            self.customers.push(text(&done, "customer").to_owned());
            return Some(done);
        }
        let (customer, trainer) = self.customer(customer)?;
        form["customer"] = json!(customer);
        match names % 6 {
            0 => {}
            1 => form["metadata"] = json!({ "trainer_id": trainer }),
            2 => form["client_reference_id"] = json!(format!("trainer-{}", names / 6 % 4 + 1)),
            _ => form["client_reference_id"] = json!(trainer),
        }
        self.buy(&form, CARDS[0])
    }

    fn bundle(&mut self, customer: u8, price: u8, more: u8, quantity: u8) -> Option<Value> {
        let (customer, trainer) = self.customer(customer)?;
        let [starter, professional, enterprise, .., small, middle, large] = PRICES;
        let first = of(&[starter, professional, enterprise], price).0;
        let second = match more % 4 {
            0 => of(&[starter, professional, enterprise], price.wrapping_add(1)).0,
            _ => of(&[small, middle, large], more / 4).0,
        };
        let mut items = vec![json!({ "price": first, "quantity": quantity % 3 + 1 })];
        if more % 8 != 7 {
            items.push(json!({ "price": second }));
        }
        let named = if quantity < 128 { trainer } else { String::new() };
        let form = json!({
            "customer": customer, "items": items, "metadata": { "trainer_id": named },
        });
        self.post("subscriptions", &form)
    }

    fn subscribe(&mut self, step: Step) -> Option<Value> {
        let Step::Subscribe { customer, price, behavior, classic, missing } = step else {
            return None;
        };
        let (customer, trainer) = self.customer(customer)?;
        let behaviors = ["allow_incomplete", "default_incomplete", "error_if_incomplete"];
        let mut form = json!({
            "customer": customer, "items": [{ "price": of(&PRICES, price).0 }],
            "payment_behavior": of(&behaviors, behavior), "metadata": { "trainer_id": trainer },
            "billing_mode": { "type": if classic { "classic" } else { "flexible" } },
        });
        if let Some(settings) = without_card(missing) {
            self.set_card(&customer, "");
            form["trial_settings"] = settings;
            form["trial_period_days"] = json!(missing / 8 % 8 + 1);
        }
        self.post("subscriptions", &form)
    }
}

/// What a trial says of its end without a card; most say nothing.
fn without_card(missing: u8) -> Option<Value> {
    let at_end = match missing % 8 {
        0..=4 => return None,
        5 => "cancel",
        6 => "pause",
        _ => "create_invoice",
    };
    Some(json!({ "end_behavior": { "missing_payment_method": at_end } }))
}

/// One of four trainers, of whom one is no customer at first; an empty text names nobody.
fn named(trainer: u8) -> String {
    match trainer % 5 {
        0 => String::new(),
        number => format!("trainer-{number}"),
    }
}

/// One of several, counted round and round.
fn of<T: Copy, const N: usize>(choices: &[T; N], number: u8) -> T {
    choices[usize::from(number) % N]
}

/// A form's leaves are texts.
fn strings(form: &Value) -> Map<String, Value> {
    fn text_of(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                map.iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
            }
            Value::Array(list) => list.iter().map(text_of).collect(),
            Value::String(text) => Value::String(text.clone()),
            other => Value::String(other.to_string()),
        }
    }
    match text_of(form) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
