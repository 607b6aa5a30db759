//! Tokens of entitlements: a service that has nothing but the published keys can trust them.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Answer, Settings, TestApp, eventually, now};

const PATH: &str = "/api/v1/entitlements/token";
const KEYS: &str = "/.well-known/jwks.json";

/// A service with one trainer on Starter, whose keys are in this file.
async fn app(keys: &std::path::Path) -> TestApp {
    let settings = Settings::of_service();
    let settings = settings.with("LEDGER_TOKEN_KEY_FILE", keys.to_str().unwrap());
    let app = TestApp::start_with(settings).await;
    let mut story = Story::new("t1", Version::Basil, now() - 2 * DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/entitlements", position).await;
    app
}

async fn keys(app: &TestApp) -> JwkSet {
    let published = app.anyone().get(KEYS).await;
    assert_eq!(published.header("content-type"), Some("application/jwk-set+json"));
    assert!(published.header("cache-control").unwrap().contains("max-age"));
    serde_json::from_value(published.expect(200)).unwrap()
}

/// What a token says to whoever trusts these keys.
fn check(token: &str, keys: &JwkSet) -> Option<Value> {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwk = keys.find(header.kid.as_deref()?)?;
    let validation = Validation::new(Algorithm::EdDSA);
    let key = DecodingKey::from_jwk(jwk).unwrap();
    Some(jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims)
}

fn token(answer: &Answer) -> String {
    answer.expect(200)["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_what_a_trainer_may_do_and_is_checked_with_the_published_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "11".repeat(32)).unwrap();
    let app = app(&file).await;
    let first = app.trainer("t1").post(PATH, &json!({})).await;
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let claims = check(&token(&first), &keys(&app).await).unwrap();
    assert_eq!(claims["sub"], "t1");
    assert_eq!(claims["tenant"], "default");
    assert_eq!(claims["tier_slug"], "starter");
    assert_eq!(claims["tier_level"], 1);
    assert_eq!(claims["subscription_status"], "active");
    assert_eq!(claims["access"], "granted");
    assert_eq!(claims["enforced"], true);
    assert_eq!(claims["features"]["customers"]["limit"], 9);
    assert!(claims["features"].get("analytics").is_none(), "what isn't granted isn't there");
    let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lasts, 900);

    // It opens no door of the ledger itself.
    let as_bearer = app.anyone().with_token(&token(&first)).get("/api/v1/tiers/current").await;
    as_bearer.expect_problem(401, "unauthenticated");

    // The next key is published first, then signs; what the old one signed stays good.
    let (old, new) = ("11".repeat(32), "22".repeat(32));
    std::fs::write(&file, format!("{old}\n{new}")).unwrap();
    app.signal("HUP");
    let both = || async { Some(keys(&app).await).filter(|keys| keys.keys.len() == 2) };
    let published = eventually("the next key is published", both).await;
    std::fs::write(&file, format!("{new}\n{old}")).unwrap();
    app.signal("HUP");
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    let turned = || async {
        let next = token(&app.trainer("t1").post(PATH, &json!({})).await);
        (kid(&next) != kid(&token(&first))).then_some(next)
    };
    let next = eventually("the next key signs", turned).await;
    assert_eq!(check(&next, &published).unwrap()["sub"], "t1");
    assert_eq!(check(&token(&first), &published).unwrap()["sub"], "t1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_names_a_trainer_and_a_trainer_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "11".repeat(32)).unwrap();
    let app = app(&file).await;
    let published = keys(&app).await;
    let of = |answer: Answer| check(&token(&answer), &published).unwrap();
    let nobody = of(app.service().post(PATH, &json!({ "trainer": "nobody" })).await);
    assert_eq!((&nobody["sub"], &nobody["tier_slug"]), (&json!("nobody"), &Value::Null));
    assert_eq!(nobody["access"], "none");
    assert_eq!(nobody["features"], json!({}));
    assert_eq!(of(app.service().post(PATH, &json!({ "trainer": "t1" })).await)["tier_level"], 1);

    let other = app.trainer("t2").post(PATH, &json!({ "trainer": "t1" })).await;
    other.expect_problem(403, "forbidden");
    app.service().post(PATH, &json!({})).await.expect_problem(400, "invalid_request");
    app.auditor().post(PATH, &json!({ "trainer": "t1" })).await.expect_problem(403, "forbidden");
    app.anyone().post(PATH, &json!({})).await.expect_problem(401, "unauthenticated");
    let misspelt = app.trainer("t1").post(PATH, &json!({ "ttl": 86_400 })).await;
    misspelt.expect_problem(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_no_tokens_are_issued() {
    let app = TestApp::start().await;
    assert_eq!(app.anyone().get(KEYS).await.expect(200), json!({ "keys": [] }));
    app.trainer("t1").post(PATH, &json!({})).await.expect_problem(404, "not_found");
}
