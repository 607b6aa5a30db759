use super::*;

use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Access, Billing, Setting, effective};
use ledger_domain::event::stripe::{Item, ItemPrice};
use ledger_domain::event::{Code, OverrideEffect};
use ledger_domain::id::{EventKey, FeatureSlug, Namespace, TrainerId};
use ledger_domain::time::Interval;

fn day(days: i64) -> Timestamp {
    Timestamp::from_unix(1_790_000_000).plus(days * DAY)
}

fn catalog() -> Catalog {
    let text = include_str!("../../catalogs/trainers.toml");
    let price = |name: &str| (name == "STRIPE_PRICE_TIER_STARTER").then(|| "price_1".to_owned());
    Catalog::parse(text, &price).expect("a catalogue without mistakes").catalog
}

fn key(id: &str) -> EventKey {
    EventKey::new(Namespace::try_new("stripe").unwrap(), EventId::try_new(id).unwrap())
}

/// One that began on day 0, and whose period of 30 days runs.
fn subscription(status: &str) -> SubscriptionView {
    let price = ItemPrice {
        currency: None,
        id: StripeId::try_new("price_1").unwrap(),
        interval: None,
        interval_count: None,
        product: None,
        unit_amount: None,
        unit_amount_decimal: None,
        usage_type: None,
    };
    let item = Item {
        current_period_end: None,
        current_period_start: None,
        id: None,
        price,
        quantity: None,
    };
    SubscriptionView {
        id: StripeId::try_new("sub_1").unwrap(),
        customer: None,
        trainer: None,
        status: Code::new(status),
        items: vec![item],
        items_complete: true,
        anchor: None,
        started_at: Some(day(0)),
        current_period: Some(Interval { from: day(0), until: day(30) }),
        trial: None,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        past_due_since: None,
        collection_paused: false,
        scheduled: None,
        once_active: false,
        last_event: key("evt_1"),
        position: 3,
    }
}

fn grant(id: &str, grant: Grant, expires: Option<i64>) -> GrantView {
    GrantView {
        event: key(id),
        trainer: TrainerId::try_new("t1").unwrap(),
        grant,
        granted_at: day(0),
        expires_at: expires.map(day),
        revoked_at: None,
        actor: "ada".into(),
        position: 4,
    }
}

fn steps(holdings: &Holdings, now: Timestamp) -> Vec<(Lapsed, Timestamp)> {
    let lapses = lapses(holdings, catalog().policies(), now);
    let mut steps: Vec<_> = lapses.iter().map(|lapse| (lapse.what, lapse.at)).collect();
    steps.sort_unstable_by_key(|(what, at)| (*at, *what));
    steps
}

fn holding(view: SubscriptionView) -> Holdings {
    Holdings { subscriptions: vec![view], ..Holdings::default() }
}

#[test]
fn time_takes_the_steps_of_each_status() {
    let ends = |status: &str, cancel_at: i64| SubscriptionView {
        cancel_at: Some(day(cancel_at)),
        ..subscription(status)
    };
    let due = |view: SubscriptionView| SubscriptionView { past_due_since: Some(day(2)), ..view };
    let trial = Some(Interval { from: day(0), until: day(14) });
    let tried = |view: SubscriptionView| SubscriptionView { trial, ..view };
    let (trial_ended, grace_ended, cancelled) =
        (Lapsed::TrialEnded, Lapsed::GraceEnded, Lapsed::Cancelled);
    for (view, expected) in [
        (subscription("active"), vec![]),
        (ends("active", 10), vec![(cancelled, day(10))]),
        (subscription("trialing"), vec![(trial_ended, day(30))]),
        (tried(subscription("trialing")), vec![(trial_ended, day(14))]),
        (tried(ends("trialing", 14)), vec![(trial_ended, day(14)), (cancelled, day(14))]),
        (tried(ends("trialing", 10)), vec![(trial_ended, day(10)), (cancelled, day(10))]),
        (tried(ends("trialing", 20)), vec![(trial_ended, day(14)), (cancelled, day(20))]),
        (tried(subscription("active")), vec![]),
        (subscription("past_due"), vec![(grace_ended, day(7))]),
        (due(subscription("past_due")), vec![(grace_ended, day(9))]),
        (due(ends("past_due", 5)), vec![(cancelled, day(5))]),
        (due(ends("past_due", 20)), vec![(grace_ended, day(9)), (cancelled, day(20))]),
        (ends("unpaid", 20), vec![(cancelled, day(20))]),
        (ends("canceled", 20), vec![]),
        (ends("incomplete", 20), vec![]),
        (ends("incomplete_expired", 20), vec![]),
    ] {
        let holdings = holding(view);
        for days in 0..40 {
            let by_then: Vec<_> =
                expected.iter().copied().filter(|(_, at)| *at <= day(days)).collect();
            assert_eq!(steps(&holdings, day(days)), by_then, "on day {days}: {holdings:?}");
        }
    }
}

