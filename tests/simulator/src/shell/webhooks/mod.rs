//! Webhooks: endpoints, what is to be delivered to them, and delivering it.

mod endpoint;
mod outbox;
mod resource;
mod sender;
mod signature;
mod told;

pub(crate) use self::outbox::Outbox;
pub(crate) use self::sender::{Passed, pass, work};
pub(crate) use self::told::Place;
