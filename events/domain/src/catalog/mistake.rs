//! Mistakes in a catalogue file, told so that the person who edits it can mend them.

use std::fmt;

use toml::Spanned;

/// More mistakes than this are counted, not told: nobody reads on, and a hostile file must not
/// make the answer larger than itself.
const TOLD_MAX: usize = 200;

/// Something in a catalogue file that is wrong, or, among the warnings, unlikely to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mistake {}

/// A place in the file, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

impl Place {
    /// Where mistakes are shown that concern the file as a whole.
    pub(super) const START: Self = Self(0);
}

impl<T> From<&Spanned<T>> for Place {
    fn from(spanned: &Spanned<T>) -> Self {
        Self(spanned.span().start)
    }
}

impl From<usize> for Place {
    fn from(offset: usize) -> Self {
        Self(offset)
    }
}

/// Collects the mistakes and warnings of one file.
pub(super) struct Report<'s> {
    source: &'s str,
    line_starts: Vec<usize>,
    mistakes: Vec<(Place, String, Option<String>)>,
    warnings: Vec<(Place, String, Option<String>)>,
    untold: usize,
}

impl<'s> Report<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let after_breaks = source.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            source,
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            mistakes: Vec::new(),
            warnings: Vec::new(),
            untold: 0,
        }
    }

    /// Adds a mistake. The hint is only worked out if there is room to tell it.
    pub(super) fn mistake(
        &mut self,
        place: impl Into<Place>,
        message: String,
        hint: impl FnOnce() -> Option<String>,
    ) {
        if self.mistakes.len() < TOLD_MAX {
            self.mistakes.push((place.into(), message, hint()));
        } else {
            self.untold += 1;
        }
    }

    /// Adds something that is allowed, but unlikely to be meant.
    pub(super) fn warning(&mut self, place: Place, message: String, hint: &str) {
        if self.warnings.len() < TOLD_MAX {
            self.warnings.push((place, message, Some(hint.to_owned())));
        }
    }

    /// The warnings, if there is no mistake; else the mistakes. Both in the order of the file.
    pub(super) fn finish(mut self) -> Result<Vec<Mistake>, Vec<Mistake>> {
        if self.mistakes.is_empty() {
            let warnings = std::mem::take(&mut self.warnings);
            return Ok(self.told(warnings));
        }
        let mistakes = std::mem::take(&mut self.mistakes);
        let mut told = self.told(mistakes);
        if self.untold > 0 {
            let (line, column) = told.last().map_or((1, 1), |last| (last.line, last.column));
            let message = format!("and {} more mistakes", self.untold);
            told.push(Mistake { line, column, message, hint: None });
        }
        Err(told)
    }

    fn told(&self, mut found: Vec<(Place, String, Option<String>)>) -> Vec<Mistake> {
        found.sort_by_key(|(place, ..)| *place);
        found
            .into_iter()
            .map(|(place, message, hint)| {
                let (line, column) = self.line_and_column(place);
                Mistake { line, column, message, hint }
            })
            .collect()
    }

    /// Where a place is, for people: line and character, both from 1.
    pub(super) fn line_and_column(&self, Place(offset): Place) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts[line - 1];
        let before = self.source.get(start..offset.min(self.source.len()));
        (line, before.map_or(1, |text| text.chars().count() + 1))
    }
}

/// A text from the file, fit to be shown: quoted, escaped, and cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 64;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// `did you mean "x"?` for the nearest of `known`, if one is near; else the known ones, if few.
pub(super) fn did_you_mean<'a>(
    text: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    const LISTED_MAX: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .filter_map(|candidate| nearness(text, candidate).map(|distance| (distance, candidate)))
        .min();
    match near {
        Some((_, candidate)) => Some(format!("did you mean \"{candidate}\"?")),
        None if (1..=LISTED_MAX).contains(&known.len()) => {
            Some(format!("known: {}", known.join(", ")))
        }
        None => None,
    }
}

/// How far a mistyped text is from what may have been meant; `None` if it is something else.
fn nearness(typed: &str, meant: &str) -> Option<usize> {
    const COMPARED_MAX: usize = 64;
    if typed.is_empty() || typed.len() > COMPARED_MAX || meant.len() > COMPARED_MAX {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let (typed, meant) = (plain(typed), plain(meant));
    let short = typed.len().min(meant.len());
    let begins_alike = short >= 4 && (typed.starts_with(&meant) || meant.starts_with(&typed));
    let edits_max = if begins_alike { COMPARED_MAX } else { 1 + short / 4 };
    if typed.len().abs_diff(meant.len()) > edits_max {
        return None;
    }
    Some(edits(typed.as_bytes(), meant.as_bytes())).filter(|edits| *edits <= edits_max)
}

/// The Levenshtein distance: insertions, deletions and replacements from one text to the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], row + 1);
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = above[column + 1];
            above[column + 1] = replaced.min(diagonal + 1).min(above[column] + 1);
        }
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let known = ["analytics", "customers", "month", "year", "trial_settle_hours"];
        for (typed, meant) in [
            ("analitics", "analytics"),
            ("Customers", "customers"),
            ("monthly", "month"),
            ("trial_settle", "trial_settle_hours"),
            ("trial-settle-hours", "trial_settle_hours"),
        ] {
            let expected = format!("did you mean \"{meant}\"?");
            assert_eq!(did_you_mean(typed, known), Some(expected));
        }
        assert_eq!(did_you_mean("colour", ["month", "year"]), Some("known: month, year".into()));
        assert_eq!(did_you_mean("colour", []), None);
    }

    #[test]
    fn columns_count_characters() {
        let report = Report::new("a\n\u{e9}\u{e9} x\n");
        assert_eq!(report.line_and_column(Place(0)), (1, 1));
        assert_eq!(report.line_and_column(Place(2)), (2, 1));
        assert_eq!(report.line_and_column(Place(7)), (2, 4));
        assert_eq!(report.line_and_column(Place(9)), (3, 1));
        assert_eq!(report.line_and_column(Place(99)), (3, 1));
    }

    #[test]
    fn what_exceeds_the_limit_is_counted() {
        let mut report = Report::new("");
        for _ in 0..TOLD_MAX + 3 {
            report.mistake(Place::START, "wrong".into(), || None);
        }
        let told = report.finish().expect_err("mistakes");
        assert_eq!(told.len(), TOLD_MAX + 1);
        assert_eq!(told[TOLD_MAX].message, "and 3 more mistakes");
    }

    #[test]
    fn long_and_odd_texts_are_shown_safely() {
        assert_eq!(quoted("a\"\n"), r#""a\"\n""#);
        assert_eq!(quoted(&"x".repeat(65)), format!("\"{}\"...", "x".repeat(64)));
    }
}
