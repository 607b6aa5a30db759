//! Who asks, told by public keys: in a file, or fetched from a server that may be unwell.

#[path = "../../../src/jwks/testing.rs"]
mod keys;
mod server;

use std::fs;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::harness::{Caller, Claims, Settings, TestApp, eventually, now, run};
use keys::{Pair, set_of};
use server::{KeyServer, Said};

const AUDIENCE: &str = "https://billing.example.test";
const PATH: &str = "/api/v1/tiers/current";

fn settings(jwks: &str) -> Settings {
    beside_secrets(jwks).without("LEDGER_JWT_SECRET")
}

fn beside_secrets(jwks: &str) -> Settings {
    Settings::of_service().with("LEDGER_JWKS", jwks).with("LEDGER_JWT_AUDIENCE", AUDIENCE)
}

fn claims(role: &str, subject: &str) -> Value {
    json!({ "sub": subject, "roles": [role], "exp": now() + 3_600, "aud": AUDIENCE })
}

fn trainer(app: &TestApp, pair: &Pair) -> Caller {
    app.anyone().with_token(&pair.sign(&claims("trainer", "t1")))
}

async fn is_admitted(caller: &Caller) -> bool {
    let answer = caller.get(PATH).await;
    // Who asks this often may be told to wait; then the token is good.
    assert!([200, 401, 429].contains(&answer.status), "{answer:?}");
    answer.status != 401
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_and_followed_and_survive_their_server() {
    let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    let old = algorithms.map(|algorithm| Pair::new(algorithm, &format!("{algorithm:?}")));
    let server = KeyServer::plain(Said::Keys(set_of(&old.each_ref()))).await;
    let app = TestApp::start_with(settings(server.url())).await;
    for pair in &old {
        assert!(is_admitted(&trainer(&app, pair)).await);
    }
    app.trainer("t1").get(PATH).await.expect_problem(401, "unauthenticated");

    // A new key is known as soon as a token names it.
    let new = Pair::new(Algorithm::ES256, "new");
    assert!(!is_admitted(&trainer(&app, &new)).await);
    server.say(Said::Keys(set_of(&[&new])));
    let caller = trainer(&app, &new);
    eventually("the new key is known", || async { is_admitted(&caller).await.then_some(()) }).await;
    for pair in &old {
        assert!(!is_admitted(&trainer(&app, pair)).await, "it isn't in the set any more");
    }

    // Whoever makes up ids makes nobody fetch often, and what was known stays.
    server.say(Said::Broken);
    let (hits, fetches) = (server.hits(), std::time::Instant::now());
    for n in 0..200 {
        let forged = Pair::new(Algorithm::EdDSA, &format!("forged{n}"));
        assert!(!is_admitted(&trainer(&app, &forged)).await);
    }
    let gaps = fetches.elapsed().as_secs() / 5;
    assert!(server.hits() - hits <= 1 + usize::try_from(gaps).unwrap());
    assert!(is_admitted(&trainer(&app, &new)).await);
    // Forged ids make it ask in vain, as soon as it may again.
    let forger = trainer(&app, &Pair::new(Algorithm::EdDSA, "forged"));
    eventually("the failure is counted", || async {
        assert!(!is_admitted(&forger).await);
        let metrics = app.anyone().get("/metrics").await.body;
        let failures = metrics.lines().find_map(|l| l.strip_prefix("ledger_jwks_failures_total "));
        failures.and_then(|number| number.parse::<u64>().ok()).filter(|number| *number > 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_certificate() {
    let pair = Pair::new(Algorithm::RS256, "1");
    let folder = tempfile::tempdir().unwrap();
    let (server, authority) = KeyServer::with_tls(Said::Keys(set_of(&[&pair]))).await;
    let trusted = folder.path().join("ca.pem");
    fs::write(&trusted, authority).unwrap();
    let trusting = settings(server.url()).with("SSL_CERT_FILE", trusted.to_str().unwrap());
    let app = TestApp::start_with(trusting).await;
    assert!(is_admitted(&trainer(&app, &pair)).await);

    // Another one of the same name.
    let (impostor, _) = KeyServer::with_tls(Said::Keys(set_of(&[&pair]))).await;
    let misled = settings(impostor.url()).with("SSL_CERT_FILE", trusted.to_str().unwrap());
    let app = TestApp::start_with(misled).await;
    trainer(&app, &pair).get(PATH).await.expect_problem(503, "unavailable");
    eventually("why is told", || async {
        app.output().text().contains("the keys of LEDGER_JWKS can't be fetched").then_some(())
    })
    .await;
    assert_eq!(impostor.hits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_are_rolled_without_a_restart() {
    let (old, new) = (Pair::new(Algorithm::EdDSA, "old"), Pair::new(Algorithm::RS256, "new"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    fs::write(&file, set_of(&[&old])).unwrap();
    // Beside secrets, which stay good.
    let settings = beside_secrets(file.to_str().unwrap());
    let app = TestApp::start_with(settings.with("LEDGER_ADMIN_MFA", "true")).await;
    let (by_old, by_new) = (trainer(&app, &old), trainer(&app, &new));
    assert!(is_admitted(&by_old).await && !is_admitted(&by_new).await);
    fs::write(&file, set_of(&[&old, &new])).unwrap();
    app.signal("HUP");
    eventually("the new key is known", || async { is_admitted(&by_new).await.then_some(()) }).await;
    assert!(is_admitted(&by_old).await);
    fs::write(&file, "{").unwrap();
    app.signal("HUP");
    eventually("the mistake is told", || async {
        app.output().text().contains("public keys of tokens stay as they are").then_some(())
    })
    .await;
    let by_secret = app.caller(&Claims::of("trainer", "t1").with("aud", AUDIENCE));
    assert!(is_admitted(&by_old).await && is_admitted(&by_secret).await);

    let admin = Claims::of("admin", "ada").with("aud", AUDIENCE);
    let refused = app.caller(&admin).get("/api/v1/admin/anomalies").await;
    let told = refused.expect_problem(403, "forbidden")["detail"].to_string();
    assert!(told.contains("amr"), "{told}");
    let with_mfa = app.caller(&admin.with("amr", json!(["pwd", "mfa"])));
    assert_eq!(with_mfa.get("/api/v1/admin/anomalies").await.status, 200);
}

/// Each tenant may trust makers of tokens of its own, who are nobody to the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_fetches_keys_of_its_own() {
    let (ours, theirs) = (Pair::new(Algorithm::ES256, "1"), Pair::new(Algorithm::ES256, "1"));
    let server = KeyServer::plain(Said::Keys(set_of(&[&ours]))).await;
    let other = KeyServer::plain(Said::Keys(set_of(&[&theirs]))).await;
    let folder = tempfile::tempdir().unwrap();
    let acme = folder.path().join("acme");
    fs::create_dir(&acme).unwrap();
    for (name, text) in [
        ("LEDGER_JWKS", other.url()),
        ("LEDGER_JWT_AUDIENCE", "acme"),
        ("STRIPE_LIVEMODE", "false"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_e2e_acme"),
    ] {
        fs::write(acme.join(name), text).unwrap();
    }
    let secrets = folder.path().to_str().unwrap();
    let settings = settings(server.url()).with("LEDGER_TENANT_SECRETS_DIR", secrets);
    let app = TestApp::start_with(settings).await;
    let bearer = |tenant: &str, aud: &str, pair: &Pair| {
        let mut claims = claims("auditor", "eve");
        claims["tenant"] = json!(tenant);
        claims["aud"] = json!(aud);
        app.anyone().with_token(&pair.sign(&claims))
    };
    let path = "/api/v1/audit/events";
    bearer("default", AUDIENCE, &ours).get(path).await.expect(200);
    bearer("acme", "acme", &theirs).get(path).await.expect(200);
    for (tenant, aud, pair) in [
        ("acme", "acme", &ours),
        ("acme", AUDIENCE, &ours),
        ("acme", AUDIENCE, &theirs),
        ("default", AUDIENCE, &theirs),
        ("default", "acme", &theirs),
    ] {
        let refused = bearer(tenant, aud, pair).get(path).await;
        refused.expect_problem(401, "unauthenticated");
    }
    // Its server goes, and comes back with another key.
    let next = Pair::new(Algorithm::ES256, "2");
    other.say(Said::Broken);
    bearer("acme", "acme", &next).get(path).await.expect_problem(401, "unauthenticated");
    bearer("acme", "acme", &theirs).get(path).await.expect(200);
    other.say(Said::Keys(set_of(&[&next])));
    let renewed = bearer("acme", "acme", &next);
    eventually("the tenant's new key is known", || async {
        (renewed.get(path).await.status == 200).then_some(())
    })
    .await;
    bearer("default", AUDIENCE, &ours).get(path).await.expect(200);
}

/// Who signs for the ledger may sign for others, too, whose administrators are none of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_meant_for_another_application_opens_nothing() {
    let pair = Pair::new(Algorithm::RS256, "1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    fs::write(&file, set_of(&[&pair])).unwrap();
    let settings = settings(file.to_str().unwrap());
    let app = TestApp::start_with(settings.clone()).await;
    let path = "/api/v1/admin/enforcement";
    let admin = |aud: Value| {
        let mut claims = claims("admin", "ada");
        claims["aud"] = aud;
        app.anyone().with_token(&pair.sign(&claims))
    };
    admin(json!(AUDIENCE)).get(path).await.expect(200);
    admin(json!(["shop", AUDIENCE])).get(path).await.expect(200);
    for other in [json!("https://shop.example.test"), json!(["shop", "mail"]), json!(null)] {
        admin(other).get(path).await.expect_problem(401, "unauthenticated");
    }
    // Without an audience of its own nothing is started.
    let settings = settings.without("LEDGER_JWT_AUDIENCE");
    let ended = run(&settings.with("DATABASE_URL", "postgres://localhost/none"), &["serve"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("LEDGER_JWT_AUDIENCE is not set"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_tells_what_is_wrong_with_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    fs::write(&file, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#).unwrap();
    for (jwks, said) in [
        (file.to_str().unwrap(), "none of its keys"),
        ("/nonexistent/jwks.json", "can't be read"),
        ("http://id.example.test/keys", "without TLS"),
    ] {
        let settings = settings(jwks).with("DATABASE_URL", "postgres://localhost/none");
        let ended = run(&settings, &["serve"]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let is_told = ended.stderr.contains("LEDGER_JWKS") && ended.stderr.contains(said);
        assert!(is_told, "{said}: {}", ended.stderr);
    }
}
