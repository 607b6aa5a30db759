//! Reservations: placed, used, given back, forgotten.

use serde_json::{Value, json};

use super::{act, counted, starter};
use crate::harness::{Caller, eventually};

/// Reserves, and tells the hold.
async fn reserve(caller: &Caller, body: &Value) -> Value {
    let reserved = act(caller, "reserve", body).await.expect(200);
    assert_eq!(reserved["granted"], true, "{reserved}");
    assert!(reserved["expires_at"].is_string(), "{reserved}");
    reserved["hold"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_not_there_for_others_until_it_expires() {
    let app = starter().await;
    let service = app.service();
    let long = reserve(&service, &json!({ "quantity": 8 })).await;
    let denied = act(&service, "consume", &json!({ "quantity": 2 })).await;
    let denied = denied.expect_problem(403, "limit_reached");
    assert_eq!((&denied["used"], &denied["held"]), (&json!(0), &json!(8)), "{denied}");
    act(&service, "release", &json!({ "hold": long })).await.expect(200);

    let short = reserve(&service, &json!({ "quantity": 9, "ttl": 1 })).await;
    let all = eventually("the hold frees itself", || async {
        let answer = act(&service, "consume", &json!({ "quantity": 9 })).await;
        (answer.status != 403).then(|| answer.expect(200))
    })
    .await;
    assert_eq!((&all["used"], &all["held"]), (&json!(9), &json!(0)), "{all}");
    act(&service, "commit", &json!({ "hold": short })).await.expect_problem(409, "conflict");
    act(&service, "release", &json!({ "hold": short })).await.expect_problem(409, "conflict");
    assert_eq!(counted(&app).await, 9);
}

/// What docs/api.md says of holds: read models have none.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_known_to_the_counter_alone() {
    let app = starter().await;
    let (service, trainer) = (app.service(), app.trainer("t1"));
    let body = json!({ "quantity": 9, "ttl": 3600 });
    let reserved = act(&service, "reserve", &body).await.expect(200);
    let position = reserved["position"].as_i64().expect("a position");
    let checked = service.read_at("/api/v1/usage/t1/check/customers", position).await;
    assert_eq!((&checked["allowed"], &checked["held"]), (&json!(false), &json!(9)), "{checked}");
    act(&service, "consume", &json!({})).await.expect_problem(403, "limit_reached");
    let one = trainer.read_at("/api/v1/entitlements/customers", position).await;
    assert_eq!((&one["granted"], &one["used"]), (&json!(true), &json!(0)), "{one}");
    assert_eq!(trainer.authorize("customers").await.expect(200)["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn less_is_committed_than_was_held() {
    let app = starter().await;
    let service = app.service();
    let hold = reserve(&service, &json!({ "quantity": 5 })).await;
    let more = act(&service, "commit", &json!({ "hold": hold, "quantity": 6 })).await;
    more.expect_problem(422, "invalid_request");
    let committed = act(&service, "commit", &json!({ "hold": hold, "quantity": 3 })).await;
    let committed = committed.expect(200);
    for (field, expected) in [("quantity", 3), ("used", 3), ("held", 0), ("remaining", 6)] {
        assert_eq!(committed[field], expected, "{field} of {committed}");
    }
    let again = act(&service, "commit", &json!({ "hold": hold, "quantity": 2 })).await;
    again.expect_problem(409, "conflict");
    let late = act(&service, "release", &json!({ "hold": hold })).await;
    late.expect_problem(409, "conflict");
    assert_eq!(counted(&app).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_released_once() {
    let app = starter().await;
    let service = app.service();
    let kept = reserve(&service, &json!({ "quantity": 4 })).await;
    let hold = reserve(&service, &json!({ "quantity": 5 })).await;
    let path = "/api/v1/usage/customers/release";
    let body = json!({ "trainer": "t1", "hold": hold });
    let first = super::settled(&service, path, &body, Some("once")).await.expect(200);
    assert_eq!((&first["held"], &first["remaining"]), (&json!(4), &json!(5)), "{first}");
    // A retry is told the same; another request is told that there is nothing left to release.
    let retry = super::settled(&service, path, &body, Some("once")).await.expect(200);
    assert_eq!(retry["position"], first["position"]);
    act(&service, "release", &json!({ "hold": hold })).await.expect_problem(409, "conflict");
    let check = act(&service, "consume", &json!({ "quantity": 6 })).await;
    check.expect_problem(403, "limit_reached");
    act(&service, "commit", &json!({ "hold": kept })).await.expect(200);
    assert_eq!(counted(&app).await, 4);
    let released = "SELECT count(*) FROM event WHERE type = 'ReservationReleased'";
    assert_eq!(app.database.number(released).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_its_trainers_and_its_features() {
    let app = starter().await;
    let service = app.service();
    let hold = reserve(&service, &json!({ "quantity": 1 })).await;
    let nothing = json!("019ab3f0-0000-7000-8000-000000000000");
    for (feature, trainer, hold) in
        [("customers", "t2", &hold), ("ai_generations", "t1", &hold), ("customers", "t1", &nothing)]
    {
        for act in ["commit", "release"] {
            let body = json!({ "trainer": trainer, "hold": hold });
            let path = format!("/api/v1/usage/{feature}/{act}");
            service.post(&path, &body).await.expect_problem(404, "not_found");
        }
    }
    act(&service, "commit", &json!({ "hold": hold })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_count_goes_down_again() {
    let app = starter().await;
    let service = app.service();
    act(&service, "consume", &json!({ "quantity": 9 })).await.expect(200);
    let released = act(&service, "release", &json!({ "quantity": 2 })).await.expect(200);
    assert_eq!((&released["used"], &released["remaining"]), (&json!(7), &json!(2)), "{released}");
    act(&service, "release", &json!({ "quantity": 8 })).await.expect_problem(409, "conflict");
    act(&service, "consume", &json!({ "quantity": 2 })).await.expect(200);
    let quota = json!({ "trainer": "t1", "quantity": 1 });
    let quota = service.post("/api/v1/usage/ai_generations/release", &quota).await;
    quota.expect_problem(422, "invalid_request");
    let both = act(&service, "release", &json!({})).await;
    both.expect_problem(400, "invalid_request");
}
