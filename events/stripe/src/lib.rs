//! ledger-stripe
