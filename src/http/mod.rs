//! The HTTP API: each file a resource, each handler a question or an act and its answer.
//!
//! To add a resource: a file with its handlers, each described by `#[utoipa::path]`, and the shapes
//! of its answers; a line in `router.rs`; a row in docs/api.md.

mod anomalies;
mod audit;
mod audit_event;
mod auth;
mod authorize;
mod awaited;
mod body;
mod claims;
mod collect;
mod cursor;
mod dead_letters;
mod enforcement;
mod entitlements;
mod explain;
mod health;
mod history;
mod idempotency;
mod keyring;
mod metrics;
mod openapi;
mod params;
mod problem;
mod projections;
mod rate_limit;
mod router;
mod server;
mod shapes;
mod slots;
mod stream;
mod tiers;
mod token;
mod track;
mod trainers;
mod usage;
mod webhooks;

use std::sync::Arc;

pub(crate) use auth::Authenticator;
pub(crate) use collect::Budget;
pub(crate) use keyring::Keyring;
pub(crate) use router::router;
pub(crate) use server::{Limits, serve};
pub(crate) use shapes::{Entitlements, Used};

use crate::service::Service;

/// What every handler is given.
pub(crate) type AppState = Arc<Service>;
