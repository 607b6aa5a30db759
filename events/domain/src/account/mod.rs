//! Account state: what the facts about a customer, a trainer and a tenant add up to.
//!
//! An event is [`route`]d to its unit and folded by the unit's `evolve`, which is total: whatever
//! arrives in whatever order gives a state, and the same facts give the same state. A unit then
//! tells which views changed.

mod chunks;
mod customer;
mod facts;
mod history;
mod index;
mod links;
mod order;
mod payments;
mod route;
mod rows;
mod snapshots;
mod tenant;
mod trainer;
mod view;

pub use customer::{CustomerChanges, CustomerUnit};
pub use facts::OrderAnomaly;
pub use history::History;
pub use route::{LogIdentity, Route, UnitKey, route};
pub use tenant::{Sold, TenantUnit};
pub use trainer::{TrainerChanges, TrainerUnit};
pub use view::*;
