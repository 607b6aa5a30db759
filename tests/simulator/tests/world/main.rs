//! What happens in the simulated Stripe, flow by flow, and what always holds.

mod billing;
mod changes;
mod errors;
mod harness;
mod lives;
mod money;
mod shapes;
mod starts;
mod time;
