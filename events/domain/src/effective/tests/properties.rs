//! What holds for everything that a trainer may hold.

use chrono::Datelike;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::catalog::{Allowance, Catalog};
use crate::effective::testing::{
    Given, PartOfHoldings, Subscribed, assigned, at, feature, grandfathered, nothing, overridden,
    studio, studio_with, subscribed, with_free_tier, with_free_tier_until_paid,
};
use crate::effective::{Billing, Effective, Holdings, Setting, effective, window_at};
use crate::event::{Code, OverrideEffect};
use crate::time::{DAY, Interval, SECOND, Timestamp};

const PRICES: &[&str] = &[
    "price_starter_month",
    "price_professional_month",
    "price_professional_year",
    "price_enterprise_month",
    "price_founder_month",
    "price_ai_starter_month",
    "price_ai_starter_year",
    "price_ai_professional_month",
    "price_unknown",
];

const STATUSES: &[&str] = &[
    "active",
    "trialing",
    "past_due",
    "unpaid",
    "paused",
    "incomplete",
    "incomplete_expired",
    "canceled",
    "of_tomorrow",
];

fn catalogs() -> Vec<Catalog> {
    let strict = "on_dispute_lost = \"lock\"\ntrial_settle_hours = 0\npast_due_grace_days = 0";
    vec![studio(), with_free_tier(), with_free_tier_until_paid(), studio_with(strict)]
}

/// Within some months around the tests' November; now and then at the start of a day.
fn instants() -> impl Strategy<Value = Timestamp> {
    let base = at("2026-11-01");
    prop_oneof![
        (-90_i64..300).prop_map(move |days| base.plus(days * DAY)),
        (-90 * 86_400_i64..300 * 86_400).prop_map(move |seconds| base.plus(seconds * SECOND)),
    ]
}

/// Anchors of all days of the month over years, leap years among them.
fn anchors() -> impl Strategy<Value = Timestamp> {
    let any_second =
        (0_i64..3_000 * 86_400).prop_map(|seconds| at("2023-01-01").plus(seconds * SECOND));
    let awkward = select(&["2024-02-29", "2026-01-31", "2027-03-30", "2024-12-31T23:59:59Z"][..]);
    prop_oneof![any_second, awkward.prop_map(at)]
}

fn intervals() -> impl Strategy<Value = Interval> {
    (instants(), 1_i64..400)
        .prop_map(|(from, days)| Interval { from, until: from.plus(days * DAY) })
}

fn subscriptions() -> impl Strategy<Value = Subscribed> {
    let what = (0_u32..1_000_000, vec(select(PRICES), 0..3), select(STATUSES), any::<bool>());
    let when = (of(anchors()), of(instants()), of(intervals()), of(intervals()));
    let ends = (of(instants()), of(instants()), of(instants()));
    let next = of((select(PRICES), instants()));
    (what, when, ends, next).prop_map(|(what, when, ends, next)| {
        let (id, prices, status, once_active) = what;
        let blank = subscribed(&format!("sub_{id}"), "price_starter_month")
            .change(|view| view.items.clear());
        let sold = prices.into_iter().fold(blank, Subscribed::also).status(status);
        let made = sold.change(|view| {
            view.once_active = once_active;
            (view.anchor, view.started_at, view.current_period, view.trial) = when;
            (view.cancel_at, view.ended_at, view.past_due_since) = ends;
        });
        match next {
            Some((price, when)) => made.changes_to(price, &when.to_string()),
            None => made,
        }
    })
}

fn effects() -> impl Strategy<Value = OverrideEffect> {
    prop_oneof![
        Just(OverrideEffect::Grant),
        Just(OverrideEffect::Unlimited),
        (0_u64..600).prop_map(OverrideEffect::Lift),
        (0_u64..600).prop_map(OverrideEffect::Cap),
    ]
}

fn grants() -> impl Strategy<Value = Given> {
    let tiers = || select(&["starter", "enterprise", "ai_starter", "platinum"][..]);
    let features = select(&["customers", "analytics", "ai_generations", "reports", "other"][..]);
    let kinds = (0_u32..3, tiers(), features, effects());
    let dates = (instants(), of(instants()), of(instants()));
    (0_u32..1_000_000, kinds, dates).prop_map(|(id, (kind, tier, slug, effect), dates)| {
        let id = format!("act_{id}");
        let mut given = match kind {
            0 => assigned(&id, tier),
            1 => grandfathered(&id, tier),
            _ => overridden(&id, slug, effect),
        };
        (given.0.granted_at, given.0.expires_at, given.0.revoked_at) = dates;
        given
    })
}

