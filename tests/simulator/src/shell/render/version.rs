//! Names of API versions, and their order.

/// The newest version: the shape in which the world keeps its objects.
pub const NEWEST: &str = "2026-10-28.endive";

/// The versions whose shapes are told apart and tested, newest first. Every other date between
/// them is accepted too, and has the shapes of the last one before it.
pub const CATALOGUE: [&str; 22] = [
    NEWEST,
    "2026-09-30.endive",
    "2026-05-27.dahlia",
    "2026-03-25.dahlia",
    "2025-09-30.clover",
    "2025-06-30.basil",
    "2025-03-31.basil",
    "2024-10-28.acacia",
    "2024-09-30.acacia",
    "2024-06-20",
    "2024-04-10",
    "2023-10-16",
    "2022-11-15",
    "2020-08-27",
    "2020-03-02",
    "2019-12-03",
    "2019-10-17",
    "2019-03-14",
    "2019-02-11",
    "2018-11-08",
    "2017-08-15",
    OLDEST,
];

/// The oldest version that is rendered.
const OLDEST: &str = "2017-04-06";

/// Since then a version has a name besides its date.
const NAMED_SINCE: &str = "2024-09-30";

const NAMES: [&str; 5] = ["acacia", "basil", "clover", "dahlia", "endive"];

/// How long the date at the start of a version's name is.
const DATE: usize = 10;

/// An API version that can be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Reads the name of a version; `None` for one that never was or is older than the oldest.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (date, rest) = name.split_at_checked(DATE)?;
        let shaped = date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let named = match rest.strip_prefix('.') {
            Some(rest) => date >= NAMED_SINCE && NAMES.contains(&rest),
            None => rest.is_empty() && date < NAMED_SINCE,
        };
        let known = (&OLDEST[..DATE]..=&NEWEST[..DATE]).contains(&date);
        (shaped && named && known).then(|| Self(name.to_owned()))
    }

    /// The newest one.
    #[must_use]
    pub fn newest() -> Self {
        Self(NEWEST.to_owned())
    }

    /// Its whole name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it's older than a date.
    pub(crate) fn is_before(&self, date: &str) -> bool {
        self.0[..DATE] < *date
    }

    /// Whether events of this type exist in this version: a payment of an invoice and a price are
    /// younger than the oldest versions.
    #[must_use]
    pub fn knows(&self, event_type: &str) -> bool {
        let since = match event_type.split('.').next() {
            Some("invoice_payment") => "2025-05-28",
            Some("price") => "2020-08-27",
            _ => return true,
        };
        !self.is_before(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_are_in_order() {
        let versions: Vec<Version> =
            CATALOGUE.iter().map(|name| Version::parse(name).expect(name)).collect();
        for pair in versions.windows(2) {
            assert!(pair[1].is_before(&pair[0].name()[..DATE]), "{pair:?}");
        }
    }

    #[test]
    fn what_never_was_is_refused() {
        for name in ["", "2020", "2020-08-27.basil", "2025-03-31", "2025-03-31.zinnia"] {
            assert_eq!(Version::parse(name), None, "{name}");
        }
        for name in ["2011-01-01", "2027-01-01.endive", "20x0-08-27", "2020-08-27 "] {
            assert_eq!(Version::parse(name), None, "{name}");
        }
        assert!(Version::parse("2025-08-27.basil").is_some());
    }

    #[test]
    fn young_types_are_unknown_to_old_versions() {
        let old = Version::parse("2020-03-02").unwrap();
        assert!(!old.knows("price.created") && !old.knows("invoice_payment.paid"));
        assert!(old.knows("invoice.paid") && Version::newest().knows("invoice_payment.paid"));
    }
}
