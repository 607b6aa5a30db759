//! Stopping the appending task where a test wants it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_log::postgres::{Hook, Point, PostgresLog, Settings};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::load::PATIENCE;
use crate::support::log_with;

/// Stops at one point as often as it is told to.
pub(crate) struct Gate {
    point: Point,
    stops: AtomicUsize,
    reached: Semaphore,
    open: Semaphore,
    breaks: std::sync::atomic::AtomicBool,
}

impl Gate {
    pub(crate) fn at(point: Point) -> Arc<Self> {
        Arc::new(Self {
            point,
            stops: AtomicUsize::new(0),
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
            breaks: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// The next arrivals wait until they are let go.
    pub(crate) fn stop(&self, arrivals: usize) {
        self.stops.fetch_add(arrivals, Ordering::SeqCst);
    }

    /// Waits until somebody has arrived.
    pub(crate) async fn reached(&self) {
        timeout(PATIENCE, self.reached.acquire()).await.unwrap().unwrap().forget();
    }

    /// Lets one go on.
    pub(crate) fn release(&self) {
        self.open.add_permits(1);
    }

    /// Lets one go on as if its connection were lost.
    pub(crate) fn break_off(&self) {
        self.breaks.store(true, Ordering::SeqCst);
        self.release();
    }

    pub(crate) fn hook(self: &Arc<Self>) -> Hook {
        let gate = Arc::clone(self);
        Arc::new(move |point| {
            let gate = Arc::clone(&gate);
            Box::pin(async move { if point == gate.point { gate.pass().await } else { Ok(()) } })
        })
    }

    async fn pass(&self) -> io::Result<()> {
        let one_less = |stops: usize| stops.checked_sub(1);
        if self.stops.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return Ok(());
        }
        self.reached.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        if self.breaks.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("broken off by a test"));
        }
        Ok(())
    }
}

/// A log that stops at this gate.
pub(crate) async fn gated(database: &str, gate: &Arc<Gate>) -> Arc<PostgresLog> {
    let settings = Settings { hook: Some(gate.hook()), ..Settings::default() };
    Arc::new(log_with(database, settings).await)
}
