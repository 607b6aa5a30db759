//! The seconds at which answers turn: one second before, what held until then is told; at the
//! second itself and one after it, what holds from then on.

use serde_json::json;

use super::{deliver, ledger};
use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{TestApp, now};

const HOUR: i64 = 3_600;
/// When the stories begin, so that all of their edges have passed.
const AGO: i64 = 60 * DAY;

/// Status, access, and what the feature asked about is denied with; none where it is granted.
type Says = (&'static str, &'static str, Option<&'static str>);

struct Edge {
    /// It is also the trainer's name.
    what: &'static str,
    /// Tells the story, and where its edge is.
    tell: fn(&mut Story) -> i64,
    feature: &'static str,
    before: Says,
    from_then_on: Says,
}

const NONE: Says = ("none", "none", Some("feature_not_available"));
const TRIAL: Says = ("trialing", "granted", None);
const ACTIVE: Says = ("active", "granted", None);
const GRACE: Says = ("past_due", "grace", None);
const LOCKED: Says = ("past_due", "locked", Some("subscription_inactive"));
const INCOMPLETE: Says = ("incomplete", "locked", Some("subscription_inactive"));
const ENDED: Says = ("canceled", "none", Some("subscription_inactive"));
const TRIAL_EXPIRED: Says = ("trialing", "locked", Some("trial_expired"));

const fn edge(
    what: &'static str,
    tell: fn(&mut Story) -> i64,
    [before, from_then_on]: [Says; 2],
) -> Edge {
    Edge { what, tell, feature: "customers", before, from_then_on }
}

/// The time of the story after what was told.
fn then(story: &Story) -> i64 {
    story.now
}

/// The end of the period that runs, which is also that of a trial.
fn end(story: &Story) -> i64 {
    story.tier().period.1
}

const EDGES: [Edge; 17] = [
    edge("a-purchase", |s| then(s.purchase(STARTER)), [NONE, ACTIVE]),
    edge("a-trial-begins", |s| then(s.try_out(STARTER, 14)), [NONE, TRIAL]),
    edge("a-trial-ends", |s| end(s.try_out(STARTER, 14)), [TRIAL, TRIAL]),
    edge("no-word-came", |s| end(s.try_out(STARTER, 14)) + 24 * HOUR, [TRIAL, TRIAL_EXPIRED]),
    edge("a-trial-given-up", given_up, [TRIAL, ENDED]),
    edge("a-trial-paid", |s| then(s.try_out(STARTER, 14).trial_ends()) - HOUR, [TRIAL, ACTIVE]),
    edge(
        "a-trial-pauses",
        |s| then(s.try_out(STARTER, 14).pass(14 * DAY).becomes("paused")),
        [TRIAL, ("paused", "locked", Some("subscription_inactive"))],
    ),
    edge("a-payment-fails", |s| then(s.purchase(STARTER).renewal_fails()), [ACTIVE, GRACE]),
    edge("grace-ends", |s| then(s.purchase(STARTER).renewal_fails()) + 7 * DAY, [GRACE, LOCKED]),
    edge("paid-late", paid_late, [LOCKED, ACTIVE]),
    edge(
        "unpaid",
        |s| then(s.purchase(STARTER).renewal_fails().pass(DAY).becomes("unpaid")),
        [GRACE, ("unpaid", "locked", Some("subscription_inactive"))],
    ),
    edge("an-order-is-paid", |s| then(s.order(STARTER).pass(HOUR).recover()), [INCOMPLETE, ACTIVE]),
    edge(
        "an-order-expires",
        |s| then(s.order(STARTER).pass(DAY).becomes("incomplete_expired")),
        [INCOMPLETE, ("incomplete_expired", "none", Some("subscription_inactive"))],
    ),
    edge("an-end-nobody-tells", leaves, [ACTIVE, ENDED]),
    edge("an-end-that-is-told", leaves_as_is_told, [ACTIVE, ENDED]),
    edge("cut-off", |s| then(s.purchase(STARTER).pass(DAY).cancel_now()), [ACTIVE, ENDED]),
    Edge {
        what: "an-upgrade",
        tell: |s| then(s.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL)),
        feature: "analytics",
        before: ("active", "granted", Some("feature_not_available")),
        from_then_on: ACTIVE,
    },
];

fn given_up(story: &mut Story) -> i64 {
    end(story.try_out(STARTER, 14).pass(DAY).cancel_at_period_end(true))
}

fn paid_late(story: &mut Story) -> i64 {
    then(story.purchase(STARTER).renewal_fails().pass(10 * DAY).recover())
}

fn leaves(story: &mut Story) -> i64 {
    end(story.purchase(STARTER).pass(DAY).cancel_at_period_end(true))
}

fn leaves_as_is_told(story: &mut Story) -> i64 {
    story.now = leaves(story);
    then(story.cancel_now())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_turn_at_the_second() {
    expect_edges(&ledger().await, &EDGES).await;
}

/// Where purchases are approved by hand, no word on a trial will come, and none is awaited.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_ends_on_time_where_stripe_does_not_bill() {
    let tell: fn(&mut Story) -> i64 = |story| end(story.try_out(STARTER, 14));
    let edge = edge("a-trial-ends", tell, [TRIAL, TRIAL_EXPIRED]);
    expect_edges(&TestApp::start().await, &[edge]).await;
}

async fn expect_edges(app: &TestApp, edges: &[Edge]) {
    let told = edges.iter().map(|edge| {
        let mut story = Story::new(edge.what, Version::Clover, now() - AGO);
        let at = (edge.tell)(&mut story);
        (story, at)
    });
    let (stories, instants): (Vec<Story>, Vec<i64>) = told.unzip();
    let position = deliver(app, stories).await;
    app.service().read_at("/api/v1/entitlements?trainer=nobody", position).await;
    for (edge, at) in edges.iter().zip(instants) {
        expect(app, edge, at - 1, edge.before).await;
        expect(app, edge, at, edge.from_then_on).await;
        expect(app, edge, at + 1, edge.from_then_on).await;
    }
}

/// As the world was then, by all that is known now.
async fn expect(app: &TestApp, edge: &Edge, at: i64, (status, access, code): Says) {
    let instant = chrono::DateTime::from_timestamp(at, 0).expect("a time of our age");
    let instant = instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let query = format!("trainer={}&as_of={instant}", edge.what);
    let service = app.service();
    let told = service.get(&format!("/api/v1/entitlements?{query}")).await.expect(200);
    let words = (&told["subscription_status"], &told["access"]);
    assert_eq!(words, (&json!(status), &json!(access)), "{query}: {told}");
    let path = format!("/api/v1/entitlements/{}?{query}", edge.feature);
    let decided = service.get(&path).await;
    match code {
        None => assert_eq!(decided.expect(200)["granted"], true, "{query}"),
        Some(code) => drop(decided.expect_problem(403, code)),
    }
}