fn all_holdings() -> impl Strategy<Value = Holdings> {
    let suspended = prop_oneof![4 => Just(None), 1 => instants().prop_map(Some)];
    let lost = prop_oneof![4 => Just(None), 1 => instants().prop_map(Some)];
    (vec(subscriptions(), 0..4), vec(grants(), 0..4), suspended, lost).prop_map(
        |(subscriptions, grants, suspended, lost)| {
            let subscriptions = subscriptions.into_iter().map(PartOfHoldings::from);
            let parts = subscriptions.chain(grants.into_iter().map(PartOfHoldings::from));
            let mut holdings = parts.fold(nothing(), Holdings::and);
            if let Some(since) = suspended {
                holdings = holdings.suspended(&since.to_string());
            }
            if let Some(when) = lost {
                holdings = holdings.lost_dispute(None, &when.to_string());
            }
            holdings
        },
    )
}

fn billings() -> impl Strategy<Value = Billing> {
    select(&[Billing::Stripe, Billing::Manual][..])
}

fn ask(catalog: &Catalog, holdings: &Holdings, billing: Billing, now: Timestamp) -> Effective {
    effective(holdings, &Setting { catalog, catalog_until: None, billing, now })
}

/// Nothing that was allowed before is allowed less after.
fn assert_no_less(before: &Effective, after: &Effective) {
    assert!(before.access <= after.access, "{before:#?} {after:#?}");
    for (slug, had) in &before.features {
        let has = &after.features[slug];
        assert!(!had.granted() || has.granted(), "{slug} was taken away");
        assert!(!had.granted() || had.allowance <= has.allowance, "{slug} was cut");
        assert!(!had.granted() || !had.soft || has.soft, "{slug} was hardened");
    }
}

