//! A gateway asks before it lets a request through: a real nginx in front of an application, and
//! what other gateways ask.

mod nginx;
mod upstream;

use std::fs;

use reqwest::{Method, RequestBuilder};

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Answer, Claims, Settings, TestApp, eventually, http, now, token};
use nginx::{Nginx, User, is_root};
use upstream::Upstream;

const AUTHORIZE: &str = "/api/v1/authorize";

/// A ledger with one trainer on Starter.
async fn ledger() -> (TestApp, Story) {
    ledger_with(Settings::of_service()).await
}

async fn ledger_with(settings: Settings) -> (TestApp, Story) {
    let app = TestApp::start_with(settings).await;
    let mut story = Story::new("t1", Version::Basil, now() - 2 * DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.service().read_at("/api/v1/tiers/current?trainer=t1", position).await;
    (app, story)
}

fn of_trainer(trainer: &str) -> String {
    token(&Claims::of("trainer", trainer))
}

fn of_service() -> String {
    token(&Claims::of("service", "gateway"))
}

async fn send(request: RequestBuilder) -> Answer {
    Answer::read(request.send().await.expect("an answer")).await.expect("all of it")
}

/// Asks as a gateway does.
async fn ask(app: &TestApp, token: &str, headers: &[(&str, &str)]) -> Answer {
    let request = http().get(format!("{}{AUTHORIZE}", app.url())).bearer_auth(token);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_lets_through_what_the_tier_has() {
    let upstream = Upstream::start().await;
    for user in User::all(is_root()) {
        let (mut app, mut story) = ledger().await;
        let nginx = Nginx::start(user, app.url(), &upstream.url).await;
        let report = format!("{}/analytics/report", nginx.url);
        let get = || http().get(&report).bearer_auth(of_trainer("t1"));
        let before = upstream.hits();

        let refused = send(get()).await;
        assert_eq!(refused.status, 403, "{user:?}: {refused:?}");
        assert_eq!(refused.header("ratelimit-policy"), Some("\"starter\";q=100;w=60"));
        assert!(refused.header("ratelimit").unwrap().starts_with("\"starter\";r="));
        // What a client says of itself is heeded by nobody.
        for (name, value) in [
            ("x-ledger-feature", "customers"),
            ("x-ledger-trainer", "t2"),
            ("x-tier", "enterprise"),
        ] {
            assert_eq!(send(get().header(name, value)).await.status, 403, "{name}");
        }
        let unknown = send(http().get(&report)).await;
        assert_eq!((unknown.status, unknown.header("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(send(http().get(&report).bearer_auth("x.y.z")).await.status, 401);
        assert_eq!(send(http().get(format!("{}/_ledger", nginx.url))).await.status, 404);
        assert_eq!(upstream.hits(), before, "nothing came through");

        story.pass(DAY).change_to(PROFESSIONAL);
        let position = app.stripe().deliver_all(&story.take()).await;
        app.service().read_at("/api/v1/tiers/current?trainer=t1", position).await;
        let granted = send(get().header("x-tier", "enterprise").header("x-would-deny", "x")).await;
        let reached = granted.expect(200);
        assert_eq!(reached["tier"], serde_json::json!(["professional"]), "{reached}");
        assert_eq!(reached["trainer"], serde_json::json!(["t1"]), "{reached}");
        assert_eq!(reached["would_deny"], serde_json::json!(["none"]), "{reached}");
        assert_eq!(reached["path"], "/analytics/report");
        assert!(
            granted.header("ratelimit").is_some() && granted.header("ratelimit-policy").is_some()
        );
        // Nor now, when what it says would keep it out.
        for (name, value) in [("x-ledger-feature", "api_keys"), ("x-ledger-trainer", "t2")] {
            let reached = send(get().header(name, value)).await.expect(200);
            assert_eq!(reached["trainer"], serde_json::json!(["t1"]), "{name}: {reached}");
        }
        let large = http().post(&report).bearer_auth(of_trainer("t1")).body(vec![b'x'; 200_000]);
        let sent = send(large).await.expect(200);
        assert_eq!((&sent["method"], &sent["body_bytes"]), (&"POST".into(), &200_000.into()));

        let limited = eventually("it is too often", || async {
            let answer = send(get()).await;
            assert!([200, 429].contains(&answer.status), "{answer:?}");
            // By then at the latest, the new tier's limit holds.
            let is_of_tier =
                answer.header("ratelimit-policy") == Some("\"professional\";q=250;w=60");
            (answer.status == 429 && is_of_tier).then_some(answer)
        })
        .await;
        assert_eq!(limited.header("retry-after"), Some("1"));
        assert_eq!(limited.header("ratelimit"), Some("\"professional\";r=0;t=1"));

        app.kill();
        let closed = send(get()).await;
        assert_eq!(closed.status, 503, "without the ledger nothing passes: {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_told_whether_and_who() {
    let (app, _) = ledger().await;
    let granted = ask(&app, &of_trainer("t1"), &[("X-Ledger-Feature", "customers")]).await;
    assert_eq!(granted.expect(200)["granted"], true);
    assert_eq!(
        (granted.header("x-tier"), granted.header("x-trainer")),
        (Some("starter"), Some("t1"))
    );
    assert_eq!(granted.header("ratelimit"), Some("\"starter\";r=99;t=1"));
    let denied = ask(&app, &of_trainer("t1"), &[("X-Ledger-Feature", "analytics")]).await;
    let problem = denied.expect_problem(403, "feature_not_available");
    assert_eq!(problem["required_tier"], "professional");
    assert_eq!(
        (denied.header("x-tier"), denied.header("x-trainer")),
        (Some("starter"), Some("t1"))
    );
    let stranger = ask(&app, &of_trainer("t9"), &[("X-Ledger-Feature", "analytics")]).await;
    stranger.expect_problem(403, "feature_not_available");
    assert_eq!(stranger.header("x-tier"), Some("none"));
    // A trainer is nobody else, whatever the header says.
    let named = [("X-Ledger-Feature", "customers"), ("X-Ledger-Trainer", "t1")];
    assert_eq!(ask(&app, &of_trainer("t1"), &named).await.status, 200);
    ask(&app, &of_trainer("t9"), &named).await.expect_problem(403, "forbidden");
    let auditor = token(&Claims::of("auditor", "a"));
    ask(&app, &auditor, &named).await.expect_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_asks_for_a_trainer_whose_calls_count() {
    // Of two calls a minute, one is forgotten in half a minute: the four below come sooner.
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("catalog.toml");
    let shipped = fs::read_to_string("catalogs/trainers.toml").unwrap();
    let few = shipped.replace("requests_per_minute = 100\n", "requests_per_minute = 2\n");
    fs::write(&catalog, few).unwrap();
    let settings = Settings::of_service().with("LEDGER_CATALOG", catalog.to_str().unwrap());
    let (app, _) = ledger_with(settings).await;
    let named = [("X-Ledger-Feature", "customers"), ("X-Ledger-Trainer", "t1")];
    let first = ask(&app, &of_service(), &named).await;
    assert_eq!((first.status, first.header("x-trainer")), (200, Some("t1")));
    assert_eq!(first.header("ratelimit"), Some("\"starter\";r=1;t=30"));
    assert_eq!(ask(&app, &of_trainer("t1"), &named[..1]).await.status, 200);
    for (token, headers) in [(of_service(), &named[..]), (of_trainer("t1"), &named[..1])] {
        let limited = ask(&app, &token, headers).await;
        limited.expect_problem(429, "rate_limited");
        assert!(limited.header("ratelimit").unwrap().starts_with("\"starter\";r=0;t="));
        let wait: u32 = limited.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }
    let other = [named[0], ("X-Ledger-Trainer", "t2")];
    assert_ne!(ask(&app, &of_service(), &other).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_asks_wrongly_is_refused() {
    let (app, _) = ledger().await;
    let (trainer, service) = (of_trainer("t1"), of_service());
    let feature = ("X-Ledger-Feature", "customers");
    for (token, headers) in [
        (&trainer, &[][..]),
        (&trainer, &[("X-Ledger-Feature", "")]),
        (&trainer, &[feature, feature]),
        (&trainer, &[("X-Ledger-Feature", "no_such_feature")]),
        (&trainer, &[("X-Ledger-Feature", "customers,analytics")]),
        (&service, &[feature]),
        (&service, &[feature, ("X-Ledger-Trainer", "")]),
        (&service, &[feature, ("X-Ledger-Trainer", "a b")]),
        (&service, &[feature, ("X-Ledger-Trainer", "t1"), ("X-Ledger-Trainer", "t2")]),
    ] {
        ask(&app, token, headers).await.expect_problem(400, "invalid_request");
    }
    let nobody = http().get(format!("{}{AUTHORIZE}", app.url())).header(feature.0, feature.1);
    send(nobody).await.expect_problem(401, "unauthenticated");
}

/// Envoy asks with the client's own method, path and query.
#[tokio::test(flavor = "multi_thread")]
async fn method_and_path_are_the_clients_own() {
    let (app, _) = ledger().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD] {
        for path in ["", "/", "/analytics/report?day=1&day=2", "//%ff/..?%ff"] {
            let url = format!("{}{AUTHORIZE}{path}", app.url());
            let request = |feature| {
                let request = http().request(method.clone(), &url).bearer_auth(of_trainer("t1"));
                send(request.header("X-Ledger-Feature", feature))
            };
            assert_eq!(request("customers").await.status, 200, "{method} {path}");
            assert_eq!(request("analytics").await.status, 403, "{method} {path}");
        }
    }
}
