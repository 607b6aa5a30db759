//! `ledger schema`, over logs that are sound and logs that aren't.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Database, Finished, Settings, TestApp, now, run};

const ACME_SECRET: &str = "whsec_e2e_acme_5d20";

async fn check(database: &Database, args: &[&str]) -> Finished {
    let settings = Settings::none().with("DATABASE_URL", database.url());
    run(&settings, &[&["schema", "check"], args].concat()).await
}

async fn document(database: &Database, args: &[&str], code: i32) -> Value {
    let finished = check(database, &[args, &["--json"]].concat()).await;
    assert_eq!(finished.code, Some(code), "{}{}", finished.stdout, finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stdout))
}

/// A service with two tenants' logs, and the same webhooks in each.
async fn two_logs() -> (TestApp, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("acme")).unwrap();
    fs::write(folder.path().join("acme/STRIPE_WEBHOOK_SECRET"), ACME_SECRET).unwrap();
    fs::write(folder.path().join("acme/STRIPE_LIVEMODE"), "false").unwrap();
    let secrets = folder.path().to_str().unwrap();
    let settings = Settings::of_service().with("LEDGER_TENANT_SECRETS_DIR", secrets);
    let app = TestApp::start_with(settings).await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    app.stripe().deliver_all(&webhooks).await;
    app.stripe_of("acme", ACME_SECRET).deliver_all(&webhooks).await;
    (app, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_sound_log_is_counted() {
    let (mut app, _folder) = two_logs().await;
    // Also beside a service that runs.
    assert_eq!(check(&app.database, &[]).await.code, Some(0));
    app.stop().await;
    let told = document(&app.database, &[], 0).await;
    assert_eq!(told["readable"], true);
    let logs = told["logs"].as_array().unwrap();
    let tenants: Vec<&Value> = logs.iter().map(|log| &log["tenant"]).collect();
    assert_eq!(tenants, ["acme", "default"]);
    for (log, counted) in [
        (&logs[0], "SELECT count(*) FROM event WHERE tenant = 'acme'"),
        (&logs[1], "SELECT count(*) FROM event WHERE tenant = 'default'"),
    ] {
        let events = app.database.number(counted).await;
        assert_eq!((&log["events"], &log["position"]), (&json!(events), &json!(events)));
        let each = log["types"].as_array().unwrap().iter().map(|of| of["events"].as_i64().unwrap());
        assert_eq!(each.sum::<i64>(), events);
        assert_eq!((&log["unreadable"], &log["more"]), (&json!([]), &json!(0)));
    }
    let opened = json!({ "type": "LogOpened", "version": 1, "events": 1, "unreadable": 0 });
    assert!(logs[1]["types"].as_array().unwrap().contains(&opened), "{told}");
    let one = document(&app.database, &["--tenant", "acme"], 0).await;
    assert_eq!(one["logs"], json!([logs[0]]));
    let none = check(&app.database, &["--tenant", "nobody"]).await;
    assert_eq!(none.code, Some(1), "{}", none.stderr);
    assert!(none.stderr.contains("tenant nobody has no log"), "{}", none.stderr);
}

/// What was done to an event, and what is said of it.
const ALTERED: [(&str, &str, &str); 5] = [
    (
        r#"data = '{"reason":{"s3cret":"s3cret"}}', type = 'StripeEventRecorded'"#,
        "data",
        "data of StripeEventRecorded version 1 can't be read: what ends at byte",
    ),
    ("data = substr(data, 1, 20)", "data", "can't be read: it is no JSON at byte 20"),
    ("type = 'OfLaterTimes'", "unknown_type", "event type OfLaterTimes is unknown"),
    ("schema_version = 2", "unknown_version", "version 2 of event type"),
    (
        r#"metadata = '{"actor":"s3cret"}'"#,
        "metadata",
        "its metadata can't be read: missing field `source`",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_event_that_cant_be_read_is_named() {
    let (mut app, _folder) = two_logs().await;
    app.stop().await;
    let events = app.database.number("SELECT count(*) FROM event WHERE tenant = 'default'").await;
    let last = events - i64::try_from(ALTERED.len()).unwrap();
    for (position, (change, ..)) in (last + 1..).zip(ALTERED) {
        app.database.execute(&format!(
            "UPDATE event SET {change} WHERE tenant = 'default' AND position = {position}"
        ));
    }
    let told = document(&app.database, &[], 1).await;
    assert_eq!(told["readable"], false);
    let log = &told["logs"][1];
    assert_eq!(log["events"], events, "the others are counted, too");
    let unreadable = log["unreadable"].as_array().unwrap();
    assert_eq!(unreadable.len(), ALTERED.len(), "{told}");
    for (position, (event, (_, kind, reason))) in (last + 1..).zip(unreadable.iter().zip(ALTERED)) {
        assert_eq!((&event["position"], &event["kind"]), (&json!(position), &json!(kind)));
        assert_eq!(event["key"]["namespace"], "stripe");
        assert!(event["reason"].as_str().unwrap().contains(reason), "{event}");
    }
    let of_type = |name: &str| {
        let mut types = log["types"].as_array().unwrap().iter();
        types.find(|of| of["type"] == name).cloned().unwrap()
    };
    assert_eq!(of_type("OfLaterTimes")["unreadable"], 1);
    assert_eq!(of_type("LogOpened")["unreadable"], 0);

    let told = check(&app.database, &["--rows", "4"]).await;
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("can't read 5 of the events"), "{}", told.stderr);
    let first = format!("position {}, stripe/{}", last + 1, unreadable[0]["key"]["id"]);
    for part in [&first.replace('"', ""), "and 1 more", "OfLaterTimes v1", "1 CAN'T BE READ"] {
        assert!(told.stdout.contains(part), "{part} in {}", told.stdout);
    }
    assert!(!format!("{}{}", told.stdout, told.stderr).contains("s3cret"), "{}", told.stdout);
    assert_eq!(check(&app.database, &["--tenant", "acme"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_hole_is_no_log() {
    let (mut app, _folder) = two_logs().await;
    app.stop().await;
    app.database.execute("DELETE FROM event WHERE tenant = 'default' AND position = 2");
    let told = check(&app.database, &[]).await;
    assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
    assert!(told.stderr.contains("the log of default can't be read"), "{}", told.stderr);
    assert!(told.stderr.contains("corrupt at position 3"), "{}", told.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_files_are_read_without_a_database() {
    let files = |folder: &str| {
        let folder = folder.to_owned();
        async move { run(&Settings::none(), &["schema", "check", "--files", &folder]).await }
    };
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/events/domain/golden");
    let told = files(golden).await;
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("SubscriptionReported v1 "), "{}", told.stdout);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(files(path).await.code, Some(2), "nothing is there");
    fs::write(folder.path().join("TierAssigned.v1.json"), "{\"tier\":\"s3cret\"}\n").unwrap();
    fs::write(folder.path().join("Later.v3.case.json"), "{}\n").unwrap();
    let told = files(path).await;
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    for part in [
        "Later.v3.case.json: event type Later is unknown",
        "TierAssigned.v1.json: data of TierAssigned version 1 can't be read: missing field `trainer`",
    ] {
        assert!(told.stdout.contains(part), "{part} in {}", told.stdout);
    }
    assert!(!told.stdout.contains("s3cret"), "{}", told.stdout);
    fs::write(folder.path().join("TierAssigned.json"), "{}").unwrap();
    let told = files(path).await;
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("TierAssigned.json is not called"), "{}", told.stderr);
    assert_eq!(files("/nowhere").await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_shown_as_it_is_committed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events/domain/schemas");
    for (args, file) in [
        (&["TierAssigned"][..], "TierAssigned.v1.json"),
        (&["TierAssigned", "--version", "1"], "TierAssigned.v1.json"),
        (&["Metadata"], "Metadata.json"),
    ] {
        let shown = run(&Settings::none(), &[&["schema", "show"], args].concat()).await;
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert_eq!(shown.stdout, fs::read_to_string(format!("{folder}/{file}")).unwrap());
    }
    for args in [&["TierAssigned", "--version", "2"][..], &["Nonsense"]] {
        let shown = run(&Settings::none(), &[&["schema", "show"], args].concat()).await;
        assert_eq!(shown.code, Some(2), "{}", shown.stdout);
        assert!(shown.stderr.contains("is unknown to this program"), "{}", shown.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_is_unavailable() {
    let settings = Settings::none().with("DATABASE_URL", "postgres://x@localhost:1/x");
    let ended = run(&settings, &["schema", "check"]).await;
    assert_eq!(ended.code, Some(3), "{}{}", ended.stdout, ended.stderr);
    let ended = run(&Settings::none(), &["schema", "check"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}
