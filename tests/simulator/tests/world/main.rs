//! What happens in the simulated Stripe, flow by flow, and what always holds.

#![cfg(test)]
#![expect(clippy::needless_pass_by_value, reason = "forms are written where they are sent")]

mod billing;
mod changes;
mod errors;
mod harness;
mod items;
mod lives;
mod money;
mod parameters;
mod shapes;
mod starts;
mod time;
