//! Whatever the order and however often: the same webhooks, the same rows.

use ledger_log::{EventLog, NewEvent};
use ledger_projections::Config;
use proptest::prelude::*;
use serde_json::json;

use crate::given::{self, DAY_0};
use crate::world::{World, catch_up, config};

/// Orders of webhooks, some of them twice, and how they are cut into pages.
fn deliveries(
    webhooks: &[NewEvent],
    twice: usize,
) -> impl Strategy<Value = (Vec<NewEvent>, usize)> + use<> {
    let twice = [webhooks, &webhooks[..twice]].concat();
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
    let straight = check(12, &given::month(), 6);
    assert!(straight.contains("\"refunded_minor\": 1000"), "{straight}");
}

#[test]
fn nor_do_they_where_facts_disagree_about_the_customer() {
    let straight = check(40, &disagreeing(), 3);
    // Everything that anybody says is `cus_a`'s is, also the session by which `cus_b` would be two
    // trainers.
    assert!(straight.contains("\"refunded_minor\": 700"), "{straight}");
    assert!(straight.contains("customer/cus_b") && !straight.contains("customer/cus_c"));
    assert!(!straight.contains("conflicting_link"), "{straight}");
    // The last words on these objects are others' than whose they are; on sub_1 it is its owner's.
    let conflicts = |subject: &str| {
        let anomalies = straight.lines().filter(|line| line.contains("conflicting_customer"));
        anomalies.filter(|line| line.contains(&format!("\"{subject}\""))).count()
    };
    for subject in ["charge/ch_1", "invoice/in_1", "checkout_session/cs_1"] {
        assert_eq!(conflicts(subject), 1, "{subject}: {straight}");
    }
    assert_eq!(conflicts("subscription/sub_1"), 0, "{straight}");
}

/// Facts that say different customers of objects that hang together.
fn disagreeing() -> Vec<NewEvent> {
    let at = |n: i64| DAY_0 + n;
    let of = |customer: &str, mut snapshot: serde_json::Value| {
        snapshot["customer"] = customer.into();
        snapshot
    };
    let charge = json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 2900,
        "amount_refunded": 700, "currency": "usd", "status": "succeeded"});
    let intent = json!({"id": "pi_1", "amount": 2900, "amount_received": 2900, "currency": "usd",
        "status": "succeeded"});
    let invoice = json!({"id": "in_1", "subscription": "sub_1", "currency": "usd", "total": 2900,
        "status": "paid", "payments": [{"payment_intent": "pi_1"}]});
    vec![
        given::charge("evt_1", at(1), "succeeded", of("cus_b", charge)),
        given::refund(
            "evt_2",
            at(2),
            "created",
            json!({"id": "re_1", "charge": "ch_1", "amount": 700, "currency": "usd",
                "status": "succeeded"}),
        ),
        given::invoice("evt_3", at(3), "paid", of("cus_c", invoice)),
        given::intent("evt_4", at(4), "succeeded", of("cus_a", intent)),
        given::dispute(
            "evt_5",
            at(5),
            "created",
            json!({"id": "dp_1", "payment_intent": "pi_1", "amount": 2900, "currency": "usd",
                "status": "needs_response"}),
        ),
        given::checkout(
            "evt_6",
            at(6),
            "completed",
            json!({"id": "cs_1", "client_reference_id": "t1", "customer": "cus_b",
                "subscription": "sub_1", "status": "complete"}),
        ),
        given::checkout(
            "evt_60",
            at(6),
            "completed",
            json!({"id": "cs_2", "client_reference_id": "t2", "customer": "cus_b",
                "status": "complete"}),
        ),
        given::subscription("evt_7", at(7), "created", {
            given::snapshot("sub_1", "cus_b", "incomplete", DAY_0)
        }),
        given::subscription("evt_8", at(8), "updated", {
            given::snapshot("sub_1", "cus_a", "active", DAY_0)
        }),
        given::invoice_payment(
            "evt_9",
            at(9),
            "paid",
            json!({"id": "inpay_1", "invoice": "in_1", "payment_intent": "pi_1",
                "status": "paid", "amount_paid": 2900, "currency": "usd"}),
        ),
    ]
}

/// Checks that webhooks in many orders, the first ones twice, give the same rows, and returns them.
fn check(cases: u32, webhooks: &[NewEvent], twice: usize) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let world = World::new();
    let straight = rows_of(&world, "straight", webhooks.to_vec(), config("test"));
    let straight = runtime.block_on(straight);
    let cases_so_far = std::cell::Cell::new(0);
    let cases = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut tests = proptest::test_runner::TestRunner::new(cases);
    let outcome = tests.run(&deliveries(webhooks, twice), |(webhooks, page_events_max)| {
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
    straight
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
