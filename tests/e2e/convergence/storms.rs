//! Many lives told twice: to one ledger in order, to another one late, out of order, twice, or lost
//! at first and sent again. Both end with the same read models, and both answer the truth.

use std::collections::BTreeSet;
use std::mem::take;

use ledger_simulator::adversary::{Delivery, Plan, Reorder, disturb};
use ledger_simulator::shell::render::{CATALOGUE, Links, Renderer, Version};
use ledger_simulator::world::life::{Step, life_in, random_steps};
use ledger_simulator::world::{Config, Event, Exhausted, RetryPolicy, World};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinSet;

use super::read_models::{differences, read_models};
use super::truth::{Of, expect_truth};
use crate::check::wait_until_folded;
use crate::harness::{Settings, Stripe, TestApp, is_soak, now, soak};

/// Of how many numbers a life is made, each of which is a step or a few.
const NUMBERS: usize = 25;

/// How many lives are told at once. A world with its webhooks is some tens of megabytes.
const AT_ONCE: usize = 50;

/// A life, and how it is told.
struct Life {
    name: String,
    world: World,
    straight: Vec<Value>,
    stormy: Vec<Value>,
    tells_payments: bool,
}

/// The one version that tells nowhere which invoice a payment paid.
const WITHOUT_PAYMENTS: &str = "2025-03-31.basil";

/// The catalogue's other prices, at which lives may buy.
const MORE_PRICES: [(&str, &str); 3] = [
    ("STRIPE_PRICE_TIER_STARTER_YEAR", "price_starter_year"),
    ("STRIPE_PRICE_TIER_ENTERPRISE_YEAR", "price_enterprise_year"),
    ("STRIPE_PRICE_ADDON_AI_ENTERPRISE", "price_ai_enterprise_month"),
];

#[tokio::test(flavor = "multi_thread")]
async fn adversarial_deliveries_end_with_the_same_read_models_and_the_truth() {
    let settings = MORE_PRICES
        .iter()
        .fold(Settings::of_service(), |settings, (name, price)| settings.with(name, *price));
    let straight = TestApp::start_with(settings.clone()).await;
    let stormy = TestApp::start_with(settings).await;
    // Many storms are others each time; the output tells which.
    let first = if is_soak() { now().unsigned_abs() } else { 1 };
    println!("seed of the first life: {first}");
    let numbers: Vec<(usize, u64)> = (1..=soak(50, 500)).zip(first..).collect();
    let mut compared = Compared::default();
    for numbers in numbers.chunks(AT_ONCE) {
        let lives = numbers.iter().map(|(nth, seed)| Life::new(*nth, *seed));
        let mut lives: Vec<Life> = lives.collect();
        let mut tellers = JoinSet::new();
        for life in &mut lives {
            tellers.spawn(tell(straight.stripe(), take(&mut life.straight)));
            tellers.spawn(tell(stormy.stripe(), take(&mut life.stormy)));
        }
        tellers.join_all().await;
        for app in [&straight, &stormy] {
            wait_until_folded(app).await;
            for life in &lives {
                life.expect_truth(app, &mut compared).await;
            }
        }
    }

    let (one, other) = (read_models(straight.owner()).await, read_models(stormy.owner()).await);
    assert!(one["rm_subscriptions.trainer_subscriptions"].len() > numbers.len(), "lives buy");
    let differences = differences(&one, &other);
    assert!(differences.is_empty(), "- straight, + stormy:\n{}", differences.join("\n"));
    println!("{compared:?}");
    let Compared { trainers, undecided, of_two } = compared;
    assert!(undecided * 8 <= trainers, "{undecided} of {trainers} trainers are undecided");
    assert!(of_two * 6 <= trainers, "{of_two} of {trainers} trainers may be another's customer");
}

/// How many trainers' answers were compared.
#[derive(Debug, Default)]
struct Compared {
    trainers: usize,
    /// Left out: the webhooks don't tell an order. The ledger says so, and may have guessed wrong.
    undecided: usize,
    /// Left out: different words about a customer within a second name them and others.
    of_two: usize,
}

async fn tell(stripe: Stripe, webhooks: Vec<Value>) {
    stripe.deliver_all(&webhooks).await;
}

