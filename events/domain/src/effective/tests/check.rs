//! Usage against entitlements.

use crate::catalog::{Allowance, FeatureKind, Reset};
use crate::effective::{Check, Denial, Entitlement, Meter, Outcome, Warning, check};

const ENFORCED: Outcome = Outcome { mode: "on", enforced: true };
const SHADOW: Outcome = Outcome { mode: "shadow", enforced: false };

fn of(kind: FeatureKind, allowance: Allowance) -> Entitlement {
    let (cap, denial) = (None, None);
    let (soft, giver, window, warn_percent) = (false, None, None, 80);
    Entitlement { kind, allowance, soft, giver, cap, denial, window, warn_percent }
}

fn limit(cap: u64) -> Entitlement {
    of(FeatureKind::Limit, Allowance::Capped(cap))
}

fn quota(cap: u64) -> Entitlement {
    of(FeatureKind::Quota { reset: Reset::Month }, Allowance::Capped(cap))
}

fn denied(entitlement: Entitlement, denial: Denial) -> Entitlement {
    Entitlement { denial: Some(denial), ..entitlement }
}

#[test]
fn room_is_what_a_limit_leaves() {
    for (used, quantity, allowed) in [
        (0, 9, true),
        (0, 10, false),
        (8, 1, true),
        (9, 1, false),
        (9, 0, true),
        (10, 0, false),
        (u64::MAX, 1, false),
    ] {
        let (of_limit, of_quota) = (
            check(&limit(9), used, quantity, ENFORCED),
            check(&quota(9), used, quantity, ENFORCED),
        );
        assert_eq!((of_limit.allowed, of_quota.allowed), (allowed, allowed), "{used} {quantity}");
        assert_eq!(of_limit.denial, (!allowed).then_some(Denial::LimitReached));
        assert_eq!(of_quota.denial, (!allowed).then_some(Denial::QuotaExhausted));
    }
}

#[test]
fn unlimited_always_has_room_and_no_limit() {
    let unlimited = of(FeatureKind::Limit, Allowance::Unlimited);
    let Check { allowed, denial, meter, over_soft_limit } =
        check(&unlimited, u64::MAX, u64::MAX, ENFORCED);
    assert!(allowed && denial.is_none() && !over_soft_limit);
    let nothing = Meter {
        used: u64::MAX,
        limit: None,
        remaining: None,
        percent: None,
        warning: None,
        over: false,
    };
    assert_eq!(meter, nothing);
}

#[test]
fn a_flag_is_on_or_denied() {
    let on = of(FeatureKind::Flag, Allowance::Flag(true));
    assert!(check(&on, 0, 1, ENFORCED).allowed);
    let off = denied(of(FeatureKind::Flag, Allowance::Flag(false)), Denial::FeatureNotAvailable);
    let answer = check(&off, 0, 1, ENFORCED);
    assert_eq!((answer.allowed, answer.denial), (false, Some(Denial::FeatureNotAvailable)));
    assert_eq!((answer.meter.limit, answer.meter.remaining), (None, None));
}

#[test]
fn a_locked_feature_has_nothing_left() {
    for allowance in [Allowance::Capped(20), Allowance::Unlimited] {
        let locked = denied(of(FeatureKind::Limit, allowance), Denial::TrialExpired);
        let answer = check(&locked, 7, 0, ENFORCED);
        assert_eq!((answer.allowed, answer.denial), (false, Some(Denial::TrialExpired)));
        assert_eq!((answer.meter.remaining, answer.meter.warning), (Some(0), None));
    }
}

#[test]
fn where_denials_arent_enforced_they_are_told() {
    for entitlement in [limit(9), denied(limit(9), Denial::AccountSuspended)] {
        let answer = check(&entitlement, 9, 1, SHADOW);
        assert!(answer.allowed && answer.would_deny());
        assert!(!check(&entitlement, 9, 1, ENFORCED).allowed);
    }
    let fine = check(&limit(9), 8, 1, SHADOW);
    assert!(fine.allowed && !fine.would_deny());
}

#[test]
fn a_soft_limit_flags_and_never_denies() {
    let soft = Entitlement { soft: true, ..limit(9) };
    for (used, quantity, flagged) in [(8, 1, false), (9, 1, true), (12, 1, true), (12, 0, true)] {
        let answer = check(&soft, used, quantity, ENFORCED);
        assert!(answer.allowed && !answer.would_deny());
        assert_eq!(answer.over_soft_limit, flagged, "{used} {quantity}");
        assert_eq!(answer.meter.over, used > 9);
    }
    let locked = denied(soft, Denial::SubscriptionInactive);
    assert!(!check(&locked, 0, 1, ENFORCED).allowed);
}

#[test]
fn a_meter_warns_near_and_at_the_limit() {
    for (used, cap, remaining, percent, warning) in [
        (0, 20, 20, 0, None),
        (7, 20, 13, 35, None),
        (15, 20, 5, 75, None),
        (16, 20, 4, 80, Some(Warning::Near)),
        (19, 20, 1, 95, Some(Warning::Near)),
        (20, 20, 0, 100, Some(Warning::Reached)),
        (30, 20, 0, 150, Some(Warning::Reached)),
        // Rounded down it is 79 %, and not near.
        (79_999, 100_000, 20_001, 79, None),
        (7, 9, 2, 77, None),
        (8, 9, 1, 88, Some(Warning::Near)),
        (u64::MAX - 1, u64::MAX, 1, 99, Some(Warning::Near)),
        // Of nothing, nothing is used until something is.
        (0, 0, 0, 0, None),
        (3, 0, 0, 100, Some(Warning::Reached)),
    ] {
        let meter = limit(cap).meter(used);
        let found = (meter.remaining, meter.percent, meter.warning);
        assert_eq!(found, (Some(remaining), Some(percent), warning), "{used} of {cap}");
    }
    let nothing = denied(limit(0), Denial::FeatureNotAvailable).meter(0);
    assert_eq!((nothing.percent, nothing.warning), (Some(0), None));
    let used = denied(limit(0), Denial::FeatureNotAvailable).meter(3);
    assert_eq!((used.percent, used.warning), (Some(100), None));
}

#[test]
fn the_catalogue_says_where_near_begins() {
    let early = Entitlement { warn_percent: 50, ..limit(10) };
    assert_eq!(early.meter(4).warning, None);
    assert_eq!(early.meter(5).warning, Some(Warning::Near));
}
