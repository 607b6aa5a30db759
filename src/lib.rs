//! billing-ledger
