//! How often each caller may call: trainers as their tier says, others as the settings say.
//!
//! Each process counts for itself. What a tier says is asked of the read models and kept for a few
//! seconds, so that a change of tier is heeded without anybody telling.

mod gcra;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use ledger_domain::id::{Tenant, TrainerId};
use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::config::RatesConfig;
pub(crate) use gcra::Quota;
use gcra::{Meter, Taken};

/// How many callers are remembered. Who was forgotten begins anew, so it is far more than call
/// within a minute; a caller takes some 300 bytes.
const CALLERS_MAX: usize = 65_536;
/// How long what a tier says is taken for granted, in microseconds.
const KNOWN_FOR: i64 = 5_000_000;
/// The same for somebody who would be refused by it: who has just bought more waits no longer.
const KNOWN_FOR_REFUSAL: i64 = 1_000_000;

/// Counts calls, and tells who called too often.
pub(crate) struct Throttle {
    callers: Cache<(Tenant, Who), Arc<Counted>>,
    rates: RatesConfig,
    clock: Clock,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Trainer(TrainerId),
    /// By the token's `sub`.
    Service(Box<str>),
    /// By the token's `sub`.
    Admin(Box<str>),
}

/// So many calls a minute, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Fit to stand in a header: a slug.
    pub(crate) name: Arc<str>,
    pub(crate) quota: Quota,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) policy: Policy,
    pub(crate) is_allowed: bool,
    /// How many more calls are allowed at once.
    pub(crate) remaining: u32,
    /// Seconds until there is one more.
    pub(crate) next_in_s: u32,
}

#[derive(Default)]
struct Counted {
    meter: Mutex<Option<Meter>>,
    known: Mutex<Option<Known>>,
    /// Held by the one who looks, for all others. When somebody last looked in vain.
    looking: tokio::sync::Mutex<Option<i64>>,
}

/// What a tier said at an instant.
#[derive(Clone)]
struct Known {
    policy: Policy,
    at: i64,
}

impl Throttle {
    pub(crate) fn new(rates: RatesConfig, clock: Clock) -> Self {
        Self { callers: Cache::new(CALLERS_MAX), rates, clock }
    }

    /// Counts a call. `look` asks what the trainer's tier says; it is called only if that isn't
    /// known, and none means that nobody can tell.
    ///
    /// None = this caller's calls have no limit, or none that is known.
    pub(crate) async fn count<F>(
        &self,
        tenant: &Tenant,
        who: Who,
        look: impl Fn(TrainerId) -> F,
    ) -> Option<Verdict>
    where
        F: Future<Output = Option<Policy>>,
    {
        let of_settings = |name: &str, quota: Option<Quota>| {
            quota.map(|quota| Policy { name: name.into(), quota })
        };
        match &who {
            Who::Service(_) => {
                let policy = of_settings("service", self.rates.service)?;
                let counted = self.counted(tenant, who);
                Some(self.take(&counted, policy))
            }
            Who::Admin(_) => {
                let policy = of_settings("admin", self.rates.admin)?;
                let counted = self.counted(tenant, who);
                Some(self.take(&counted, policy))
            }
            Who::Trainer(trainer) => {
                let trainer = trainer.clone();
                let counted = self.counted(tenant, who);
                let look = || look(trainer.clone());
                let policy = self.policy(&counted, KNOWN_FOR, &look).await?;
                let verdict = self.take(&counted, policy);
                if verdict.is_allowed {
                    return Some(verdict);
                }
                let policy = self.policy(&counted, KNOWN_FOR_REFUSAL, &look).await?;
                if policy == verdict.policy {
                    return Some(verdict);
                }
                Some(self.take(&counted, policy))
            }
        }
    }

    fn counted(&self, tenant: &Tenant, who: Who) -> Arc<Counted> {
        let key = (tenant.clone(), who);
        if let Some(counted) = self.callers.get(&key) {
            return counted;
        }
        let made = self.callers.get_or_insert_with(&key, || Ok::<_, ()>(Arc::default()));
        made.expect("making one can't fail")
    }

    /// What the trainer's tier says, as of no longer ago than `age_max`.
    async fn policy<F>(
        &self,
        counted: &Counted,
        age_max: i64,
        look: &impl Fn() -> F,
    ) -> Option<Policy>
    where
        F: Future<Output = Option<Policy>>,
    {
        let known = counted.known();
        if let Some(policy) = self.fresh(known.as_ref(), age_max) {
            return Some(policy);
        }
        let mut looking = match known {
            // One looks; the others go on with what was known.
            Some(known) => match counted.looking.try_lock() {
                Ok(looking) => looking,
                Err(_) => return Some(known.policy),
            },
            None => counted.looking.lock().await,
        };
        let known = counted.known();
        if let Some(policy) = self.fresh(known.as_ref(), age_max) {
            return Some(policy);
        }
        let before = known.map(|known| known.policy);
        if looking.is_some_and(|failed_at| self.is_within(failed_at, KNOWN_FOR_REFUSAL)) {
            // Nobody waits for what others have just waited for in vain.
            return before;
        }
        let found = look().await;
        let at = self.clock.now().micros();
        *looking = found.is_none().then_some(at);
        if let Some(policy) = &found {
            let known = Known { policy: policy.clone(), at };
            *counted.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
        found.or(before)
    }

    fn fresh(&self, known: Option<&Known>, age_max: i64) -> Option<Policy> {
        let known = known.filter(|known| self.is_within(known.at, age_max))?;
        Some(known.policy.clone())
    }

    /// Whether an instant is no longer ago than this. Of one in the future, nobody knows.
    fn is_within(&self, at: i64, age_max: i64) -> bool {
        (0..age_max).contains(&self.clock.now().micros().saturating_sub(at))
    }

    fn take(&self, counted: &Counted, policy: Policy) -> Verdict {
        let now = self.clock.now().micros();
        let mut meter = counted.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meter.get_or_insert_with(|| Meter::new(policy.quota));
        let Taken { is_allowed, remaining, next_in } = meter.take(policy.quota, now);
        // Rounded up: who comes then isn't too early.
        let next_in_s = u32::try_from((next_in + 999_999) / 1_000_000).unwrap_or(u32::MAX);
        Verdict { policy, is_allowed, remaining, next_in_s }
    }
}

impl Counted {
    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
