//! Which keys of Stripe's metadata stay.

use serde_json::{Value, json};

use super::some_webhook;
use crate::harness::{Settings, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_chosen_stays_in_the_body_and_no_other() {
    let settings = Settings::of_service().with("STRIPE_METADATA_KEYS", "plan_hint, seat");
    let app = TestApp::start_with(settings).await;
    let mut webhook = some_webhook("evt_keys");
    webhook["data"]["object"]["metadata"] = json!({
        "trainer_id": "t1", "plan_hint": "pro", "seat": "Kanarie Vogel", "campaign": "spring",
    });
    app.stripe().post(&webhook).await.expect(200);
    let told = app.auditor().get("/api/v1/audit/events/evt_keys").await.expect(200);
    let body: Value = serde_json::from_str(told["body"].as_str().expect("a body")).expect("JSON");
    let kept = &body["data"]["object"]["metadata"];
    assert_eq!(*kept, json!({ "plan_hint": "pro", "trainer_id": "t1" }), "values look like ids");
    // What the event says is the same whichever keys are chosen.
    assert_eq!(told["data"]["snapshot"]["metadata"], json!({ "trainer_id": "t1" }));
}
