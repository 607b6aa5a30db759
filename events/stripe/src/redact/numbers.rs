//! Numbers that no number of this machine can hold.
//!
//! JSON's grammar lets a number have any size (RFC 8259, section 6), and the parser refuses a body
//! as a whole for one that is larger than every `f64`. Stripe would send the same body again for
//! days and then give up. So each of them is read as another one that is too large for whatever may
//! stand there.

/// Too large for a whole number and for a decimal, and no longer than any number beyond `f64`.
const REPLACEMENT: &str = "1e300";
/// What is as large as this is too large.
const TOO_LARGE: f64 = 1e300;

/// The text with each number that is too large replaced, and blanks behind it, so that the places
/// which errors tell stay right; none if it has no such number.
pub(crate) fn replaced(text: &str) -> Option<String> {
    let mut whole = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        let rest = &text[at..];
        let length = match byte {
            b'"' => text_length(rest),
            b'-' | b'0'..=b'9' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
                let number = &rest[..end.unwrap_or(rest.len())];
                if is_number(number) && !number.parse().is_ok_and(|n: f64| n.abs() < TOO_LARGE) {
                    whole.push_str(&text[copied..at]);
                    whole.push_str(REPLACEMENT);
                    let blanks = number.len().saturating_sub(REPLACEMENT.len());
                    whole.extend(std::iter::repeat_n(' ', blanks));
                    copied = at + number.len();
                }
                number.len()
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += length;
    }
    (copied > 0).then(|| whole + &text[copied..])
}

/// How long the text is that begins here, quotes included.
fn text_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether this is a number by JSON's grammar: what isn't must not become one.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && digits(fraction)
        && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_are_too_large_are_replaced() {
        let digits = "9".repeat(400);
        let (blanks, negative) = (" ".repeat(395), format!("[-{digits}]"));
        for (text, expected) in [
            (r#"{"a":1e999,"b":2}"#, Some(r#"{"a":1e300,"b":2}"#.to_owned())),
            (r#"[-1E+999,1]"#, Some(r#"[1e300  ,1]"#.to_owned())),
            (digits.as_str(), Some(format!("1e300{blanks}"))),
            (&negative, Some(format!("[1e300{blanks} ]"))),
            (r#"{"a":"1e999 \" 1e999","ü":1e299}"#, None),
            ("[1e-999,0e999,12.50,-7]", None),
            ("[01e999,1.e999,1e,--1e999,1e999x]", None),
            (r#""1e999"#, None),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
            assert!(expected.is_none_or(|found| found.len() == text.len()));
        }
    }
}
