//! What somebody can do to a log with the owner's SQL, and what is said of it.

use super::{Auditor, some_log};
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Database, now};

/// Something that is done to a log.
struct Damage {
    what: &'static str,
    sql: &'static str,
    /// The first wrong position; counted from the end where it isn't positive.
    position: i64,
    kind: &'static str,
    /// Whether an export, which holds no roots, shows it.
    exported: bool,
}

const fn damage(
    what: &'static str,
    sql: &'static str,
    position: i64,
    kind: &'static str,
) -> Damage {
    Damage { what, sql, position, kind, exported: true }
}

const fn unexported(mut damage: Damage) -> Damage {
    damage.exported = false;
    damage
}

const DAMAGES: [Damage; 17] = [
    damage(
        "one byte of one event",
        "UPDATE event SET data = set_byte(data, 3, get_byte(data, 3) # 1) WHERE position = 9",
        9,
        "event_altered",
    ),
    damage(
        "who caused an event",
        "UPDATE event SET metadata = '{}' WHERE position = 9",
        9,
        "event_altered",
    ),
    damage(
        "bytes that are no text",
        "UPDATE event SET data = '\\xff00'::bytea WHERE position = 9",
        9,
        "event_altered",
    ),
    damage(
        "a time that no calendar reaches",
        "UPDATE event SET occurred_at = 'infinity' WHERE position = 9",
        9,
        "event_altered",
    ),
    damage("an event is gone", "DELETE FROM event WHERE position = 9", 9, "event_missing"),
    damage(
        "an event is gone, and the hole is closed",
        "DELETE FROM event WHERE position = 9; DELETE FROM webhook_events WHERE position = 9;
         UPDATE event SET position = position + 100000 WHERE position > 9;
         UPDATE event SET position = position - 100001 WHERE position > 9;
         UPDATE webhook_events SET position = position + 100000 WHERE position > 9;
         UPDATE webhook_events SET position = position - 100001 WHERE position > 9",
        9,
        "event_removed",
    ),
    damage(
        "two events have changed places",
        "UPDATE event SET position = 100000 WHERE position = 12;
         UPDATE event SET position = 12 WHERE position = 9;
         UPDATE event SET position = 9 WHERE position = 100000;
         UPDATE webhook_events SET position = 100000 WHERE position = 12;
         UPDATE webhook_events SET position = 12 WHERE position = 9;
         UPDATE webhook_events SET position = 9 WHERE position = 100000",
        9,
        "events_swapped",
    ),
    damage(
        "the tail is cut",
        "DELETE FROM event WHERE position > (SELECT max(position) - 3 FROM event)",
        -2,
        "tail_cut",
    ),
    damage(
        "a leaf is rewritten",
        "UPDATE log_seal SET leaves = set_byte(leaves, 0, get_byte(leaves, 0) # 1) WHERE size = 9",
        9,
        "leaf_altered",
    ),
    unexported(damage(
        "a root is rewritten",
        "UPDATE log_seal SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = 9",
        9,
        "root_altered",
    )),
    unexported(damage(
        "the head's root is rewritten",
        "UPDATE log_head SET root = set_byte(root, 0, get_byte(root, 0) # 1)",
        0,
        "head_root_altered",
    )),
    unexported(damage(
        "the head's frontier is rewritten",
        "UPDATE log_head SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)",
        0,
        "head_frontier_altered",
    )),
    unexported(damage("a seal is gone", "DELETE FROM log_seal WHERE size = 9", 9, "seal_missing")),
    damage(
        "a stored body is edited",
        "UPDATE webhook_events SET body = (SELECT body FROM webhook_events WHERE position = 12)
         WHERE position = 9",
        9,
        "body_altered",
    ),
    damage(
        "a stored body can't be decompressed",
        "UPDATE webhook_events SET body = 'x' WHERE position = 9",
        9,
        "body_altered",
    ),
    damage(
        "a stored body is gone, and no event says why",
        "DELETE FROM webhook_events WHERE position = 9",
        9,
        "body_missing",
    ),
    damage(
        "a text lies beside an event that binds none",
        "INSERT INTO event_text (tenant, position, salt, text) VALUES ('default', 9, 'x', 'x')",
        9,
        "text_unbound",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_wrong_position_is_named_whatever_is_done_to_a_log() {
    let (mut app, last) = some_log().await;
    let auditor = Auditor::new().await;
    auditor.sign(&app.database, "key", "checkpoint").await;
    let whole = auditor.verify(&app.database, Some("checkpoint")).await;
    assert_eq!(whole.expect_sound()["proved_to"], last);
    auditor.verify(&app.database, None).await.expect_sound();
    for Damage { what, sql, position, kind, exported } in DAMAGES {
        println!("{what}");
        let position = if position > 0 { position } else { last + position };
        let copy: Database = app.database.copy().await;
        copy.execute(&format!("{sql}; SELECT 1"));
        for checkpoint in [Some("checkpoint"), None] {
            auditor.verify(&copy, checkpoint).await.expect_wrong(position, kind);
        }
        let key = auditor.path("key.pub");
        let checkpoint = auditor.path("checkpoint");
        let by = ["--checkpoint", super::text(&checkpoint), "--public-key", super::text(&key)];
        auditor.export(&copy, "export", &by).await;
        let verified = auditor.verify_export("export", "checkpoint").await;
        let (sound, first, other_kind) = auditor.check("export", "checkpoint").await;
        if exported {
            verified.expect_wrong(position, kind);
            assert_eq!((sound, first), (false, Some(position)), "{what}: {other_kind}");
        } else {
            verified.expect_sound();
            assert!(sound, "{what}: {other_kind} at {first:?}");
        }
    }
}

/// Batches of before there were leaves have roots alone.
#[tokio::test(flavor = "multi_thread")]
async fn without_stored_leaves_an_event_is_named_with_its_batch() {
    let (mut app, _) = some_log().await;
    let auditor = Auditor::new().await;
    app.database.execute("UPDATE log_seal SET leaves = NULL WHERE size <= 12");
    auditor.sign(&app.database, "key", "checkpoint").await;
    auditor.verify(&app.database, None).await.expect_sound();
    // As if the events from 8 to 10 had been appended together.
    app.database.execute("DELETE FROM log_seal WHERE size IN (8, 9)");
    let copy = app.database.copy().await;
    copy.execute("UPDATE event SET data = data || ' ' WHERE position = 9");
    for checkpoint in [Some("checkpoint"), None] {
        let verified = auditor.verify(&copy, checkpoint).await;
        assert_eq!(verified.first(), (Some(8), "event_altered_among"), "{}", verified.report);
        assert_eq!(verified.report["first_wrong"]["through"], 10);
        assert!(verified.stderr.contains("between 8 and 10"), "{}", verified.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_from_a_backup_is_told_from_a_newer_checkpoint() {
    let (mut app, end) = some_log().await;
    let auditor = Auditor::new().await;
    let backup = app.database.copy().await;
    app.start_service().await;
    let deliver = async |app: &crate::harness::TestApp, trainer: &str| {
        let mut story = Story::new(trainer, Version::Clover, now() - DAY);
        story.purchase(STARTER);
        app.stripe().deliver_all(&story.take()).await
    };
    let last = deliver(&app, "t3").await;
    app.stop().await;
    auditor.sign(&app.database, "key", "checkpoint").await;

    let older = auditor.verify(&backup, Some("checkpoint")).await;
    older.expect_wrong(end + 1, "older_than_checkpoint");
    auditor.export(&backup, "export", &[]).await;
    let older = auditor.verify_export("export", "checkpoint").await;
    older.expect_wrong(end + 1, "older_than_checkpoint");
    assert_eq!(auditor.check("export", "checkpoint").await.1, Some(end + 1));

    // Whoever restores says so by the epoch, and the log goes on from there.
    backup.execute("UPDATE log_head SET epoch = epoch + 1");
    let mut restored = app.restart_on(backup.clone()).await;
    let gone_on = deliver(&restored, "t4").await;
    restored.stop().await;
    assert_eq!(gone_on, last, "the positions were given again");
    let verified = auditor.verify(&backup, Some("checkpoint")).await;
    assert_eq!(verified.first().1, "not_signed", "{}", verified.report);
    assert_eq!(verified.report["epoch"], 2);
    assert_eq!(verified.report["checkpoint"]["epoch"], 1);
    assert_eq!(verified.code, Some(1));
    auditor.verify(&backup, None).await.expect_sound();
    backup.owner().close().await;
}
