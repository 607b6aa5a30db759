//! Publishing a catalogue and reading it again elsewhere; and texts that nobody would write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::{SMALL, parse, price, small};
use crate::catalog::{Catalog, Interval, ResolvedPrices};

#[test]
fn a_published_catalogue_needs_no_environment() {
    let catalog = small();
    let again = Catalog::from_published(SMALL, &catalog.resolved_prices()).expect("a catalogue");
    assert_eq!(again, catalog);
}

#[test]
fn published_prices_travel_as_json() {
    let prices = small().resolved_prices();
    let json = serde_json::to_string(&prices).expect("JSON");
    assert_eq!(
        json,
        r#"{"big":{"month":["price_big","price_big_old"]},"few_jobs":{"month":["price_few_jobs"]},"jobs":{"month":["price_jobs"]},"middle":{"month":["price_middle"]},"small":{"month":["price_small"],"year":["price_small_year"]}}"#
    );
    assert_eq!(serde_json::from_str::<ResolvedPrices>(&json).expect("prices"), prices);
}

#[test]
fn an_unset_variable_is_told_and_means_no_price() {
    for empty in [None, Some(String::new()), Some("  ".to_owned())] {
        let parsed = Catalog::parse(SMALL, &|_| empty.clone()).expect("a catalogue");
        let [unset] = parsed.unset_variables.as_slice() else { panic!("one unset variable") };
        assert_eq!((unset.variable.as_str(), unset.line), ("STRIPE_PRICE_BIG", 22));
        assert_eq!((unset.plan.as_str(), unset.interval), ("big", Interval::Month));
        let big = parsed.catalog.plan(&unset.plan).expect("the big tier");
        assert_eq!(big.prices(Interval::Month), [price("price_big_old")]);
    }
}

#[test]
fn published_prices_count_where_the_environment_has_others() {
    let prices = BTreeMap::from([(
        "free".to_owned(),
        BTreeMap::from([(Interval::Year, vec![price("price_x")]), (Interval::Month, vec![])]),
    )]);
    let catalog = Catalog::from_published(SMALL, &prices).expect("a catalogue");
    let (plan, interval) = catalog.plan_by_price(&price("price_x")).expect("a plan");
    assert_eq!((plan.slug().as_str(), interval), ("free", Interval::Year));
    assert!(catalog.plan_by_price(&price("price_small")).is_none());
    assert_eq!(catalog.resolved_prices().len(), 1);
}

#[test]
fn published_prices_are_checked_like_any() {
    let month = |id| BTreeMap::from([(Interval::Month, vec![price(id)])]);
    let prices = BTreeMap::from([
        ("big".to_owned(), month("price_x")),
        ("small".to_owned(), month("price_x")),
        ("huge".to_owned(), month("price_y")),
    ]);
    let mistakes = Catalog::from_published(SMALL, &prices).expect_err("mistakes");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 1, column 1: prices were published for \"huge\", which is no plan",
            "line 38, column 8: price \"price_x\" is used already, by tier \"big\"; each price belongs to one plan and one interval",
        ]
    );
}

