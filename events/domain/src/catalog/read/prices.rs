//! Reads which Stripe prices mean a plan, and finds the ids that the environment holds.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::{Section, money, sort_of, whole};
use super::{PRICES_MAX, ResolvedPrices, UnsetVariable};
use crate::catalog::mistake::{Place, Report, quoted};
use crate::catalog::plan::Interval;
use crate::id::{PlanSlug, StripeId};

/// What a variable's name must begin with. A catalogue is published, prices and all: a file must
/// not be able to name a variable that holds a secret.
const VARIABLE_PREFIX: &str = "STRIPE_PRICE_";
/// The longest name of a variable.
const VARIABLE_BYTES_MAX: usize = 200;

/// Where the ids behind variables come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The environment of whoever publishes.
    Environment(&'a dyn Fn(&str) -> Option<String>),
    /// What was found at publication. The file's own entries are checked, but these count.
    Published(&'a ResolvedPrices),
}

/// Reads the prices of one plan after another and sees to it that no two share one.
pub(super) struct Prices<'a> {
    source: Source<'a>,
    /// Which plan has a price or a variable already.
    ids: BTreeMap<StripeId, String>,
    variables: BTreeMap<String, String>,
    pub(super) unset: Vec<UnsetVariable>,
}

/// The plan whose prices are being read.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) slug: &'a PlanSlug,
    /// `tier "starter"`.
    pub(super) label: &'a str,
    pub(super) place: Place,
}

impl<'a> Prices<'a> {
    pub(super) const fn new(source: Source<'a>) -> Self {
        Self { source, ids: BTreeMap::new(), variables: BTreeMap::new(), unset: Vec::new() }
    }

