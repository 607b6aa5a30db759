//! What every test needs: a ledger of its own, and ways to talk to it.

mod app;
mod certificate;
mod client;
mod database;
mod process;
pub(crate) mod python;
mod settings;
mod stripe;
mod token;
mod wait;
mod watchdog;

pub(crate) use app::TestApp;
pub(crate) use certificate::Certified;
pub(crate) use client::{Answer, Caller, http};
pub(crate) use database::Database;
pub(crate) use process::{Finished, LEDGER, Service, address_logged, address_said, command, run};
pub(crate) use settings::{JWT_SECRET, Settings, WEBHOOK_SECRET, is_soak, soak};
pub(crate) use stripe::{Stripe, accepted, signature};
pub(crate) use token::{Claims, token};
pub(crate) use wait::{WAIT_MAX, eventually, now, turns};
