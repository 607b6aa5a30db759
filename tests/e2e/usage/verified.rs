//! Counters that are what the events say, and counters that somebody has changed.

use serde_json::{Value, json};

use super::{act, starter};
use crate::harness::{Finished, Settings, TestApp, run};

async fn verify(app: &TestApp, args: &[&str]) -> Finished {
    let settings = Settings::none().with("DATABASE_URL", app.database.url());
    run(&settings, &[&["replay", "verify"], args].concat()).await
}

/// Does everything that can be done to usage, and tells the position that it ends at.
async fn use_all(app: &TestApp) -> i64 {
    let service = app.service();
    act(&service, "record", &json!({ "quantity": 3 })).await.expect(200);
    act(&service, "consume", &json!({ "quantity": 2 })).await.expect(200);
    for (end, quantity) in [("commit", 1), ("release", 2)] {
        let held = act(&service, "reserve", &json!({ "quantity": quantity })).await.expect(200);
        act(&service, end, &json!({ "hold": held["hold"] })).await.expect(200);
    }
    act(&service, "reserve", &json!({ "quantity": 1, "ttl": 3600 })).await.expect(200);
    let last = act(&service, "release", &json!({ "quantity": 1 })).await.expect(200);
    let position = last["position"].as_i64().expect("a position");
    service.read_at("/api/v1/usage/t1/check/customers", position).await;
    position
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_changed_by_hand_is_told_with_its_event() {
    let app = starter().await;
    let position = use_all(&app).await;
    let verified = verify(&app, &["--json"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let report: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    assert_eq!(report["counters"]["live"]["rows"], 8, "{report}");
    assert_eq!(report["counters"]["position"], position);

    let id = format!("SELECT event_id FROM event WHERE position = {position}");
    let id = app.database.execute(&id);
    let change = format!("UPDATE usage_entry SET quantity = 9 WHERE position = {position}");
    app.database.execute(&change);
    let verified = verify(&app, &[]).await;
    assert_eq!(verified.code, Some(1), "{}{}", verified.stdout, verified.stderr);
    for part in [
        "DIFFERS in 1 of 8 rows",
        &format!("\"position\":{position}"),
        "quantity is 9 and should be -1",
        &format!("events: api/{id}"),
    ] {
        assert!(verified.stdout.contains(part), "{part} in {}", verified.stdout);
    }
    let told = verified.stderr.contains("the counters of usage are not what the log says")
        && verified.stderr.contains("docs/metrics.md");
    assert!(told, "{}", verified.stderr);
    let verified = verify(&app, &["grants"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);

    // The report tells what to put there.
    let mend = format!("UPDATE usage_entry SET quantity = -1 WHERE position = {position}");
    app.database.execute(&mend);
    let verified = verify(&app, &["usage"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}
