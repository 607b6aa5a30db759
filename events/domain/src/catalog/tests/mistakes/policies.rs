//! Mistakes in policies, and in words that are chosen from a few.

use super::{BASE, check, mistakes_of};
use crate::catalog::Policies;
use crate::catalog::tests::parse;

#[test]
fn policies_have_ranges() {
    for policy in Policies::NUMBERS {
        let (key, range) = (policy.key, &policy.range);
        for wrong in [i64::from(*range.start()) - 1, i64::from(*range.end()) + 1] {
            let column = key.len() + 4;
            let (from, to) = (range.start(), range.end());
            let expected =
                format!("line 5, column {column}: \"{key}\" must be from {from} to {to}");
            check("trial_days = 14", &format!("{key} = {wrong}"), &[&expected]);
        }
        for right in [range.start(), range.end()] {
            assert!(parse(&BASE.replace("trial_days = 14", &format!("{key} = {right}"))).is_ok());
        }
    }
}

#[test]
fn words_are_chosen_from_a_few() {
    for (new, expect) in [
        (
            "approval = \"always\"",
            "column 12: \"approval\" can't be \"always\"; known: manual, auto",
        ),
        (
            "approval = true",
            "column 12: \"approval\" must be \"manual\" or \"auto\", not true or false",
        ),
        (
            "on_dispute_lost = \"locked\"",
            "column 19: \"on_dispute_lost\" can't be \"locked\"; did you mean \"lock\"?",
        ),
        (
            "when_inactive = \"free\"",
            "column 17: \"when_inactive\" can't be \"free\"; known: lock, default_tier",
        ),
    ] {
        check("trial_days = 14", new, &[&format!("line 5, {expect}")]);
    }
    check(
        "kind = \"limit\"",
        "kind = \"quotta\"\nreset = \"month\"",
        &["line 10, column 8: \"kind\" can't be \"quotta\"; did you mean \"quota\"?"],
    );
    check(
        "kind = \"limit\"",
        "kind = \"quota\"\nreset = \"yearly\"",
        &["line 11, column 9: \"reset\" can't be \"yearly\"; known: month, billing_period"],
    );
    check(
        "level = 1",
        "level = 1\nactive = \"no\"",
        &["line 21, column 10: \"active\" must be true or false, not a text"],
    );
}

#[test]
fn a_default_tier_must_be_on_sale() {
    for (tier, complaint) in [
        ("startr", "is not in the catalogue; did you mean \"starter\"?"),
        ("extra", "is an add-on, not a tier; known: starter"),
    ] {
        let expected = format!("line 5, column 16: \"default_tier\" \"{tier}\" {complaint}");
        check("trial_days = 14", &format!("default_tier = \"{tier}\""), &[&expected]);
    }
    check(
        "trial_days = 14",
        "default_tier = 1",
        &["line 5, column 16: \"default_tier\" must be the name of a tier, not a whole number"],
    );
    check(
        "trial_days = 14",
        "when_inactive = \"default_tier\"",
        &[
            "line 5, column 17: \"when_inactive\" is \"default_tier\", but there is no \"default_tier\"; \
         name one, or write when_inactive = \"lock\"",
        ],
    );
    let retired = BASE
        .replace("trial_days = 14", "default_tier = \"starter\"")
        .replace("level = 1", "level = 1\nactive = false");
    assert_eq!(
        mistakes_of(&retired),
        ["line 5, column 16: \"default_tier\" \"starter\" is not active"]
    );
}
