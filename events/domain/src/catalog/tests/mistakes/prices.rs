//! Mistakes in prices.

use super::{BASE, check, mistakes_of};
use crate::catalog::Catalog;

#[test]
fn amounts_of_money_are_refused() {
    let refusal = "amounts of money are never written in a catalogue; \
                   name a Stripe price instead (prices.month = \"price_...\"): it holds the amount";
    for line in ["amount = 2900", "price = 29", "unit_amount = 1", "currency = \"usd\"", "fee = 1"]
    {
        let new = format!("level = 1\n{line}");
        check("level = 1", &new, &[&format!("line 21, column 1: {refusal}")]);
    }
    for price in ["29", "29.00", "\"29.00\"", "\"$29\"", "[\"price_1\", 29]"] {
        let column = if price.starts_with('[') { 28 } else { 16 };
        let expected = format!("line 22, column {column}: {refusal}");
        check("\"price_starter\"", price, &[&expected]);
    }
    check(
        "prices.month = \"price_extra\"",
        "prices.amount = 2900",
        &[&format!("line 31, column 8: {refusal}")],
    );
}

#[test]
fn variables_are_named_for_prices_and_used_once() {
    for name in ["LEDGER_JWT_SECRET", "STRIPE_PRICE_", "STRIPE_PRICE_A-B", ""] {
        let expected = format!(
            "line 22, column 16: \"{name}\" can't be a variable with a price; \
             its name begins with STRIPE_PRICE_, then letters, digits or _"
        );
        check("\"price_starter\"", &format!("\"env:{name}\""), &[&expected]);
    }
    let twice = BASE
        .replace("\"price_starter\"", "\"env:STRIPE_PRICE_A\"")
        .replace("\"price_extra\"", "\"env:STRIPE_PRICE_A\"");
    assert_eq!(
        mistakes_of(&twice),
        ["line 31, column 16: variable STRIPE_PRICE_A is used already, by tier \"starter\"; \
          each price belongs to one plan"]
    );
    let text = BASE.replace("price_starter", "env:STRIPE_PRICE_A");
    for secret in ["whsec_abc", "sk_live_abc", "hush hush"] {
        let mistakes = Catalog::parse(&text, &|_| Some(secret.to_owned())).expect_err("mistakes");
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let expected =
            "line 22, column 16: variable STRIPE_PRICE_A doesn't hold the id of a Stripe price";
        assert_eq!(told, [expected], "a value that is not a price is never shown");
    }
}

#[test]
fn prices_must_look_like_prices() {
    let hint = "write price_..., or env:STRIPE_PRICE_... for a variable that holds it";
    for (price, complaint) in [
        ("prod_1", "this is a product, not the id of a price"),
        ("sk_live_1", "this is a secret key, not the id of a price"),
        ("price 1", "\"price 1\" can't be the id of a Stripe price"),
        ("", "\"\" can't be the id of a Stripe price"),
    ] {
        let expected = format!("line 22, column 16: {complaint}; {hint}");
        check("price_starter", price, &[&expected]);
    }
    check(
        "\"price_starter\"",
        "true",
        &["line 22, column 16: a price must be a text in quotes, not true or false"],
    );
    check(
        "\"price_starter\"",
        "[]",
        &["line 22, column 16: a list of prices has from 1 to 50 of them"],
    );
}

#[test]
fn an_unset_variable_is_no_warning() {
    let text = BASE.replace("price_starter", "env:STRIPE_PRICE_A");
    let parsed = Catalog::parse(&text, &|_| None).expect("a catalogue");
    assert_eq!(parsed.warnings, []);
    assert_eq!(parsed.unset_variables.len(), 1);
}
