//! The cache without a database: what is told, and in which order.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use ledger_domain::catalog::Catalogs;
use ledger_domain::effective::Holdings;
use ledger_domain::event::Enforcement;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::{Change, Committed, Cursor, FeedKey, Heard, Whose};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Cache, Entry, FRESH, Found, Unfit};

const MIB: u64 = 1 << 20;

const KEY: FeedKey = FeedKey::new([7; 32]);

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
    cache.hear(vec![(tenant("a"), Heard { to, position, key: KEY, changes })], asked_at);
}

/// What was read of a trainer as of a change.
fn read(number: i64, position: i64, era: u64) -> Arc<Entry> {
    Arc::new(Entry {
        holdings: Holdings::default(),
        used: Vec::new(),
        catalogs: Arc::new(Catalogs::new()),
        mode: Arc::new(Enforcement::default()),
        mark: (None, None),
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

/// A cache that takes in what other processes read, whose feed of the tenant `a` is followed from
/// change 5 on, and was heard up to change 9, at position 90: 7 changed what `t1` holds, and 8 what
/// `t2` used.
fn sharing() -> Cache {
    let cache = Cache::new(MIB).with_others();
    tell(&cache, None, 5, 50);
    let changes = vec![(6, of(&["t4"], &[])), (7, of(&["t1"], &[])), (8, of(&[], &["t2"]))];
    tell(&cache, Some(changes), 8, 80);
    tell(&cache, Some(vec![(9, of(&["t4"], &[]))]), 9, 90);
    cache
}

/// Another process's entry of a change, at ten times its number.
fn adopt(cache: &Cache, name: &str, at: Cursor) -> Result<(), Unfit> {
    let entry = Arc::into_inner(read(at.number, at.number * 10, 0)).expect("nobody else's");
    let entry = Entry { heard: Some(at), ..entry };
    cache.adopt((&tenant("a"), &trainer(name)), entry)
}

#[tokio::test]
async fn what_another_process_read_is_as_good_as_ones_own() {
    let cache = sharing();
    for (name, number) in [("t1", 7), ("t1", 9), ("t3", 5), ("t3", 9)] {
        assert_eq!(adopt(&cache, name, at(number)), Ok(()), "{name}, {number}");
        assert_eq!(position(&cache, name).await, Some(90), "{name}, {number}");
    }
    // And is dropped like one's own.
    tell(&cache, Some(vec![(10, of(&["t1"], &[])), (11, Whose::Everybody)]), 11, 110);
    assert_eq!(position(&cache, "t1").await, None);
    assert_eq!(position(&cache, "t3").await, None);
    assert_eq!(adopt(&cache, "t3", at(10)), Err(Unfit::Old), "everybody has changed since");
    assert_eq!(adopt(&cache, "t3", at(11)), Ok(()));
}

#[tokio::test]
async fn what_another_process_read_too_early_or_too_late_is_refused() {
    let cache = sharing();
    let other = |number| Cursor { id: Uuid::from_u128(2), number };
    for (name, at, unfit, why) in [
        ("t1", at(6), Unfit::Old, "it has changed since"),
        ("t3", at(4), Unfit::Old, "nobody here knows what happened after that"),
        ("t3", other(9), Unfit::Old, "another feed's"),
        ("t3", at(10), Unfit::Ahead, "nobody here has heard of that"),
    ] {
        assert_eq!(adopt(&cache, name, at), Err(unfit), "{why}");
        assert_eq!(position(&cache, name).await, None, "{why}");
    }
    let beyond = Arc::into_inner(read(9, 91, 0)).expect("nobody else's");
    let adopted = cache.adopt((&tenant("a"), &trainer("t3")), beyond);
    assert_eq!(adopted, Err(Unfit::Ahead), "the read models aren't known to be there");
    tell_at(&cache, None, other(9), 90, Instant::now());
    assert_eq!(adopt(&cache, "t3", at(9)), Err(Unfit::Old), "another feed is followed now");
    assert_eq!(adopt(&cache, "t3", other(8)), Err(Unfit::Old), "followed from 9 on");
    assert_eq!(adopt(&cache, "t3", other(9)), Ok(()));
    assert_eq!(adopt(&Cache::new(MIB), "t3", at(5)), Err(Unfit::Old), "nothing is shared");
}

#[tokio::test]
async fn usage_that_changed_since_another_process_read_is_known_to_be_lacking() {
    let cache = sharing();
    for (number, is_whole) in [(7, false), (8, true)] {
        assert_eq!(adopt(&cache, "t2", at(number)), Ok(()));
        let found = found(&cache, "t2", 90).await.expect("what it holds didn't change");
        assert_eq!(found.used(&answer()).is_some(), is_whole, "read at {number}");
    }
    // One that is older doesn't take the place of a newer one.
    assert_eq!(adopt(&cache, "t2", at(7)), Ok(()));
    let found = found(&cache, "t2", 90).await.expect("it is there");
    assert!(found.used(&answer()).is_some());
}

#[tokio::test]
async fn nobody_looks_elsewhere_while_nothing_could_be_used() {
    let mut cache = sharing();
    let following = |cache: &Cache, position, change| {
        let need = Committed { position, change };
        cache.following(&tenant("a"), need).map(|following| following.feed)
    };
    assert_eq!(following(&cache, 90, 9), Some(Uuid::from_u128(1)));
    assert_eq!(following(&cache, 91, 9), None, "the feed is behind");
    assert_eq!(following(&cache, 90, 10), None, "a change that this process has committed");
    assert!(cache.following(&tenant("b"), Committed::default()).is_none(), "another tenant's");
    cache.begun -= FRESH + Duration::from_secs(1);
    assert_eq!(following(&cache, 90, 9), None, "the feed wasn't heard lately");
}
