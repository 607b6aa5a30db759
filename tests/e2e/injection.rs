//! Names and headers that try to end a line and begin one of their own: nothing of them becomes a
//! header of an answer, a line of the service's log or anything that is kept.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::check::search;
use crate::harness::{Claims, Settings, TestApp, WAIT_MAX, eventually, now, token};

/// In everything that is tried, and nowhere else.
const CANARY: &str = "kanarie7";

/// Where the line is allowed to end, what stands before that is a good value.
const VALUES: [&[u8]; 13] = [
    b"ada\r\nX-Kanarie7: yes",
    b"ada\nX-Kanarie7: yes",
    b"ada\rX-Kanarie7: yes",
    b"ada\r\n\r\nHTTP/1.1 200 OK\r\nX-Kanarie7: yes\r\n\r\n",
    b"ada\r\n {\"level\":\"INFO\",\"message\":\"kanarie7\"}",
    b"ada\n{\"level\":\"INFO\",\"message\":\"kanarie7\"}",
    b"kanarie7\0",
    b"kanarie7\x1b[2J",
    b"kanarie7\x7f",
    b"kanarie7\xe9",
    "kanarie7 \u{e9}\u{2028}\u{85}".as_bytes(),
    b"kanarie7%0d%0aX-Kanarie7:%20yes",
    b"kanarie7\", \"X-Kanarie7\": \"yes",
];

const HEADERS: [&str; 14] = [
    "Idempotency-Key",
    "X-Request-Id",
    "X-Correlation-Id",
    "Traceparent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Real-Ip",
    "X-Ledger-Trainer",
    "X-Ledger-Feature",
    "Origin",
    "User-Agent",
];

/// Texts, as they stand in tokens and bodies.
const TEXTS: [&str; 7] = [
    "kanarie7\r\nX-Kanarie7: yes",
    "kanarie7\nX-Kanarie7: yes",
    "kanarie7\rX-Kanarie7: yes",
    "kanarie7\0",
    "kanarie7\u{1b}[2J",
    "kanarie7\u{e9}",
    "kanarie7\u{2028}",
];

/// Of a path; what was percent-encoded is a line break by the time that anybody looks at it.
const PLACES: [&str; 13] = [
    "/{}",
    "/docs/{}",
    "/problems/{}",
    "/api/v1/authorize/{}",
    "/api/v1/entitlements/{}",
    "/api/v1/entitlements/{}/explain",
    "/api/v1/entitlements?trainer={}",
    "/api/v1/entitlements?{}=1",
    "/api/v1/tiers/history?cursor={}",
    "/api/v1/usage/{}/limits",
    "/api/v1/usage/t1/check/{}",
    "/api/v1/audit/events/{}",
    "/api/v1/webhooks/stripe/{}",
];

