//! ledger-cluster
