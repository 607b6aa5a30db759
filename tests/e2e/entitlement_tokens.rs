//! Tokens of entitlements: a service that has nothing but the published keys can trust them.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Answer, Caller, Settings, TestApp, eventually, now, turns};
use crate::usage::enforce;

const PATH: &str = "/api/v1/entitlements/token";
const KEYS: &str = "/.well-known/jwks.json";

/// A service with one trainer on Starter, whose keys are in this file.
async fn app(keys: &std::path::Path) -> TestApp {
    let settings = Settings::of_service();
    let settings = settings.with("LEDGER_TOKEN_KEY_FILE", keys.to_str().unwrap());
    let app = TestApp::start_with(settings).await;
    tell(&app, purchase("t1")).await;
    app
}

/// The same with a key that stays.
async fn app_with_a_key() -> TestApp {
    let settings = Settings::of_service().with("LEDGER_TOKEN_KEY", "11".repeat(32));
    let app = TestApp::start_with(settings).await;
    tell(&app, purchase("t1")).await;
    app
}

fn purchase(trainer: &str) -> Story {
    let mut story = Story::new(trainer, Version::Basil, now() - 2 * DAY);
    story.purchase(STARTER);
    story
}

/// Lets a story happen, and the ledger know of it.
async fn tell(app: &TestApp, mut story: Story) {
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer(&story.trainer).read_at("/api/v1/entitlements", position).await;
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

/// What a token says of what holds at `position` or later. The service waits for its read models
/// only shortly; on a busy machine they may need longer.
async fn claims_at(caller: &Caller, position: i64, keys: &JwkSet) -> Value {
    let mut turns = turns("a token is issued");
    loop {
        let answer = caller.post(PATH, &json!({ "min_position": position })).await;
        if answer.status != 503 {
            assert!(answer.expect(200)["position"].as_i64() >= Some(position), "{answer:?}");
            let claims = check(&token(&answer), keys).unwrap();
            assert_eq!(claims["position"], answer.json()["position"]);
            return claims;
        }
        turns.next().await;
    }
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
async fn a_token_is_of_the_position_that_was_asked_for() {
    let app = app_with_a_key().await;
    let published = keys(&app).await;
    let never = json!({ "min_position": 1_000_000_000 });
    let refused = app.trainer("t1").post(PATH, &never).await;
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(!refused.body.contains("token"), "{refused:?}");
    for wrong in [json!(-1), json!("soon"), json!(1.5)] {
        let answer = app.trainer("t1").post(PATH, &json!({ "min_position": wrong })).await;
        answer.expect_problem(400, "invalid_request");
    }

    // It is on its way when the token is asked for.
    let webhooks = purchase("t2").take();
    let first = app.stripe().deliver(&webhooks[0]).await;
    let last = first + i64::try_from(webhooks.len()).unwrap() - 1;
    let (caller, stripe) = (app.trainer("t2"), app.stripe());
    let asked = claims_at(&caller, last, &published);
    let (claims, position) = tokio::join!(asked, stripe.deliver_all(&webhooks[1..]));
    assert_eq!(position, last);
    assert_eq!((&claims["sub"], &claims["tier_slug"]), (&json!("t2"), &json!("starter")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_outlasts_the_trial_that_it_tells_of() {
    let app = app_with_a_key().await;
    let published = keys(&app).await;
    // Tokens last fifteen minutes; this trial ends in ten, the other one in a day.
    let (soon, late) = (now() + 600, now() + DAY);
    for (trainer, ends, lasts) in [("t2", soon, None), ("t3", late, Some(900))] {
        let mut story = Story::new(trainer, Version::Basil, ends - 3 * DAY);
        story.try_out(STARTER, 3);
        tell(&app, story).await;
        let answer = app.trainer(trainer).post(PATH, &json!({})).await;
        let claims = check(&token(&answer), &published).unwrap();
        assert_eq!(claims["subscription_status"], "trialing", "{claims}");
        let [exp, iat] = ["exp", "iat"].map(|name| claims[name].as_i64().unwrap());
        assert_eq!(exp, lasts.map_or(ends, |lasts| iat + lasts), "{claims}");
        let told = answer.json()["expires_at"].as_str().unwrap().parse();
        let told: chrono::DateTime<chrono::Utc> = told.unwrap();
        assert_eq!(told.timestamp(), exp, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_whether_denials_are_enforced() {
    let app = app_with_a_key().await;
    let published = keys(&app).await;
    // The place of t1 among a hundred is 86.
    for (mode, enforced) in [
        (json!("off"), false),
        (json!("on"), true),
        (json!("shadow"), false),
        (json!({ "percent": 86 }), false),
        (json!({ "percent": 87 }), true),
    ] {
        enforce(&app, &mode).await;
        let answer = app.trainer("t1").post(PATH, &json!({})).await;
        let claims = check(&token(&answer), &published).unwrap();
        assert_eq!(claims["enforced"], enforced, "{mode}: {claims}");
        // What is granted is told just the same.
        assert_eq!(
            (&claims["access"], &claims["tier_slug"]),
            (&json!("granted"), &json!("starter"))
        );
        assert_eq!(claims["features"]["customers"]["limit"], 9, "{mode}: {claims}");
        assert!(claims["features"].get("analytics").is_none(), "{mode}: {claims}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_no_tokens_are_issued() {
    let app = TestApp::start().await;
    assert_eq!(app.anyone().get(KEYS).await.expect(200), json!({ "keys": [] }));
    app.trainer("t1").post(PATH, &json!({})).await.expect_problem(404, "not_found");
}
