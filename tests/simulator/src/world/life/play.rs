//! The calls that a step stands for.

use serde_json::{Map, Value, json};

use super::super::template::{integer, text};
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
            Step::Card { customer, card } => self.customer(customer).and_then(|(customer, _)| {
                let settings = json!({ "default_payment_method": of(&CARDS, card) });
                let form = json!({ "invoice_settings": settings });
                self.post(&format!("customers/{customer}"), &form)
            }),
            Step::Checkout { customer, price, card, trial_days } => {
                self.checkout(customer, price, card, trial_days)
            }
            Step::Subscribe { customer, price, behavior, classic } => {
                self.subscribe(customer, price, behavior, classic)
            }
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
            | Step::Authenticate { .. }
            | Step::Refund { .. }
            | Step::FailRefund { .. }
            | Step::Dispute { .. }
            | Step::CloseDispute { .. } => self.money(step),
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

    fn checkout(&mut self, customer: u8, price: u8, card: u8, days: u8) -> Option<Value> {
        let (customer, trainer) = self.customer(customer)?;
        let mut data = json!({ "metadata": { "trainer_id": trainer } });
        if days > 0 {
            data["trial_period_days"] = json!(days);
        }
        let form = json!({
            "mode": "subscription", "customer": customer, "client_reference_id": trainer,
            "success_url": "https://example.test/done", "subscription_data": data,
            "line_items": [{ "price": of(&PRICES, price).0, "quantity": 1 }],
        });
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

    fn subscribe(&mut self, customer: u8, price: u8, how: u8, classic: bool) -> Option<Value> {
        let (customer, trainer) = self.customer(customer)?;
        let behaviors = ["allow_incomplete", "default_incomplete", "error_if_incomplete"];
        let form = json!({
            "customer": customer, "items": [{ "price": of(&PRICES, price).0 }],
            "payment_behavior": of(&behaviors, how), "metadata": { "trainer_id": trainer },
            "billing_mode": { "type": if classic { "classic" } else { "flexible" } },
        });
        self.post("subscriptions", &form)
    }

    fn subscription(&mut self, step: Step) -> Option<Value> {
        let number = match step {
            Step::Change { subscription, .. }
            | Step::Schedule { subscription, .. }
            | Step::Release { subscription }
            | Step::CancelAtEnd { subscription, .. }
            | Step::Cancel { subscription }
            | Step::Pause { subscription, .. }
            | Step::Resume { subscription }
            | Step::Trial { subscription, .. }
            | Step::Items { subscription, .. }
            | Step::Assign { subscription, .. }
            | Step::Label { subscription, .. } => subscription,
            _ => return None,
        };
        let chosen = self.pick("subscription", number, |_| true)?;
        let path = format!("subscriptions/{}", text(&chosen, "id"));
        let form = match step {
            Step::Change { price, billing, behavior, .. } => {
                let billings = ["create_prorations", "always_invoice", "none"];
                let behaviors = ["allow_incomplete", "pending_if_incomplete", "default_incomplete"];
                json!({
                    "items": [{ "id": chosen["items"]["data"][0]["id"],
                        "price": of(&PRICES, price).0 }],
                    "proration_behavior": of(&billings, billing),
                    "payment_behavior": of(&behaviors, behavior),
                })
            }
            Step::Schedule { price, .. } => return self.schedule(&chosen, of(&PRICES, price).0),
            Step::Release { .. } => {
                let schedule = text(&chosen, "schedule");
                let path = format!("subscription_schedules/{schedule}/release");
                return self.post(&path, &json!({}));
            }
            Step::CancelAtEnd { on, .. } => json!({ "cancel_at_period_end": on }),
            Step::Cancel { .. } => return self.call(Method::Delete, &path, &json!({})),
            Step::Pause { on: true, .. } => json!({ "pause_collection": { "behavior": "void" } }),
            Step::Pause { .. } => json!({ "pause_collection": "" }),
            Step::Resume { .. } => return self.post(&format!("{path}/resume"), &json!({})),
            Step::Trial { days: 0, .. } => json!({ "trial_end": "now" }),
            Step::Trial { days, .. } => {
                let now = self.world.present(text(&chosen, "customer"));
                json!({ "trial_end": now + i64::from(days) * 86_400 })
            }
            Step::Items { price, how, .. } => {
                let last = chosen["items"]["data"].as_array()?.last()?;
                let first = &chosen["items"]["data"][0];
                let item = match how % 3 {
                    0 => json!({ "price": of(&PRICES, price).0 }),
                    1 => json!({ "id": last["id"], "deleted": true }),
                    _ => json!({ "id": first["id"], "quantity": price % 4 + 1 }),
                };
                json!({ "items": [item] })
            }
            Step::Assign { trainer, .. } => {
                json!({ "metadata": { "trainer_id": named(trainer) } })
            }
            Step::Label { value, .. } => json!({ "metadata": { "label": value.to_string() } }),
            _ => return None,
        };
        self.post(&path, &form)
    }

    fn schedule(&mut self, subscription: &Value, price: &str) -> Option<Value> {
        let form = json!({ "from_subscription": subscription["id"] });
        let schedule = self.post("subscription_schedules", &form)?;
        let now = &schedule["phases"][0];
        let kept = now["items"].as_array()?.iter();
        let kept: Vec<Value> = kept
            .map(|item| json!({ "price": item["price"], "quantity": item["quantity"] }))
            .collect();
        let form = json!({ "phases": [
            { "items": kept, "start_date": now["start_date"], "end_date": now["end_date"] },
            { "items": [{ "price": price }], "proration_behavior": "none" },
        ]});
        self.post(&format!("subscription_schedules/{}", text(&schedule, "id")), &form)
    }

    fn money(&mut self, step: Step) -> Option<Value> {
        let status = |wanted: &'static str| move |object: &Value| object["status"] == wanted;
        let (path, form) = match step {
            Step::Pay { invoice, card } => {
                let invoice = self.pick("invoice", invoice, status("open"))?;
                let form = json!({ "payment_method": of(&CARDS, card) });
                (format!("invoices/{}/pay", text(&invoice, "id")), form)
            }
            Step::Void { invoice } => {
                let invoice = self.pick("invoice", invoice, status("open"))?;
                (format!("invoices/{}/void", text(&invoice, "id")), json!({}))
            }
            Step::Authenticate { intent, succeeds } => {
                let intent = self.pick("payment_intent", intent, status("requires_action"))?;
                let path =
                    format!("test_helpers/payment_intents/{}/authenticate", text(&intent, "id"));
                (path, json!({ "outcome": if succeeds { "succeed" } else { "fail" } }))
            }
            Step::Refund { charge, percent } => {
                let charge = self.pick("charge", charge, status("succeeded"))?;
                let share = integer(&charge, "amount") * i64::from(percent % 100 + 1) / 100;
                let form = json!({ "charge": charge["id"], "amount": share.max(1) });
                ("refunds".to_owned(), form)
            }
            Step::FailRefund { refund } => {
                let refund = self.pick("refund", refund, status("succeeded"))?;
                (format!("test_helpers/refunds/{}/fail", text(&refund, "id")), json!({}))
            }
            Step::Dispute { charge } => {
                let charge = self.pick("charge", charge, status("succeeded"))?;
                ("test_helpers/disputes".to_owned(), json!({ "charge": charge["id"] }))
            }
            Step::CloseDispute { dispute, outcome } => {
                let dispute = self.pick("dispute", dispute, status("needs_response"))?;
                let path = format!("test_helpers/disputes/{}/close", text(&dispute, "id"));
                (path, json!({ "status": of(&["won", "lost"], outcome) }))
            }
            _ => return None,
        };
        self.post(&path, &form)
    }
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
