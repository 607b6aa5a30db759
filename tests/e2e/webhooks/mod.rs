//! The endpoint for Stripe's webhooks: what it takes, what it refuses, what it leaves in the log.

mod duplicates;
mod envelopes;
mod metadata;
mod outage;
mod signatures;
mod sizes;
mod versions;

use serde_json::{Value, json};

use crate::bodies::{Version, customer, event};
use crate::harness::{TestApp, now};

/// A webhook of a type that every version has.
pub(crate) fn some_webhook(id: &str) -> Value {
    let at = now() - 60;
    let object = customer("cus_1", at, &json!({}));
    event(Version::Clover, id, "customer.created", at, &object, None)
}

/// How many events the log has of a key of Stripe's.
async fn count(app: &TestApp, id: &str) -> i64 {
    let sql = "SELECT count(*) FROM event
        WHERE tenant = 'default' AND namespace = 'stripe' AND event_id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(app.owner()).await.unwrap()
}

/// The position and the type of the only event with a key of Stripe's.
async fn stored(app: &TestApp, id: &str) -> (i64, String) {
    let sql = "SELECT position, type FROM event
        WHERE tenant = 'default' AND namespace = 'stripe' AND event_id = $1";
    sqlx::query_as(sql).bind(id).fetch_one(app.owner()).await.unwrap()
}

/// How much is stored: what a refused webhook must not change. Events, keys and bodies.
async fn everything_stored(app: &TestApp) -> (i64, i64, i64) {
    let sql = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM event_dedup),
        (SELECT count(*) FROM webhook_events)";
    sqlx::query_as(sql).fetch_one(app.owner()).await.unwrap()
}
