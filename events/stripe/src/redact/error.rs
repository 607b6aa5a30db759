//! Why a body is not an event.

/// Why a body is not an event. No error holds any of the body's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// Not UTF-8, which JSON has to be (RFC 8259, section 8.1).
    #[error("the body is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// Not JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// The body is JSON, but not an object.
    #[error("the body is not an object")]
    NotAnObject,
    /// The envelope lacks a field.
    #[error("the event has no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field of the envelope is of another type than Stripe documents.
    #[error("the event's `{field}` is of a wrong type")]
    WrongType {
        /// The field.
        field: &'static str,
    },
    /// A field of the envelope has a value that it can't have.
    #[error("the event's `{field}` is not valid")]
    Invalid {
        /// The field.
        field: &'static str,
    },
    /// The envelope has a field twice, so that nobody can say which one is meant.
    #[error("the event has `{field}` twice")]
    Twice {
        /// The field.
        field: &'static str,
    },
}
