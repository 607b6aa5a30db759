//! What the statement that appends looks at before it writes: where each log ends, part by part,
//! and the keys that an answer rests on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_log::postgres::{Hook, Point, PostgresLog, Settings};
use ledger_log::seal::Frontier;
use ledger_log::testing::{consume, opening, own, tenant};
use ledger_log::{Decided, EventLog, Outcome};
use sqlx::PgPool;

use crate::gate::{Gate, gated};
use crate::support::{database, log_on, log_with, owner};

/// A log that counts how often it goes the long way, which it does when a head isn't as it was.
async fn counted(database: &str) -> (PostgresLog, Arc<AtomicUsize>) {
    let locked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&locked);
    let hook: Hook = Arc::new(move |point| {
        if point == Point::Locked {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Box::pin(async { Ok(()) })
    });
    let settings = Settings { hook: Some(hook), ..Settings::default() };
    (log_with(database, settings).await, locked)
}

/// As after a restore that lost nothing: the same events, and another epoch.
async fn raise_epoch(owner: &PgPool) {
    let sql = "UPDATE log_head SET epoch = epoch + 1";
    assert_eq!(sqlx::query(sql).execute(owner).await.unwrap().rows_affected(), 1);
}

/// As of a log that took another way: as many events, and other ones.
async fn replace_root(owner: &PgPool, peak: u8) {
    let size: i64 =
        sqlx::query_scalar("SELECT position FROM log_head").fetch_one(owner).await.unwrap();
    let frontier = vec![[peak; 32]; size.count_ones() as usize].concat();
    let root = Frontier::from_bytes(size.unsigned_abs(), &frontier).unwrap().root();
    let sql = "UPDATE log_head SET frontier = $1, root = $2";
    let query = sqlx::query(sql).bind(frontier).bind(root);
    assert_eq!(query.execute(owner).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_later_epoch_of_the_same_events_is_noticed() {
    let (database, one) = (database().await, tenant("one"));
    let (log, locked) = counted(&database).await;
    let owner = owner(&database).await;
    log.open(&one, opening()).await.unwrap();
    log.append(&one, vec![own("kept")]).await.unwrap();
    // By what only looks, while the key is known, and by what writes.
    for (id, position) in [("kept", 2), ("new", 3)] {
        raise_epoch(&owner).await;
        let before = locked.load(Ordering::SeqCst);
        let outcome = log.append(&one, vec![own(id)]).await.unwrap()[0];
        assert_eq!(outcome.position(), position);
        assert_eq!(locked.load(Ordering::SeqCst), before + 1, "{id} went the long way");
    }
    assert_eq!(log.head(&one).await.unwrap().unwrap().epoch, 3);
}

#[tokio::test]
async fn another_root_at_the_same_place_is_noticed() {
    let (database, one) = (database().await, tenant("one"));
    let (log, locked) = counted(&database).await;
    let owner = owner(&database).await;
    log.open(&one, opening()).await.unwrap();
    log.append(&one, vec![own("kept")]).await.unwrap();
    for (peak, id, position) in [(7, "kept", 2), (8, "new", 3)] {
        replace_root(&owner, peak).await;
        let before = locked.load(Ordering::SeqCst);
        let outcome = log.append(&one, vec![own(id)]).await.unwrap()[0];
        assert_eq!(outcome.position(), position);
        assert_eq!(locked.load(Ordering::SeqCst), before + 1, "{id} went the long way");
    }
}

/// A refusal rests on its key's not being in the log, also where others of its batch are written.
#[tokio::test]
async fn a_retry_of_what_was_granted_is_found_beside_another_append() {
    let (database, one) = (database().await, tenant("one"));
    let before = log_on(&database).await;
    before.open(&one, opening()).await.unwrap();
    let granted = before.append_decided(&one, consume("use", "t1", 5, 5)).await.unwrap();
    let Decided::Granted(Outcome::Appended { position, revision }, _) = granted else {
        panic!("{granted:?}");
    };
    before.shutdown().await;

    // A new process remembers no key.
    let gate = Gate::at(Point::BeforeSend);
    let log = gated(&database, &gate).await;
    log.append(&one, vec![own("warm")]).await.unwrap();
    gate.stop(2);
    let blocker = log.append(&one, vec![own("blocker")]);
    let both = async {
        gate.reached().await;
        let other = log.append(&one, vec![own("other")]);
        let retry = log.append_decided(&one, consume("use", "t1", 5, 5));
        let release = async {
            gate.release();
            // The next to arrive is the batch of both.
            gate.reached().await;
            gate.release();
        };
        tokio::join!(other, retry, release)
    };
    let (blocked, (other, retry, ())) = tokio::join!(blocker, both);
    assert_eq!(blocked.unwrap()[0], Outcome::Appended { position: 4, revision: 0 });
    assert_eq!(other.unwrap()[0], Outcome::Appended { position: 5, revision: 0 });
    let retry = retry.unwrap();
    let Decided::Granted(outcome, counter) = retry else { panic!("{retry:?}") };
    assert_eq!(outcome, Outcome::AlreadyAppended { position, revision });
    assert_eq!(counter.used, 5);
}