impl Life {
    /// A life that ends now: what time brings about in the ledger and in the world is the same.
    fn new(nth: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut steps = vec![Step::Customer { card: 0, clock: false }];
        let drawn = (0..NUMBERS).flat_map(|_| random_steps(&mut random));
        steps.extend(drawn.map(without_clock));
        let hours: i64 = steps.iter().map(hours).sum();
        let version = CATALOGUE[usize::try_from(seed).unwrap() % CATALOGUE.len()];
        let exhausted = Exhausted::ALL[usize::try_from(seed % 4).unwrap()];
        let retries = RetryPolicy { exhausted, ..Config::default().retries };
        let config = Config { seed, now: now() - hours * 3_600, retries, ..Config::default() };
        let world = life_in(config.of_version(version), &steps);
        let name = format!("life{nth}");
        // One event in six is told in a version of its own, in both deliveries alike.
        let versions = if seed.is_multiple_of(6) { &CATALOGUE[..] } else { &[version] };
        let api_versions = versions.iter().map(|&version| version.to_owned()).collect();
        let base = Plan {
            two_objects_percent: u8::from(seed.is_multiple_of(5)) * 20,
            same_second: u32::from(seed.is_multiple_of(4)) * 60,
            api_versions,
            ..Plan::default()
        };
        let told = disturb(world.events(), &base, seed);
        let renderer = Links::of(world.events());
        let straight = told.iter().filter_map(|told| render(&name, &renderer, versions, told));
        let straight: Vec<Value> = straight.collect();
        let storm = Plan {
            delay_seconds_max: 600,
            reorder: Reorder::Any,
            duplicate_percent: 30,
            drop_percent: 20,
            resend_percent: 100,
            created_updated_swapped_percent: 20,
            ..Plan::default()
        };
        // The adversary disturbs events; each stands for the webhook that tells of it.
        let events: Vec<Event> = told.iter().map(|delivery| delivery.event.clone()).collect();
        let mut stormy = disturb(&events, &storm, seed);
        stormy.sort_by_key(|delivery| delivery.after_seconds);
        let webhook = |delivery: &Delivery| {
            straight.iter().find(|webhook| webhook["id"] == delivery.event.id.as_str()).cloned()
        };
        let stormy = stormy.iter().filter_map(webhook).collect();
        let tells_payments = versions != [WITHOUT_PAYMENTS];
        Self { name, world, straight, stormy, tells_payments }
    }

    /// Compares what is answered about its trainers.
    async fn expect_truth(&self, app: &TestApp, compared: &mut Compared) {
        let truths = self.world.truth();
        let trainers: BTreeSet<&str> =
            truths.iter().filter_map(|truth| truth.trainer.as_deref()).collect();
        compared.trainers += trainers.len();
        for trainer in trainers {
            let name = format!("{}-{trainer}", self.name);
            let conflicts = format!("/api/v1/admin/anomalies?kind=order_conflict&trainer={name}");
            let conflicts = app.operator().get(&conflicts).await.expect(200);
            if conflicts["anomalies"].as_array().is_some_and(|listed| !listed.is_empty()) {
                compared.undecided += 1;
                continue;
            }
            let (world, names) = (&self.world, (trainer, name.as_str()));
            let tells_payments = self.tells_payments;
            let of = Of { world, events: world.events(), names, tells_payments };
            compared.of_two += usize::from(!expect_truth(&app.service(), &of, 1).await);
        }
    }
}

/// A webhook, in which trainers are this life's own. What is sold is the same in all lives, and
/// told once. Versions that don't know an event leave it out; but where events are told in several,
/// the newest tells which invoice a payment paid, of which newer versions tell nowhere else.
fn render(life: &str, links: &Links, versions: &[&str], delivery: &Delivery) -> Option<Value> {
    let event = &delivery.event;
    let version = delivery.api_version.as_deref().and_then(Version::parse)?;
    let is_told_once = versions.len() > 1 && event.kind.starts_with("invoice_payment.");
    let version = if is_told_once { Version::newest() } else { version };
    let is_about_sale =
        ["product.", "price.", "plan."].iter().any(|start| event.kind.starts_with(start));
    if !version.knows(&event.kind) || (is_about_sale && life != "life1") {
        return None;
    }
    let webhook = Renderer { links }.event(delivery.index, event, &version, 1).to_string();
    let webhook = webhook.replace("\"trainer-", &format!("\"{life}-trainer-"));
    Some(serde_json::from_str(&webhook).expect("it was JSON"))
}

const fn without_clock(step: Step) -> Step {
    match step {
        Step::Customer { card, .. } => Step::Customer { card, clock: false },
        other => other,
    }
}

fn hours(step: &Step) -> i64 {
    match step {
        Step::Wait { hours } => i64::from(*hours),
        _ => 0,
    }
}
