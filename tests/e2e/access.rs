//! Who may ask what, and what refusals tell.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Answer, Claims, JWT_SECRET, Settings, TestApp, now, token};

/// Paths that need a token, one for each kind of answer.
const GUARDED: [&str; 9] = [
    "/api/v1/tiers/current",
    "/api/v1/tiers/history",
    "/api/v1/tiers/usage",
    "/api/v1/entitlements",
    "/api/v1/entitlements/customers",
    "/api/v1/audit/events",
    "/api/v1/admin/anomalies",
    "/api/v1/admin/dead-letters",
    "/api/v1/admin/projections",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_nothing_is_answered() {
    let app = app_with_a_trainer().await;
    let good = Claims::of("trainer", "t1");
    let expired = good.clone().with("exp", now() - 3600);
    let not_yet = good.clone().with("nbf", now() + 3600);
    let lasting = good.clone().without("exp");
    let nobody = good.clone().without("sub");
    let proper = token(&good);
    let (head, signature) = proper.rsplit_once('.').expect("three parts");
    let tokens = [
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("very long", "x".repeat(20_000)),
        ("expired", token(&expired)),
        ("not yet valid", token(&not_yet)),
        ("without an end", token(&lasting)),
        ("of nobody", token(&nobody)),
        ("another secret", good.signed_with("another-key-of-more-than-thirty-two-bytes")),
        ("an empty secret", good.signed_with("")),
        ("unsigned", unsigned(&good, "none")),
        ("unsigned, written otherwise", unsigned(&good, "nOnE")),
        ("cut off", format!("{head}.{}", &signature[..10])),
        ("without signature", format!("{head}.")),
        ("other claims", with_other_claims(&proper)),
    ];
    for path in GUARDED {
        let none = app.anyone().get(path).await;
        none.expect_problem(401, "unauthenticated");
        assert!(none.header("www-authenticate").is_some(), "{none:?}");
        for (what, token) in &tokens {
            let answer = app.anyone().with_token(token).get(path).await;
            assert_eq!(answer.status, 401, "{what}, {path}: {answer:?}");
            answer.expect_problem(401, "unauthenticated");
            expect_no_leak(&answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_is_refused() {
    let app = app_with_a_trainer().await;
    let trainers = ["/api/v1/tiers/", "/api/v1/entitlements"];
    let allowed: [(&str, &[&str]); 4] = [
        ("trainer", &trainers),
        ("auditor", &["/api/v1/audit/events"]),
        ("operator", &["/api/v1/admin/"]),
        ("admin", &["/api/v1/admin/anomalies"]),
    ];
    for (role, paths) in allowed {
        for path in GUARDED {
            let is_allowed = paths.iter().any(|allowed| path.starts_with(allowed));
            let answer = app.caller(&Claims::of(role, "t1")).get(path).await;
            if is_allowed {
                assert_eq!(answer.status, 200, "{role}, {path}: {answer:?}");
            } else {
                answer.expect_problem(403, "forbidden");
                expect_no_leak(&answer);
            }
        }
    }
    // A role that there isn't gives nothing, and neither does none.
    for claims in [Claims::of("root", "t1"), Claims::of("trainer", "t1").without("roles")] {
        for path in GUARDED {
            app.caller(&claims).get(path).await.expect_problem(403, "forbidden");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_learns_nothing_of_another() {
    let app = app_with_a_trainer().await;
    let other = app.trainer("t2");
    for path in [
        "/api/v1/entitlements?trainer=",
        "/api/v1/entitlements?as_of=2026-01-01T00:00:00Z&trainer=",
        "/api/v1/entitlements/customers?trainer=",
        "/api/v1/entitlements/customers/explain?trainer=",
    ] {
        let known = other.get(&format!("{path}t1")).await;
        let unknown = other.get(&format!("{path}nobody")).await;
        known.expect_problem(403, "forbidden");
        assert_eq!(known.body, unknown.body, "whether there is such a trainer isn't told");
        expect_no_leak(&known);
        let own = app.service().get(&format!("{path}t1")).await;
        assert_eq!(own.status, 200, "a service may: {own:?}");
    }
    let own = other.get("/api/v1/tiers/current").await;
    assert!(own.expect(200)["tier"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_trainer_names_the_trainer() {
    let app = app_with_a_trainer().await;
    let claims = Claims::of("trainer", "user-17").with("trainer", "t1");
    let current = app.caller(&claims).get("/api/v1/tiers/current").await.expect(200);
    assert_eq!(current["trainer_id"], "t1");
    assert_eq!(current["tier"]["slug"], "starter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_audience_is_refused() {
    let settings = Settings::of_service().with("LEDGER_JWT_AUDIENCE", "billing");
    let app = TestApp::start_with(settings).await;
    let claims = Claims::of("trainer", "t1");
    for wrong in [claims.clone(), claims.clone().with("aud", "mail")] {
        let answer = app.caller(&wrong).get("/api/v1/tiers/current").await;
        answer.expect_problem(401, "unauthenticated");
    }
    let right = app.caller(&claims.with("aud", "billing")).get("/api/v1/tiers/current").await;
    assert_eq!(right.status, 200, "{right:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_understood_is_refused() {
    let app = app_with_a_trainer().await;
    let trainer = app.trainer("t1");
    for query in
        ["?nonsense=1", "?min_position=soon", "?min_position=1.5", "?min_position=1&min_position=2"]
    {
        let answer = trainer.get(&format!("/api/v1/tiers/current{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        answer.expect_problem(400, "invalid_request");
    }
    app.auditor()
        .get("/api/v1/audit/events?colour=red")
        .await
        .expect_problem(400, "invalid_request");
    app.auditor()
        .get("/api/v1/audit/events?cursor=%21%21")
        .await
        .expect_problem(400, "invalid_request");
    app.service()
        .get("/api/v1/entitlements?trainer=jenny%40example.test")
        .await
        .expect_problem(400, "invalid_request");
    trainer.get("/api/v1/nowhere").await.expect_problem(404, "not_found");
    let wrong_method = trainer.post("/api/v1/tiers/current", &Value::Null).await;
    assert_eq!(wrong_method.status, 405, "{wrong_method:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_logged() {
    let settings = Settings::of_service().with("RUST_LOG", "trace");
    let app = TestApp::start_with(settings).await;
    let good = token(&Claims::of("trainer", "t1"));
    let bad = Claims::of("trainer", "t1").signed_with("another-key-of-more-than-thirty-two-bytes");
    for token in [&good, &bad] {
        app.anyone().with_token(token).get("/api/v1/tiers/current").await;
    }
    let output = app.output().text();
    let parts = [&good, &bad].map(|token| token.rsplit_once('.').expect("three parts").1);
    for secret in parts.iter().chain(&[JWT_SECRET]) {
        assert!(!output.contains(secret), "a token or key is in the log");
    }
}

/// A ledger with the trainer `t1`, who is on Starter: `customers` and no `analytics`.
pub(crate) async fn app_with_a_trainer() -> TestApp {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    app
}

/// A refusal says nothing of what is behind it.
fn expect_no_leak(answer: &Answer) {
    for secret in ["starter", "cus_t1", "sub_t1", "evt_", "postgres", "SELECT", "src/", JWT_SECRET]
    {
        assert!(!answer.body.contains(secret), "{secret} in {answer:?}");
    }
}

fn unsigned(claims: &Claims, algorithm: &str) -> String {
    let head = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims.to_json()))
}

/// Another trainer's claims under the signature of the first one's.
fn with_other_claims(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(Claims::of("auditor", "t2").to_json());
    format!("{}.{other}.{}", parts[0], parts[2])
}
