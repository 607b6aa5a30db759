//! From the text of a catalogue file to a [`Catalog`], or to everything that is wrong with it.
//!
//! To add a key: read it in the file of this folder that reads its table, document it in
//! `docs/catalog.md`, and give it a default. A published catalogue is read again by every later
//! version of this code, so a key must never become required, nor a rule stricter, for texts that
//! were accepted once: what is merely unwise is a warning.

mod features;
mod plans;
mod policies;
mod prices;
mod section;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use toml::de::DeTable;

use super::mistake::{Mistake, Place, Report, quoted};
use super::plan::{Interval, Plan};
use super::policies::Policies;
use super::{Audience, Catalog};
use crate::id::{PlanSlug, StripeId};
use features::Declared;
use plans::{Named, Plans, Sort};
use prices::{Prices, Source};
use section::Section;

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// The most features of a catalogue.
pub const FEATURES_MAX: usize = 1_000;
/// The most plans of a catalogue, tiers and add-ons together.
pub const PLANS_MAX: usize = 200;
/// The most prices of one plan at one interval.
pub const PRICES_MAX: usize = 50;
/// The highest cap that can be written; beyond it, `unlimited` is meant.
pub const COUNT_MAX: i128 = 1_000_000_000_000;

const LEVEL_RANGE: RangeInclusive<u32> = 0..=1_000;
const RATE_RANGE: RangeInclusive<u32> = 1..=1_000_000;
const NAME_CHARS_MAX: usize = 80;
const DESCRIPTION_CHARS_MAX: usize = 400;

/// The Stripe prices of every plan, by the plan's slug: what has to be published beside the text,
/// because the variables that the text names differ from machine to machine.
pub type ResolvedPrices = BTreeMap<String, BTreeMap<Interval, Vec<StripeId>>>;

/// A catalogue that was read, with what deserves a word although it is no mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The catalogue.
    pub catalog: Catalog,
    /// What is allowed, but unlikely to be meant.
    pub warnings: Vec<Mistake>,
    /// Variables that hold no price. Such a plan can't be bought at that interval.
    pub unset_variables: Vec<UnsetVariable>,
}

/// A variable that a catalogue names and the environment doesn't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetVariable {
    /// Its name.
    pub variable: String,
    /// The plan whose price it should hold.
    pub plan: PlanSlug,
    /// The interval of that price.
    pub interval: Interval,
    /// The line that names it, from 1.
    pub line: usize,
}

impl Catalog {
    /// Reads a catalogue file, with `env` to look up the variables that it names.
    ///
    /// # Errors
    /// Every mistake of the file, in its order; where it isn't TOML, only what is wrong with that.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Parsed, Vec<Mistake>> {
        read(text, Source::Environment(env))
    }

    /// Reads a published catalogue again, with the prices that were published beside it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); never for what `parse` accepted and
    /// [`resolved_prices`](Self::resolved_prices) gave.
    pub fn from_published(text: &str, prices: &ResolvedPrices) -> Result<Self, Vec<Mistake>> {
        read(text, Source::Published(prices)).map(|parsed| parsed.catalog)
    }
}

fn read(text: &str, source: Source<'_>) -> Result<Parsed, Vec<Mistake>> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has more than {} KiB", FILE_BYTES_MAX / 1024);
        return Err(vec![Mistake { line: 1, column: 1, message, hint: None }]);
    }
    let mut report = Report::new(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        report_syntax(&mut report, text, &errors);
        return Err(report.finish().err().unwrap_or_default());
    }
    let (catalog, unset_variables) = read_tree(&mut report, tree.get_ref(), source);
    let warnings = report.finish()?;
    let catalog = catalog.expect("what kept the catalogue from being made was reported");
    Ok(Parsed { catalog, warnings, unset_variables })
}

