//! Halves of surrogate pairs that stand alone.
//!
//! JSON's grammar lets `"\ud800"` stand in a text, and no text can hold it (RFC 8259, section 8.2).
//! A name that was cut off in the middle of an emoji is enough to make one. The parser refuses such
//! a body as a whole, and Stripe would send the same body again for days and then give up: the
//! event would be lost for a field that nobody keeps. So each of them is read as U+FFFD, as
//! decoders of UTF-16 read it.

use std::borrow::Cow;

/// The escape that takes the place; as long as the one that stood there, so that the places which
/// errors tell stay right.
const REPLACEMENT: &str = "\\ufffd";

/// The text with an escape of U+FFFD for each lone surrogate; as it is, if it has none.
pub(crate) fn replaced(text: &str) -> Cow<'_, str> {
    let mut whole = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(escape) = text[at..].find('\\') {
        at += escape;
        let rest = &text.as_bytes()[at..];
        at += match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                whole.push_str(&text[copied..at]);
                whole.push_str(REPLACEMENT);
                copied = at + 6;
                6
            }
            (Some(_), _) => 6,
            // Whatever is escaped is no backslash that begins another escape.
            (None, _) => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    whole.push_str(&text[copied..]);
    Cow::Owned(whole)
}

/// The code unit that an escape at the beginning stands for.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_lone_halves_are_replaced() {
        for (text, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00 \u00e9""#, r#""\uD83D\uDE00 \u00e9""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00x\ud83dé""#, r#""\ufffdx\ufffdé""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            // An escaped backslash, and no surrogate.
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#""\ud83"#, r#""\ud83"#),
            (r#""\"#, r#""\"#),
            (r#""\é\ud83d"#, r#""\é\ufffd"#),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
            assert_eq!(replaced(text).len(), text.len());
        }
    }

    proptest! {
        #[test]
        fn a_text_is_read_as_utf_16_is(
            units in proptest::collection::vec(
                prop_oneof![Just(0x5C), 0xD7FF_u16..0xE001, any::<u16>()], 0..40
            )
        ) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escapes}\"");
            let read: String = serde_json::from_str(&replaced(&json)).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }

        #[test]
        fn what_is_read_already_stays(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(replaced(&json), json.as_str());
            // And no text at all makes it panic.
            prop_assert_eq!(replaced(&text).len(), text.len());
        }
    }
}
