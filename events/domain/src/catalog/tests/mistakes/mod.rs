//! Every mistake, in the words and at the place in which people see it.

mod plans;
mod policies;
mod prices;

use super::parse;
use crate::catalog::FILE_BYTES_MAX;

const BASE: &str = r#"name = "Studio"
audience = "trainer"

[policies]
trial_days = 14

[features.customers]
name = "Customers"
description = "How many."
kind = "limit"

[features.analytics]
name = "Analytics"
description = "Charts."
kind = "flag"

[tiers.starter]
name = "Starter"
description = "First."
level = 1
requests_per_minute = 100
prices.month = "price_starter"

[tiers.starter.grants]
customers = 9
analytics = true

[add_ons.extra]
name = "Extra"
description = "More."
prices.month = "price_extra"
grants.customers = 5
"#;

fn mistakes_of(text: &str) -> Vec<String> {
    let mistakes = parse(text).expect_err("mistakes");
    mistakes.iter().map(ToString::to_string).collect()
}

/// Writes `new` instead of `old` in a good file and compares what is then said about it.
#[track_caller]
fn check(old: &str, new: &str, expect: &[&str]) {
    assert_eq!(BASE.matches(old).count(), 1, "{old:?} must be there once");
    assert_eq!(mistakes_of(&BASE.replace(old, new)), expect);
}

/// As [`check`], for warnings about a file that is accepted.
#[track_caller]
fn check_warning(old: &str, new: &str, expect: &str) {
    let parsed = parse(&BASE.replace(old, new)).expect("a catalogue without mistakes");
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, [expect]);
}

#[test]
fn the_base_is_good() {
    assert_eq!(parse(BASE).expect("a catalogue").warnings, []);
}

#[test]
fn syntax_errors_come_first_and_alone() {
    check("\"trainer\"", "\"trainer", &["line 2, column 20: invalid basic string, expected `\"`"]);
    check("level = 1", "level 1", &["line 20, column 7: key with no value, expected `=`"]);
    check(
        "\"trainer\"",
        "studio",
        &["line 2, column 12: string values must be quoted, expected literal string"],
    );
}

#[test]
fn duplicates_of_one_name_are_refused() {
    check(
        "level = 1",
        "level = 1\nlevel = 2",
        &["line 21, column 1: \"level\" is there twice; keep one of the two"],
    );
    check(
        "[features.analytics]",
        "[features.customers]",
        &["line 12, column 11: \"customers\" is there twice; keep one of the two"],
    );
    check(
        "[add_ons.extra]",
        "[tiers.starter]",
        &["line 28, column 8: \"starter\" is there twice; keep one of the two"],
    );
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    check(
        "audience",
        "colour = 1\naudience",
        &["line 2, column 1: the catalogue can't have a key \"colour\"; \
         known: name, audience, audience_plural, features, tiers, add_ons, policies"],
    );
    check(
        "trial_days",
        "trial_day",
        &[
            "line 5, column 1: \"policies\" can't have a key \"trial_day\"; did you mean \"trial_days\"?",
        ],
    );
    check(
        "trial_days",
        "trial_settle",
        &["line 5, column 1: \"policies\" can't have a key \"trial_settle\"; \
         did you mean \"trial_settle_hours\"?"],
    );
    check(
        "kind = \"flag\"",
        "kind = \"flag\"\ncolor = 1",
        &["line 16, column 1: feature \"analytics\" can't have a key \"color\"; \
         known: name, description, kind, reset, unit"],
    );
    check(
        "level = 1",
        "level = 1\nrank = 1",
        &["line 21, column 1: tier \"starter\" can't have a key \"rank\"; \
         known: name, description, active, level, requests_per_minute, prices, grants"],
    );
    check(
        "grants.customers",
        "grant.customers",
        &[
            "line 32, column 1: add-on \"extra\" can't have a key \"grant\"; did you mean \"grants\"?",
        ],
    );
    check(
        "prices.month = \"price_extra\"",
        "prices.monthly = \"price_extra\"",
        &["line 31, column 8: \"prices\" of add-on \"extra\" can't have a key \"monthly\"; \
         did you mean \"month\"?"],
    );
}

