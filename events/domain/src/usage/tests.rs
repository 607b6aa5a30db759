//! Given what the trainer holds and what is counted, when something is asked for, then this.

use uuid::Uuid;

use super::*;
use crate::effective::testing::{
    answer, assigned, at, feature, grandfathered, nothing, studio, subscribed,
};
use crate::effective::{Effective, Holdings};
use crate::event::{Event, UsageReserved};
use crate::time::{DAY, SECOND};

pub(super) const NOW: &str = "2026-11-20T12:00:00Z";
const ENFORCED: Outcome = Outcome { mode: "on", enforced: true };
const SHADOW: Outcome = Outcome { mode: "shadow", enforced: false };

/// What the test catalogue gives of a feature at [`NOW`], computed from position 7.
fn terms(holdings: impl Into<Holdings>, slug: &str) -> Terms {
    let Effective { features, valid_until, .. } = answer(&studio(), holdings, NOW);
    Terms {
        trainer: TrainerId::try_new("t1").expect("a trainer"),
        feature: feature(slug),
        entitlement: features.get(slug).cloned(),
        outcome: ENFORCED,
        catalog_position: 2,
        position: 7,
        is_whole: true,
        new_enough: None,
        from: at(NOW),
        until: valid_until,
    }
}

pub(super) fn starter(slug: &str) -> Terms {
    terms(subscribed("sub_1", "price_starter_month"), slug)
}

fn tally(used: i64, held: i64) -> Tally {
    Tally { used, held, hold: None, facts: 7, now: at(NOW) }
}

