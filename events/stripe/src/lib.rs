//! Stripe's side of the ledger: from the bytes of a webhook to one domain event.
//!
//! ```text
//! bytes --verify--> Verified --redact--> Redacted --translate--> Translated
//! ```
//!
//! Each arrow is a function and each name a type that only this function makes, so that no step
//! can be left out: what is stored has been redacted, and what is redacted came from Stripe.
//!
//! Nothing in here knows a clock, a database, a network or a source of randomness.
//!
//! - One more field to keep: a line in its table in `redact/fields/`.
//! - One more type of object to keep fields of: a table there, and a line in `shape_of`.
//! - One more kind of event to understand: a snapshot in the domain, a line in `TYPES` of
//!   `translate`, and a function that reads the snapshot from the object, in all its shapes.

pub mod redact;
pub mod signature;
pub mod translate;
