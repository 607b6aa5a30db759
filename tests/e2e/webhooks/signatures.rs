//! Who sent it.

use super::{count, everything_stored, some_webhook};
use crate::harness::{Settings, Stripe, TestApp, WEBHOOK_SECRET, now, signature};

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

    // The default tenant has a name as well.
    let named: Stripe = app.stripe_of("default", WEBHOOK_SECRET);
    named.post(&some_webhook("evt_named")).await.expect(200);
}
