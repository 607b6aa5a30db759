//! Reads tiers and add-ons.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::features::Declared;
use super::prices::{Owner, Prices};
use super::section::{Section, as_table, in_file_order, sort_of, whole};
use super::{
    COUNT_MAX, DESCRIPTION_CHARS_MAX, LEVEL_RANGE, NAME_CHARS_MAX, PLANS_MAX, RATE_RANGE, slug_rule,
};
use crate::catalog::feature::{Allowance, FeatureKind};
use crate::catalog::mistake::{Place, Report, did_you_mean, quoted};
use crate::catalog::plan::{Plan, PlanKind};
use crate::id::{FeatureSlug, PlanSlug};

/// Which of the two tables of plans is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Tier,
    AddOn,
}

impl Sort {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::AddOn => "add-on",
        }
    }
}

/// What is known of a plan's name, even if the plan couldn't be read.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) sort: Sort,
    pub(super) active: bool,
    pub(super) place: Place,
    /// Whether the file names prices for it, set or not.
    pub(super) priced: bool,
}

/// Reads plans one after another and sees to it that no two have the same name or level.
pub(super) struct Plans<'a> {
    declared: &'a Declared,
    pub(super) prices: Prices<'a>,
    pub(super) plans: Vec<Plan>,
    pub(super) names: BTreeMap<PlanSlug, Named>,
    /// Names in small letters, with the name as it is written.
    without_case: BTreeMap<String, (Sort, PlanSlug)>,
    levels: BTreeMap<u32, PlanSlug>,
    seen: usize,
}

impl<'a> Plans<'a> {
    pub(super) const fn new(declared: &'a Declared, prices: Prices<'a>) -> Self {
        Self {
            declared,
            prices,
            plans: Vec::new(),
            names: BTreeMap::new(),
            without_case: BTreeMap::new(),
            levels: BTreeMap::new(),
            seen: 0,
        }
    }

