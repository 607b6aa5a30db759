//! The simulator over HTTP, as clients and receivers of webhooks see it.

#![cfg(test)]

mod adversary;
mod faults;
mod harness;
mod idempotency;
mod keeping;
mod lists;
mod requests;
mod subscriptions;
mod versions;
mod webhooks;
