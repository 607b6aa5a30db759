//! Catalogues name prices and never say what they are: amounts come from Stripe, as facts.

use toml::Value;

use crate::tree::files_in;

/// Keys that would hold money, as a whole or behind an underscore.
const MONEY: [&str; 6] = ["amount", "amounts", "cents", "minor", "price", "prices"];

#[test]
fn catalogues_hold_no_amounts() {
    let mut found = Vec::new();
    for file in files_in("catalogs") {
        if file.has_extension(&["toml"]) {
            found.extend(violations(&file.path, &file.text()));
        }
    }
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    match text.parse::<toml::Table>() {
        Ok(table) => search(path, "", &Value::Table(table), false, &mut violations),
        Err(error) => violations.push(format!("{path}: {error}")),
    }
    violations
}

/// Looks at a value and all below it; what is below a key of money is money too.
fn search(path: &str, key: &str, value: &Value, money: bool, violations: &mut Vec<String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                search(path, &inner, value, money || is_money(name), violations);
            }
        }
        Value::Array(values) => {
            for value in values {
                search(path, key, value, money, violations);
            }
        }
        _ if money && is_number(value) => violations
            .push(format!("{path}: `{key} = {value}` is an amount; name a Stripe price instead")),
        _ => {}
    }
}

fn is_money(key: &str) -> bool {
    let last = key.rsplit('_').next().unwrap_or(key);
    MONEY.contains(&last.to_lowercase().as_str())
}

/// A number, also one in quotes and with a currency sign.
fn is_number(value: &Value) -> bool {
    match value {
        Value::Integer(_) | Value::Float(_) => true,
        Value::String(text) => {
            let mut digits = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars();
            digits.next().is_some_and(|first| first.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_found_in_every_disguise() {
        for text in [
            "amount = 2900",
            "price = \"29.00\"",
            "price = \"$29\"",
            "unit_amount = 2900",
            "[tiers.starter]\nprices = { month = 2900 }",
            "[[tiers]]\n[tiers.price]\nyear = 29.0",
            "amounts = [1, 2]",
        ] {
            assert!(!violations("catalogs/x.toml", text).is_empty(), "{text}");
        }
        let found = violations("catalogs/x.toml", "[tiers.starter]\nprices = { month = 2900 }");
        let expected = "catalogs/x.toml: `tiers.starter.prices.month = 2900` is an amount; \
                        name a Stripe price instead";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn names_of_prices_and_other_numbers_are_fine() {
        for text in [
            "[tiers.starter]\nlevel = 1\nprices = { month = \"price_1Abc\" }",
            "price = \"env:STRIPE_PRICE_TIER_STARTER\"",
            "trial_days = 14",
        ] {
            assert!(violations("catalogs/x.toml", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_no_catalogue_is_found() {
        assert_eq!(violations("catalogs/x.toml", "= 1").len(), 1);
    }
}
