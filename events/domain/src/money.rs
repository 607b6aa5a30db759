//! Money: whole minor units with a currency. Never a float, never rounded in silence.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::InvalidName;

/// An ISO 4217 currency code in Stripe's spelling: three lower-case letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code in either case.
    ///
    /// # Errors
    /// If the text is not three ASCII letters.
    pub fn try_new(text: &str) -> Result<Self, InvalidName> {
        match text.as_bytes() {
            &[a, b, c] if text.bytes().all(|x| x.is_ascii_alphabetic()) => {
                Ok(Self([a, b, c].map(|x| x.to_ascii_lowercase())))
            }
            _ => Err(InvalidName { what: "a currency", rule: "three letters, as in ISO 4217" }),
        }
    }

    /// The code in lower case.
    ///
    /// # Panics
    /// Never: only ASCII letters are stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII letters")
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::try_new(&text)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::id::read(deserializer, Self::try_new)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z]{3}$" })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in the currency's smallest unit, as Stripe gives it (2900 = 29.00 USD, 500 = 500 JPY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative for money that flows back.
    pub amount_minor: i64,
    /// The currency that the amount counts in.
    pub currency: Currency,
}

impl Money {
    /// The sum, unless the currencies differ or it doesn't fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount_minor = self.amount_minor.checked_add(other.amount_minor)?;
        (self.currency == other.currency).then_some(Self { amount_minor, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_refuse_another_currency_and_overflow() {
        let usd = |amount_minor| Money {
            amount_minor,
            currency: Currency::try_new("USD").expect("a currency"),
        };
        let eur =
            Money { amount_minor: 1, currency: Currency::try_new("eur").expect("a currency") };
        assert_eq!(usd(1).checked_add(usd(2)), Some(usd(3)));
        assert_eq!(usd(1).checked_add(eur), None);
        assert_eq!(usd(i64::MAX).checked_add(usd(1)), None);
        assert!(Currency::try_new("us").is_err());
    }
}
