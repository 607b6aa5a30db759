//! What Stripe sends: objects in the shapes of its API versions, and the webhooks that tell of
//! them. A [`Story`] plays what happens to one customer and keeps the webhooks.
//!
//! To add an object, give it a struct with what varies and a `json` in the shape of a version. The
//! shapes follow Stripe's API reference and changelog; people's data stands in them as it does in
//! real ones.

mod event;
mod invoice;
mod money;
mod people;
mod story;
mod subscription;
mod version;

pub(crate) use event::{event, thin_event};
pub(crate) use people::customer;
pub(crate) use story::Story;
pub(crate) use subscription::{
    AI_ENTERPRISE, AI_PROFESSIONAL, AI_STARTER, AI_STARTER_YEAR, ENTERPRISE, PROFESSIONAL, Price,
    STARTER,
};
pub(crate) use version::Version;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;