/// The service under test, whose log tells everything, and what its answers were.
struct Scene {
    app: TestApp,
    answers: usize,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start_with(Settings::of_service().with("RUST_LOG", "trace")).await;
        let mut story = Story::new("t1", Version::Clover, now() - DAY);
        story.purchase(STARTER);
        let position = app.stripe().deliver_all(&story.take()).await;
        app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
        Self { app, answers: 0 }
    }

    /// Sends bytes as they are, and looks at all that comes back.
    async fn send(&mut self, what: &str, request: &[u8]) {
        let address = self.app.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Who is refused early may find the connection closed.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = timeout(WAIT_MAX, stream.read_to_end(&mut answer)).await;
        let _ = read.expect("the connection ends");
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(!head.contains(CANARY), "{what}: {answer}");
        assert!(!answer.lines().any(|line| line.starts_with("x-kanarie7")), "{what}: {answer}");
        if !head.is_empty() {
            assert!(
                head.starts_with("http/1.1 2") || head.starts_with("http/1.1 4"),
                "{what}: {answer}"
            );
            self.answers += 1;
        }
    }

    /// A request of a service's, with one header more.
    async fn send_header(&mut self, line: &str, header: (&str, &[u8]), body: &str) {
        let (name, value) = header;
        let token = token(&Claims::of("service", "e2e-service"));
        // Each for somebody else, so that nobody calls too often.
        let trainer = format!("u{}", self.answers);
        let asked = [("X-Ledger-Feature", "customers"), ("X-Ledger-Trainer", trainer.as_str())];
        let asked = asked.iter().filter(|(asked, _)| *asked != name);
        let asked: String = asked.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\n{asked}\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{name}: ",
            body.len()
        );
        let request = [head.as_bytes(), value, b"\r\n\r\n", body.as_bytes()].concat();
        let what = format!("{line}, {name}: {}", value.escape_ascii());
        self.send(&what, &request).await;
    }

    /// Nothing of all that stands in the log, whose lines are all of the service's own making, nor
    /// in the database.
    async fn expect_no_trace(self) {
        let seen = self.app.anyone();
        seen.get("/api/v1/tiers").await;
        let output = self.app.output().clone();
        eventually("the log tells of requests", || async {
            output.text().contains("/api/v1/tiers").then_some(())
        })
        .await;
        let ready = format!("ready {}", self.app.url());
        for line in output.text().lines().filter(|line| *line != ready) {
            let entry: Result<Value, _> = serde_json::from_str(line);
            assert!(entry.is_ok_and(|entry| entry.is_object()), "a line of its own: {line}");
            assert!(!line.to_lowercase().contains(CANARY), "{line}");
        }
        let stored = search(self.app.owner(), CANARY).await;
        assert!(stored.is_empty(), "{stored:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_begins_another_or_a_line_of_the_log() {
    let mut scene = Scene::start().await;
    for name in HEADERS {
        for value in VALUES {
            let body = r#"{"trainer":"t1"}"#;
            scene.send_header("POST /api/v1/usage/customers/record", (name, value), body).await;
            scene.send_header("GET /api/v1/authorize", (name, value), "").await;
        }
    }
    assert!(scene.answers > HEADERS.len() * VALUES.len(), "{} were answered", scene.answers);
    scene.expect_no_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_begins_a_header_or_a_line_of_the_log() {
    let mut scene = Scene::start().await;
    let encoded = TEXTS.map(|text| {
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        bytes.collect::<String>()
    });
    for place in PLACES {
        for text in &encoded {
            let line = format!("GET {}", place.replace("{}", text));
            scene.send_header(&line, ("Accept", b"*/*"), "").await;
        }
    }
    assert_eq!(scene.answers, PLACES.len() * TEXTS.len());
    scene.expect_no_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_begins_a_header_or_a_line_of_the_log() {
    let scene = Scene::start().await;
    let app = &scene.app;
    for text in TEXTS {
        let named = Claims::of("trainer", "u1").with("trainer", text);
        for claims in
            [Claims::of("trainer", text), named, Claims::of("service", "s").with("tenant", text)]
        {
            let answer = app.caller(&claims).authorize("customers").await;
            assert!((400..500).contains(&answer.status), "{text:?}: {answer:?}");
            let mut values = answer.headers.values();
            assert!(!values.any(|value| format!("{value:?}").contains(CANARY)), "{answer:?}");
        }
        let body = json!({ "trainer": text });
        for path in ["/api/v1/trainers", "/api/v1/usage/customers/record"] {
            app.service().post(path, &body).await.expect_problem(400, "invalid_request");
        }
        let feature = json!({ "trainer": "t1", text: 1 });
        let path = "/api/v1/usage/customers/record";
        app.service().post(path, &feature).await.expect_problem(400, "invalid_request");
        let mut webhook =
            Story::new("t2", Version::Clover, now()).purchase(STARTER).take().remove(1);
        webhook["id"] = json!(text);
        app.stripe().post(&webhook).await.expect_problem(400, "invalid_request");
    }
    scene.expect_no_trace().await;
}
