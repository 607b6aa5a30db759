//! What facts add up to, in whatever order they arrive.

mod accounts;
mod compared;
mod converge;
mod cost;
mod customers;
mod explain;
mod given;
mod let_go;
mod order;
mod payments;
mod rank;
mod repeated;
mod subscriptions;
