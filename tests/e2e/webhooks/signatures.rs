//! Who sent it.

use futures::future::join_all;
use tokio::time::Instant;

use super::{count, everything_stored, some_webhook};
use crate::harness::{Settings, Stripe, TestApp, WEBHOOK_SECRET, eventually, now, signature};

const SECOND_SECRET: &str = "whsec_e2e_second_91d2";

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_did_not_sign_is_refused_and_not_stored() {
    let app = TestApp::start().await;
    let (stripe, body) = (app.stripe(), some_webhook("evt_forged").to_string().into_bytes());
    let before = everything_stored(&app).await;

    let good = signature(&[WEBHOOK_SECRET], now(), &body);
    let v1 = good.split_once("v1=").expect("a v1").1.to_owned();
    let stale = signature(&[WEBHOOK_SECRET], now() - 400, &body);
    let ahead = signature(&[WEBHOOK_SECRET], now() + 400, &body);
    let of_another = signature(&["whsec_of_nobody"], now(), &body);
    let of_other_bytes = signature(&[WEBHOOK_SECRET], now(), b"{}");
    let old_scheme = good.replace("v1=", "v0=");
    let headers = [
        ("none", None),
        ("empty", Some("")),
        ("not a signature", Some("hello")),
        ("no time", Some(v1.as_str())),
        ("too old", Some(stale.as_str())),
        ("too new", Some(ahead.as_str())),
        ("another secret", Some(of_another.as_str())),
        ("another body", Some(of_other_bytes.as_str())),
        ("another scheme", Some(old_scheme.as_str())),
    ];
    for (what, header) in headers {
        let answer = stripe.post_signed(body.clone(), header).await.unwrap();
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert!(!answer.body.contains(WEBHOOK_SECRET), "{what}: {answer:?}");
    }
    assert_eq!(everything_stored(&app).await, before, "nothing was stored");
    assert!(!app.output().text().contains(WEBHOOK_SECRET), "the secret is not logged");

    // The same bytes are taken with a proper signature: it was the signature that was wrong.
    let answer = stripe.post_signed(body, Some(&good)).await.unwrap();
    answer.expect(200);
}

/// Anybody can send bad webhooks, as often as they like.
#[tokio::test(flavor = "multi_thread")]
async fn bad_webhooks_dont_fill_the_log_and_are_counted_from_the_first() {
    const BAD: usize = 400;
    let app = TestApp::start().await;
    let metrics = app.anyone().get("/metrics").await.body;
    let count = |reason: &str| format!("\nledger_webhooks_rejected_total{{reason=\"{reason}\"}} ");
    let zero = ["no_match", "too_old", "no_secret", "unknown_tenant", "body_not_read", "not_json"];
    for reason in zero.into_iter().chain(["malformed_envelope", "over_a_limit", "unavailable"]) {
        assert!(metrics.contains(&(count(reason) + "0\n")), "{reason} in {metrics}");
    }
    for series in [
        "ledger_decisions_total{outcome=\"quota_exhausted\"} 0",
        "ledger_http_requests_total{route=\"/api/v1/tiers/current\",status=\"503\"} 0",
        "ledger_log_panics_total 0",
        "ledger_projection_parked_total 0",
        "ledger_log_appending 1",
    ] {
        assert!(metrics.contains(series), "{series} in {metrics}");
    }

    let begin = Instant::now();
    let stripe = app.stripe().with_secret("whsec_of_nobody");
    let webhook = some_webhook("evt_bad");
    for _ in 0..BAD / 8 {
        for answer in join_all((0..8).map(|_| stripe.post(&webhook))).await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    let metrics = app.anyone().get("/metrics").await.body;
    assert!(metrics.contains(&format!("{}{BAD}\n", count("no_match"))), "{metrics}");
    // One at first, and one for each window of ten seconds that has begun since.
    let windows = 1 + usize::try_from(begin.elapsed().as_secs() / 10).unwrap();
    let (lines, left_out) = told_of(&app, "no_match");
    assert!((1..=windows).contains(&lines), "{lines} lines in {windows} windows");
    assert!(lines + left_out <= BAD);
    // Those that were left out last are told of, too, though nobody sends another one.
    eventually("all are told of", || async {
        let (lines, left_out) = told_of(&app, "no_match");
        (lines + left_out == BAD).then_some(())
    })
    .await;
}

/// How many lines tell of webhooks that were rejected for a reason, and how many more they count.
fn told_of(app: &TestApp, reason: &str) -> (usize, usize) {
    let (mut lines, mut left_out) = (0, 0);
    for line in app.output().text().lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if line["reason"] == reason {
            assert_eq!(line["message"], "a webhook was not taken in");
            assert!(line["tenant"].is_string() && line["bytes"].is_u64(), "{line}");
            lines += 1;
        }
        if line["reason"] == reason || line["kind"] == reason {
            left_out += usize::try_from(line["left_out"].as_u64().unwrap()).unwrap();
        }
    }
    (lines, left_out)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_within_the_tolerance_is_good() {
    let app = TestApp::start().await;
    for (id, at) in [("evt_early", now() - 240), ("evt_late", now() + 240)] {
        let body = some_webhook(id).to_string().into_bytes();
        let header = signature(&[WEBHOOK_SECRET], at, &body);
        app.stripe().post_signed(body, Some(&header)).await.unwrap().expect(200);
    }
}

/// While a secret is rolled both are in force, here and at Stripe, which then signs with both.
#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_during_rotation() {
    let both = format!("{WEBHOOK_SECRET}, {SECOND_SECRET}");
    let settings = Settings::of_service().with("STRIPE_WEBHOOK_SECRET", both);
    let app = TestApp::start_with(settings).await;
    let second = app.stripe().with_secret(SECOND_SECRET);
    app.stripe().post(&some_webhook("evt_first")).await.expect(200);
    second.post(&some_webhook("evt_second")).await.expect(200);

    let body = some_webhook("evt_both").to_string().into_bytes();
    let header = signature(&["whsec_already_gone", SECOND_SECRET], now(), &body);
    app.stripe().post_signed(body, Some(&header)).await.unwrap().expect(200);

    let third = app.stripe().with_secret("whsec_third");
    assert_eq!(third.post(&some_webhook("evt_third")).await.status, 400);
    assert_eq!(count(&app, "evt_third").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tenant_is_not_found() {
    let app = TestApp::start().await;
    let before = everything_stored(&app).await;
    for tenant in ["nobody", "Default", "..%2Fdefault"] {
        let stripe = app.stripe_of(tenant, WEBHOOK_SECRET);
        let answer = stripe.post(&some_webhook("evt_astray")).await;
        assert_eq!(answer.status, 404, "{tenant}: {answer:?}");
    }
    assert_eq!(everything_stored(&app).await, before);
    let told = || async { app.output().text().contains("unknown_tenant").then_some(()) };
    eventually("the log tells why", told).await;

    // The default tenant has a name as well.
    let named: Stripe = app.stripe_of("default", WEBHOOK_SECRET);
    named.post(&some_webhook("evt_named")).await.expect(200);
}
