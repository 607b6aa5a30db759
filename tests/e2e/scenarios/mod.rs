//! What happens to a customer at Stripe, and what the ledger then says of the trainer.

mod ending;
mod linking;
mod paying;
mod starting;

use serde_json::Value;

use crate::bodies::{DAY, Story, Version};
use crate::harness::{Caller, TestApp, now};

/// A ledger, and one trainer whose life at Stripe it is told.
struct Scene {
    app: TestApp,
    story: Story,
    position: i64,
}

impl Scene {
    /// The story began `days` ago, and Stripe speaks the version of most accounts.
    async fn since(days: i64) -> Self {
        Self::of(Version::Clover, days).await
    }

    async fn of(version: Version, days: i64) -> Self {
        let app = TestApp::start().await;
        let story = Story::new("t1", version, now() - days * DAY);
        Self { app, story, position: 0 }
    }

    /// Delivers what has happened since the last call.
    async fn deliver(&mut self) {
        let webhooks = self.story.take();
        self.position = self.app.stripe().deliver_all(&webhooks).await;
    }

    fn trainer(&self) -> Caller {
        self.app.trainer("t1")
    }

    async fn current(&self) -> Value {
        self.trainer().read_at("/api/v1/tiers/current", self.position).await
    }

    async fn features(&self) -> Value {
        let mut answer = self.trainer().read_at("/api/v1/entitlements", self.position).await;
        answer["features"].take()
    }

    async fn history(&self) -> History {
        let history = self.trainer().read_at("/api/v1/tiers/history", self.position).await;
        for change in history["changes"].as_array().expect("changes") {
            self.in_log(&change["event_id"]).await;
        }
        for payment in history["payments"].as_array().expect("payments") {
            let events = payment["event_ids"].as_array().expect("event ids");
            assert!(!events.is_empty(), "{payment}");
            for event in events {
                self.in_log(event).await;
            }
        }
        History(history)
    }

    /// What the API cites must be in the log.
    async fn in_log(&self, event_id: &Value) {
        let sql = "SELECT count(*) FROM event WHERE tenant = 'default' AND event_id = $1";
        let count: i64 = sqlx::query_scalar(sql)
            .bind(event_id.as_str().expect("an event id"))
            .fetch_one(self.app.owner())
            .await
            .unwrap();
        assert_eq!(count, 1, "{event_id}");
    }
}

/// The answer of `/tiers/history`.
struct History(Value);

impl History {
    /// The names of the changes, sorted: several can have happened in one second.
    fn actions(&self) -> Vec<&str> {
        let changes = self.0["changes"].as_array().expect("changes");
        let mut actions: Vec<&str> =
            changes.iter().map(|change| change["action"].as_str().expect("an action")).collect();
        actions.sort_unstable();
        actions
    }

    /// The changes, as they are listed.
    fn changes(&self) -> impl Iterator<Item = &Value> {
        self.0["changes"].as_array().expect("changes").iter()
    }

    /// The tiers before and after the only change of this name.
    fn step(&self, action: &str) -> (Option<&str>, Option<&str>) {
        let change = self.only(action);
        assert_eq!(change["actor"], "stripe", "{change}");
        (change["from"].as_str(), change["to"].as_str())
    }

    /// The only change of this name, which no event tells of.
    fn lapse(&self, action: &str) -> &Value {
        let change = self.only(action);
        assert_eq!(change["actor"], "clock", "{change}");
        change
    }

    fn only(&self, action: &str) -> &Value {
        let found: Vec<_> = self.changes().filter(|change| change["action"] == action).collect();
        let [change] = found[..] else { panic!("not one {action}: {:?}", self.0) };
        change
    }

    /// Status and amount of the payments of a kind, smallest amount first.
    fn payments(&self, kind: &str) -> Vec<(&str, i64)> {
        let payments = self.0["payments"].as_array().expect("payments");
        let of_kind = payments.iter().filter(|payment| payment["kind"] == kind);
        let mut found: Vec<(&str, i64)> = of_kind
            .map(|payment| {
                assert_eq!(payment["currency"], "usd", "{payment}");
                let status = payment["status"].as_str().expect("a status");
                (status, payment["amount_minor"].as_i64().expect("an amount"))
            })
            .collect();
        found.sort_unstable_by_key(|(status, amount)| (*amount, *status));
        found
    }
}

/// A time as the API writes it.
fn rfc3339(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time of our age");
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
