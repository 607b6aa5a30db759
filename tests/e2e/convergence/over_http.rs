//! The simulator as a server beside the ledger: lives are lived by its API, and it delivers by
//! itself, to one ledger in order and to another as its adversary has it.

use ledger_simulator::adversary::{Plan, Reorder};
use ledger_simulator::shell::{Config, Endpoint, Running, Sending, Simulator};
use ledger_simulator::world;
use reqwest::Method;
use serde_json::{Value, json};

use super::oracle::DAY;
use super::read_models::{differences, read_models};
use super::stage::{PRICES, id_of};
use super::truth::{Of, expect_truth};
use crate::check::wait_until_folded;
use crate::harness::{TestApp, WEBHOOK_SECRET, http, now};

/// The trainers of these lives.
const TRAINERS: [&str; 4] = ["ada", "bob", "carl", "dora"];

/// A simulator that listens, called as an application calls Stripe.
struct Stripe {
    running: Running,
    http: reqwest::Client,
}

impl Stripe {
    async fn call(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.running.url));
        request = request.bearer_auth("sk_test_over_http");
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        let answer = request.send().await.expect("the simulator answers");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn post(&self, path: &str, form: &str) -> Value {
        let kind = "application/x-www-form-urlencoded";
        self.call(Method::POST, &format!("/v1/{path}"), Some((kind, form.to_owned()))).await
    }

    /// The simulator's own interface.
    async fn control(&self, path: &str, body: &Value) -> Value {
        let body = ("application/json", body.to_string());
        self.call(Method::POST, &format!("/simulator/{path}"), Some(body)).await
    }

    async fn wait_days(&self, days: i64) {
        self.control("advance", &json!({ "seconds": days * DAY })).await;
    }

    /// A customer whose card is this one.
    async fn customer(&self, card: &str) -> String {
        let settings = format!("invoice_settings[default_payment_method]={card}");
        id_of(&self.post("customers", &format!("payment_method={card}&{settings}")).await)
    }

    async fn subscribe(&self, trainer: &str, customer: &str, price: &str, more: &str) -> Value {
        let whose = format!("customer={customer}&metadata[trainer_id]={trainer}");
        self.post("subscriptions", &format!("{whose}&items[0][price]={price}{more}")).await
    }

    /// The only charge of a customer.
    async fn charge(&self, customer: &str) -> String {
        let path = format!("/v1/charges?customer={customer}");
        id_of(&self.call(Method::GET, &path, None).await["data"][0])
    }

    /// Forty days of a small product.
    async fn live(&self) {
        self.post("products", "id=prod_tier&name=Tier").await;
        for (id, interval, amount) in PRICES {
            let sold = format!("id={id}&product=prod_tier&currency=usd&unit_amount={amount}");
            self.post("prices", &format!("{sold}&recurring[interval]={interval}")).await;
        }
        // Ada buys on a page, goes up at once, and is to leave.
        let page = "mode=subscription&client_reference_id=ada&success_url=https://example.test/\
            &line_items[0][price]=price_starter_month&line_items[0][quantity]=1";
        let page = id_of(&self.post("checkout/sessions", page).await);
        let pay = format!("test_helpers/checkout/sessions/{page}/pay");
        let ada = self.post(&pay, "payment_method=pm_card_visa").await;
        let ada = ada["subscription"].as_str().expect("a subscription").to_owned();
        let item = self.call(Method::GET, &format!("/v1/subscriptions/{ada}"), None).await;
        let item = id_of(&item["items"]["data"][0]);
        let upgrade = "price=price_professional_month&proration_behavior=always_invoice";
        let upgrade = upgrade.replace("price=", "items[0][price]=");
        self.post(&format!("subscriptions/{ada}"), &format!("items[0][id]={item}&{upgrade}")).await;

        // Bob tries a fortnight, with an add-on; Carl's card will fail.
        let bob = self.customer("pm_card_visa").await;
        self.subscribe("bob", &bob, "price_enterprise_month", "&trial_period_days=14").await;
        self.subscribe("bob", &bob, "price_ai_starter_month", "").await;
        let carl = self.customer("pm_card_chargeCustomerFail").await;
        let trial = "&trial_period_days=20";
        let carls = id_of(&self.subscribe("carl", &carl, "price_starter_month", trial).await);

        // Dora gets some money back, disputes the rest, and goes down at the period's end.
        let dora = self.customer("pm_card_visa").await;
        let doras = id_of(&self.subscribe("dora", &dora, "price_professional_month", "").await);
        let charge = self.charge(&dora).await;
        self.wait_days(1).await;
        self.post("refunds", &format!("charge={charge}&amount=700")).await;
        self.post("test_helpers/disputes", &format!("charge={charge}")).await;
        let schedule = format!("from_subscription={doras}");
        let schedule = self.post("subscription_schedules", &schedule).await;
        let phase = &schedule["phases"][0];
        let phases = format!(
            "phases[0][start_date]={}&phases[0][end_date]={}\
             &phases[0][items][0][price]=price_professional_month\
             &phases[1][items][0][price]=price_starter_month&phases[1][iterations]=2",
            phase["start_date"], phase["end_date"]
        );
        self.post(&format!("subscription_schedules/{}", id_of(&schedule)), &phases).await;
        self.post(&format!("subscriptions/{ada}"), "cancel_at_period_end=true").await;

        self.wait_days(24).await;
        let carls = self.post(&format!("subscriptions/{carls}"), "description=late").await;
        assert_eq!(carls["status"], "past_due", "his trial ended, and nothing was paid");
        let attached = "payment_methods/pm_card_visa/attach";
        let card = id_of(&self.post(attached, &format!("customer={carl}")).await);
        let invoice = carls["latest_invoice"].as_str().expect("an invoice");
        let with = format!("payment_method={card}");
        self.post(&format!("invoices/{invoice}/pay"), &with).await;
        self.control("advance", &json!({ "now": now() })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulators_own_deliveries_end_with_the_same_read_models_and_the_truth() {
    let (orderly, stormy) = tokio::join!(TestApp::start(), TestApp::start());
    let storm = Plan {
        delay_seconds_max: 3 * 86_400,
        reorder: Reorder::Any,
        duplicate_percent: 30,
        drop_percent: 20,
        resend_percent: 100,
        created_updated_swapped_percent: 20,
        ..Plan::default()
    };
    let endpoint = |app: &TestApp, adversary: Option<Plan>| Endpoint {
        url: app.stripe().url,
        secret: WEBHOOK_SECRET.to_owned(),
        enabled_events: vec!["*".to_owned()],
        api_version: None,
        adversary,
    };
    let world = world::Config { seed: 3, now: now() - 40 * DAY, ..world::Config::default() };
    let config = Config {
        // One at a time is in order; what is delivered when follows from the seed alone.
        sending: Sending { automatic: false, concurrency: 1, ..Sending::default() },
        endpoints: vec![endpoint(&orderly, None), endpoint(&stormy, Some(storm))],
        ..Config::new(world)
    };
    let running = Simulator::start(config).await.expect("a free port");
    let stripe = Stripe { running, http: http() };
    stripe.live().await;
    let passed = stripe.control("deliver", &json!({})).await;
    assert_eq!((&passed["failed"], &passed["outstanding"]), (&json!(0), &json!(0)), "{passed}");
    let world = stripe.running.with_world(Clone::clone);
    let told = world.events().len();
    assert!(passed["succeeded"].as_u64() > u64::try_from(2 * told).ok(), "some came twice");
    stripe.running.stop().await;

    wait_until_folded(&orderly).await;
    wait_until_folded(&stormy).await;
    let (one, other) = (read_models(orderly.owner()).await, read_models(stormy.owner()).await);
    let differences = differences(&one, &other);
    assert!(differences.is_empty(), "- orderly, + stormy:\n{}", differences.join("\n"));
    for app in [&orderly, &stormy] {
        let events = "SELECT count(*) FROM event WHERE namespace = 'stripe'";
        assert_eq!(app.database.number(events).await, i64::try_from(told).expect("few"));
        let conflicts = "/api/v1/admin/anomalies";
        let listed = app.operator().get(conflicts).await.expect(200)["anomalies"].clone();
        assert_eq!(listed, json!([]), "nothing is missing or undecided");
        for trainer in TRAINERS {
            let (events, names) = (world.events(), (trainer, trainer));
            let of = Of { world: &world, events, names, tells_payments: true };
            assert!(expect_truth(&app.service(), &of, 1).await, "nobody knows whose it is");
        }
    }
}
