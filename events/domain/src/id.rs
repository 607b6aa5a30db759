//! Names that the ledger's parts are known by. Each is checked once, where it enters, and is
//! cheap to clone; a value of one of these types needs no second check.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidName {
    /// The kind of name, as people call it.
    pub what: &'static str,
    /// What such a name looks like.
    pub rule: &'static str,
}

macro_rules! names {
    ($(
        $(#[$doc:meta])*
        $name:ident($what:literal, $max:literal, $extra:literal, $rule:literal);
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(Arc<str>);

            impl $name {
                /// Checks a text against the rule for this name.
                ///
                /// # Errors
                /// The rule, if the text breaks it.
                pub fn try_new(text: &str) -> Result<Self, InvalidName> {
                    if is_name(text, $max, $extra) {
                        Ok(Self(text.into()))
                    } else {
                        Err(InvalidName { what: $what, rule: $rule })
                    }
                }

                /// The name as text.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl TryFrom<String> for $name {
                type Error = InvalidName;
                fn try_from(text: String) -> Result<Self, InvalidName> {
                    Self::try_new(&text)
                }
            }

            impl From<$name> for String {
                fn from(name: $name) -> Self {
                    name.0.as_ref().to_owned()
                }
            }

            impl std::str::FromStr for $name {
                type Err = InvalidName;
                fn from_str(text: &str) -> Result<Self, InvalidName> {
                    Self::try_new(text)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(&self.0)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    read(deserializer, Self::try_new)
                }
            }

            #[cfg(feature = "schema")]
            impl schemars::JsonSchema for $name {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    crate::schema::of_name($max, $extra)
                }
            }

            impl Borrow<str> for $name {
                fn borrow(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}({})", stringify!($name), &self.0)
                }
            }
        )*
    };
}

names! {
    /// A business whose billing the ledger keeps: one log, one catalogue, one Stripe account.
    Tenant("a tenant", 64, b"_-", "1 to 64 of A-Z a-z 0-9 _ -");
    /// The customer of that business: who holds subscriptions. Opaque, never an e-mail address.
    TrainerId("a trainer id", 128, b"_.:-", "1 to 128 of A-Z a-z 0-9 _ . : -");
    /// The short name of a tier or an add-on in the catalogue.
    PlanSlug("a plan", 64, b"_", "1 to 64 of A-Z a-z 0-9 _");
    /// The short name of a feature in the catalogue.
    FeatureSlug("a feature", 64, b"_", "1 to 64 of A-Z a-z 0-9 _");
    /// Who issued an event's id: `stripe` for every `evt_` id, `api` for commands, and so on. It
    /// has no hyphen: the first one in the name of an event's own stream ends the namespace.
    Namespace("a namespace", 32, b"_", "1 to 32 of A-Z a-z 0-9 _");
    /// An event's id within its namespace. Stripe's ids have up to 255 characters.
    EventId("an event id", 255, b"_.:-", "1 to 255 of A-Z a-z 0-9 _ . : -");
    /// The type of an event, as the log holds it.
    EventType("an event type", 64, b"_", "1 to 64 of A-Z a-z 0-9 _");
    /// A stream of the log.
    StreamName("a stream", 320, b"_.:-", "1 to 320 of A-Z a-z 0-9 _ . : -");
    /// The id of an object at Stripe (`sub_...`, `cus_...`, `price_...`), case-sensitive.
    StripeId("a Stripe id", 255, b"_.:-", "1 to 255 of A-Z a-z 0-9 _ . : -");
}

/// Reads a checked text where it lies: names are most of what an event holds, and a `String` on the
/// way to each would double what reading one costs.
pub(crate) fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    try_new: fn(&str) -> Result<T, InvalidName>,
) -> Result<T, D::Error> {
    struct Text<T>(fn(&str) -> Result<T, InvalidName>);
    impl<T> Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(try_new))
}

/// ASCII letters, digits and `extra`, between 1 and `max` bytes.
fn is_name(text: &str, max: usize, extra: &[u8]) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
}

/// What makes an event unique within its tenant: appending a key again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventKey {
    /// The event's id.
    pub id: EventId,
    /// Who issued the id.
    pub namespace: Namespace,
}

impl EventKey {
    /// A key from its two parts.
    #[must_use]
    pub const fn new(namespace: Namespace, id: EventId) -> Self {
        Self { id, namespace }
    }

    /// The stream of an event that has one to itself: `{namespace}-{id}`.
    ///
    /// # Panics
    /// Never: the longest namespace and id fit into a stream's name.
    #[must_use]
    pub fn own_stream(&self) -> StreamName {
        StreamName::try_new(&format!("{}-{}", self.namespace, self.id))
            .expect("a namespace and an id fit into a stream's name")
    }
}

impl Namespace {
    /// The namespace of Stripe's event ids.
    ///
    /// # Panics
    /// Never: the text is a namespace.
    #[must_use]
    pub fn stripe() -> Self {
        Self::try_new("stripe").expect("a constant namespace")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trainer_id_is_never_an_address() {
        assert!(TrainerId::try_new("someone@example.test").is_err());
        assert!(TrainerId::try_new("").is_err());
        assert!(TrainerId::try_new(&"x".repeat(129)).is_err());
        assert!(TrainerId::try_new(&"x".repeat(128)).is_ok());
        assert!(TrainerId::try_new("org:42.a-b_c").is_ok());
    }

    #[test]
    fn no_two_keys_have_the_same_own_stream() {
        assert!(Namespace::try_new("a-b").is_err());
        let key = |namespace, id| {
            EventKey::new(Namespace::try_new(namespace).unwrap(), EventId::try_new(id).unwrap())
        };
        assert_eq!(key("a_b", "c").own_stream().as_str(), "a_b-c");
        assert_eq!(key("a", "b-c").own_stream().as_str(), "a-b-c");
    }

    #[test]
    fn names_are_checked_when_read_from_json() {
        assert!(serde_json::from_str::<FeatureSlug>("\"ai_generations\"").is_ok());
        assert!(serde_json::from_str::<FeatureSlug>("\"ai generations\"").is_err());
    }
}