#[test]
fn texts_are_there_short_and_on_one_line() {
    for (old, new, expect) in [
        ("\"Studio\"", "\" \"", "line 1, column 8: \"name\" is empty"),
        (
            "\"Studio\"",
            "7",
            "line 1, column 8: \"name\" must be a text in quotes, not a whole number",
        ),
        ("\"Charts.\"", "\"\"", "line 14, column 15: \"description\" is empty"),
        (
            "\"Charts.\"",
            "\"a\\nb\"",
            "line 14, column 15: \"description\" must be on one line, without control characters",
        ),
        ("audience = \"trainer\"", "", "line 1, column 1: the catalogue has no \"audience\""),
        ("name = \"Extra\"", "", "line 28, column 10: add-on \"extra\" has no \"name\""),
        ("level = 1", "", "line 17, column 8: tier \"starter\" has no \"level\""),
        (
            "requests_per_minute = 100",
            "",
            "line 17, column 8: tier \"starter\" has no \"requests_per_minute\"",
        ),
        ("kind = \"flag\"", "", "line 12, column 11: feature \"analytics\" has no \"kind\""),
    ] {
        check(old, new, &[expect]);
    }
    check(
        "\"Starter\"",
        &format!("\"{}\"", "x".repeat(81)),
        &["line 18, column 8: \"name\" has more than 80 characters"],
    );
}

#[test]
fn names_follow_the_rule() {
    check(
        "[add_ons.extra]",
        "[add_ons.extra-seats]",
        &["line 28, column 10: \"extra-seats\" can't be the name of a plan; \
         1 to 64 of A-Z a-z 0-9 _, such as \"extra_seats\""],
    );
    check(
        "kind = \"flag\"",
        "kind = \"flag\"\n[features.\"\"]",
        &["line 16, column 11: \"\" can't be the name of a feature; 1 to 64 of A-Z a-z 0-9 _"],
    );
}

#[test]
fn parts_have_their_shape() {
    let no_tiers = "the catalogue has no tiers; \
                    a tier begins with a line such as [tiers.starter]";
    let head = "name = \"A\"\naudience = \"b\"\n";
    assert_eq!(mistakes_of(head), [format!("line 1, column 1: {no_tiers}")]);
    assert_eq!(mistakes_of(&format!("{head}[tiers]")), [format!("line 3, column 2: {no_tiers}")]);
    assert_eq!(
        mistakes_of(&format!("{head}tiers = 3")),
        ["line 3, column 9: \"tiers\" must be a table, not a whole number"]
    );
    assert_eq!(
        mistakes_of(&format!("{head}[[tiers]]\nname = \"x\"")),
        ["line 3, column 1: \"tiers\" must be a table, not a list; \
          begin each part with [tiers.its_name], in single brackets"]
    );
    check(
        "[features.customers]",
        "[features]\nextra = 1\n[features.customers]",
        &["line 8, column 9: \"extra\" must be a table, not a whole number"],
    );
}

#[test]
fn size_has_limits() {
    let long = format!("{BASE}#{}", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(mistakes_of(&long), ["line 1, column 1: the file has more than 256 KiB"]);

    let body = "={name=\"F\",description=\"F\",kind=\"flag\"}\n";
    let features: String = (0..=1000).map(|n| format!("f{n:04}{body}")).collect();
    let many = format!("{}[features]\n{features}", BASE.replace("[features.", "[other."));
    assert!(
        mistakes_of(&many)
            .iter()
            .any(|told| told
                == "line 1034, column 1: a catalogue can't have more than 1000 features"),
    );

    let body = "={name=\"F\",description=\"F\",grants.customers=1,prices.month=";
    let plans: String = (0..200).map(|n| format!("p{n:03}{body}\"price_{n}\"}}\n")).collect();
    let many = BASE.replace("[add_ons.extra]", &format!("[add_ons]\n{plans}[add_ons.extra]"));
    assert_eq!(
        mistakes_of(&many),
        ["line 228, column 1: a catalogue can't have more than 200 plans"]
    );

    let prices: Vec<String> = (0..51).map(|n| format!("\"price_{n}\"")).collect();
    check(
        "\"price_starter\"",
        &format!("[{}]", prices.join(",")),
        &["line 22, column 16: a list of prices has from 1 to 50 of them"],
    );
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let text = BASE
        .replace("trial_days = 14", "trial_days = -3")
        .replace("kind = \"limit\"", "kind = \"limitt\"")
        .replace("level = 1", "level = \"one\"")
        .replace("analytics = true", "analitics = true")
        .replace("\"price_extra\"", "29");
    let lines: Vec<usize> =
        parse(&text).expect_err("mistakes").iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [5, 10, 20, 26, 31]);
}

#[test]
fn what_is_unlikely_to_be_meant_is_a_warning() {
    check_warning(
        "analytics = true",
        "analytics = false",
        "line 12, column 11: no plan grants feature \"analytics\"; nobody can ever use it",
    );
    check_warning(
        "prices.month = \"price_starter\"",
        "",
        "line 17, column 8: \"starter\" has no prices; nobody can buy it; it can only be assigned",
    );
}
