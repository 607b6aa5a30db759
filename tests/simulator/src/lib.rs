//! A stateful stand-in for the part of Stripe that a billing ledger uses. It shares no code with
//! the ledger, so that a misunderstanding on one side isn't repeated on the other.

pub mod world;
