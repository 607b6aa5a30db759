//! A trainer calls as often as its tier allows; others as often as the settings allow.

use reqwest::Method;

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Answer, Caller, Claims, Settings, TestApp, eventually, now};

const PATH: &str = "/api/v1/tiers/current";

/// The number behind `;NAME=` in a field, and the name of the policy.
fn field<'a>(answer: &'a Answer, header: &str, name: &str) -> (&'a str, u64) {
    let text = answer.header(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    let mut parts = text.split(';');
    let policy = parts.next().unwrap().trim_matches('"');
    let number = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    (policy, number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}")))
}

/// Calls until it is too often. One call is forgotten each half second or so, far more come.
async fn until_refused(caller: &Caller, path: &str) -> Answer {
    eventually("it is too often", || async {
        let answer = caller.get(path).await;
        assert!([200, 429].contains(&answer.status), "{answer:?}");
        (answer.status == 429).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_calls_as_often_as_its_tier_allows() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Basil, now() - 2 * DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.service().read_at(&format!("{PATH}?trainer=t1"), position).await;
    let trainer = app.trainer("t1");
    let first = trainer.get(PATH).await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"starter\";q=100;w=60"));
    assert_eq!(first.header("ratelimit"), Some("\"starter\";r=99;t=1"));

    let refused = until_refused(&trainer, PATH).await;
    refused.expect_problem(429, "rate_limited");
    assert_eq!(field(&refused, "ratelimit", "r"), ("starter", 0));
    assert_eq!(field(&refused, "ratelimit", "t"), ("starter", 1));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Refused it is also where it has not asked before, but who looks after the service is heard.
    until_refused(&trainer, "/api/v1/tiers").await;
    assert_eq!(trainer.get("/healthz").await.status, 200);
    // Others have calls of their own, and services have no limit.
    assert_eq!(app.trainer("t2").get(PATH).await.status, 200);
    let service = app.service().get(&format!("{PATH}?trainer=t1")).await;
    assert_eq!((service.status, service.header("ratelimit")), (200, None));

    story.pass(DAY).change_to(PROFESSIONAL);
    app.stripe().deliver_all(&story.take()).await;
    let upgraded = eventually("the tier's new limit holds", || async {
        let answer = trainer.get(PATH).await;
        (field(&answer, "ratelimit-policy", "q") == ("professional", 250)).then_some(answer)
    })
    .await;
    assert_eq!(upgraded.status, 200, "there is more at once: {upgraded:?}");
    assert!(field(&upgraded, "ratelimit", "r").1 >= 100, "{upgraded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_tier_may_call_as_the_lowest_one_does() {
    let app = TestApp::start().await;
    let answer = app.trainer("stranger").get(PATH).await;
    assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=100;w=60"));
    let anyone = app.anyone().get("/api/v1/tiers").await;
    assert_eq!((anyone.status, anyone.header("ratelimit-policy")), (200, None));
    let bad = app.anyone().with_token("x.y.z").get(PATH).await;
    bad.expect_problem(401, "unauthenticated");
    assert_eq!(bad.header("ratelimit"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_admins_are_limited_by_the_settings() {
    let settings = Settings::of_service()
        .with("LEDGER_SERVICE_REQUESTS_PER_MINUTE", "5")
        .with("LEDGER_ADMIN_REQUESTS_PER_MINUTE", "3");
    let app = TestApp::start_with(settings).await;
    let admin = app.caller(&Claims::of("admin", "ada"));
    for (caller, path, policy, calls) in [
        (app.service(), "/api/v1/tiers/current?trainer=t1", "service", 5),
        (admin, "/api/v1/admin/anomalies", "admin", 3),
    ] {
        let first = caller.get(path).await;
        assert_eq!(field(&first, "ratelimit-policy", "q"), (policy, calls));
        assert_eq!(field(&first, "ratelimit", "r"), (policy, calls - 1));
        let refused = until_refused(&caller, path).await;
        refused.expect_problem(429, "rate_limited");
        assert_eq!(field(&refused, "ratelimit", "r"), (policy, 0));
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60 / calls).contains(&wait), "{wait}");
    }
    let other = app.caller(&Claims::of("service", "another"));
    assert_eq!(other.get(&format!("{PATH}?trainer=t1")).await.status, 200);
    assert_eq!(app.operator().get("/api/v1/admin/projections").await.header("ratelimit"), None);
}

/// Every answer counts, whatever it is. A call that isn't counted would never be refused.
#[tokio::test(flavor = "multi_thread")]
async fn questions_about_entitlements_and_acts_on_usage_are_counted() {
    let settings = Settings::of_service().with("LEDGER_SERVICE_REQUESTS_PER_MINUTE", "3");
    let app = TestApp::start_with(settings).await;
    let paths = [
        (Method::GET, "/api/v1/entitlements?trainer=t1"),
        (Method::GET, "/api/v1/entitlements/customers?trainer=t1"),
        (Method::GET, "/api/v1/entitlements/customers/explain?trainer=t1"),
        (Method::POST, "/api/v1/entitlements/token"),
        (Method::POST, "/api/v1/usage/customers/consume"),
        (Method::POST, "/api/v1/usage/customers/record"),
        (Method::POST, "/api/v1/usage/customers/reserve"),
        (Method::POST, "/api/v1/usage/customers/commit"),
        (Method::POST, "/api/v1/usage/customers/release"),
        (Method::GET, "/api/v1/usage/t1/check/customers"),
        (Method::GET, "/api/v1/usage/t1/limits"),
    ];
    for (nth, (method, path)) in paths.into_iter().enumerate() {
        let service = app.caller(&Claims::of("service", &format!("service-{nth}")));
        let refused = eventually("it is too often", || async {
            let answer = service.request(method.clone(), path).await;
            assert_eq!(field(&answer, "ratelimit-policy", "q"), ("service", 3), "{path}");
            (answer.status == 429).then_some(answer)
        })
        .await;
        refused.expect_problem(429, "rate_limited");
    }
    let trainer = app.trainer("t1");
    for path in
        ["/api/v1/entitlements", "/api/v1/entitlements/customers", "/api/v1/usage/t1/limits"]
    {
        let answer = trainer.get(path).await;
        assert_eq!(field(&answer, "ratelimit-policy", "q"), ("default", 100), "{path}");
    }
    until_refused(&trainer, "/api/v1/entitlements").await;
}
