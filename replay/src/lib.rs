//! ledger-replay