/// The catalogue is there unless the report holds a mistake.
fn read_tree<'t>(
    report: &mut Report<'_>,
    tree: &'t DeTable<'t>,
    source: Source<'_>,
) -> (Option<Catalog>, Vec<UnsetVariable>) {
    let mut root = Section::new("the catalogue".to_owned(), Place::START, tree);
    let name = root.text(report, "name", NAME_CHARS_MAX);
    let audience = audience(report, &mut root);
    let declared = match root.table(report, "features") {
        Some((_, table)) => features::read(report, table),
        None => Declared::default(),
    };
    let mut plans = Plans::new(&declared, Prices::new(source));
    match root.table(report, "tiers") {
        Some((key, table)) if table.is_empty() => no_tiers(report, key.into()),
        Some((_, table)) => plans.read(report, Sort::Tier, table),
        None if root.value("tiers").is_none() => no_tiers(report, Place::START),
        None => {}
    }
    if let Some((_, table)) = root.table(report, "add_ons") {
        plans.read(report, Sort::AddOn, table);
    }
    let Plans { prices, plans, names, .. } = plans;
    let unset = prices.finish(report, |slug| names.contains_key(slug));
    let policies = match root.table(report, "policies") {
        Some((key, table)) => {
            let section = Section::new("\"policies\"".to_owned(), key.into(), table);
            policies::read(report, section, &names)
        }
        None => Policies::default(),
    };
    root.finish(report);
    warn(report, &declared, &plans, &names, &policies);
    let (Some(name), Some(audience)) = (name, audience) else {
        return (None, unset);
    };
    (Some(Catalog::assemble(name, audience, declared.features, plans, policies)), unset)
}

fn audience(report: &mut Report<'_>, root: &mut Section<'_>) -> Option<Audience> {
    let one = root.text(report, "audience", NAME_CHARS_MAX);
    let many = root.optional_text(report, "audience_plural", NAME_CHARS_MAX);
    let one = one?;
    let many = many.unwrap_or_else(|| format!("{one}s"));
    Some(Audience { one, many })
}

fn no_tiers(report: &mut Report<'_>, place: Place) {
    report.mistake(place, "the catalogue has no tiers".to_owned(), || {
        Some("a tier begins with a line such as [tiers.starter]".to_owned())
    });
}

fn warn(
    report: &mut Report<'_>,
    declared: &Declared,
    plans: &[Plan],
    names: &BTreeMap<PlanSlug, Named>,
    policies: &Policies,
) {
    let granted: BTreeSet<_> = plans
        .iter()
        .flat_map(Plan::grants)
        .filter(|(_, allowance)| allowance.grants_something())
        .map(|(slug, _)| slug)
        .collect();
    for (slug, (place, _)) in &declared.names {
        if !granted.contains(slug) {
            let message = format!("no plan grants feature \"{slug}\"");
            report.warning(*place, message, "nobody can ever use it");
        }
    }
    for (slug, named) in names {
        if named.active && !named.priced && policies.default_tier.as_ref() != Some(slug) {
            let message = format!("\"{slug}\" has no prices");
            report.warning(named.place, message, "nobody can buy it; it can only be assigned");
        }
    }
}

fn report_syntax(report: &mut Report<'_>, text: &str, errors: &[toml::de::Error]) {
    let mut repeated_until = 0;
    for error in errors {
        let span = error.span().unwrap_or_default();
        if span.start < repeated_until {
            continue;
        }
        if error.message() != "duplicate key" {
            report.mistake(span.start, error.message().to_owned(), || None);
            continue;
        }
        // Where a whole table is repeated, so is each of its keys: telling of the table will do.
        let (before, rest) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let line = before.rfind('\n').map_or(before, |at| &before[at + 1..]);
        if line.trim_start().starts_with('[') {
            repeated_until = rest.find("\n[").map_or(text.len(), |at| span.start + at);
        }
        let message =
            format!("{} is there twice", quoted(rest.get(..span.len()).unwrap_or("this")));
        report.mistake(span.start, message, || Some("keep one of the two".to_owned()));
    }
}

/// What a slug looks like, with one that is close to `text` if there is such a one.
fn slug_rule(text: &str) -> String {
    let rule = "1 to 64 of A-Z a-z 0-9 _";
    let mended: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if mended.bytes().any(|b| b.is_ascii_alphanumeric()) && mended.len() <= 64 {
        format!("{rule}, such as \"{mended}\"")
    } else {
        rule.to_owned()
    }
}
