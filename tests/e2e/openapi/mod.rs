//! What the service says of its API, and whether it does so: Schemathesis makes up requests from
//! the document, good ones and bad ones, and holds the answers against it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::bodies::{AI_STARTER, DAY, ENTERPRISE, Story, Version};
use crate::harness::python::{installed, run, run_within};
use crate::harness::{Claims, Settings, TestApp, is_soak, now, soak, token};

/// `https://pypi.org/project/schemathesis/`
const SCHEMATHESIS: &str = "4.32.5";

/// 503 is an answer to who asks for a position that isn't there yet. Those who wait for one are let
/// wait for one that is there, so that it doesn't take minutes. A gateway asks with its client's
/// method.
const CONFIG: &str = r#"
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]

[parameters]
"query.min_position" = 1

[[operations]]
include-path = "/api/v1/authorize"
checks.unsupported_method.enabled = false
"#;

/// How long the soak goes on, in seconds: as many examples as fit, at least one round.
const SOAK_SECONDS: i64 = 300;
/// How long that may take at the end.
const PATIENCE: Duration = Duration::from_secs(900);
/// What an ordinary run begins with, so that it is the same each time.
const SEED: i64 = 20_170_815;

/// A ledger with something to tell, in which a trainer may call as often as Schemathesis does.
async fn told(folder: &Path) -> TestApp {
    let (usual, catalog) = (Settings::of_service(), folder.join("catalog.toml"));
    let text = fs::read_to_string(usual.get("LEDGER_CATALOG").expect("a catalogue")).unwrap();
    let often = text.replace("requests_per_minute = 1000", "requests_per_minute = 1000000");
    assert_ne!(often, text);
    fs::write(&catalog, often).unwrap();
    let catalog = catalog.to_str().expect("a path in UTF-8");
    let app = TestApp::start_with(usual.with("LEDGER_CATALOG", catalog)).await;
    let mut story = Story::new("t1", Version::Clover, now() - 40 * DAY);
    story.purchase(ENTERPRISE).add(AI_STARTER).pass(30 * DAY).renewal_fails();
    let position = app.stripe().deliver_all(&story.take()).await;
    app.service().read_at("/api/v1/entitlements?trainer=t1", position).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let app = told(folder.path()).await;
    let programs = installed("schemathesis", SCHEMATHESIS).await;
    let config = folder.path().join("schemathesis.toml");
    fs::write(&config, CONFIG).unwrap();
    for roles in [json!(["service", "operator", "auditor", "admin"]), json!(["trainer"])] {
        let token = token(&Claims::of("trainer", "t1").with("roles", roles));
        let mut schemathesis = Command::new(programs.join("schemathesis"));
        schemathesis.current_dir(&folder).arg("--config-file").arg(&config);
        schemathesis.args(["run", &format!("{}/api/openapi.json", app.url())]);
        schemathesis.args(["--header", &format!("Authorization: Bearer {token}")]);
        // Who sends what the schema allows may still be refused, for what the schema can't say.
        schemathesis.args(["--exclude-checks", "positive_data_acceptance"]);
        // The soak tries others each time, in rounds through all operations.
        let seed = if is_soak() { now() } else { SEED };
        println!("seed of the requests: {seed}");
        schemathesis.args(["--phases", "examples,coverage,fuzzing", "--seed", &seed.to_string()]);
        schemathesis.args(["--max-examples", &soak(5, 100).to_string()]);
        if is_soak() {
            schemathesis.args(["--max-time", &SOAK_SECONDS.to_string()]);
        }
        schemathesis.args(["--warnings", "off", "--no-color"]);
        let output = run_within(PATIENCE, &mut schemathesis).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    app.wait_until_ready().await;
}

/// The examples are what their schemas say, by a validator of JSON Schema.
#[tokio::test(flavor = "multi_thread")]
async fn examples_are_as_the_document_says() {
    let (app, programs) = (TestApp::start().await, installed("schemathesis", SCHEMATHESIS).await);
    let document = app.anyone().get("/api/openapi.json").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, document.body).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/openapi/examples.py");
    let output = run(Command::new(programs.join("python")).arg(script).arg(file)).await;
    let texts = [output.stdout, output.stderr];
    let said = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && said[0].ends_with(": fine\n"), "{}", said.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_come_from_the_service_alone() {
    let app = TestApp::start().await;
    let caller = app.anyone();
    for (path, kind) in [
        ("/docs/", "text/html"),
        ("/docs/swagger-initializer.js", "text/javascript"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
    ] {
        let answer = caller.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").unwrap_or_default().starts_with(kind), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'self'"), "{path}: {policy}");
    }
    let page = caller.get("/docs/").await.body;
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
}
