//! The cache without a database: what is told, and in which order.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use ledger_domain::catalog::Catalogs;
use ledger_domain::effective::Holdings;
use ledger_domain::event::Enforcement;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::{Change, Committed, Cursor, Heard, Whose};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Cache, Entry, FRESH, Found};

const MIB: u64 = 1 << 20;

fn tenant(name: &str) -> Tenant {
    Tenant::try_new(name).unwrap()
}

fn trainer(name: &str) -> TrainerId {
    TrainerId::try_new(name).unwrap()
}

fn at(number: i64) -> Cursor {
    Cursor { id: Uuid::from_u128(1), number }
}

fn of(trainers: &[&str], users: &[&str]) -> Whose {
    let names = |names: &[&str]| names.iter().map(|name| trainer(name)).collect();
    Whose::Of { trainers: names(trainers), users: names(users) }
}

/// A cache whose feed of the tenant `a` was heard up to change 5, at position 50.
fn cache() -> Cache {
    let cache = Cache::new(MIB);
    tell(&cache, None, 5, 50);
    cache
}

fn tell(cache: &Cache, changes: Option<Vec<(i64, Whose)>>, to: i64, position: i64) {
    tell_at(cache, changes, at(to), position, Instant::now());
}

fn tell_at(
    cache: &Cache,
    changes: Option<Vec<(i64, Whose)>>,
    to: Cursor,
    position: i64,
    asked_at: Instant,
) {
    let change = |(number, whose)| Change { number, whose };
    let changes = changes.map(|all| all.into_iter().map(change).collect());
    cache.hear(vec![(tenant("a"), Heard { to, position, changes })], asked_at);
}

/// What was read of a trainer as of a change.
fn read(number: i64, position: i64, era: u64) -> Arc<Entry> {
    Arc::new(Entry {
        holdings: Holdings::default(),
        used: Vec::new(),
        catalogs: Arc::new(Catalogs::new()),
        mode: Arc::new(Enforcement::default()),
        parked: None,
        position,
        heard: Some(at(number)),
        read_at: Timestamp::from_unix(0),
        era,
        usage_change: AtomicI64::new(i64::MIN),
    })
}

/// Reads a trainer of the tenant `a` as of a change, and keeps it.
fn put(cache: &Cache, name: &str, number: i64, position: i64) {
    let joined = cache.join(&tenant("a"), &trainer(name));
    let era = joined.begin();
    joined.keep(&read(number, position, era));
}

async fn found(cache: &Cache, name: &str, position: i64) -> Option<Found> {
    let need = Committed { position, change: 0 };
    cache.find(&tenant("a"), &trainer(name), need).await
}

/// The position that what is found is good for.
async fn position(cache: &Cache, name: &str) -> Option<i64> {
    found(cache, name, 0).await.map(|found| found.position)
}

#[tokio::test]
async fn what_did_not_change_is_as_new_as_the_last_word() {
    let cache = cache();
    put(&cache, "t1", 5, 50);
    assert_eq!(position(&cache, "t1").await, Some(50));
    assert!(
        cache.find(&tenant("b"), &trainer("t1"), Committed::default()).await.is_none(),
        "another tenant's"
    );
    tell(&cache, Some(vec![(6, of(&["t2"], &[]))]), 6, 60);
    assert_eq!(position(&cache, "t1").await, Some(60));
    assert!(found(&cache, "t1", 61).await.is_none(), "nobody has heard of more");
    let need = Committed { position: 60, change: 7 };
    let at_the_same_position = cache.find(&tenant("a"), &trainer("t1"), need).await;
    assert!(at_the_same_position.is_none(), "a change that this process has committed");
    // Read after the feed was last heard.
    put(&cache, "t2", 7, 70);
    assert_eq!(position(&cache, "t2").await, Some(70));
    tell(&cache, Some(vec![(7, of(&["t2"], &[]))]), 7, 70);
    assert_eq!(position(&cache, "t2").await, Some(70), "it had the change already");
}

#[tokio::test]
async fn who_changed_is_forgotten_and_who_only_used_something_nearly() {
    let cache = cache();
    for name in ["t1", "t2", "t3"] {
        put(&cache, name, 5, 50);
    }
    tell(&cache, Some(vec![(6, of(&["t1"], &["t2"]))]), 6, 60);
    assert_eq!(position(&cache, "t1").await, None);
    let answer = answer();
    let used = found(&cache, "t2", 60).await.expect("what it holds didn't change");
    assert!(used.used(&answer).is_none(), "what it used did");
    let other = found(&cache, "t3", 60).await.expect("it had no change");
    assert!(other.used(&answer).is_some());
    tell(&cache, Some(vec![(7, Whose::Everybody)]), 7, 70);
    for name in ["t2", "t3"] {
        assert_eq!(position(&cache, name).await, None, "{name}");
    }
}

