//! Which catalogue is in force when.

use std::sync::Arc;

use proptest::prelude::*;

use super::small;
use crate::catalog::{Catalogs, Published};

fn catalogs(published: &[(i64, i64)]) -> Catalogs {
    let catalog = Arc::new(small());
    let mut catalogs = Catalogs::new();
    for (effective_at, position) in published {
        catalogs.insert(*effective_at, *position, Arc::clone(&catalog));
    }
    catalogs
}

/// The position of the catalogue in force at each instant.
#[track_caller]
fn check(published: &[(i64, i64)], expect: &[(i64, i64)]) {
    let catalogs = catalogs(published);
    for (at, position) in expect {
        let found = catalogs.published_in_force(*at).map(|published| published.position);
        assert_eq!(found, Some(*position), "at {at}");
        assert!(catalogs.in_force(*at).is_some());
    }
}

#[test]
fn none_is_in_force_where_none_was_published() {
    assert!(Catalogs::new().in_force(i64::MAX).is_none());
    assert_eq!(Catalogs::new().next_change_after(0), None);
}

#[test]
fn the_first_is_in_force_from_the_beginning() {
    check(&[(100, 5)], &[(i64::MIN, 5), (99, 5), (100, 5), (i64::MAX, 5)]);
    check(&[(100, 5), (200, 9)], &[(i64::MIN, 5), (199, 5), (200, 9), (i64::MAX, 9)]);
}

#[test]
fn the_first_is_the_first_published_not_the_first_to_take_effect() {
    let backdated = [(100, 5), (50, 9)];
    check(&backdated, &[(49, 5), (50, 9), (100, 9), (150, 9)]);
}

#[test]
fn of_two_with_the_same_instant_the_later_published_wins() {
    check(&[(1, 1), (100, 7), (100, 6)], &[(99, 1), (100, 7)]);
}

#[test]
fn a_publication_read_twice_counts_once() {
    let once = catalogs(&[(1, 1), (5, 2)]);
    assert_eq!(once, catalogs(&[(5, 2), (1, 1), (5, 2), (1, 1)]));
    assert_eq!(once.iter().map(|x| x.position).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn the_next_change_is_that_of_another_catalogue() {
    let catalogs = catalogs(&[(100, 1), (200, 2), (300, 3)]);
    for (at, next) in [(0, Some(200)), (199, Some(200)), (200, Some(300)), (300, None)] {
        assert_eq!(catalogs.next_change_after(at), next, "at {at}");
    }
}

/// The rule, written down plainly.
fn by_the_rule(published: &[(i64, i64)], at: i64) -> Option<i64> {
    let first = published.iter().map(|(_, position)| *position).min()?;
    let begins = |(effective_at, position): &(i64, i64)| {
        (if *position == first { i64::MIN } else { *effective_at }, *position)
    };
    let begun = published.iter().map(begins).filter(|(from, _)| *from <= at);
    begun.max().map(|(_, position)| position)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_insertion_does_not_matter(
        instants in prop::collection::vec(-3_i64..8, 1..8),
        shuffle in any::<prop::sample::Index>(),
        at in -5_i64..10,
    ) {
        let published: Vec<(i64, i64)> = instants.into_iter().zip(1..).collect();
        let mut turned = published.clone();
        turned.rotate_left(shuffle.index(published.len()));
        let mut reversed = turned.clone();
        reversed.reverse();
        let expected = catalogs(&published);
        prop_assert_eq!(&expected, &catalogs(&turned));
        prop_assert_eq!(&expected, &catalogs(&reversed));
        let found = expected.published_in_force(at).map(|x: &Published| x.position);
        prop_assert_eq!(found, by_the_rule(&published, at));
    }
}
