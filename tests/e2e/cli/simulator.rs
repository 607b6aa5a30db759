//! `ledger dev` and the Stripe in it: bought at one, seen at the other, also after a restart.

use std::path::Path;

use serde_json::Value;
use tokio::net::TcpListener;

use super::dev::{ARGS_OF_DEV, chosen_in, has_ended, last_position, postmaster, start, with_role};
use crate::harness::{
    Caller, LEDGER, Service, Settings, address_said, command, eventually, http, run,
};

/// The simulator, as a shop's own server would call it.
struct Stripe {
    url: String,
    key: String,
}

impl Stripe {
    fn of(data: &Path) -> Self {
        let chosen = chosen_in(data);
        let (url, key) = (&chosen["STRIPE_API_BASE"], &chosen["STRIPE_SECRET_KEY"]);
        Self { url: url.clone(), key: key.clone() }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let body = form.iter().map(|(name, value)| format!("{name}={value}"));
        let request = http()
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.key)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.collect::<Vec<_>>().join("&"));
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "POST {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A trainer buys a tier on a checkout page. The subscription's id.
    async fn buy(&self, trainer: &str, price: &str) -> String {
        self.check_out(trainer, price, "pm_card_visa", &[]).await
    }

    async fn check_out(
        &self,
        trainer: &str,
        price: &str,
        card: &str,
        more: &[(&str, &str)],
    ) -> String {
        let form = [
            ("mode", "subscription"),
            ("client_reference_id", trainer),
            ("subscription_data[metadata][trainer_id]", trainer),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", "1"),
            ("success_url", "https://app.example.test/"),
        ];
        let page = self.post("/v1/checkout/sessions", &[&form, more].concat()).await;
        let page = page["id"].as_str().unwrap();
        let path = format!("/v1/test_helpers/checkout/sessions/{page}/pay");
        let paid = self.post(&path, &[("payment_method", card)]).await;
        paid["subscription"].as_str().unwrap().to_owned()
    }
}

/// Waits until the ledger says that a trainer has a tier in a status.
async fn has(ledger: &Caller, trainer: &str, tier: &str, status: &str) {
    let path = format!("/api/v1/tiers/current?trainer={trainer}");
    eventually(&format!("{trainer} has {tier}, {status}"), || async {
        let current = ledger.get(&path).await.expect(200);
        (current["tier"]["slug"] == tier && current["status"] == status).then_some(())
    })
    .await;
}

/// Waits until the program has written something.
pub(super) async fn says(service: &Service, what: &str) {
    let said = || async { service.output().text().contains(what).then_some(()) };
    eventually(&format!("it says {what:?}"), said).await;
}

