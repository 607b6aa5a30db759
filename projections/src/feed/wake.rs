//! Waking those who follow: at once in this process, by notification in others. Both only hasten
//! what a look from time to time would find.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Feed, store};

/// The least time between two notifications of other processes: notifications commit one after
/// another across the database.
const TELL_EVERY: Duration = Duration::from_millis(20);

/// How long to rest after the connection was lost.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) rung: Notify,
    untold: Notify,
}

impl Feed {
    /// This process has committed a change.
    pub(crate) fn ring(&self) {
        self.bell.rung.notify_one();
        self.bell.untold.notify_one();
    }

    /// Tells other processes of changes that this one commits, until shutdown.
    pub(crate) async fn tell(&self, shutdown: &CancellationToken) {
        let untold = || shutdown.run_until_cancelled(self.bell.untold.notified());
        while untold().await.is_some() {
            if let Err(error) = store::tell(&self.pool).await {
                // The others look by themselves.
                tracing::debug!(%error, "other processes weren't told of changed answers");
            }
            // Either end of the wait is fine.
            let _ = timeout(TELL_EVERY, shutdown.cancelled()).await;
        }
    }

    /// Hears what other processes tell, until shutdown.
    pub async fn listen(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            // Dropped in the middle of a message, the listener loses its connection and no more.
            let Some(heard) = shutdown.run_until_cancelled(self.hear()).await else { return };
            if let Err(error) = heard {
                tracing::debug!(%error, "listening for changed answers was interrupted");
            }
            let _ = timeout(LISTEN_AGAIN, shutdown.cancelled()).await;
        }
    }

    async fn hear(&self) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(store::CHANNEL).await?;
        let bell = Arc::clone(&self.bell);
        loop {
            // What was told before the connection stood is found by looking.
            bell.rung.notify_one();
            listener.recv().await?;
        }
    }
}
