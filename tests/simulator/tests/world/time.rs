//! Test clocks and the calendar.

use serde_json::json;

use crate::harness::{DAY, Sim, id_of, of_kind};

/// A day at ten in the morning, by the number of days since 1970.
fn at(days: i64) -> i64 {
    days * DAY + 36_000
}

const JANUARY_31_2028: i64 = 21_214;

fn clocked(sim: &mut Sim, frozen: i64, price: &str) -> (String, String) {
    let clock = id_of(&sim.post("test_helpers/test_clocks", json!({ "frozen_time": frozen })));
    let form = json!({ "test_clock": clock, "payment_method": "pm_card_visa",
        "invoice_settings": { "default_payment_method": "pm_card_visa" } });
    let customer = id_of(&sim.post("customers", form));
    let form = json!({ "customer": customer, "items": [{ "price": price }] });
    let subscription = id_of(&sim.post("subscriptions", form));
    sim.skip();
    (clock, subscription)
}

fn advance(sim: &mut Sim, clock: &str, to: i64) {
    let path = format!("test_helpers/test_clocks/{clock}/advance");
    let moved = sim.post(&path, json!({ "frozen_time": to }));
    assert_eq!((&moved["status"], &moved["frozen_time"]), (&json!("ready"), &json!(to)));
}

#[test]
fn the_31st_is_clamped_and_comes_back_over_a_leap_day() {
    let mut sim = Sim::new();
    let start = at(JANUARY_31_2028);
    let (clock, subscription) = clocked(&mut sim, start, "price_starter");
    let mut ends = Vec::new();
    for _ in 0..4 {
        let item = &sim.get(&subscription)["items"]["data"][0];
        let end = item["current_period_end"].as_i64().unwrap();
        ends.push((end - start) / DAY);
        advance(&mut sim, &clock, end);
    }
    // 29 February, 31 March, 30 April, 31 May.
    assert_eq!(ends, [29, 60, 90, 121]);
}

#[test]
fn a_clock_moves_only_who_lives_by_it() {
    let mut sim = Sim::new();
    let (_, other) = sim.subscriber("price_starter");
    let before = sim.get(&other);
    let start = sim.world.now();
    let (clock, subscription) = clocked(&mut sim, start, "price_starter");
    advance(&mut sim, &clock, start + 40 * DAY);
    let told = sim.told();
    assert_eq!(told[0].kind, "test_helpers.test_clock.advancing");
    assert_eq!(told.last().unwrap().kind, "test_helpers.test_clock.ready");
    let renewed = of_kind(&told, "customer.subscription.updated");
    assert_eq!(renewed.object["id"], subscription.as_str());
    assert_eq!(renewed.test_clock.as_deref(), Some(clock.as_str()));
    assert_eq!(renewed.request_id, None);
    let item = &renewed.object["items"]["data"][0];
    assert_eq!(renewed.created, item["current_period_start"].as_i64().unwrap());
    assert_eq!(sim.get(&other), before);
    assert_eq!(sim.world.now(), start);
    let earlier = sim.get(&subscription);
    sim.wait(10 * DAY);
    assert_eq!(sim.get(&subscription), earlier);
}

#[test]
fn a_clock_moves_two_intervals_at_most() {
    let mut sim = Sim::new();
    let start = at(JANUARY_31_2028);
    let (clock, _) = clocked(&mut sim, start, "price_starter");
    let path = format!("test_helpers/test_clocks/{clock}/advance");
    let error = sim.refused(&path, json!({ "frozen_time": start + 70 * DAY }));
    assert_eq!(error.param.as_deref(), Some("frozen_time"));
    let error = sim.refused(&path, json!({ "frozen_time": start }));
    assert_eq!(error.status, 400);
    advance(&mut sim, &clock, start + 60 * DAY);
}

#[test]
fn a_deleted_clock_takes_its_customers_along() {
    let mut sim = Sim::new();
    let start = at(JANUARY_31_2028);
    let (clock, subscription) = clocked(&mut sim, start, "price_starter");
    sim.delete(&format!("test_helpers/test_clocks/{clock}"));
    let expected =
        ["customer.subscription.deleted", "customer.deleted", "test_helpers.test_clock.deleted"];
    assert_eq!(sim.kinds(), expected);
    assert_eq!(sim.get(&subscription)["status"], "canceled");
}

#[test]
fn a_yearly_subscription_of_a_leap_day_ends_on_the_28th() {
    let mut sim = Sim::new();
    let start = at(JANUARY_31_2028 + 29);
    let (_, subscription) = clocked(&mut sim, start, "price_pro_year");
    let item = &sim.get(&subscription)["items"]["data"][0];
    assert_eq!(item["current_period_end"], start + 365 * DAY);
}
