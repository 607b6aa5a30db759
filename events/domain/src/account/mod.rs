//! Account state: what the facts about a customer, a trainer and a tenant add up to.
//!
//! An event is [`route`]d to its unit and folded by the unit's `evolve`, which is total: whatever
//! arrives in whatever order gives a state, and the same facts give the same state. A unit then
//! tells which views changed.

mod accounts;
mod anomaly;
mod chunks;
mod compared;
mod customer;
mod ends;
mod explain;
mod fact;
mod facts;
mod history;
mod index;
mod landmarks;
mod links;
mod order;
mod part;
mod payments;
mod route;
mod rows;
mod sessions;
mod snapshots;
mod tenant;
mod ties;
mod trainer;
mod transitions;
mod view;

pub use accounts::Accounts;
pub use anomaly::FactAnomaly;
pub use compared::Difference;
pub use customer::{CustomerChanges, CustomerUnit};
pub use explain::{difference, disagreement};
pub use history::History;
pub use links::linked_trainer;
pub use route::{LogIdentity, Route, UnitKey, route};
pub use tenant::{Sold, SoldChanges, TenantUnit};
pub use trainer::{TrainerChanges, TrainerUnit};
pub use transitions::{next_statuses, statuses};
pub use view::*;
