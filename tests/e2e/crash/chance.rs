//! When to kill.

use std::future::pending;
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::now;

/// A kill comes this long after the load runs again, at most.
const DELAY_MS_MAX: u64 = 250;

/// Random delays. Their seed is the time, which the output tells.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new() -> Self {
        let seed = now().unsigned_abs();
        println!("seed of the delays: {seed}");
        Self(seed)
    }

    /// Lets a random time pass.
    pub(super) async fn pause(&mut self) {
        // Xorshift, by Marsaglia.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let delay = Duration::from_millis(self.0 % DELAY_MS_MAX);
        // Not to wait for anything: the instant has to be a random one.
        let _ = timeout(delay, pending::<()>()).await;
    }
}
