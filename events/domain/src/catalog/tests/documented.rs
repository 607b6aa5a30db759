//! What `docs/catalog.md` says is so.

use super::parse;
use crate::catalog::{FEATURES_MAX, FILE_BYTES_MAX, PLANS_MAX, PRICES_MAX, Policies};

const GUIDE: &str = include_str!("../../../../../docs/catalog.md");

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let after = GUIDE.split(&fence).skip(1);
    after.map(|text| text.split("```").next().expect("a block has an end")).collect()
}

/// The rows of tables that begin with a key.
fn row(key: &str) -> Vec<&'static str> {
    let begin = format!("| `{key}` |");
    let row = GUIDE.lines().find(|line| line.starts_with(&begin));
    let row = row.unwrap_or_else(|| panic!("{key} is not explained"));
    row.split('|').map(str::trim).collect()
}

#[test]
fn the_whole_example_is_a_catalogue_without_mistakes() {
    let parsed = parse(blocks("toml")[0]).expect("a catalogue without mistakes");
    assert_eq!(parsed.warnings, []);
    assert_eq!(parsed.catalog.tiers().len(), 2);
    assert_eq!(parsed.catalog.add_ons().len(), 1);
}

#[test]
fn the_mistakes_shown_are_those_of_the_example() {
    let mistaken = blocks("toml")[0].replacen("analytics = true", "analitics = true", 1).replacen(
        "level = 2",
        "level = 1",
        1,
    );
    let mistakes = parse(&mistaken).expect_err("mistakes");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(blocks("text")[0].lines().collect::<Vec<_>>(), told);
}

#[test]
fn every_number_has_its_default_and_range() {
    for policy in Policies::NUMBERS {
        let row = row(policy.key);
        assert_eq!(row[2], policy.default.to_string(), "default of {}", policy.key);
        let range = format!("{} to {}", policy.range.start(), policy.range.end());
        assert_eq!(row[3], range, "range of {}", policy.key);
    }
    for key in ["when_inactive", "default_tier", "approval", "on_dispute_lost"] {
        row(key);
    }
}

#[test]
fn the_limits_are_named() {
    for limit in [
        format!("{} KiB", FILE_BYTES_MAX / 1024),
        format!("{FEATURES_MAX} features"),
        format!("{PLANS_MAX} plans"),
        format!("{PRICES_MAX} prices"),
    ] {
        assert!(GUIDE.contains(&limit), "{limit}");
    }
}
