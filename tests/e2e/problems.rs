//! Every refusal is a problem as RFC 9457 has it, with a code, whatever is wrong and wherever.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, TestApp};

/// Every path of the service, with the method that it takes.
const ROUTES: [(&str, &str); 17] = [
    ("POST", "/api/v1/webhooks/stripe"),
    ("POST", "/api/v1/webhooks/stripe/default"),
    ("GET", "/api/v1/tiers"),
    ("GET", "/api/v1/tiers/current"),
    ("GET", "/api/v1/tiers/history"),
    ("GET", "/api/v1/entitlements"),
    ("GET", "/api/v1/entitlements/customers"),
    ("GET", "/api/v1/entitlements/customers/explain"),
    ("GET", "/api/v1/audit/events"),
    ("GET", "/api/v1/audit/events/evt_1"),
    ("GET", "/api/v1/admin/anomalies"),
    ("GET", "/api/v1/admin/dead-letters"),
    ("GET", "/api/v1/admin/projections"),
    ("GET", "/problems/invalid_request"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
];

/// Paths whose query means something.
const WITH_A_QUERY: [&str; 11] = [
    "/api/v1/tiers",
    "/api/v1/tiers/current",
    "/api/v1/tiers/history",
    "/api/v1/entitlements",
    "/api/v1/entitlements/customers",
    "/api/v1/entitlements/customers/explain",
    "/api/v1/audit/events",
    "/api/v1/audit/events/evt_1",
    "/api/v1/admin/anomalies",
    "/api/v1/admin/dead-letters",
    "/api/v1/admin/projections",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_path_takes_its_own_method_only() {
    let app = TestApp::start().await;
    let caller = app.anyone();
    for (own, path) in ROUTES {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if method == own {
                continue;
            }
            let answer = caller.request(method.parse::<Method>().unwrap(), path).await;
            answer.expect_problem(405, "method_not_allowed");
            let allowed = answer.header("allow").unwrap_or_default();
            assert!(allowed.split(',').any(|m| m == own), "{method} {path} allows {allowed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nowhere_is_not_found() {
    let app = TestApp::start().await;
    let nowhere = ["/", "/api", "/api/v1", "/api/v2/tiers", "/%ff", "/favicon.ico", "//healthz"];
    for path in nowhere.into_iter().chain(["/api/v1/tiers/", "/api/v1/webhooks/stripe/a/b"]) {
        for method in [Method::GET, Method::POST] {
            let answer = app.anyone().request(method, path).await;
            answer.expect_problem(404, "not_found");
        }
    }
    let unknown = app.anyone().request(Method::POST, "/api/v1/webhooks/stripe/nobody").await;
    unknown.expect_problem(404, "not_found");
    app.anyone().get("/problems/no_such_code").await.expect_problem(404, "not_found");
    app.auditor().get("/api/v1/audit/events/evt_none").await.expect_problem(404, "not_found");
    let unknown = app.service().get("/api/v1/entitlements/no_such_feature?trainer=t1").await;
    unknown.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_text_is_refused() {
    let app = TestApp::start().await;
    for part in ["%ff", "%c3%28", "%ed%a0%80"] {
        for (caller, path) in [
            (app.service(), format!("/api/v1/entitlements/{part}?trainer=t1")),
            (app.auditor(), format!("/api/v1/audit/events/{part}")),
            (app.anyone(), format!("/problems/{part}")),
        ] {
            caller.get(&path).await.expect_problem(400, "invalid_request");
        }
        let path = format!("/api/v1/webhooks/stripe/{part}");
        let answer = app.anyone().request(Method::POST, &path).await;
        answer.expect_problem(400, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_understood_is_refused() {
    let app = TestApp::start().await;
    for path in WITH_A_QUERY {
        let caller = who_may(&app, path);
        for query in ["min_positoin=1", "a", "%ff=%ff", "trainer=a&trainer=b"] {
            caller.get(&format!("{path}?{query}")).await.expect_problem(400, "invalid_request");
        }
        let position = if path.contains("audit") { "from_position" } else { "min_position" };
        for wrong in ["-1", "-9223372036854775808", "9223372036854775808", "1.5", "x", ""] {
            let answer = caller.get(&format!("{path}?{position}={wrong}")).await;
            answer.expect_problem(400, "invalid_request");
        }
    }
    let auditor = app.auditor();
    for query in ["to_position=-1", "limit=0", "limit=-1", "limit=501", "cursor=x", "from=today"] {
        let answer = auditor.get(&format!("/api/v1/audit/events?{query}")).await;
        answer.expect_problem(400, "invalid_request");
    }
    for query in ["limit=0", "limit=501", "cursor=x"] {
        let answer = app.trainer("t1").get(&format!("/api/v1/tiers/history?{query}")).await;
        answer.expect_problem(400, "invalid_request");
    }
}

/// A text that no event can have is no reason to ask the database, which takes no NUL.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_fits_no_event_is_refused() {
    let app = TestApp::start().await;
    let list =
        async |query: String| app.auditor().get(&format!("/api/v1/audit/events?{query}")).await;
    for wrong in ["", "%00", "a%00", "no%20name", "%c3%a4", &"x".repeat(65)] {
        for filter in ["type", "source", "trainer=t1&type", "trainer=t1&source"] {
            let answer = list(format!("{filter}={wrong}")).await;
            answer.expect_problem(400, "invalid_request");
        }
    }
    for source in ["Stripe", "elsewhere"] {
        list(format!("source={source}")).await.expect_problem(400, "invalid_request");
    }
    for query in ["type=Unheard_of", "source=scheduler", "actor=%00"] {
        let page = list(query.to_owned()).await.expect(200);
        assert_eq!(page["events"].as_array().map(Vec::len), Some(0), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_heads_are_refused_on_every_path() {
    let app = TestApp::start().await;
    for (method, path) in ROUTES {
        let method: Method = method.parse().unwrap();
        let long = format!("{path}?x={}", "y".repeat(9_000));
        let answer = app.anyone().request(method.clone(), &long).await;
        answer.expect_problem(414, "uri_too_long");
        let large = app.anyone().with_token(&"z".repeat(40_000)).request(method, path).await;
        large.expect_problem(431, "headers_too_large");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_a_problem_leads_to_its_explanation() {
    let app = TestApp::start().await;
    let refused: Vec<Answer> = vec![
        app.anyone().get("/nowhere").await,
        app.anyone().get("/api/v1/tiers/current").await,
        app.anyone().get("/api/v1/tiers?x=1").await,
        app.anyone().get(&format!("/{}", "y".repeat(9_000))).await,
        app.trainer("t1").get("/api/v1/audit/events").await,
    ];
    for answer in refused {
        let kind = answer.json()["type"].as_str().unwrap().to_owned();
        assert_eq!(app.anyone().get(&kind).await.status, 200, "{kind}");
    }
}

fn who_may(app: &TestApp, path: &str) -> Caller {
    match path {
        _ if path.contains("audit") => app.auditor(),
        _ if path.contains("admin") => app.operator(),
        _ => app.trainer("t1"),
    }
}

/// A person who mistypes an instant or a number learns what is expected, and a log or a page that
/// shows the answer doesn't show what was typed.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_instant_or_number_is_answered_with_what_is_expected() {
    let app = TestApp::start().await;
    let (service, operator) = (app.service(), app.operator());
    let detail = |answer: &Answer| {
        let problem = answer.expect_problem(400, "invalid_request");
        problem["detail"].as_str().expect("a detail").to_owned()
    };
    let form = "2026-11-20T09:00:00Z";
    for wrong in ["2026-11-22", "2026-11-22T09:00:00", "2026-11-22T09:00:00+05:00", "mallory"] {
        for name in ["as_of", "known_at"] {
            let path = format!("/api/v1/entitlements?trainer=t1&{name}={wrong}");
            let told = detail(&service.get(&path).await);
            for part in [name, form, "%2B"] {
                assert!(told.contains(part), "{part} in {told}");
            }
            assert!(!told.contains(wrong), "{told}");
        }
    }
    for path in ["/api/v1/admin/anomalies", "/api/v1/admin/dead-letters"] {
        for wrong in ["", "mallory", "-1", "1.5", "99999999999999999999"] {
            let told = detail(&operator.get(&format!("{path}?limit={wrong}")).await);
            assert!(told.contains("limit") && told.contains("whole number"), "{told}");
            assert!(wrong.is_empty() || !told.contains(wrong), "{told}");
        }
    }
    let told = detail(&operator.get("/api/v1/admin/anomalies?min_position=mallory").await);
    assert!(told.contains("a whole number, 0 or more") && !told.contains("mallory"), "{told}");
    let record = async |field: &str, value: Value| {
        let mut body = json!({"trainer": "t1"});
        body[field] = value;
        detail(&service.post("/api/v1/usage/customers/record", &body).await)
    };
    for wrong in [json!("yesterday"), json!(7), json!("2026-11-22")] {
        let told = record("occurred_at", wrong).await;
        assert!(told.contains(form) && !told.contains("yesterday"), "{told}");
    }
    for wrong in [json!("1"), json!(0), json!(1.5), json!("mallory")] {
        let told = record("quantity", wrong).await;
        assert!(told.contains("whole number from 1 to"), "{told}");
        assert!(!told.contains("mallory"), "{told}");
    }
}
