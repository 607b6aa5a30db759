//! What the text of an allow-listed field may look like. A field that is allowed is no licence
//! for free text: a name or an address does not pass as an id or a code.

use ledger_domain::id::TrainerId;

/// The longest code: Stripe's enum values have up to about 50 characters.
const CODE_BYTES_MAX: usize = 80;
/// The longest event type: Stripe's have up to about 70 characters.
const TYPE_BYTES_MAX: usize = 200;
/// Ids may grow up to 255 characters (`/upgrades`, on changes that are backwards compatible).
const ID_BYTES_MAX: usize = 255;
/// The longest product name, nickname or lookup key that is kept.
const TEXT_BYTES_MAX: usize = 500;
const DECIMAL_BYTES_MAX: usize = 40;

/// `sub_1Mow...`, and ids that people chose themselves, such as a plan's or a coupon's.
pub(crate) fn is_id(text: &str) -> bool {
    bounded(text, ID_BYTES_MAX)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

/// A value of an enum, an API version: no capitals, no spaces.
pub(crate) fn is_code(text: &str) -> bool {
    bounded(text, CODE_BYTES_MAX)
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
}

/// An event's type, such as `v2.core.account[requirements].updated`: types that are new and strange
/// may have capitals, too.
pub(crate) fn is_event_type(text: &str) -> bool {
    bounded(text, TYPE_BYTES_MAX)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-[]".contains(&b))
}

/// A context of an organisation: ids joined by slashes.
pub(crate) fn is_context(text: &str) -> bool {
    text.len() <= ID_BYTES_MAX && text.split('/').all(is_id)
}

/// `-12.50`; Stripe writes decimals without an exponent.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= DECIMAL_BYTES_MAX && all_digits(whole) && all_digits(fraction)
}

/// Two capitals, as ISO 3166 has them.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// A card's brand: a code, or one of the names that `card` objects and old charges have
/// (`/api/cards/object#card_object-brand`).
pub(crate) fn is_brand(text: &str) -> bool {
    const NAMES: [&str; 9] = [
        "Visa",
        "MasterCard",
        "American Express",
        "Discover",
        "Diners Club",
        "JCB",
        "UnionPay",
        "Eftpos Australia",
        "Unknown",
    ];
    is_code(text) || NAMES.contains(&text)
}

/// The one name that people choose freely: a product's, a price's.
pub(crate) fn is_text(text: &str) -> bool {
    bounded(text, TEXT_BYTES_MAX) && !text.contains(char::is_control)
}

/// An opaque id, never an e-mail address.
pub(crate) fn is_trainer_id(text: &str) -> bool {
    TrainerId::try_new(text).is_ok()
}

/// The form of the idempotency keys that this project sends, so that another client's key, which
/// may be anything, is not taken in.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// A number with a fraction, such as a percentage, as a decimal text.
pub(crate) fn decimal_of(float: f64) -> Option<String> {
    let text = float.to_string();
    is_decimal(&text).then_some(text)
}

fn bounded(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        type Row = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let table: [Row; 8] = [
            (is_id, &["sub_1A", "gold-plan.v2", "a:b"], &["", "a b", "a@b", "Müller", "a/b"]),
            (is_code, &["past_due", "usd", "2025-03-31.basil"], &["", "Past", "past due", "a@b"]),
            (is_context, &["acct_1", "org_1/acct_2"], &["", "acct_1/", "a b", "/"]),
            (is_decimal, &["0", "-12.50", "1250"], &["", "-", ".5", "5.", "1e5", "1,5", "NaN"]),
            (is_country, &["US"], &["us", "USA", ""]),
            (is_brand, &["visa", "American Express"], &["Jenny Rosen", ""]),
            (is_text, &["Professional (yearly)", "Équipe"], &["", "a\nb"]),
            (
                is_uuid,
                &["0191d5a8-7c1e-7b6c-8f57-0123456789ab"],
                &["", "0191d5a87c1e7b6c8f570123456789ab", "me@example.test"],
            ),
        ];
        for (is, good, bad) in table {
            good.iter().for_each(|text| assert!(is(text), "{text:?} is good"));
            bad.iter().for_each(|text| assert!(!is(text), "{text:?} is bad"));
        }
    }

    #[test]
    fn everything_has_a_limit() {
        assert!(is_id(&"a".repeat(255)) && !is_id(&"a".repeat(256)));
        assert!(is_code(&"a".repeat(80)) && !is_code(&"a".repeat(81)));
        assert!(is_text(&"a".repeat(500)) && !is_text(&"a".repeat(501)));
        assert!(!is_decimal(&"1".repeat(41)) && !is_context(&"a/".repeat(200)));
    }

    #[test]
    fn fractions_become_decimal_texts() {
        assert_eq!(decimal_of(33.3).as_deref(), Some("33.3"));
        assert_eq!(decimal_of(25.0).as_deref(), Some("25"));
        assert_eq!(decimal_of(f64::MAX), None);
        assert_eq!(decimal_of(f64::NAN), None);
    }
}
