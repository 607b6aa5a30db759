//! Building beside, until what is built stands where the live read models stand.

use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_projections::{Runner, Version};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::progress::{Meter, Phase, Progress};
use super::store::{self, Pool, Snapshot};
use super::{VerifyConfig, VerifyError};
use crate::capped::CappedLog;

/// How often we hope that the live read models rest, before we make them.
const HOPEFUL_ATTEMPTS: u32 = 3;

/// How long the live read models are made to rest at once, at most.
const HOLD_MAX: Duration = Duration::from_secs(2);

/// How long they are made to rest altogether. Between two holds they take in a page, so that what
/// they serve is at most about as old as this.
const HELD_MAX: Duration = Duration::from_secs(60);

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// How long it is worth going on: as long as each hold brings the building nearer, and the live
/// read models haven't been held for too long altogether.
struct Chase {
    in_vain: u32,
    in_vain_max: u32,
    nearest: i64,
    held: Duration,
}

impl Chase {
    const fn new(config: &VerifyConfig) -> Self {
        let in_vain_max = config.attempts_max;
        Self { in_vain: 0, in_vain_max, nearest: i64::MAX, held: Duration::ZERO }
    }

    fn goes_on(&self) -> bool {
        self.in_vain < self.in_vain_max && self.held < HELD_MAX
    }

    /// The building was so many events short of the live read models, if they could be held.
    fn missed(&mut self, by: Option<i64>, held: Duration) {
        self.held += held;
        match by {
            Some(by) if by < self.nearest => (self.nearest, self.in_vain) = (by, 0),
            _ => self.in_vain += 1,
        }
    }
}

/// What came of holding the live read models.
enum Outcome {
    /// Both stood at the same position.
    Met(Snapshot),
    /// The building was so many events short of them.
    Missed { by: i64 },
    /// They couldn't be held.
    Busy,
}

/// A building under way.
pub(super) struct Build<'a> {
    pool: &'a Pool,
    tenant: &'a Tenant,
    config: &'a VerifyConfig,
    log: &'a CappedLog,
    runner: &'a Runner,
    meter: Meter,
    live: Vec<String>,
}

impl<'a> Build<'a> {
    pub(super) fn new(
        pool: &'a Pool,
        tenant: &'a Tenant,
        config: &'a VerifyConfig,
        log: &'a CappedLog,
        runner: &'a Runner,
    ) -> Self {
        let live = config.schemas(Version::Live);
        Self { pool, tenant, config, log, runner, meter: Meter::start(0), live }
    }

    /// Follows the live read models until a snapshot shows both at the same position, and tells how
    /// many attempts that took.
    ///
    /// Where the live read models are quicker than the building they have got ahead by the first
    /// time they are held. Each hold brings it nearer, and so nothing is given up while it does.
    pub(super) async fn meet(
        &self,
        progress: &watch::Sender<Progress>,
    ) -> Result<(Snapshot, u32), VerifyError> {
        for attempt in 1..=HOPEFUL_ATTEMPTS {
            let live = store::live(self.pool, self.tenant, &self.live).await?;
            self.reach(live.position, progress).await?;
            if let Some(snapshot) = self.look().await? {
                return Ok((snapshot, attempt));
            }
        }
        let (mut attempt, mut chase) = (HOPEFUL_ATTEMPTS, Chase::new(self.config));
        while chase.goes_on() {
            attempt += 1;
            let begun = Instant::now();
            match self.hold(progress).await? {
                Outcome::Met(snapshot) => return Ok((snapshot, attempt)),
                Outcome::Missed { by } => chase.missed(Some(by), begun.elapsed()),
                Outcome::Busy => chase.missed(None, begun.elapsed()),
            }
        }
        Err(VerifyError::Restless)
    }

    /// Keeps the live read models where they are while the building gets there. They wait at the
    /// end of their page, with nothing lost. What can't be reached in time is given up for this
    /// attempt.
    async fn hold(&self, progress: &watch::Sender<Progress>) -> Result<Outcome, VerifyError> {
        let Some((held, position)) = store::hold(self.pool, self.tenant, &self.live).await? else {
            return Ok(Outcome::Busy);
        };
        let reached = timeout(HOLD_MAX, self.reach(position, progress)).await;
        let met = match reached {
            Ok(reached) => {
                reached?;
                self.look().await?
            }
            Err(_) => None,
        };
        held.release().await?;
        let by = position - *self.runner.positions().watch(self.tenant).borrow();
        Ok(met.map_or(Outcome::Missed { by }, Outcome::Met))
    }

    async fn look(&self) -> Result<Option<Snapshot>, VerifyError> {
        Snapshot::take(self.pool, self.tenant, self.config).await
    }

    /// Lets the building go on to a position and waits for it there.
    async fn reach(
        &self,
        target: i64,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), VerifyError> {
        self.log.raise(target);
        let mut at = self.runner.positions().watch(self.tenant);
        let (mut last, mut moved) = (*at.borrow_and_update(), Instant::now());
        loop {
            let position = *at.borrow_and_update();
            progress.send_replace(self.meter.at(Phase::Building, position, target));
            if position >= target {
                return Ok(());
            }
            if position > last {
                (last, moved) = (position, Instant::now());
            } else if moved.elapsed() > self.config.patience {
                return Err(VerifyError::Stalled { position, target });
            }
            // Also when nothing moves, the rate and the patience do.
            let _ = timeout_at(Instant::now() + TELL_EVERY, at.changed()).await;
        }
    }
}

/// Tells which table is being compared.
pub(super) fn comparing(progress: &watch::Sender<Progress>, table: String) {
    progress.send_modify(|progress| progress.phase = Phase::Comparing { table });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chase(attempts_max: u32) -> Chase {
        Chase::new(&VerifyConfig { attempts_max, ..VerifyConfig::new("test") })
    }

    #[test]
    fn as_long_as_it_comes_nearer_it_goes_on() {
        let mut chase = chase(2);
        for by in (1..=29).rev() {
            chase.missed(Some(by), HOLD_MAX);
            assert!(chase.goes_on(), "{by}");
        }
        chase.missed(Some(0), HOLD_MAX);
        assert!(!chase.goes_on(), "they have been held for a minute");
    }

    #[test]
    fn what_comes_no_nearer_is_given_up() {
        let mut chase = chase(2);
        chase.missed(Some(10), Duration::ZERO);
        chase.missed(Some(10), Duration::ZERO);
        assert!(chase.goes_on());
        chase.missed(None, Duration::ZERO);
        assert!(!chase.goes_on());
    }
}
