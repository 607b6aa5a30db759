//! The rest of an answer: dates, trial days, schedules, upgrades, and how long it holds.

use crate::effective::testing::{
    Subscribed, answer, assigned, at, nothing, setting, span, studio, subscribed, with_free_tier,
    with_free_tier_until_paid,
};
use crate::effective::{Holdings, effective, required_add_on, required_tier};

fn professional() -> Subscribed {
    subscribed("sub_1", "price_professional_month")
}

#[test]
fn a_tier_is_shown_with_where_it_comes_from() {
    let answer = answer(&studio(), professional().cancel_at("2026-12-01"), "2026-11-21");
    let tier = answer.tier.expect("a tier");
    assert_eq!((tier.slug.as_str(), tier.level, &*tier.name), ("professional", 2, "Professional"));
    assert_eq!(tier.interval.map(|interval| interval.as_str()), Some("month"));
    assert_eq!(tier.since, Some(at("2026-11-01")));
    assert_eq!(tier.event.map(|event| event.id.to_string()), Some("evt_sub_1".to_owned()));
    assert_eq!(answer.current_period, Some(span("2026-11-01", "2026-12-01")));
    assert_eq!(answer.cancel_at, Some(at("2026-12-01")));
    assert_eq!(answer.requests_per_minute, Some(250));
}

#[test]
fn days_of_a_trial_are_counted_down_to_its_end() {
    let trial = professional().on_trial_until("2026-11-15");
    for (now, days) in [
        ("2026-11-01", 14),
        ("2026-11-01T00:00:01Z", 14),
        ("2026-11-02", 13),
        ("2026-11-14", 1),
        ("2026-11-14T23:59:59Z", 1),
        ("2026-11-15", 0),
        ("2026-12-15", 0),
    ] {
        let answer = answer(&studio(), trial.clone(), now);
        assert_eq!(answer.trial_days_left, Some(days), "at {now}");
        assert_eq!(answer.trial_end, Some(at("2026-11-15")));
    }
    let paid = answer(&studio(), trial.status("active"), "2026-11-16");
    assert_eq!((paid.trial_end, paid.trial_days_left), (None, None));
}

#[test]
fn a_scheduled_change_shows_while_it_lies_ahead_and_changes_the_tier() {
    let shown = |subscription: Subscribed, now| {
        let change = answer(&studio(), subscription, now).scheduled_change;
        change.map(|change| (change.tier.to_string(), change.at))
    };
    let downgrade = || professional().changes_to("price_starter_month", "2026-12-01");
    let coming = Some(("starter".to_owned(), at("2026-12-01")));
    assert_eq!(shown(downgrade(), "2026-11-30T23:59:59Z"), coming);
    assert_eq!(shown(downgrade(), "2026-12-01"), None);
    assert_eq!(shown(downgrade().cancel_at("2026-12-01"), "2026-11-21"), None);
    assert_eq!(shown(downgrade().cancel_at("2027-01-01"), "2026-11-21"), coming);
    assert_eq!(shown(downgrade().status("canceled"), "2026-11-21"), None);
    let same_tier = professional().changes_to("price_professional_year", "2026-12-01");
    assert_eq!(shown(same_tier, "2026-11-21"), None);
    let unknown = professional().changes_to("price_x", "2026-12-01");
    assert_eq!(shown(unknown, "2026-11-21"), None);
}

#[test]
fn upgrades_are_the_tiers_on_sale_above() {
    let upgrades = |catalog, holdings: Holdings| {
        let answer = answer(catalog, holdings, "2026-11-21");
        let slugs: Vec<_> = answer.available_upgrades.iter().map(ToString::to_string).collect();
        (slugs.join(" "), answer.can_upgrade)
    };
    let free = with_free_tier();
    let until_paid = with_free_tier_until_paid();
    let ended = Holdings::from(professional().ended("2026-11-20"));
    let enterprise = subscribed("sub_1", "price_enterprise_month");
    for (catalog, holdings, expected) in [
        (&studio(), nothing(), ("starter professional enterprise", true)),
        (&studio(), professional().into(), ("enterprise", true)),
        (&studio(), enterprise.into(), ("", false)),
        (&studio(), assigned("act", "starter").into(), ("professional enterprise", true)),
        (&free, nothing(), ("starter professional enterprise", true)),
        (&until_paid, ended, ("starter professional enterprise", true)),
    ] {
        let (slugs, can_upgrade) = upgrades(catalog, holdings);
        assert_eq!((slugs.as_str(), can_upgrade), expected);
    }
}

#[test]
fn the_way_out_is_the_lowest_tier_that_allows_the_need() {
    let catalog = studio();
    for (feature, need, tier, add_on) in [
        ("customers", 0, Some("starter"), None),
        ("customers", 9, Some("starter"), None),
        ("customers", 10, Some("professional"), None),
        ("customers", 21, Some("enterprise"), None),
        ("analytics", 1, Some("professional"), None),
        ("ai_generations", 101, None, Some("ai_professional")),
        ("ai_generations", 501, None, None),
        ("teleportation", 1, None, None),
    ] {
        let feature = crate::effective::testing::feature(feature);
        let found = required_tier(&catalog, &feature, need).map(|plan| plan.slug().as_str());
        assert_eq!(found, tier, "{feature} {need}");
        let found = required_add_on(&catalog, &feature, need).map(|plan| plan.slug().as_str());
        assert_eq!(found, add_on, "{feature} {need}");
    }
}

#[test]
fn open_disputes_are_shown_and_change_nothing_else() {
    let mut holdings = Holdings::from(professional());
    let before = answer(&studio(), holdings.clone(), "2026-11-21");
    holdings.disputes.open = 2;
    let mut after = answer(&studio(), holdings, "2026-11-21");
    assert_eq!(after.open_disputes, 2);
    after.open_disputes = 0;
    assert_eq!(after, before);
}

#[test]
fn an_answer_holds_until_time_may_change_it() {
    let catalog = studio();
    let paid = professional().period("2026-11-05", "2026-12-05");
    for (holdings, now, expected) in [
        // Usage starts afresh: calendar months where no subscription gives the quota.
        (paid.clone(), "2026-11-21", "2026-12-01"),
        (paid.clone(), "2026-12-03", "2026-12-05"),
        (paid.clone().cancel_at("2026-11-25"), "2026-11-21", "2026-11-25"),
        (paid.past_due_since("2026-11-20"), "2026-11-21", "2026-11-27"),
        (professional().on_trial_until("2026-11-15"), "2026-11-03T10:00:00Z", "2026-11-04"),
        (professional().on_trial_until("2026-11-15"), "2026-11-15", "2026-11-16"),
    ] {
        let answer = answer(&catalog, holdings, now);
        assert_eq!(answer.valid_until, Some(at(expected)), "at {now}");
    }
}

#[test]
fn an_answer_holds_no_longer_than_the_catalogue() {
    let catalog = studio();
    let mut setting = setting(&catalog, at("2026-11-21"));
    setting.catalog_until = Some(at("2026-11-22"));
    let answer = effective(&professional().into(), &setting);
    assert_eq!(answer.valid_until, Some(at("2026-11-22")));
}
