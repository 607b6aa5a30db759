//! The command line: what it prints, and how it ends.

mod catalog;
mod dev;
mod migrate;
mod refusals;
mod replay;
mod sample;
mod schema;
mod serve;
mod simulator;
mod token;
mod tour;