async fn ledger_of(service: &Service, data: &Path) -> Caller {
    with_role(&Caller::new(http(), service.url(), None), data, "service").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_there_arrives_here_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &[]).await;
    let ada = Stripe::of(&data).buy("ada", "price_starter_month").await;
    let ledger = ledger_of(&service, &data).await;
    has(&ledger, "ada", "starter", "active").await;
    let auditor = with_role(&Caller::new(http(), service.url(), None), &data, "auditor").await;
    let before = last_position(&auditor).await;
    assert!(service.stop().await.success());

    // The same subscription again, nothing told twice, and nobody gets ada's ids.
    let service = start(&data, &[]).await;
    let (ledger, stripe) = (ledger_of(&service, &data).await, Stripe::of(&data));
    let auditor = with_role(&Caller::new(http(), service.url(), None), &data, "auditor").await;
    assert_eq!(last_position(&auditor).await, before);
    let bob = stripe.buy("bob", "price_professional_month").await;
    assert_ne!(ada, bob);
    has(&ledger, "bob", "professional", "active").await;
    has(&ledger, "ada", "starter", "active").await;

    // A card is accepted, and fails when the trial ends.
    let trial = [("subscription_data[trial_period_days]", "14")];
    let card = "pm_card_chargeCustomerFail";
    let carl = stripe.check_out("carl", "price_starter_month", card, &trial).await;
    has(&ledger, "carl", "starter", "trialing").await;
    stripe.post(&format!("/v1/subscriptions/{carl}"), &[("trial_end", "now")]).await;
    has(&ledger, "carl", "starter", "past_due").await;

    // Killed right after an answer: what was answered holds, and its webhooks come after all.
    stripe.buy("eve", "price_starter_month").await;
    service.kill();
    let service = start(&data, &[]).await;
    has(&ledger_of(&service, &data).await, "eve", "starter", "active").await;
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_clock_lets_a_year_pass() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &[]).await;
    let (ledger, stripe) = (ledger_of(&service, &data).await, Stripe::of(&data));
    let clock = stripe.post("/v1/test_helpers/test_clocks", &[("frozen_time", "1760000000")]).await;
    let clock = clock["id"].as_str().unwrap();
    let form = [
        ("test_clock", clock),
        ("payment_method", "pm_card_visa"),
        ("invoice_settings[default_payment_method]", "pm_card_visa"),
    ];
    let customer = stripe.post("/v1/customers", &form).await;
    let form = [
        ("customer", customer["id"].as_str().unwrap()),
        ("items[0][price]", "price_starter_month"),
        ("metadata[trainer_id]", "methuselah"),
    ];
    stripe.post("/v1/subscriptions", &form).await;
    has(&ledger, "methuselah", "starter", "active").await;
    let path = format!("/v1/test_helpers/test_clocks/{clock}/advance");
    stripe.post(&path, &[("frozen_time", "1763000000")]).await;
    let path = "/api/v1/tiers/history?trainer=methuselah";
    eventually("the renewal is seen", || async {
        let history = ledger.get(path).await.expect(200);
        let changes = history["changes"].as_array().unwrap().clone();
        changes.iter().any(|change| change["action"] == "renewed").then_some(())
    })
    .await;
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_sample_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap(), "--sample"]].concat();
    let living = |line: &str| line.starts_with("living months").then(String::new);
    let command = command(LEDGER, &Settings::none(), &args);
    let mut service = Service::spawn(command, living).await.unwrap();
    service.signal("INT");
    let status = service.ended().await;
    assert!(status.success(), "{status}: {}", service.output().text());

    let service = start(&data, &["--sample"]).await;
    assert!(!data.join("simulator.ndjson.new").exists(), "what was begun is gone");
    says(&service, "A trainer who is in a trial").await;
    assert!(service.stop().await.success());
}

/// The webhooks are on their way when it's stopped; the next start brings the others.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_did_not_arrive_do_so_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap(), "--sample"]].concat();
    let command = command(LEDGER, &Settings::none(), &args);
    let service = Service::spawn(command, crate::harness::address_logged).await.unwrap();
    assert!(service.stop().await.success());
    let service = start(&data, &[]).await;
    let said = service.output().text();
    let delivered = said
        .lines()
        .find_map(|line| line.strip_prefix("delivered ")?.split(' ').next()?.parse::<usize>().ok());
    assert!(delivered.is_some_and(|count| count > 1_000), "{said}");
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_needs_a_simulator_in_which_nobody_has_bought() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &[]).await;
    Stripe::of(&data).buy("ada", "price_starter_month").await;

    // It's in use; whoever is second is told so.
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap()]].concat();
    let second = run(&Settings::none(), &args).await;
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    assert!(second.stderr.contains("another process uses"), "{}", second.stderr);
    assert!(service.stop().await.success());

    let args = [&args[..], &["--sample"]].concat();
    let refused = run(&Settings::none(), &args).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("leave out --sample"), "{}", refused.stderr);

    let account = Settings::none().with("STRIPE_SECRET_KEY", "sk_test_of_an_account");
    let refused = run(&account, &args).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("unset STRIPE_SECRET_KEY"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_account_at_stripe_there_is_no_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap()]].concat();
    let account = Settings::none().with("STRIPE_SECRET_KEY", "sk_test_of_an_account");
    let command = command(LEDGER, &account, &args);
    let service = Service::spawn(command, address_said).await.unwrap();
    let chosen = chosen_in(&data);
    assert_eq!(chosen["STRIPE_SECRET_KEY"], "sk_test_of_an_account");
    assert_eq!(chosen.get("STRIPE_API_BASE"), None);
    assert!(!data.join("simulator.ndjson").exists());
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_told_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    start(&data, &[]).await.stop().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["dev", "--listen", &address, "--data-dir", data.to_str().unwrap()];
    let refused = run(&Settings::none(), &args).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains(&address), "{}", refused.stderr);
    assert!(!data.join("postgres/data/postmaster.pid").exists() || has_ended(postmaster(&data)));
    start(&data, &[]).await.stop().await;
}