/// The rules of access stand elsewhere: a step is told at the instant at which they change.
#[test]
fn access_changes_where_a_step_is_told() {
    let catalog = catalog();
    let access = |view: &SubscriptionView, now: Timestamp| {
        let billing = Billing::Manual;
        let setting = Setting { catalog: &catalog, catalog_until: None, billing, now };
        effective(&holding(view.clone()), &setting).access
    };
    for status in ["active", "trialing", "past_due", "unpaid", "canceled"] {
        for cancel_at in [None, Some(day(3)), Some(day(12))] {
            for past_due_since in [None, Some(day(1))] {
                let view = SubscriptionView { cancel_at, past_due_since, ..subscription(status) };
                let told = steps(&holding(view.clone()), day(60));
                for (what, at) in &told {
                    let (before, after) = (access(&view, at.plus(-1)), access(&view, *at));
                    assert_ne!(before, after, "{what:?} of {view:?}");
                }
                let mut last = access(&view, day(0));
                for days in 1..60 {
                    let now = access(&view, day(days));
                    let is_told = told.iter().any(|(_, at)| *at == day(days));
                    assert!(is_told || now == last, "on day {days} of {view:?}");
                    last = now;
                }
                let is_over = status == "canceled";
                assert!(is_over || cancel_at.is_none() || last == Access::None, "{view:?}");
            }
        }
    }
}

#[test]
fn what_was_given_for_a_while_expires_unless_it_was_taken_back_before() {
    let tier = PlanSlug::try_new("starter").unwrap();
    let feature = FeatureSlug::try_new("analytics").unwrap();
    let assigned = Grant::Assigned { tier: tier.clone(), interval: None };
    let lifted = Grant::Override { feature, effect: OverrideEffect::Grant };
    let revoked = |days: i64, view: GrantView| GrantView { revoked_at: Some(day(days)), ..view };
    let grants = vec![
        grant("evt_1", assigned.clone(), Some(5)),
        grant("evt_2", Grant::Grandfathered { tier: tier.clone() }, Some(5)),
        grant("evt_3", lifted, Some(6)),
        grant("evt_4", assigned.clone(), None),
        revoked(3, grant("evt_5", assigned.clone(), Some(5))),
        revoked(9, grant("evt_6", assigned, Some(7))),
    ];
    let holdings = Holdings { grants, ..Holdings::default() };
    let expected = [
        (Lapsed::AssignmentExpired, day(5)),
        (Lapsed::GrandfatheringExpired, day(5)),
        (Lapsed::OverrideExpired, day(6)),
        (Lapsed::AssignmentExpired, day(7)),
    ];
    assert_eq!(steps(&holdings, day(30)), expected);
    assert_eq!(steps(&holdings, day(5).plus(-1)), []);
    let all = lapses(&holdings, catalog().policies(), day(30));
    assert_eq!((all[0].tier.as_ref(), all[2].tier.as_ref()), (Some(&tier), None));
    let mut places: Vec<_> = all.iter().map(|lapse| format!("{:?}", lapse.place())).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), all.len(), "each has a place of its own");
}
