//! What facts add up to, in whatever order they arrive.

mod converge;
mod given;
mod order;
mod payments;
mod subscriptions;