fn consumed(terms: &Terms, tally: &Tally, quantity: i64) -> Result<Judgement, Refusal> {
    match decide_consume(terms, tally, quantity)? {
        Event::UsageConsumed(consumed) => {
            assert_eq!((consumed.quantity, consumed.occurred_at), (quantity, tally.now));
            Ok(consumed.judgement)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_used_and_what_is_held_leave_the_room() {
    let (customers, full) = (starter("customers"), Refusal::Denied(Denial::LimitReached));
    for (used, held, quantity, expected) in [
        (0, 0, 9, Ok(())),
        (0, 0, 10, Err(full)),
        (8, 0, 1, Ok(())),
        (8, 1, 1, Err(full)),
        (4, 4, 1, Ok(())),
        (9, 0, 1, Err(full)),
        // More than ever fits into a number is no room either.
        (i64::MAX, i64::MAX, 1, Err(full)),
    ] {
        let decided = consumed(&customers, &tally(used, held), quantity).map(drop);
        assert_eq!(decided, expected, "{used} {held} {quantity}");
        let hold = (Uuid::from_u128(1), SECOND);
        let decided = decide_reserve(&customers, &tally(used, held), quantity, hold).map(drop);
        assert_eq!(decided, expected, "{used} {held} {quantity}: to hold it is the same");
    }
    let judgement = consumed(&customers, &tally(3, 0), 1).expect("there is room");
    assert_eq!((judgement.limit, judgement.catalog_position, &*judgement.mode), (Some(9), 2, "on"));
    assert!(!judgement.would_deny);
}

#[test]
fn each_reason_has_its_name() {
    let quota = starter("reports");
    let exhausted = Refusal::Denied(Denial::QuotaExhausted);
    assert_eq!(consumed(&quota, &tally(10, 0), 1), Err(exhausted));
    let lacking = Refusal::Denied(Denial::FeatureNotAvailable);
    assert_eq!(consumed(&starter("ai_generations"), &tally(0, 0), 1), Err(lacking));
    let unpaid = terms(subscribed("sub_1", "price_starter_month").status("unpaid"), "customers");
    let inactive = Refusal::Denied(Denial::SubscriptionInactive);
    assert_eq!(consumed(&unpaid, &tally(0, 0), 1), Err(inactive));
    let suspended = Holdings::from(subscribed("sub_1", "price_starter_month"));
    let suspended = terms(suspended.suspended("2026-11-19"), "customers");
    let locked = Refusal::Denied(Denial::AccountSuspended);
    assert_eq!(consumed(&suspended, &tally(0, 0), 1), Err(locked));
    assert_eq!(consumed(&starter("analytics"), &tally(0, 0), 1), Err(Refusal::NotCounted));
    assert_eq!(consumed(&starter("nonsense"), &tally(0, 0), 1), Err(Refusal::UnknownFeature));
}

#[test]
fn terms_older_than_the_facts_decide_nothing() {
    let customers = starter("customers");
    for facts in [8, 100] {
        let tally = Tally { facts, ..tally(0, 0) };
        assert_eq!(consumed(&customers, &tally, 1), Err(Refusal::Outdated));
        assert_eq!(consumed(&customers, &tally, 10), Err(Refusal::Outdated), "nor deny");
        let nonsense = starter("nonsense");
        assert_eq!(consumed(&nonsense, &tally, 1), Err(Refusal::Outdated), "it may be there now");
        // The second time it is known what was there at the first.
        for (new_enough, allowed) in [(7, true), (8, false)] {
            let again = Terms { new_enough: Some(new_enough), ..customers.clone() };
            assert_eq!(consumed(&again, &tally, 1).is_ok(), allowed, "{new_enough} of {facts}");
        }
        // What happened has happened, and what was held is held.
        assert!(decide_record(&customers, &tally, 1, None).is_ok());
        assert!(decide_release(&customers, &Tally { used: 1, ..tally }, 1).is_ok());
    }
}

#[test]
fn terms_that_lack_facts_decide_nothing() {
    let partial = Terms { is_whole: false, ..starter("customers") };
    for quantity in [1, 10] {
        let decided = consumed(&partial, &tally(0, 0), quantity);
        assert_eq!(decided, Err(Refusal::Incomplete), "neither grant nor denial");
    }
    let behind = Tally { facts: 8, ..tally(0, 0) };
    assert_eq!(consumed(&partial, &behind, 1), Err(Refusal::Outdated), "it may come right");
    assert!(decide_record(&partial, &tally(0, 0), 1, None).is_ok());
    assert!(decide_release(&partial, &tally(1, 0), 1).is_ok());
}

#[test]
fn terms_of_another_time_decide_nothing() {
    let quota = starter("reports");
    let window = quota.entitlement.as_ref().and_then(|has| has.window).expect("a window");
    for (now, expected) in [
        (at(NOW).plus(-1), Err(Refusal::Outrun)),
        (at(NOW), Ok(())),
        (window.until.plus(-1), Ok(())),
        (window.until, Err(Refusal::Outrun)),
    ] {
        let tally = Tally { now, ..tally(0, 0) };
        assert_eq!(consumed(&quota, &tally, 1).map(drop), expected, "{now}");
    }
    let ends = assigned("evt_1", "starter").expires("2026-11-20T12:00:01Z");
    let assigned = terms(ends, "customers");
    let later = Tally { now: at(NOW).plus(SECOND), ..tally(0, 0) };
    assert_eq!(consumed(&assigned, &later, 1), Err(Refusal::Outrun), "the grant has expired");
}

#[test]
fn where_nothing_is_enforced_nothing_is_denied_and_it_is_said() {
    for (holdings, used, would_deny) in [
        (subscribed("sub_1", "price_starter_month").into(), 8, false),
        (subscribed("sub_1", "price_starter_month").into(), 9, true),
        (nothing(), 0, true),
    ] {
        let shadow = Terms { outcome: SHADOW, ..terms(holdings, "customers") };
        let judgement = consumed(&shadow, &tally(used, 0), 1).expect("nobody is denied");
        assert_eq!((&*judgement.mode, judgement.would_deny), ("shadow", would_deny), "{used}");
    }
    let soft = terms(grandfathered("evt_1", "starter").expires("2027-01-01"), "customers");
    let over = consumed(&soft, &tally(50, 0), 1).expect("a soft limit denies nobody");
    assert_eq!((over.limit, over.would_deny), (Some(9), false));
}

#[test]
fn what_happened_is_counted_whatever_the_limit() {
    let locked = terms(nothing(), "customers");
    for terms in [starter("customers"), locked] {
        assert!(decide_record(&terms, &tally(1_000, 0), 1_000, None).is_ok());
    }
    let quota = starter("reports");
    for (ago, expected) in [
        (-REACH_AHEAD - 1, Err(Refusal::OutOfReach)),
        (-REACH_AHEAD, Ok(())),
        (0, Ok(())),
        (20 * DAY, Ok(())),
        (REACH_BACK, Ok(())),
        (REACH_BACK + 1, Err(Refusal::OutOfReach)),
    ] {
        let when = at(NOW).plus(-ago);
        let decided = decide_record(&quota, &tally(0, 0), 1, Some(when)).map(|event| match event {
            Event::UsageRecorded(recorded) => assert_eq!(recorded.occurred_at, when),
            other => panic!("{other:?}"),
        });
        assert_eq!(decided, expected, "{ago} ago");
    }
    let flag = decide_record(&starter("analytics"), &tally(0, 0), 1, None);
    assert_eq!(flag, Err(Refusal::NotCounted));
}

fn hold_of(quantity: i64) -> UsageReserved {
    let hold = (Uuid::from_u128(1), 300 * SECOND);
    match decide_reserve(&starter("reports"), &tally(0, 0), quantity, hold) {
        Ok(Event::UsageReserved(hold)) => hold,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hold_ends_once_with_at_most_what_it_held() {
    let hold = hold_of(5);
    assert_eq!(hold.expires_at, at(NOW).plus(300 * SECOND));
    let later = at(NOW).plus(60 * SECOND);
    let running = Tally { hold: Some(5), now: later, ..tally(0, 5) };
    let committed = |tally, quantity| match decide_commit(&hold, tally, quantity)? {
        Event::ReservationCommitted(commit) => {
            assert_eq!(commit.occurred_at, hold.occurred_at, "it counts when it was held");
            Ok(commit.quantity)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(committed(&running, None), Ok(5));
    assert_eq!(committed(&running, Some(3)), Ok(3));
    assert_eq!(committed(&running, Some(0)), Ok(0));
    assert_eq!(committed(&running, Some(6)), Err(Refusal::MoreThanHeld { held: 5 }));
    assert!(decide_give_up(&hold, &running).is_ok());
    let ended = tally(0, 0);
    assert_eq!(committed(&ended, None), Err(Refusal::HoldEnded));
    assert_eq!(decide_give_up(&hold, &ended), Err(Refusal::HoldEnded));
}

#[test]
fn a_standing_count_goes_down_to_nothing_and_no_further() {
    let customers = starter("customers");
    for (used, quantity, expected) in [
        (9, 9, Ok(())),
        (12, 1, Ok(())),
        (3, 4, Err(Refusal::MoreThanUsed { used: 3 })),
        (0, 1, Err(Refusal::MoreThanUsed { used: 0 })),
    ] {
        let decided = decide_release(&customers, &tally(used, 0), quantity).map(drop);
        assert_eq!(decided, expected, "{used} {quantity}");
    }
    assert!(decide_release(&terms(nothing(), "customers"), &tally(1, 0), 1).is_ok(), "unlocked");
    let quota = decide_release(&starter("reports"), &tally(5, 0), 1);
    assert_eq!(quota, Err(Refusal::NotStanding));
}
