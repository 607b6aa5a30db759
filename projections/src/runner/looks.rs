//! Looking at the tables before a page is written.
//!
//! Nothing is written while facts are read from the log and folded, which may take long: the server
//! ends a transaction in which nothing is said for some seconds. So what a page needs is looked up
//! in transactions of its own, none of which stays open meanwhile. That they agree with the one
//! that writes is certain: nobody else writes these tables unless under another token, and the
//! checkpoint then refuses the page.

use sqlx::{PgConnection, Postgres, Transaction};

use super::Runner;

/// A transaction that is begun when it is needed, and ended before anything that takes long.
pub(super) struct Looks<'a> {
    runner: &'a Runner,
    tx: Option<Transaction<'static, Postgres>>,
}

impl<'a> Looks<'a> {
    pub(super) const fn new(runner: &'a Runner) -> Self {
        Self { runner, tx: None }
    }

    pub(super) async fn conn(&mut self) -> sqlx::Result<&mut PgConnection> {
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => self.runner.begin().await?,
        };
        Ok(self.tx.insert(tx))
    }

    /// Ends the transaction, if one is open: the next look begins another one.
    pub(super) async fn end(&mut self) -> sqlx::Result<()> {
        match self.tx.take() {
            Some(tx) => tx.commit().await,
            None => Ok(()),
        }
    }
}
