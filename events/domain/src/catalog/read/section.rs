//! One table of the file, read key by key. A key that nobody asked for is a mistake, so that a
//! mistyped policy can't be ignored in silence.
//!
//! The tree with its positions is read by hand rather than through derived deserialisers: those
//! stop at the first mistake, and the person at the editor wants to know of all.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::catalog::mistake::{Place, Report, did_you_mean, quoted};

/// A key of a table with its value.
pub(super) type Entry<'t> = (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>);

/// A table that is being read.
pub(super) struct Section<'t> {
    /// What the table describes, for messages: `tier "starter"`.
    label: String,
    place: Place,
    entries: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub(super) const fn new(label: String, place: Place, entries: &'t DeTable<'t>) -> Self {
        Self { label, place, entries, known: Vec::new() }
    }

    /// What the table describes.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Where the table begins.
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// The entry under a key, which is known from now on.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<Entry<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.get_key_value(key)
    }

    /// The value under a key, which is known from now on.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The value under a key that must be there.
    pub(super) fn required(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
    ) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.value(key);
        if value.is_none() {
            let message = format!("{} has no \"{key}\"", self.label);
            report.mistake(self.place, message, || None);
        }
        value
    }

    /// A text on one line that must be there.
    pub(super) fn text(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        chars_max: usize,
    ) -> Option<String> {
        let value = self.required(report, key)?;
        text(report, key, value, chars_max)
    }

    /// A text on one line that may be left out.
    pub(super) fn optional_text(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        chars_max: usize,
    ) -> Option<String> {
        let value = self.value(key)?;
        text(report, key, value, chars_max)
    }

    /// A whole number that may be left out.
    pub(super) fn number(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        range: &RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = self.value(key)?;
        number(report, key, value, range)
    }

    /// A whole number that must be there, with its place.
    pub(super) fn required_number(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        range: &RangeInclusive<u32>,
    ) -> Option<(u32, Place)> {
        let value = self.required(report, key)?;
        Some((number(report, key, value, range)?, value.into()))
    }

    /// `true` or `false`; may be left out.
    pub(super) fn switch(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let switch = value.get_ref().as_bool();
        if switch.is_none() {
            wrong_sort(report, key, value, "true or false");
        }
        switch
    }

    /// One of a few words; may be left out.
    pub(super) fn choice<T: Copy>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let value = self.value(key)?;
        let words = || choices.iter().map(|(word, _)| *word);
        let Some(typed) = value.get_ref().as_str() else {
            let words: Vec<String> = words().map(|word| format!("\"{word}\"")).collect();
            wrong_sort(report, key, value, &words.join(" or "));
            return None;
        };
        let choice = choices.iter().find(|(word, _)| *word == typed).map(|(_, choice)| *choice);
        if choice.is_none() {
            let message = format!("\"{key}\" can't be {}", quoted(typed));
            report.mistake(value, message, || did_you_mean(typed, words()));
        }
        choice
    }

    /// The entries of a table under a key, in the order of the file; none if it is left out.
    pub(super) fn table(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
    ) -> Option<(&'t Spanned<DeString<'t>>, &'t DeTable<'t>)> {
        let (name, value) = self.entry(key)?;
        Some((name, as_table(report, key, value)?))
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for (key, value) in self.entries {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            if is_money(name, value.get_ref()) {
                money(report, key.into());
                continue;
            }
            let message = format!("{} can't have a key {}", self.label, quoted(name));
            report.mistake(key, message, || did_you_mean(name, self.known.iter().copied()));
        }
    }
}

/// The entries of a table in the order in which the file has them.
pub(super) fn in_file_order<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<Entry<'t>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The table that a value should be.
pub(super) fn as_table<'t>(
    report: &mut Report<'_>,
    key: &str,
    value: &'t Spanned<DeValue<'t>>,
) -> Option<&'t DeTable<'t>> {
    match value.get_ref() {
        DeValue::Table(table) => return Some(table),
        DeValue::Array(_) => {
            let message = format!("{} must be a table, not a list", quoted(key));
            report.mistake(value, message, || {
                Some(format!("begin each part with [{key}.its_name], in single brackets"))
            });
        }
        _ => wrong_sort(report, key, value, "a table"),
    }
    None
}

/// Reports a value of another sort than the key wants.
pub(super) fn wrong_sort(
    report: &mut Report<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
    wanted: &str,
) {
    let message = format!("{} must be {wanted}, not {}", quoted(key), sort_of(value.get_ref()));
    report.mistake(value, message, || None);
}

/// Reports an amount of money.
pub(super) fn money(report: &mut Report<'_>, place: Place) {
    report.mistake(place, "amounts of money are never written in a catalogue".to_owned(), || {
        Some(
            "name a Stripe price instead (prices.month = \"price_...\"): it holds the amount"
                .into(),
        )
    });
}

/// A whole number of any size, if it can be read as one.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(
    report: &mut Report<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
    range: &RangeInclusive<u32>,
) -> Option<u32> {
    if value.get_ref().as_integer().is_none() {
        wrong_sort(report, key, value, "a whole number");
        return None;
    }
    let number = whole(value.get_ref()).and_then(|n| u32::try_from(n).ok());
    let number = number.filter(|n| range.contains(n));
    if number.is_none() {
        let message = format!("\"{key}\" must be from {} to {}", range.start(), range.end());
        report.mistake(value, message, || None);
    }
    number
}

fn text(
    report: &mut Report<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
    chars_max: usize,
) -> Option<String> {
    let Some(text) = value.get_ref().as_str().map(str::trim) else {
        wrong_sort(report, key, value, "a text in quotes");
        return None;
    };
    let complaint = if text.is_empty() {
        format!("\"{key}\" is empty")
    } else if text.chars().any(char::is_control) {
        format!("\"{key}\" must be on one line, without control characters")
    } else if text.chars().count() > chars_max {
        format!("\"{key}\" has more than {chars_max} characters")
    } else {
        return Some(text.to_owned());
    };
    report.mistake(value, complaint, || None);
    None
}

/// Whether a key that the format doesn't know was meant to hold an amount of money.
fn is_money(key: &str, value: &DeValue<'_>) -> bool {
    let key = key.to_ascii_lowercase();
    let always = ["amount", "currency", "cost", "fee"];
    always.iter().any(|word| key.split('_').any(|part| part == *word))
        || (key.contains("price") && (value.is_integer() || value.is_float()))
}

pub(super) const fn sort_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
