use std::collections::HashSet;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{Delivery, Plan, Reorder, disturb};
use crate::world::Event;

fn events(count: usize) -> Vec<Event> {
    (0..count)
        .map(|at| Event {
            id: format!("evt_{at}"),
            kind: format!("payout.{}", if at % 3 == 0 { "created" } else { "updated" }),
            created: 1_000 + i64::try_from(at).unwrap(),
            livemode: false,
            object: json!({"object": "payout", "id": format!("po_{}", at / 3)}),
            previous_attributes: None,
            request_id: None,
            idempotency_key: None,
            test_clock: None,
            intent: None,
        })
        .collect()
}

fn order(deliveries: &[Delivery]) -> Vec<usize> {
    deliveries.iter().map(|delivery| delivery.index).collect()
}

#[test]
fn no_plan_disturbs_nothing() {
    let events = events(9);
    let deliveries = disturb(&events, &Plan::default(), 7);
    assert_eq!(order(&deliveries), (0..9).collect::<Vec<_>>());
    assert!(deliveries.iter().zip(&events).all(|(delivery, event)| delivery.event == *event));
}

#[test]
fn any_order_keeps_all_and_depends_on_the_seed() {
    let plan = Plan { reorder: Reorder::Any, ..Plan::default() };
    let (one, two) = (disturb(&events(50), &plan, 1), disturb(&events(50), &plan, 2));
    assert_ne!(order(&one), order(&two));
    let mut sorted = order(&one);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
}

#[test]
fn what_is_lost_is_lost_or_comes_later() {
    let all = Plan { drop_percent: 100, ..Plan::default() };
    assert!(disturb(&events(5), &all, 1).is_empty());
    let late = Plan { drop_percent: 50, resend_percent: 100, ..Plan::default() };
    let deliveries = disturb(&events(40), &late, 1);
    assert_eq!(deliveries.len(), 40);
    let resent = deliveries.iter().filter(|delivery| delivery.attempt == 2).count();
    assert!((5..35).contains(&resent), "{resent}");
}

#[test]
fn duplicates_come_after_the_first() {
    let plan = Plan { duplicate_percent: 100, ..Plan::default() };
    let deliveries = disturb(&events(10), &plan, 3);
    assert_eq!(deliveries.len(), 20);
    let ids: HashSet<&str> = deliveries.iter().map(|each| each.event.id.as_str()).collect();
    assert_eq!(ids.len(), 10);
}

#[test]
fn a_second_object_has_another_id_and_the_same_content() {
    let plan = Plan { two_objects_percent: 100, ..Plan::default() };
    let deliveries = disturb(&events(3), &plan, 3);
    assert_eq!(order(&deliveries), [0, 0, 1, 1, 2, 2]);
    let (one, two) = (&deliveries[0].event, &deliveries[1].event);
    assert_ne!(one.id, two.id);
    assert_eq!((&one.object, &one.kind), (&two.object, &two.kind));
}

#[test]
fn a_second_object_is_made_before_the_next_change() {
    let plan = Plan { two_objects_percent: 100, ..Plan::default() };
    let mut later = HashSet::new();
    for seed in 0..20 {
        let deliveries = disturb(&events(8), &plan, seed);
        for (one, two) in deliveries.iter().zip(&deliveries[1..]).step_by(2) {
            let same = |other: &&Delivery| other.event.object["id"] == one.event.object["id"];
            let next = deliveries[one.index * 2 + 2..].iter().find(same);
            let until = next.map_or(i64::MAX, |next| next.event.created);
            assert!((one.event.created..=until).contains(&two.event.created));
            later.insert(two.event.created - one.event.created);
        }
    }
    assert_eq!(later, HashSet::from([0, 1, 2]));
}

#[test]
fn bursts_collapse_into_one_second() {
    let plan = Plan { same_second: 4, ..Plan::default() };
    let created: Vec<i64> =
        disturb(&events(7), &plan, 3).iter().map(|delivery| delivery.event.created).collect();
    assert_eq!(created, [1_000, 1_000, 1_000, 1_000, 1_000, 1_005, 1_005]);
}

/// The times of a test clock run ahead of the account's.
#[test]
fn bursts_turn_no_time_around() {
    let mut events = events(7);
    let times = [1_000, 1_050, 1_009, 1_012, 1_060, 1_013, 996];
    events.iter_mut().zip(times).for_each(|(event, created)| event.created = created);
    let plan = Plan { same_second: 9, ..Plan::default() };
    let mut stamped: Vec<(i64, i64)> = disturb(&events, &plan, 3)
        .iter()
        .map(|delivery| (times[delivery.index], delivery.event.created))
        .collect();
    stamped.sort_unstable();
    assert!(stamped.is_sorted_by_key(|(_, created)| *created), "{stamped:?}");
}

/// Different times stay different and in their order, also where one burst follows another.
#[test]
fn neighbouring_seconds_turn_no_time_around() {
    let plan = Plan { neighbouring_seconds: 9, ..Plan::default() };
    let told = disturb(&events(60), &plan, 3);
    let created: Vec<i64> = told.iter().map(|delivery| delivery.event.created).collect();
    let steps: Vec<i64> = created.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (1..=2).contains(step)), "{created:?}");
    assert!(steps.contains(&2) && steps.contains(&1), "{created:?}");
}

#[test]
fn creations_come_after_what_follows_them() {
    let plan = Plan { created_updated_swapped_percent: 100, ..Plan::default() };
    assert_eq!(order(&disturb(&events(6), &plan, 3)), [1, 0, 2, 4, 3, 5]);
}

#[test]
fn versions_and_delays_are_drawn() {
    let plan = Plan {
        delay_seconds_max: 60,
        api_versions: vec!["2017-08-15".to_owned(), "2020-08-27".to_owned()],
        ..Plan::default()
    };
    let deliveries = disturb(&events(40), &plan, 3);
    let versions: HashSet<_> = deliveries.iter().map(|each| each.api_version.clone()).collect();
    assert_eq!(versions.len(), 2);
    assert!(deliveries.iter().any(|each| each.after_seconds > 0));
    assert!(deliveries.iter().all(|each| each.after_seconds <= 60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_window_bounds_how_far_things_move(
        count in 0_usize..60, window in 0_u32..9, seed in any::<u64>(),
    ) {
        let plan = Plan { reorder: Reorder::Window(window), ..Plan::default() };
        let deliveries = disturb(&events(count), &plan, seed);
        prop_assert_eq!(deliveries.len(), count);
        for (place, delivery) in deliveries.iter().enumerate() {
            prop_assert!(place.abs_diff(delivery.index) <= usize::try_from(window).unwrap());
        }
    }

    #[test]
    fn one_seed_gives_the_same_deliveries(
        count in 0_usize..40, seed in any::<u64>(), rates in any::<[u8; 5]>(),
    ) {
        let plan = Plan {
            delay_seconds_max: 10,
            reorder: Reorder::Any,
            duplicate_percent: rates[0],
            drop_percent: rates[1],
            resend_percent: rates[2],
            two_objects_percent: rates[3],
            same_second: 3,
            neighbouring_seconds: 9,
            created_updated_swapped_percent: rates[4],
            api_versions: Vec::new(),
        };
        let events = events(count);
        prop_assert_eq!(disturb(&events, &plan, seed), disturb(&events, &plan, seed));
    }
}