proptest! {
    /// Time alone changes nothing before `valid_until`; what comes after is followed for a while.
    #[test]
    fn an_answer_is_constant_until_it_says(
        holdings in all_holdings(),
        billing in billings(),
        from in instants(),
        share in 0_i64..1_000,
    ) {
        for catalog in &catalogs() {
            let mut now = from;
            for _ in 0..6 {
                let answer = ask(catalog, &holdings, billing, now);
                let until = answer.valid_until.unwrap_or(now.plus(4_000 * DAY));
                prop_assert!(until > now);
                let length = until.micros() - now.micros();
                for later in [now.plus(length / 1_000 * share), until.plus(-1)] {
                    prop_assert_eq!(&ask(catalog, &holdings, billing, later), &answer);
                }
                now = until;
            }
        }
    }

    #[test]
    fn the_order_in_which_things_are_told_never_matters(
        (holdings, shuffled) in all_holdings().prop_flat_map(|holdings| {
            let subscriptions = Just(holdings.subscriptions.clone()).prop_shuffle();
            let grants = Just(holdings.grants.clone()).prop_shuffle();
            let shuffled = (Just(holdings.clone()), subscriptions, grants).prop_map(
                |(holdings, subscriptions, grants)| Holdings { subscriptions, grants, ..holdings },
            );
            (Just(holdings), shuffled)
        }),
        now in instants(),
    ) {
        let distinct: std::collections::BTreeSet<_> =
            holdings.subscriptions.iter().map(|view| &view.id).collect();
        prop_assume!(distinct.len() == holdings.subscriptions.len());
        for catalog in &catalogs() {
            let answer = ask(catalog, &holdings, Billing::Stripe, now);
            prop_assert_eq!(ask(catalog, &shuffled, Billing::Stripe, now), answer);
        }
    }

    /// Under the policy that locks whoever once paid, a subscription that was once paid for may.
    #[test]
    fn a_subscription_that_gives_nothing_takes_nothing_away(
        holdings in all_holdings(),
        useless in subscriptions(),
        status in select(&["unpaid", "paused", "incomplete", "incomplete_expired", "canceled"][..]),
        now in instants(),
    ) {
        let with = holdings.clone().and(useless.status(status).never_paid());
        for catalog in &catalogs() {
            let before = ask(catalog, &holdings, Billing::Stripe, now);
            let after = ask(catalog, &with, Billing::Stripe, now);
            assert_no_less(&before, &after);
            if before.access.is_open() {
                prop_assert_eq!(&before.tier, &after.tier);
                prop_assert_eq!(&before.status, &after.status);
            }
        }
    }

    /// Nor does anything else that isn't a cap: two reasons are never worse than one.
    #[test]
    fn more_reasons_never_allow_less(
        holdings in all_holdings(),
        more in prop_oneof![
            subscriptions().prop_map(|view| Holdings::from(view.never_paid())),
            grants().prop_map(Holdings::from),
        ],
        now in instants(),
    ) {
        use crate::account::Grant;
        let caps = more.grants.iter().any(|view| {
            matches!(view.grant, Grant::Override { effect: OverrideEffect::Cap(_), .. })
        });
        prop_assume!(!caps);
        let mut with = holdings.clone();
        with.subscriptions.extend(more.subscriptions);
        with.grants.extend(more.grants);
        for catalog in [studio(), studio_with("on_dispute_lost = \"lock\"")] {
            let before = ask(&catalog, &holdings, Billing::Stripe, now);
            let after = ask(&catalog, &with, Billing::Stripe, now);
            assert_no_less(&before, &after);
        }
    }

    #[test]
    fn flags_are_ored_and_the_most_generous_limit_wins(
        prices in vec(select(PRICES), 0..6),
    ) {
        let catalog = studio();
        let holdings = prices.iter().enumerate().fold(nothing(), |holdings, (index, price)| {
            holdings.and(subscribed(&format!("sub_{index}"), price))
        });
        let answer = ask(&catalog, &holdings, Billing::Stripe, at("2026-11-21"));
        for known in catalog.features() {
            let plans = prices.iter().filter_map(|price| {
                let price = crate::id::StripeId::try_new(price).expect("a price");
                catalog.plan_by_price(&price).map(|(plan, _)| plan)
            });
            let most = plans.filter_map(|plan| plan.allowance(known.slug())).max();
            let expected = most.unwrap_or(known.kind().nothing());
            let found = &answer.features[known.slug()];
            prop_assert_eq!(found.allowance, expected);
            prop_assert_eq!(found.granted(), expected.grants_something());
        }
    }

    /// Every instant lies in exactly one window, and windows touch.
    #[test]
    fn windows_partition_time(
        holdings in all_holdings(),
        now in instants(),
        days in vec(-2_000_i64..2_000, 4),
        micros in 0..DAY,
    ) {
        let catalog = studio();
        let setting =
            Setting { catalog: &catalog, catalog_until: None, billing: Billing::Stripe, now };
        let answer = effective(&holdings, &setting);
        for slug in ["ai_generations", "reports"] {
            let quota = feature(slug);
            let window = |at| window_at(&holdings, &setting, &quota, at).expect("a quota");
            prop_assert_eq!(Some(window(now)), answer.features[slug].window);
            for at in days.iter().map(|days| now.plus(days * DAY + micros)) {
                let here = window(at);
                prop_assert!(here.contains(at));
                for inside in [here.from, here.until.plus(-1)] {
                    prop_assert_eq!(window(inside), here);
                }
                prop_assert_eq!(window(here.until).from, here.until);
                prop_assert_eq!(window(here.from.plus(-1)).until, here.from);
            }
        }
    }

    /// Monthly windows begin on the anchor's day and at its time, or on the month's last day.
    #[test]
    fn monthly_windows_are_anniversaries(anchor in anchors(), months in 0_i64..120) {
        let catalog = studio();
        let ai = subscribed("sub_ai", "price_ai_starter_year");
        let ai = Holdings::from(ai.change(|view| view.anchor = Some(anchor)));
        let now = anchor.plus(months * 30 * DAY);
        let answer = ask(&catalog, &ai, Billing::Stripe, now);
        let window = answer.features["ai_generations"].window.expect("a quota");
        let (first, anchored) = (window.from.to_datetime(), anchor.to_datetime());
        prop_assert_eq!(first.time(), anchored.time());
        let month_has_no_later_day = window.from.plus(DAY).to_datetime().month() != first.month();
        prop_assert!(first.day() == anchored.day() || month_has_no_later_day);
        prop_assert!(first.day() <= anchored.day());
        let next = window.until.to_datetime();
        let apart = i64::from(next.year() - first.year()) * 12
            + i64::from(next.month()) - i64::from(first.month());
        prop_assert_eq!(apart, 1);
    }

    /// What suspends a trainer leaves nothing, whatever else there is.
    #[test]
    fn a_suspended_trainer_can_use_nothing(holdings in all_holdings(), now in instants()) {
        let suspended = holdings.suspended(&now.to_string());
        for catalog in &catalogs() {
            let answer = ask(catalog, &suspended, Billing::Stripe, now);
            prop_assert!(!answer.access.is_open());
            prop_assert!(answer.add_ons.iter().all(|held| !held.access.is_open()));
            prop_assert!(answer.features.values().all(|x| !x.granted()));
        }
    }

    /// An answer never contradicts itself.
    #[test]
    fn answers_are_of_one_piece(holdings in all_holdings(), now in instants()) {
        use crate::effective::Access;
        for catalog in &catalogs() {
            let answer = ask(catalog, &holdings, Billing::Stripe, now);
            prop_assert_eq!(answer.locked_by.is_some(), answer.access == Access::Locked);
            prop_assert!(answer.tier.is_some() || !answer.access.is_open());
            prop_assert_eq!(answer.features.len(), catalog.features().len());
            prop_assert!(answer.ended_at.is_none() || answer.tier.is_none());
            prop_assert!(answer.status != Code::new(""));
            for entitlement in answer.features.values() {
                let something = entitlement.allowance.grants_something();
                prop_assert!(!entitlement.granted() || something);
                prop_assert!(!entitlement.granted() || entitlement.giver.is_some());
                let unlimited = entitlement.allowance == Allowance::Unlimited;
                prop_assert!(!unlimited || entitlement.limit().is_none());
            }
        }
    }
}
