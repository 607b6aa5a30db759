//! The check of the log sees what it's there to see.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::verify_log;
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Database, TestApp, now};

/// What somebody with all rights could do to a log of some events.
const TAMPERINGS: [(&str, &str); 9] = [
    ("a fact is altered", "UPDATE event SET data = data || ' ' WHERE position = 5"),
    ("an actor is altered", "UPDATE event SET metadata = '{}' WHERE position = 5"),
    (
        "a time is altered",
        "UPDATE event SET occurred_at = occurred_at + interval '1 microsecond' WHERE position = 5",
    ),
    ("an event is gone", "DELETE FROM event WHERE position = 5"),
    (
        "the last event is gone",
        "DELETE FROM event WHERE position = (SELECT max(position) FROM event)",
    ),
    ("a key is gone", "DELETE FROM event_dedup WHERE position = 5"),
    ("a body is altered", "UPDATE webhook_events SET salt = salt || 'x' WHERE position = 5"),
    ("a seal is altered", "UPDATE log_seal SET root = decode(repeat('00', 32), 'hex')"),
    ("a leaf is altered", "UPDATE log_seal SET leaves = overlay(leaves placing 'x' from 3)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_tampered_with_is_not_verified() {
    let mut app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    app.stripe().deliver_all(&story.take()).await;
    verify_log(app.owner(), "default").await;
    app.stop().await;
    for (what, sql) in TAMPERINGS {
        let copy: Database = app.database.copy().await;
        copy.execute(&format!("{sql}; SELECT 1"));
        let verified = AssertUnwindSafe(verify_log(copy.owner(), "default")).catch_unwind().await;
        assert!(verified.is_err(), "{what}, and nobody notices");
    }
}
