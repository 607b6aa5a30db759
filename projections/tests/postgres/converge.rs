//! Whatever the order and however often: the same webhooks, the same rows.

use ledger_log::{EventLog, NewEvent};
use ledger_projections::Config;
use proptest::prelude::*;

use crate::given::{self, DAY_0};
use crate::world::{World, catch_up, config};

/// Orders of a month's webhooks, some of them twice, and how they are cut into pages.
fn deliveries() -> impl Strategy<Value = (Vec<NewEvent>, usize)> {
    let twice = [given::month(), given::month()[..6].to_vec()].concat();
    (Just(twice).prop_shuffle(), 1..8usize)
}

async fn rows_of(world: &World, name: &str, webhooks: Vec<NewEvent>, config: Config) -> String {
    let tenant = world.open(name).await;
    for webhook in webhooks {
        world.log.append(&tenant, vec![webhook]).await.unwrap();
    }
    catch_up(&world.runner(config), &*world.log, &tenant).await.unwrap();
    world.rows(&tenant)
}

#[test]
fn order_and_repetition_do_not_matter() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let world = World::new();
    let straight = runtime.block_on(rows_of(&world, "straight", given::month(), config("test")));
    assert!(straight.contains("\"refunded_minor\": 1000"), "{straight}");
    let cases_so_far = std::cell::Cell::new(0);
    let cases =
        ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let mut tests = proptest::test_runner::TestRunner::new(cases);
    let outcome = tests.run(&deliveries(), |(webhooks, page_events_max)| {
        let number = cases_so_far.get() + 1;
        cases_so_far.set(number);
        // A small cache makes units come and go between pages.
        let cache_bytes = if number % 2 == 0 { 0 } else { 1 << 20 };
        let config = Config { page_events_max, cache_bytes, ..config("test") };
        let rows = runtime.block_on(rows_of(&world, &format!("case{number}"), webhooks, config));
        prop_assert_eq!(&rows, &straight);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_link_that_comes_last_reaches_everything_before_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let world = World::new();
    let mut late = given::month();
    late.rotate_left(1);
    let straight = runtime.block_on(rows_of(&world, "first", given::month(), config("test")));
    let page = Config { page_events_max: 1, ..config("test") };
    assert_eq!(runtime.block_on(rows_of(&world, "last", late, page)), straight);
}

/// Facts after which there is less to show than before: an end that is told late takes back what
/// came after it, and an item is sold no longer.
fn shrinking() -> Vec<NewEvent> {
    let sold_at = |prices: &[&str], status: &str| {
        let mut object = given::snapshot("sub_1", "cus_1", status, DAY_0);
        let item = |price: &&str| {
            let mut item = object["items"]["data"][0].clone();
            item["price"]["id"] = (*price).into();
            item
        };
        object["items"]["data"] = prices.iter().map(item).collect();
        object
    };
    let changed = |n: i64, prices: &[&str]| {
        let id = format!("evt_{n}");
        given::subscription(&id, DAY_0 + n, "updated", sold_at(prices, "active"))
    };
    vec![
        given::linked("l0", 0, "cus_1", "t1"),
        given::subscription("evt_0", DAY_0, "created", sold_at(&["a"], "active")),
        changed(10, &["b"]),
        changed(11, &["c", "d"]),
        changed(12, &["e", "f", "g"]),
        given::subscription("evt_9", DAY_0 + 9, "deleted", sold_at(&["a"], "canceled")),
    ]
}

#[tokio::test]
async fn what_is_shown_no_longer_goes_from_the_tables() {
    let world = World::new();
    let page = || Config { page_events_max: 1, ..config("test") };
    let mut in_time = shrinking();
    in_time.swap(2, 5);
    let straight = rows_of(&world, "straight", in_time, page()).await;
    assert!(straight.contains("cancelled") && !straight.contains("plan_changed"), "{straight}");
    assert_eq!(rows_of(&world, "late", shrinking(), page()).await, straight);

    // With nothing remembered from the fact before.
    let tenant = world.open("forgetful").await;
    for fact in shrinking() {
        world.log.append(&tenant, vec![fact]).await.unwrap();
        world.project(&tenant).await;
    }
    assert_eq!(world.rows(&tenant), straight);
}
