//! Reads the policies, and checks them against the tiers.

use std::collections::BTreeMap;

use super::plans::{Named, Sort};
use super::section::{Section, wrong_sort};
use crate::catalog::mistake::{Report, did_you_mean, quoted};
use crate::catalog::policies::{Approval, NumberPolicy, OnDisputeLost, Policies, WhenInactive};
use crate::id::PlanSlug;

/// Reads the table of policies. Where a policy is wrong or left out, its default stands.
pub(super) fn read(
    report: &mut Report<'_>,
    mut section: Section<'_>,
    plans: &BTreeMap<PlanSlug, Named>,
) -> Policies {
    let mut number = |policy: &NumberPolicy| {
        section.number(report, policy.key, &policy.range).unwrap_or(policy.default)
    };
    let trial_days = number(&Policies::TRIAL_DAYS);
    let trial_settle_hours = number(&Policies::TRIAL_SETTLE_HOURS);
    let trial_reminder_days = number(&Policies::TRIAL_REMINDER_DAYS);
    let past_due_grace_days = number(&Policies::PAST_DUE_GRACE_DAYS);
    let grandfather_days = number(&Policies::GRANDFATHER_DAYS);
    let hold_minutes = number(&Policies::HOLD_MINUTES);
    let usage_warning_percent = number(&Policies::USAGE_WARNING_PERCENT);

    let default_tier = default_tier(report, &mut section, plans);
    let when_inactive = when_inactive(report, &mut section, default_tier.is_some());
    let approvals = [("manual", Approval::Manual), ("auto", Approval::Auto)];
    let approval = section.choice(report, "approval", &approvals).unwrap_or(Approval::Manual);
    let after_dispute = [("keep", OnDisputeLost::Keep), ("lock", OnDisputeLost::Lock)];
    let on_dispute_lost = section.choice(report, "on_dispute_lost", &after_dispute);
    section.finish(report);
    Policies {
        trial_days,
        trial_settle_hours,
        trial_reminder_days,
        past_due_grace_days,
        when_inactive,
        default_tier,
        approval,
        on_dispute_lost: on_dispute_lost.unwrap_or(OnDisputeLost::Keep),
        grandfather_days,
        hold_minutes,
        usage_warning_percent,
    }
}

/// Left out, it follows from whether there is a tier to fall back on.
fn when_inactive(
    report: &mut Report<'_>,
    section: &mut Section<'_>,
    has_default_tier: bool,
) -> WhenInactive {
    let words = [("lock", WhenInactive::Lock), ("default_tier", WhenInactive::DefaultTier)];
    let chosen = section.choice(report, "when_inactive", &words);
    let names_default_tier = section.value("default_tier").is_some();
    if chosen == Some(WhenInactive::DefaultTier)
        && !names_default_tier
        && let Some(value) = section.value("when_inactive")
    {
        let message = "\"when_inactive\" is \"default_tier\", but there is no \"default_tier\"";
        report.mistake(value, message.to_owned(), || {
            Some("name one, or write when_inactive = \"lock\"".to_owned())
        });
    }
    let fallback = if has_default_tier { WhenInactive::DefaultTier } else { WhenInactive::Lock };
    chosen.unwrap_or(fallback)
}

fn default_tier(
    report: &mut Report<'_>,
    section: &mut Section<'_>,
    plans: &BTreeMap<PlanSlug, Named>,
) -> Option<PlanSlug> {
    let value = section.value("default_tier")?;
    let Some(text) = value.get_ref().as_str() else {
        wrong_sort(report, "default_tier", value, "the name of a tier");
        return None;
    };
    let complaint = match plans.get_key_value(text) {
        None => "is not in the catalogue",
        Some((_, named)) if named.sort == Sort::AddOn => "is an add-on, not a tier",
        Some((_, named)) if !named.active => "is not active",
        Some((slug, _)) => return Some(slug.clone()),
    };
    let tiers = || {
        let usable = plans.iter().filter(|(_, named)| named.sort == Sort::Tier && named.active);
        usable.map(|(slug, _)| slug.as_str())
    };
    let message = format!("\"default_tier\" {} {complaint}", quoted(text));
    report.mistake(value, message, || did_you_mean(text, tiers()));
    None
}
