//! Account state: what the facts about a trainer and a customer add up to.

mod view;

pub use view::*;