/// The text of a catalogue with these allowances for each tier and add-on: one feature for each
/// column, a flag, a limit and a quota in turn.
fn text_of(tiers: &[Vec<Option<u64>>], add_ons: &[Vec<Option<u64>>], prices: &[u8]) -> String {
    let mut text = "name = \"Any\"\naudience = \"user\"\n".to_owned();
    for column in 0..3 {
        let kind = ["\"flag\"", "\"limit\"", "\"quota\"\nreset = \"month\""][column];
        let _ = writeln!(
            text,
            "[features.f{column}]\nname = \"F\"\ndescription = \"F\"\nkind = {kind}"
        );
    }
    let all = tiers.iter().map(|grants| ("tiers", grants));
    let all = all.chain(add_ons.iter().map(|grants| ("add_ons", grants)));
    for (index, (table, grants)) in all.enumerate() {
        let _ = writeln!(text, "[{table}.p{index}]\nname = \"P\"\ndescription = \"P\"");
        if table == "tiers" {
            let level = 1000 - index;
            let _ = writeln!(text, "level = {level}\nrequests_per_minute = {}", index + 1);
        }
        match prices.get(index).map(|sort| sort % 5) {
            Some(1) => text.push_str(&format!("prices.month = \"price_{index}\"\n")),
            Some(2) => text.push_str(&format!("prices.year = \"env:STRIPE_PRICE_{index}\"\n")),
            Some(3) => text.push_str(&format!(
                "prices = {{ month = [\"old_{index}\", \"env:STRIPE_PRICE_{index}\"], year = \"y{index}x\" }}\n"
            )),
            Some(4) => text.push_str("active = false\n"),
            _ => {}
        }
        for (column, grant) in grants.iter().enumerate() {
            let Some(grant) = grant else { continue };
            let value = match (column, grant) {
                (0, _) => (grant % 2 == 0).to_string(),
                (_, 0..=4) => "\"unlimited\"".to_owned(),
                _ => grant.to_string(),
            };
            let _ = writeln!(text, "grants.f{column} = {value}");
        }
    }
    text
}

fn grants() -> impl Strategy<Value = Vec<Vec<Option<u64>>>> {
    prop::collection::vec(prop::collection::vec(prop::option::of(0_u64..30), 3), 1..6)
}

/// Parses whatever text, with variables that are set, unset, or hold rubbish.
fn must_not_panic(text: &str) {
    for value in [None, Some("price_1"), Some("not a price")] {
        let Err(mistakes) = Catalog::parse(text, &|_| value.map(str::to_owned)) else { continue };
        assert!(!mistakes.is_empty());
        let lines = text.split('\n').count();
        for mistake in &mistakes {
            assert!((1..=lines).contains(&mistake.line) && mistake.column >= 1, "{mistake}");
        }
    }
    let _ = Catalog::from_published(text, &small().resolved_prices());
}

#[test]
fn deep_and_repetitive_texts_are_refused_quickly() {
    for text in [
        "[".repeat(200_000),
        "a=[".repeat(80_000),
        "a.".repeat(130_000),
        "[a]\n".repeat(65_000),
        format!("x={}", "{a=".repeat(80_000)),
        "}".repeat(262_144),
        (0..30_000).fold("[tiers]\n".to_owned(), |text, n| text + &format!("t{n}=1\n")),
    ] {
        must_not_panic(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_published_reads_as_it_was(
        tiers in grants(),
        add_ons in grants(),
        prices in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let text = text_of(&tiers, &add_ons, &prices);
        let parsed = parse(&text).expect("a catalogue without mistakes");
        let published = parsed.catalog.resolved_prices();
        let again = Catalog::from_published(&text, &published).expect("the same catalogue");
        prop_assert_eq!(&again, &parsed.catalog);
        prop_assert_eq!(again.resolved_prices(), published);
        prop_assert_eq!(again.tiers().len() + again.add_ons().len(), tiers.len() + add_ons.len());
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        must_not_panic(&text);
    }

    #[test]
    fn any_lines_of_toml_are_answered(
        text in "(\\[{1,2}(tiers|features|add_ons|policies)(\\.[a-zA-Z_.]{1,9})?\\]{1,2}\n|[a-z_.]{1,9} ?= ?(-?[0-9]{1,22}|\"[ -~]{0,9}\"|true|\\[.{0,5}\\])\n){0,12}",
    ) {
        must_not_panic(&text);
    }

    #[test]
    fn a_damaged_catalogue_is_answered(
        from in any::<prop::sample::Index>(),
        length in 0_usize..40,
        insert in "\\PC{0,6}|[\\[\\]{}\"=\n.,0-9-]{0,6}",
    ) {
        let starts: Vec<usize> = SMALL.char_indices().map(|(at, _)| at).collect();
        let start = from.index(starts.len());
        let end = (start + length).min(starts.len() - 1);
        let text = format!("{}{insert}{}", &SMALL[..starts[start]], &SMALL[starts[end.max(start)]..]);
        must_not_panic(&text);
    }
}