    /// Reads one of the two tables of plans.
    pub(super) fn read<'t>(&mut self, report: &mut Report<'_>, sort: Sort, table: &'t DeTable<'t>) {
        for (key, value) in in_file_order(table) {
            let text = key.get_ref().as_ref();
            self.seen += 1;
            if self.seen > PLANS_MAX {
                let message = format!("a catalogue can't have more than {PLANS_MAX} plans");
                report.mistake(key, message, || None);
                return;
            }
            let Ok(slug) = PlanSlug::try_new(text) else {
                let message = format!("{} can't be the name of a plan", quoted(text));
                report.mistake(key, message, || Some(slug_rule(text)));
                continue;
            };
            self.check_name(report, sort, &slug, key.into());
            let label = format!("{} \"{slug}\"", sort.as_str());
            let named = Named { sort, active: true, place: key.into(), priced: true };
            self.names.insert(slug.clone(), named);
            if let Some(entries) = as_table(report, text, value) {
                let section = Section::new(label, key.into(), entries);
                let plan = self.plan(report, sort, slug, section);
                self.plans.extend(plan);
            }
        }
    }

    fn plan(
        &mut self,
        report: &mut Report<'_>,
        sort: Sort,
        slug: PlanSlug,
        mut section: Section<'_>,
    ) -> Option<Plan> {
        let name = section.text(report, "name", NAME_CHARS_MAX);
        let description = section.text(report, "description", DESCRIPTION_CHARS_MAX);
        let active = section.switch(report, "active").unwrap_or(true);
        let kind = match sort {
            Sort::Tier => self.tier(report, &slug, &mut section),
            Sort::AddOn => {
                let rank = section.number(report, "rank", &LEVEL_RANGE);
                Some(PlanKind::AddOn { rank })
            }
        };
        let table = section.table(report, "prices").map(|(key, table)| (key.into(), table));
        let owner = Owner { slug: &slug, label: section.label(), place: section.place() };
        let prices = self.prices.of_plan(report, owner, table);
        let grants = match section.table(report, "grants") {
            Some((_, table)) => self.grants(report, table),
            None => BTreeMap::new(),
        };
        let priced = table.is_some_and(|(_, entries)| !entries.is_empty());
        let named = Named { sort, active, place: section.place(), priced };
        self.names.insert(slug.clone(), named);
        section.finish(report);
        let (name, description, kind) = (name?, description?, kind?);
        Some(Plan { slug, name, description, kind, active, prices, grants })
    }

    fn tier(
        &mut self,
        report: &mut Report<'_>,
        slug: &PlanSlug,
        section: &mut Section<'_>,
    ) -> Option<PlanKind> {
        let level = section.required_number(report, "level", &LEVEL_RANGE);
        let rate = section.required_number(report, "requests_per_minute", &RATE_RANGE);
        let ((level, place), (requests_per_minute, _)) = (level?, rate?);
        if let Some(other) = self.levels.insert(level, slug.clone()) {
            let message = format!("level {level} is that of tier \"{other}\" already");
            report.mistake(place, message, || Some("each tier has its own".to_owned()));
        }
        Some(PlanKind::Tier { level, requests_per_minute })
    }

    fn check_name(&mut self, report: &mut Report<'_>, sort: Sort, slug: &PlanSlug, place: Place) {
        let plain = slug.as_str().to_ascii_lowercase();
        let Some((other_sort, other)) = self.without_case.insert(plain, (sort, slug.clone()))
        else {
            return;
        };
        let how = if other == *slug { "has the same name" } else { "differs only in capitals" };
        let (this, that) = (sort.as_str(), other_sort.as_str());
        let message = format!("{this} \"{slug}\": {that} \"{other}\" {how}");
        report.mistake(place, message, || Some("each plan has its own".to_owned()));
    }

    fn grants<'t>(
        &self,
        report: &mut Report<'_>,
        table: &'t DeTable<'t>,
    ) -> BTreeMap<FeatureSlug, Allowance> {
        let mut grants = BTreeMap::new();
        for (key, value) in in_file_order(table) {
            let text = key.get_ref().as_ref();
            let declared = self.declared.names.get_key_value(text);
            let Some((slug, (_, kind))) = declared else {
                let message = format!("feature {} is not declared", quoted(text));
                let names = || self.declared.names.keys().map(FeatureSlug::as_str);
                report.mistake(key, message, || did_you_mean(text, names()));
                continue;
            };
            let allowance = kind.and_then(|kind| allowance(report, slug, kind, value));
            grants.extend(allowance.map(|allowance| (slug.clone(), allowance)));
        }
        grants
    }
}

fn allowance(
    report: &mut Report<'_>,
    slug: &FeatureSlug,
    kind: FeatureKind,
    value: &Spanned<DeValue<'_>>,
) -> Option<Allowance> {
    let wanted = match (kind, value.get_ref()) {
        (FeatureKind::Flag, DeValue::Boolean(on)) => return Some(Allowance::Flag(*on)),
        (FeatureKind::Flag, _) => "true or false",
        (_, DeValue::Integer(_)) => {
            let count = whole(value.get_ref()).filter(|count| (0..=COUNT_MAX).contains(count));
            let count = count.and_then(|count| u64::try_from(count).ok());
            if count.is_none() {
                let message = format!("feature \"{slug}\" can't be granted this many times");
                report.mistake(value, message, || {
                    Some(format!("from 0 to {COUNT_MAX}, or \"unlimited\" for no limit"))
                });
            }
            return count.map(Allowance::Capped);
        }
        (_, DeValue::String(word)) if word == "unlimited" => return Some(Allowance::Unlimited),
        (_, DeValue::String(word)) => {
            let message = format!("feature \"{slug}\" can't be granted {}", quoted(word));
            report.mistake(value, message, || {
                Some("a whole number without quotes, or \"unlimited\"".to_owned())
            });
            return None;
        }
        _ => "a whole number or \"unlimited\"",
    };
    let (kind, sort) = (kind.as_str(), sort_of(value.get_ref()));
    let message = format!("feature \"{slug}\" is a {kind}: what it grants is {wanted}, not {sort}");
    report.mistake(value, message, || None);
    None
}
