//! What the shipped catalogue promises: each feature for each tier, in each status that a
//! subscription can have, and at the seconds at which answers turn. The tables are written by
//! hand; nothing of them is read from the catalogue.

mod acts;
mod edges;
mod lives;

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::bodies::{ENTERPRISE, PROFESSIONAL, Price, STARTER, Story, Version};
use crate::harness::{Caller, Settings, TestApp, now};
use lives::{LIVES, Life};

/// A tier, its price, and how many calls a minute its trainers have.
const TIERS: [(&str, Price, u32); 3] = [
    ("starter", STARTER, 100),
    ("professional", PROFESSIONAL, 250),
    ("enterprise", ENTERPRISE, 1000),
];

/// What a tier gives of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    No,
    Yes,
    UpTo(u64),
    Unlimited,
}
use Gives::{No, Unlimited, UpTo, Yes};

/// A feature, what each tier gives of it, and what to buy for it where nothing gives it.
struct Row(&'static str, &'static str, [Gives; 3], Way);

/// A member of a denial, and the plan that it names.
type Way = (&'static str, &'static str);

const BY_STARTER: Way = ("required_tier", "starter");
const BY_PROFESSIONAL: Way = ("required_tier", "professional");
const BY_ENTERPRISE: Way = ("required_tier", "enterprise");
const BY_AN_ADD_ON: Way = ("required_add_on", "ai_starter");

const MATRIX: [Row; 8] = [
    Row("customers", "limit", [UpTo(9), UpTo(20), Unlimited], BY_STARTER),
    Row("analytics", "flag", [No, Yes, Yes], BY_PROFESSIONAL),
    Row("api_keys", "flag", [No, No, Yes], BY_ENTERPRISE),
    Row("export_csv", "flag", [No, Yes, Yes], BY_PROFESSIONAL),
    Row("export_excel", "flag", [No, No, Yes], BY_ENTERPRISE),
    Row("export_pdf", "flag", [No, No, Yes], BY_ENTERPRISE),
    Row("bulk_operations", "flag", [No, Yes, Yes], BY_PROFESSIONAL),
    Row("ai_generations", "quota", [No, No, No], BY_AN_ADD_ON),
];

/// One who bought a tier, and what became of it.
struct Trainer {
    id: String,
    tier: usize,
    life: &'static Life,
}

impl Trainer {
    fn story(&self) -> Story {
        let mut story = Story::new(&self.id, Version::Clover, now() - self.life.ago);
        (self.life.tell)(&mut story, TIERS[self.tier].1);
        story
    }

    /// What a feature is denied with; none where it is granted.
    fn denial(&self, gives: Gives) -> Option<&'static str> {
        if gives == No { Some("feature_not_available") } else { self.life.code }
    }

    /// The tier as answers name it.
    fn tier(&self) -> Value {
        if self.life.access == "none" { Value::Null } else { json!(TIERS[self.tier].0) }
    }

    /// A question about this trainer.
    fn path(&self, path: &str) -> String {
        format!("/api/v1/entitlements{path}?trainer={}", self.id)
    }
}

/// A ledger where Stripe bills, so that its word on a trial is awaited.
async fn ledger() -> TestApp {
    TestApp::start_with(Settings::of_service().with("LEDGER_BILLING", "stripe")).await
}

/// Delivers all of them at once, and tells the last position.
async fn deliver(app: &TestApp, stories: impl IntoIterator<Item = Story>) -> i64 {
    let stripe = app.stripe();
    let deliveries =
        stories.into_iter().map(async |mut story| stripe.deliver_all(&story.take()).await);
    join_all(deliveries).await.into_iter().max().expect("something was told")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tier_in_each_status_has_what_the_matrix_says() {
    let app = ledger().await;
    let trainers = LIVES.iter().flat_map(|life| {
        (0..TIERS.len()).map(move |tier| Trainer {
            id: format!("{}-{}", life.name, TIERS[tier].0),
            tier,
            life,
        })
    });
    let trainers: Vec<Trainer> = trainers.collect();
    let position = deliver(&app, trainers.iter().map(Trainer::story)).await;
    let service = app.service();
    for trainer in &trainers {
        expect_list(&service, trainer, position).await;
        for row in &MATRIX {
            expect_decision(&service, trainer, row).await;
        }
        if trainer.life.code.is_none() {
            expect_rate(&app, trainer).await;
        }
    }
}

async fn expect_list(service: &Caller, trainer: &Trainer, position: i64) {
    let (life, id) = (trainer.life, &trainer.id);
    let told = service.read_at(&trainer.path(""), position).await;
    let words = [&told["subscription_status"], &told["access"], &told["tier"]];
    assert_eq!(words, [&json!(life.status), &json!(life.access), &trainer.tier()], "{id}: {told}");
    let features = told["features"].as_object().expect("features");
    let named: BTreeSet<&str> = features.keys().map(String::as_str).collect();
    assert_eq!(named, MATRIX.iter().map(|row| row.0).collect(), "{id}");
    for Row(feature, kind, of, _) in &MATRIX {
        let (has, gives) = (&features[*feature], of[trainer.tier]);
        let granted = trainer.denial(gives).is_none();
        assert_eq!((&has["kind"], &has["granted"]), (&json!(kind), &json!(granted)), "{id}: {has}");
        if granted {
            expect_granted(id, gives, has);
        }
    }
}

async fn expect_decision(service: &Caller, trainer: &Trainer, row: &Row) {
    let (Row(feature, _, of, (member, plan)), id) = (row, &trainer.id);
    let gives = of[trainer.tier];
    let answer = service.get(&trainer.path(&format!("/{feature}"))).await;
    let Some(code) = trainer.denial(gives) else {
        return expect_granted(id, gives, &answer.expect(200));
    };
    let problem = answer.expect_problem(403, code);
    assert_eq!(problem["feature"], *feature, "{id}: {problem}");
    assert_eq!(problem["current_tier"], trainer.tier(), "{id}: {problem}");
    assert_eq!(problem["subscription_status"], trainer.life.status, "{id}: {problem}");
    assert!(problem["upgrade_url"].is_string(), "{id}: {problem}");
    // Another plan helps who lacks one; who doesn't pay for theirs has to do that.
    let way = if code == "feature_not_available" { json!(plan) } else { Value::Null };
    assert_eq!(problem[*member], way, "{id}: {problem}");
}

fn expect_granted(id: &str, gives: Gives, has: &Value) {
    assert_eq!(has["granted"], true, "{id}: {has}");
    let counted = |limit: Value| {
        let told = [&has["limit"], &has["remaining"], &has["used"]];
        assert_eq!(told, [&limit, &limit, &json!(0)], "{id}: {has}");
    };
    match gives {
        No => panic!("{id} has nothing of it: {has}"),
        Yes => assert_eq!(has["source"], "tier", "{id}: {has}"),
        UpTo(limit) => counted(json!(limit)),
        Unlimited => counted(Value::Null),
    }
}

async fn expect_rate(app: &TestApp, trainer: &Trainer) {
    let (tier, _, calls) = TIERS[trainer.tier];
    let answer = app.trainer(&trainer.id).get("/api/v1/tiers").await;
    let policy = format!("\"{tier}\";q={calls};w=60");
    assert_eq!(answer.header("ratelimit-policy"), Some(policy.as_str()), "{}", trainer.id);
}