/// An answer without features.
fn answer() -> ledger_domain::effective::Effective {
    let toml = include_str!("../../../catalogs/organisation.toml");
    let prices = ledger_domain::catalog::ResolvedPrices::default();
    let catalog = ledger_domain::catalog::Catalog::from_published(toml, &prices).unwrap();
    let setting = ledger_domain::effective::Setting {
        catalog: &catalog,
        catalog_until: None,
        billing: ledger_domain::effective::Billing::Stripe,
        now: Timestamp::from_unix(0),
    };
    let mut answer = ledger_domain::effective::effective(&Holdings::default(), &setting);
    answer.features.clear();
    answer
}

#[tokio::test]
async fn a_change_that_is_told_while_somebody_reads_is_not_lost() {
    for whose in [of(&["t1"], &[]), of(&[], &["t1"]), Whose::Everybody] {
        let cache = cache();
        let joined = cache.join(&tenant("a"), &trainer("t1"));
        let era = joined.begin();
        // The tables were read as of change 5, and this comes before what was read is kept.
        tell(&cache, Some(vec![(6, whose.clone())]), 6, 60);
        joined.keep(&read(5, 50, era));
        assert_eq!(position(&cache, "t1").await, None, "{whose:?}");
        // What has the change is kept.
        joined.keep(&read(6, 60, era));
        assert_eq!(position(&cache, "t1").await, Some(60), "{whose:?}");
    }
}

#[tokio::test]
async fn a_feed_that_begins_anew_makes_all_useless() {
    let other = Cursor { id: Uuid::from_u128(2), number: 5 };
    let cache = cache();
    put(&cache, "t1", 5, 50);
    let joined = cache.join(&tenant("a"), &trainer("t2"));
    let era = joined.begin();
    tell_at(&cache, None, other, 50, Instant::now());
    assert_eq!(position(&cache, "t1").await, None);
    joined.keep(&read(5, 50, era));
    assert_eq!(position(&cache, "t2").await, None, "read in the old era");
    let era = joined.begin();
    joined.keep(&read(5, 50, era));
    assert_eq!(position(&cache, "t2").await, None, "read from another feed than is heard");
    // A tenant that isn't there any more.
    cache.hear(Vec::new(), Instant::now());
    assert_eq!(position(&cache, "t1").await, None);
}

#[tokio::test]
async fn a_feed_that_was_not_heard_lately_is_not_believed() {
    let mut cache = Cache::new(MIB);
    assert_eq!(position(&cache, "t1").await, None, "it was never heard");
    tell(&cache, None, 5, 50);
    put(&cache, "t1", 5, 50);
    assert_eq!(position(&cache, "t1").await, Some(50));
    // Time passes.
    cache.begun -= FRESH + Duration::from_secs(1);
    assert_eq!(position(&cache, "t1").await, None);
    tell(&cache, Some(Vec::new()), 5, 50);
    assert_eq!(position(&cache, "t1").await, Some(50), "and it is heard again");
}

#[tokio::test]
async fn a_feed_that_is_just_behind_is_waited_for() {
    let cache = Arc::new(cache());
    put(&cache, "t1", 5, 50);
    let heard = async {
        tokio::task::yield_now().await;
        tell(&cache, Some(Vec::new()), 5, 60);
    };
    let (found, ()) = tokio::join!(found(&cache, "t1", 60), heard);
    assert_eq!(found.map(|found| found.position), Some(60));
}

#[tokio::test]
async fn its_room_is_never_exceeded() {
    let cache = cache();
    for nth in 0..20_000 {
        put(&cache, &format!("t{nth}"), 5, 50);
    }
    let entries = cache.entries.as_ref().unwrap();
    assert!(entries.weight() <= MIB, "{}", entries.weight());
    assert!(entries.len() > 500, "{} entries", entries.len());
    assert!(cache.board().flights.is_empty(), "nobody reads any more");
}

#[tokio::test]
async fn without_room_nothing_is_kept() {
    let cache = Cache::new(0);
    tell(&cache, None, 5, 50);
    put(&cache, "t1", 5, 50);
    assert!(!cache.is_on() && position(&cache, "t1").await.is_none());
}
