//! Mistakes in features and plans.

use super::check;

#[test]
fn unknown_features_are_refused_in_plans() {
    check(
        "analytics = true",
        "analitics = true",
        &["line 26, column 1: feature \"analitics\" is not declared; did you mean \"analytics\"?"],
    );
    check(
        "grants.customers",
        "grants.coffee",
        &["line 32, column 8: feature \"coffee\" is not declared; known: analytics, customers"],
    );
}

#[test]
fn a_grant_must_fit_its_feature() {
    check(
        "analytics = true",
        "analytics = 1",
        &["line 26, column 13: feature \"analytics\" is a flag: \
         what it grants is true or false, not a whole number"],
    );
    check(
        "analytics = true",
        "analytics = \"unlimited\"",
        &["line 26, column 13: feature \"analytics\" is a flag: \
         what it grants is true or false, not a text"],
    );
    check(
        "customers = 9",
        "customers = true",
        &["line 25, column 13: feature \"customers\" is a limit: \
         what it grants is a whole number or \"unlimited\", not true or false"],
    );
    check(
        "customers = 9",
        "customers = 9.5",
        &["line 25, column 13: feature \"customers\" is a limit: \
         what it grants is a whole number or \"unlimited\", not a decimal number"],
    );
    check(
        "customers = 9",
        "customers = \"9\"",
        &["line 25, column 13: feature \"customers\" can't be granted \"9\"; \
         a whole number without quotes, or \"unlimited\""],
    );
}

#[test]
fn negative_and_absurd_numbers_are_refused() {
    for count in ["-1", "1_000_000_000_001", "99999999999999999999999999999999999999999999"] {
        check(
            "customers = 9",
            &format!("customers = {count}"),
            &["line 25, column 13: feature \"customers\" can't be granted this many times; \
             from 0 to 1000000000000, or \"unlimited\" for no limit"],
        );
    }
    for (old, new, expect) in [
        ("level = 1", "level = -1", "line 20, column 9: \"level\" must be from 0 to 1000"),
        ("level = 1", "level = 1001", "line 20, column 9: \"level\" must be from 0 to 1000"),
        (
            "level = 1",
            "level = true",
            "line 20, column 9: \"level\" must be a whole number, not true or false",
        ),
        (
            "minute = 100",
            "minute = 0",
            "line 21, column 23: \"requests_per_minute\" must be from 1 to 1000000",
        ),
        (
            "grants.customers",
            "rank = -1\ngrants.customers",
            "line 32, column 8: \"rank\" must be from 0 to 1000",
        ),
    ] {
        check(old, new, &[expect]);
    }
}

#[test]
fn plans_keep_their_levels_names_and_prices_to_themselves() {
    let second = |slug: &str, level: u32, price: &str| {
        format!(
            "[tiers.{slug}]\nname = \"Second\"\ndescription = \"Next.\"\nlevel = {level}\n\
             requests_per_minute = 1\nprices.year = \"{price}\"\n[add_ons.extra]"
        )
    };
    check(
        "[add_ons.extra]",
        &second("second", 1, "price_2"),
        &["line 31, column 9: level 1 is that of tier \"starter\" already; each tier has its own"],
    );
    check(
        "[add_ons.extra]",
        &second("second", 2, "price_starter"),
        &["line 33, column 15: price \"price_starter\" is used already, by tier \"starter\"; \
         each price belongs to one plan and one interval"],
    );
    check(
        "[add_ons.extra]",
        &second("Starter", 2, "price_2"),
        &["line 28, column 8: tier \"Starter\": tier \"starter\" differs only in capitals; \
         each plan has its own"],
    );
    check(
        "[add_ons.extra]",
        "[add_ons.starter]",
        &["line 28, column 10: add-on \"starter\": tier \"starter\" has the same name; \
         each plan has its own"],
    );
    check(
        "\"price_starter\"",
        "[\"price_1\", \"price_1\"]",
        &["line 22, column 28: price \"price_1\" is used already, by tier \"starter\"; \
         each price belongs to one plan and one interval"],
    );
    check(
        "[features.analytics]",
        "[features.Customers]\nname = \"C\"\ndescription = \"C\"\nkind = \"flag\"\n[features.analytics]",
        &["line 12, column 11: features \"customers\" and \"Customers\" differ only in capitals"],
    );
}

#[test]
fn only_quotas_reset_and_flags_count_nothing() {
    check(
        "kind = \"limit\"",
        "kind = \"quota\"",
        &["line 7, column 11: feature \"customers\" is a quota and has no \"reset\"; \
         say when it starts afresh: \"month\" or \"billing_period\""],
    );
    check(
        "kind = \"limit\"",
        "kind = \"limit\"\nreset = \"month\"",
        &["line 11, column 1: feature \"customers\" is a limit and never resets; \
         only a quota has a \"reset\""],
    );
    check(
        "kind = \"flag\"",
        "kind = \"flag\"\nunit = \"charts\"",
        &["line 16, column 1: feature \"analytics\" is a flag and counts nothing; \
         only a limit or a quota has a \"unit\""],
    );
}