    /// The prices of one plan, by interval.
    pub(super) fn of_plan<'t>(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        table: Option<(Place, &'t DeTable<'t>)>,
    ) -> BTreeMap<Interval, Vec<StripeId>> {
        let mut prices = BTreeMap::new();
        if let Some((place, entries)) = table {
            let label = format!("\"prices\" of {}", owner.label);
            let mut section = Section::new(label, place, entries);
            for interval in Interval::ALL {
                let Some(value) = section.value(interval.as_str()) else {
                    continue;
                };
                let ids = self.of_interval(report, owner, interval, value);
                if !ids.is_empty() {
                    prices.insert(interval, ids);
                }
            }
            section.finish(report);
        }
        match self.source {
            Source::Environment(_) => prices,
            Source::Published(published) => self.as_published(report, owner, published),
        }
    }

    /// Reports published prices of plans that the file doesn't have.
    pub(super) fn finish(
        self,
        report: &mut Report<'_>,
        is_plan: impl Fn(&str) -> bool,
    ) -> Vec<UnsetVariable> {
        if let Source::Published(published) = self.source {
            for slug in published.keys().filter(|slug| !is_plan(slug)) {
                let message =
                    format!("prices were published for {}, which is no plan", quoted(slug));
                report.mistake(Place::START, message, || None);
            }
        }
        self.unset
    }

    fn as_published(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        published: &ResolvedPrices,
    ) -> BTreeMap<Interval, Vec<StripeId>> {
        let mut prices = published.get(owner.slug.as_str()).cloned().unwrap_or_default();
        prices.retain(|_, ids| !ids.is_empty());
        for id in prices.values().flatten() {
            self.claim(report, owner, owner.place, id);
        }
        prices
    }

    fn of_interval(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        interval: Interval,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<StripeId> {
        let Some(list) = value.get_ref().as_array() else {
            return self.entry(report, owner, interval, value).into_iter().collect();
        };
        if list.is_empty() || list.len() > PRICES_MAX {
            let message = format!("a list of prices has from 1 to {PRICES_MAX} of them");
            report.mistake(value, message, || None);
            return Vec::new();
        }
        list.iter().filter_map(|value| self.entry(report, owner, interval, value)).collect()
    }

    /// One price: an id, or a variable that holds one.
    fn entry(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        interval: Interval,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<StripeId> {
        let place = Place::from(value);
        let Some(text) = value.get_ref().as_str() else {
            if whole(value.get_ref()).is_some() || value.get_ref().is_float() {
                money(report, place);
            } else {
                let sort = sort_of(value.get_ref());
                let message = format!("a price must be a text in quotes, not {sort}");
                report.mistake(place, message, || None);
            }
            return None;
        };
        let id = match text.strip_prefix("env:") {
            Some(variable) => self.variable(report, owner, interval, (variable, place))?,
            None => literal(report, text, place)?,
        };
        if let Source::Environment(_) = self.source {
            self.claim(report, owner, place, &id).then_some(id)
        } else {
            None
        }
    }

    fn variable(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        interval: Interval,
        (variable, place): (&str, Place),
    ) -> Option<StripeId> {
        let is_name = variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_ours =
            variable.len() > VARIABLE_PREFIX.len() && variable.starts_with(VARIABLE_PREFIX);
        if !is_name || !is_ours || variable.len() > VARIABLE_BYTES_MAX {
            let message = format!("{} can't be a variable with a price", quoted(variable));
            report.mistake(place, message, || {
                Some(format!("its name begins with {VARIABLE_PREFIX}, then letters, digits or _"))
            });
            return None;
        }
        if let Some(other) = self.variables.insert(variable.to_owned(), owner.label.to_owned()) {
            let message = format!("variable {variable} is used already, by {other}");
            report.mistake(place, message, || Some("each price belongs to one plan".to_owned()));
            return None;
        }
        let Source::Environment(environment) = self.source else {
            return None;
        };
        // An empty variable is how many tools pass on one that isn't set.
        let Some(value) = environment(variable).filter(|value| !value.trim().is_empty()) else {
            let (variable, plan) = (variable.to_owned(), owner.slug.clone());
            let (line, _) = report.line_and_column(place);
            self.unset.push(UnsetVariable { variable, plan, interval, line });
            return None;
        };
        match StripeId::try_new(value.trim()) {
            Ok(id) if no_price(id.as_str()).is_none() => Some(id),
            // The value is not shown: it may be a secret that went into the wrong variable.
            _ => {
                let message = format!("variable {variable} doesn't hold the id of a Stripe price");
                report.mistake(place, message, || None);
                None
            }
        }
    }

    /// Whether the price is this plan's alone, and named once.
    fn claim(
        &mut self,
        report: &mut Report<'_>,
        owner: Owner<'_>,
        place: Place,
        id: &StripeId,
    ) -> bool {
        let Some(other) = self.ids.insert(id.clone(), owner.label.to_owned()) else {
            return true;
        };
        let message = format!("price \"{id}\" is used already, by {other}");
        report.mistake(place, message, || {
            Some("each price belongs to one plan and one interval".to_owned())
        });
        false
    }
}

fn literal(report: &mut Report<'_>, text: &str, place: Place) -> Option<StripeId> {
    if is_amount(text) {
        money(report, place);
        return None;
    }
    let message = match (StripeId::try_new(text), no_price(text)) {
        (Ok(id), None) => return Some(id),
        (_, Some(what)) => format!("this is {what}, not the id of a price"),
        (Err(_), None) => format!("{} can't be the id of a Stripe price", quoted(text)),
    };
    report.mistake(place, message, || {
        Some("write price_..., or env:STRIPE_PRICE_... for a variable that holds it".to_owned())
    });
    None
}

/// What an id is that surely isn't that of a price. Prices from the time when Stripe called them
/// plans can have any id, so only what is known to be another thing is refused.
fn no_price(id: &str) -> Option<&'static str> {
    let others = [
        ("prod_", "a product"),
        ("sub_", "a subscription"),
        ("cus_", "a customer"),
        ("sk_", "a secret key"),
        ("rk_", "a secret key"),
        ("pk_", "a key"),
        ("whsec_", "a secret key"),
    ];
    others.iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, what)| *what)
}

/// Whether a text is an amount of money (`29`, `29.00`, `$29`, `29 EUR`) rather than an id.
fn is_amount(text: &str) -> bool {
    let is_sign = |c: char| !c.is_ascii() || c == '$';
    let number = text.trim_start_matches(is_sign).trim_end_matches(is_sign).trim();
    let number = match number.split_once(' ') {
        Some((number, currency)) if currency.len() == 3 => number,
        _ => number,
    };
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_from_ids() {
        for amount in ["29", "29.00", "$29", "29 EUR", "1,200.50", "\u{20ac}29", "29 \u{20ac}"] {
            assert!(is_amount(amount), "{amount}");
        }
        for id in ["price_29", "pro1", "2020pro", "1.5-gold", ""] {
            assert!(!is_amount(id), "{id}");
        }
    }
}
