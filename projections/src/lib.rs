//! Read models: the log's facts, folded into rows that answers are made from.
//!
//! There are four read models, each in a PostgreSQL schema of its own that one file makes
//! (`src/<name>/schema.sql`), so that a version of it can be built beside the one that serves and
//! take its place by a change of names:
//!
//! | schema | holds | folded by |
//! |---|---|---|
//! | `rm_subscriptions` | subscriptions, payments, their history, customers' links | customer |
//! | `rm_grants` | trainers, what administrators gave and did | trainer |
//! | `rm_usage` | usage by day and of all time | nobody: it only adds up |
//! | `rm_catalog` | catalogues, enforcement, prices and products, whose log it is | tenant |
//!
//! **One runner feeds all of them** ([`Runner`]): it reads a page of the log once, decodes it once,
//! folds each customer, trainer and tenant that it touches, and writes all rows and one checkpoint
//! per read model in one transaction. A reader therefore never sees a page half applied, nor two
//! read models of different positions; the price is that they advance together. They are rebuilt
//! apart all the same: each has its own schema and checkpoint, and a runner can be told which ones
//! it writes.
//!
//! Rows depend on facts and never on the clock. Which window usage counts in follows what a trainer
//! holds when somebody asks, so usage is kept by day, and a reader sums the days of its window.
//!
//! **Whose answers a page changes** is written with it (`feed`), for processes that remember what
//! they have read.
//!
//! Everything that a row holds, positions apart, depends on the set of facts alone and not on the
//! order in which they arrived. A fact that names no customer waits ([`runner`]) until another one
//! says whose its object is.
//!
//! # Adding a read model
//!
//! 1. A folder with `schema.sql` (unqualified names; row-level security, policies and grants
//!    included; every unique index begins with the tenant), `store.rs` with all statements on its
//!    tables, and a `Batch` of what one page changes.
//! 2. A line in [`ReadModel`], which makes its schema, its search path and its checkpoint.
//! 3. Its share of a page in `runner/write.rs`; and in `runner/touched.rs`, if answers about
//!    trainers are made from it.
//!
//! With its `schema.sql` the form of the read models changes, and `ledger migrate` makes all of
//! them anew; see `schema.rs`.

mod catalog;
mod control;
mod feed;
mod grants;
mod history;
mod positions;
pub mod queries;
mod rows;
pub mod runner;
mod schema;
mod subscriptions;
mod usage;

pub use catalog::EnforcementView;
pub use control::{Checkpoint, ParkedUnit, discard_parked, retry_parked};
pub use feed::{Change, Cursor, Feed, FeedKey, Heard, Whose};
pub use positions::{Committed, Positions, WaitError};
pub use queries::{Held, Mark, QueryError, Reader, as_reader};
pub use rows::{InvalidRow, key_text};
pub use runner::{Config, Halt, Runner};
pub use schema::{Installed, ReadModel, Schemas, Version, create, install};
pub use usage::{UsageDays, UsageSum};
