//! Reads the features that a catalogue declares.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::section::{Section, as_table, in_file_order};
use super::{DESCRIPTION_CHARS_MAX, FEATURES_MAX, NAME_CHARS_MAX, slug_rule};
use crate::catalog::feature::{Feature, FeatureKind, Reset};
use crate::catalog::mistake::{Place, Report, quoted};
use crate::id::FeatureSlug;

/// The longest unit, in characters.
const UNIT_CHARS_MAX: usize = 40;

/// The features of a file, and what plans need to know of them.
#[derive(Default)]
pub(super) struct Declared {
    /// The features that could be read, in the order of the file.
    pub(super) features: Vec<Feature>,
    /// Every name that was declared, with its place. The kind is missing where it couldn't be
    /// read, so that one mistake in a feature isn't told again for each plan that grants it.
    pub(super) names: BTreeMap<FeatureSlug, (Place, Option<FeatureKind>)>,
}

/// Reads the table of features.
pub(super) fn read<'t>(report: &mut Report<'_>, table: &'t DeTable<'t>) -> Declared {
    let mut declared = Declared::default();
    let mut without_case = BTreeMap::new();
    for (index, (key, value)) in in_file_order(table).into_iter().enumerate() {
        let text = key.get_ref().as_ref();
        if index == FEATURES_MAX {
            let message = format!("a catalogue can't have more than {FEATURES_MAX} features");
            report.mistake(key, message, || None);
            break;
        }
        let Ok(slug) = FeatureSlug::try_new(text) else {
            let message = format!("{} can't be the name of a feature", quoted(text));
            report.mistake(key, message, || Some(slug_rule(text)));
            continue;
        };
        if let Some(other) = without_case.insert(text.to_ascii_lowercase(), slug.clone()) {
            let message = format!("features \"{other}\" and \"{slug}\" differ only in capitals");
            report.mistake(key, message, || None);
        }
        let Some(entries) = as_table(report, text, value) else {
            declared.names.insert(slug, (key.into(), None));
            continue;
        };
        let mut section = Section::new(format!("feature \"{slug}\""), key.into(), entries);
        let name = section.text(report, "name", NAME_CHARS_MAX);
        let description = section.text(report, "description", DESCRIPTION_CHARS_MAX);
        let kind = kind(report, &mut section);
        let unit = unit(report, &mut section, kind);
        section.finish(report);
        declared.names.insert(slug.clone(), (key.into(), kind));
        if let (Some(name), Some(description), Some(kind)) = (name, description, kind) {
            declared.features.push(Feature { slug, name, description, unit, kind });
        }
    }
    declared
}

fn kind(report: &mut Report<'_>, section: &mut Section<'_>) -> Option<FeatureKind> {
    #[derive(Clone, Copy)]
    enum Word {
        Flag,
        Limit,
        Quota,
    }
    section.required(report, "kind")?;
    let words = [("flag", Word::Flag), ("limit", Word::Limit), ("quota", Word::Quota)];
    let word = section.choice(report, "kind", &words);
    let reset = section.entry("reset").map(|(key, _)| key);
    let resets = [("month", Reset::Month), ("billing_period", Reset::BillingPeriod)];
    match (word?, reset) {
        (Word::Quota, None) => {
            let message = format!("{} is a quota and has no \"reset\"", section.label());
            report.mistake(section.place(), message, || {
                Some("say when it starts afresh: \"month\" or \"billing_period\"".to_owned())
            });
            None
        }
        (Word::Quota, Some(_)) => {
            let reset = section.choice(report, "reset", &resets)?;
            Some(FeatureKind::Quota { reset })
        }
        (word, reset) => {
            let kind = match word {
                Word::Flag => FeatureKind::Flag,
                Word::Limit | Word::Quota => FeatureKind::Limit,
            };
            if let Some(key) = reset {
                let message =
                    format!("{} is a {} and never resets", section.label(), kind.as_str());
                report.mistake(key, message, || Some("only a quota has a \"reset\"".to_owned()));
            }
            Some(kind)
        }
    }
}

fn unit(
    report: &mut Report<'_>,
    section: &mut Section<'_>,
    kind: Option<FeatureKind>,
) -> Option<String> {
    let unit = section.optional_text(report, "unit", UNIT_CHARS_MAX);
    if let (Some((key, _)), Some(FeatureKind::Flag)) = (section.entry("unit"), kind) {
        let message = format!("{} is a flag and counts nothing", section.label());
        report.mistake(key, message, || Some("only a limit or a quota has a \"unit\"".to_owned()));
    }
    unit
}
