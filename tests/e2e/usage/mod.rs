//! Usage, as an application's service counts it.

mod answers;
mod cold;
mod concurrency;
mod cutter;
mod facts;
mod holds;
mod hostile;
mod keys;
mod modes;
mod quota;
mod verified;
mod windows;

pub(crate) use modes::enforce;

use serde_json::{Value, json};

use crate::bodies::{DAY, Price, STARTER, Story, Version};
use crate::harness::{Answer, Caller, TestApp, now, turns};

/// A trainer who bought this a day ago, and a ledger that knows.
async fn app_with(trainer: &str, price: Price) -> (TestApp, Story) {
    let app = TestApp::start().await;
    let story = purchase(&app, trainer, price).await;
    (app, story)
}

async fn purchase(app: &TestApp, trainer: &str, price: Price) -> Story {
    let mut story = Story::new(trainer, Version::Clover, now() - DAY);
    story.purchase(price);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer(trainer).read_at("/api/v1/tiers/current", position).await;
    story
}

async fn starter() -> TestApp {
    app_with("t1", STARTER).await.0
}

/// An act on the customers of `t1`.
async fn act(caller: &Caller, act: &str, body: &Value) -> Answer {
    let mut body = body.clone();
    body["trainer"] = json!("t1");
    settled(caller, &format!("/api/v1/usage/customers/{act}"), &body, None).await
}

/// An act, again until the ledger can answer it: on a busy machine its read models may be late.
async fn settled(caller: &Caller, path: &str, body: &Value, key: Option<&str>) -> Answer {
    let mut turns = turns(&format!("POST {path} is decided"));
    loop {
        let answer = match key {
            Some(key) => caller.try_post_keyed(path, body, key).await.expect("an answer"),
            None => caller.post(path, body).await,
        };
        if answer.status != 503 {
            return answer;
        }
        turns.next().await;
    }
}

/// How much the log holds of the customers of `t1`.
async fn counted(app: &TestApp) -> i64 {
    let sql = "SELECT coalesce(sum(quantity), 0)::bigint FROM usage_entry
        WHERE tenant = 'default' AND trainer = 't1' AND feature = 'customers'";
    app.database.number(sql).await
}
