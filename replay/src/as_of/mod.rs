//! What a trainer could do at any past instant, by what is known now or was known then.
//!
//! A question names two instants. `as_of` is the one asked about: what happened later doesn't
//! count. `known_at` is when it is asked: what the log accepted later doesn't count. What is left
//! is a prefix of the log in both senses, and it is folded by the units that make the read models
//! and judged by `effective`, as the live answer is.
//!
//! **Nothing that is known now is read.** Links, catalogues and enforcement are folded from the
//! prefix. The read models are asked where in the log to look and nothing else (`store` lists the
//! tables): a test takes all other rights away and asks again.
//!
//! **The first catalogue ever is in force since always**, so it counts also where it was published
//! after `as_of`. How purchases are billed isn't in the log, and is what the settings say.

mod decode;
mod explain;
mod gather;
mod store;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger_domain::account::Accounts;
use ledger_domain::catalog::{Catalog, Catalogs, FeatureKind};
use ledger_domain::effective::explain::Said;
use ledger_domain::effective::{Billing, Effective, Holdings, Outcome, Setting, effective};
use ledger_domain::event::Enforcement;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_log::postgres::{AuditReader, Pools};
use ledger_log::{EventLog, ReadError};
use ledger_projections::{QueryError, Reader, as_reader};
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

pub use explain::Explained;
use gather::Search;
pub use whole::Enforced;
use whole::Whole;

/// How many events of one trainer a question reads at most.
pub const EVENTS_MAX: usize = 10_000;

/// How many questions are answered at once: each keeps a connection, and events in memory.
const AT_ONCE: usize = 2;
/// How long a question waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// The instants that a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    as_of: Timestamp,
    happened_by: Timestamp,
    known_at: Option<Timestamp>,
}

impl Moment {
    /// An instant: what happened up to and including it counts, as far as the log had accepted it
    /// by `known_at`; none = as far as the read models have taken it in by now.
    #[must_use]
    pub const fn past(as_of: Timestamp, known_at: Option<Timestamp>) -> Self {
        Self { as_of, happened_by: as_of, known_at }
    }

    /// Now: all that is known counts, also what others' clocks put ahead of ours.
    #[must_use]
    pub const fn now(now: Timestamp) -> Self {
        Self { as_of: now, happened_by: Timestamp::MAX, known_at: None }
    }

    /// The instant asked about.
    #[must_use]
    pub const fn as_of(self) -> Timestamp {
        self.as_of
    }
}

/// What was known of a trainer.
#[derive(Debug)]
pub struct Then {
    /// Whom.
    pub trainer: TrainerId,
    /// What was asked.
    pub moment: Moment,
    /// How purchases are billed.
    pub billing: Billing,
    /// What a trainer may do.
    pub answer: Effective,
    /// What the trainer held.
    pub holdings: Holdings,
    /// The units that it was folded by.
    pub accounts: Accounts,
    /// What was used of each feature that is counted.
    pub used: BTreeMap<FeatureSlug, u64>,
    /// The catalogue in force.
    pub catalog: Arc<Catalog>,
    /// Who published it, and when.
    pub published: Said,
    /// All catalogues that were known.
    pub catalogs: Catalogs,
    /// How far denials were enforced; none = for everybody, and nobody had said otherwise.
    pub enforced: Option<Enforced>,
    /// What that means for the trainer.
    pub outcome: Outcome,
    /// The last position of the log that counts.
    pub position: i64,
    /// The first event that counts and could not be taken in.
    pub lacks: Option<i64>,
}

/// Why a question about the past has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// The answer would take too long.
    #[error("it would take more than {limit} events to answer")]
    TooMany {
        /// How many are read at most.
        limit: usize,
    },
    /// Nothing was known at the time.
    #[error("no catalogue had been published by then: the ledger could not have answered")]
    NothingKnown,
    /// The read models, which tell where in the log to look, haven't come so far.
    #[error("the read models are at position {at}, and what was known then ends at {wanted}")]
    Behind {
        /// Where what was known ends.
        wanted: i64,
        /// Where they are.
        at: i64,
    },
    /// Too many others ask.
    #[error("too many questions about the past are asked at once")]
    Busy,
    /// Folding panicked.
    #[error("the events can't be folded")]
    Fold,
    /// Positions can't be looked up.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl From<sqlx::Error> for AsOfError {
    fn from(error: sqlx::Error) -> Self {
        Self::Query(error.into())
    }
}

/// Up to where events count.
pub(crate) struct Bounds {
    happened_by: Timestamp,
    position: i64,
}

/// Answers questions about the past.
#[derive(Clone)]
pub struct AsOf {
    auditor: PgPool,
    log: Arc<dyn EventLog>,
    events_max: usize,
    at_once: Arc<Semaphore>,
}

impl std::fmt::Debug for AsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsOf").field("events_max", &self.events_max).finish_non_exhaustive()
    }
}

impl AsOf {
    /// Answers from a log, by the auditor's role.
    #[must_use]
    pub fn new(pools: &Pools, log: Arc<dyn EventLog>) -> Self {
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        Self { auditor: pools.auditor.clone(), log, events_max: EVENTS_MAX, at_once }
    }

    /// The same, which reads no more events of one trainer than this.
    #[must_use]
    pub fn limited_to(self, events_max: usize) -> Self {
        Self { events_max, ..self }
    }

    /// What was known of a trainer, whose tenant bills like this.
    ///
    /// # Errors
    /// If nothing was known, if there is too much to read, or if something needed is unavailable.
    ///
    /// # Panics
    /// Never: the semaphore isn't closed.
    #[tracing::instrument(skip_all, fields(%tenant))]
    pub async fn ask(
        &self,
        (tenant, billing): (&Tenant, Billing),
        trainer: &TrainerId,
        moment: Moment,
    ) -> Result<Then, AsOfError> {
        let _turn = self.turn().await?;
        self.answer((tenant, billing), trainer, moment).await
    }

    /// The turn of a question, until it is dropped.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, AsOfError> {
        let turn = timeout(TURN_WAIT, self.at_once.acquire()).await;
        Ok(turn.map_err(|_| AsOfError::Busy)?.expect("the semaphore isn't closed"))
    }

    async fn answer(
        &self,
        (tenant, billing): (&Tenant, Billing),
        trainer: &TrainerId,
        moment: Moment,
    ) -> Result<Then, AsOfError> {
        let known = match moment.known_at {
            Some(at) => self.last_known(tenant, at).await?,
            None => i64::MAX,
        };
        let mut reader = as_reader(&self.auditor, tenant, None).await?;
        let at = reader.position().await?;
        if moment.known_at.is_some() && known > at {
            return Err(AsOfError::Behind { wanted: known, at });
        }
        let (happened_by, position) = (moment.happened_by, known.min(at));
        let bounds = Bounds { happened_by, position };
        let whole = Whole::read(&*self.log, tenant, &bounds).await?;
        let identity = whole.identity.as_ref().ok_or(AsOfError::NothingKnown)?;
        let until = position;
        let (log, limit) = (&*self.log, self.events_max);
        let search = Search { log, tenant, trainer, identity, until, limit };
        let mut gathered = search.gather(reader.connection()).await?;
        gathered.lacks = [gathered.lacks, whole.unreadable].into_iter().flatten().min();
        let then = self.judge((trainer, billing), gathered, whole, moment, position).await?;
        self.count(tenant, trainer, &mut reader, then).await
    }

    /// The last position that the log had accepted by an instant.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn last_known(&self, tenant: &Tenant, at: Timestamp) -> Result<i64, ReadError> {
        // An instant is a whole microsecond.
        AuditReader::new(self.auditor.clone()).last_before(tenant, at.plus(1)).await
    }

    /// Folds what was gathered, on a thread of its own, and judges it.
    async fn judge(
        &self,
        (trainer, billing): (&TrainerId, Billing),
        gathered: gather::Gathered,
        whole: Whole,
        moment: Moment,
        position: i64,
    ) -> Result<Then, AsOfError> {
        let trainer = trainer.clone();
        let Moment { as_of, happened_by, .. } = moment;
        let fold = move || {
            let Whole { identity, catalogs, mut published, enforced, .. } = whole;
            let entries = gathered.entries().filter(|entry| entry.occurred_at <= happened_by);
            let accounts = Accounts::of(entries, &identity?);
            let holdings = Holdings::of(&accounts, &trainer);
            let in_force = catalogs.published_in_force(as_of.micros())?;
            let published = published.remove(&in_force.position)?;
            let catalog = Arc::clone(&in_force.catalog);
            let next = catalogs.next_change_after(as_of.micros()).map(Timestamp::from_micros);
            let setting = Setting { catalog: &catalog, catalog_until: next, billing, now: as_of };
            let answer = effective(&holdings, &setting);
            let mode = enforced.as_ref().map_or(Enforcement::default(), |last| last.mode.clone());
            let (outcome, used) = (Outcome::of(&mode, &trainer), BTreeMap::new());
            let lacks = gathered.lacks;
            Some(Then {
                trainer,
                moment,
                billing,
                answer,
                holdings,
                accounts,
                used,
                catalog,
                published,
                catalogs,
                enforced,
                outcome,
                position,
                lacks,
            })
        };
        let folded = tokio::task::spawn_blocking(fold).await.map_err(|_| AsOfError::Fold)?;
        folded.ok_or(AsOfError::NothingKnown)
    }

    /// Adds what was used.
    async fn count(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        reader: &mut Reader,
        mut then: Then,
    ) -> Result<Then, AsOfError> {
        let counted = then.answer.features.iter().filter(|(_, has)| has.kind != FeatureKind::Flag);
        let within: Vec<(FeatureSlug, Interval)> =
            counted.map(|(feature, has)| (feature.clone(), then.used_within(has.window))).collect();
        let conn = reader.connection();
        let used = store::used(conn, tenant, trainer, &within, then.position).await?;
        let features = within.into_iter().map(|(feature, _)| feature);
        let used = used.into_iter().map(|used| u64::try_from(used).unwrap_or(0));
        then.used = features.zip(used).collect();
        Ok(then)
    }
}

impl Then {
    /// Everything up to this position that was known is in the answer.
    #[must_use]
    pub fn complete_to(&self) -> i64 {
        self.lacks.map_or(self.position, |first| self.position.min(first - 1))
    }

    /// The part of a window, or of all time, that had passed.
    fn used_within(&self, window: Option<Interval>) -> Interval {
        let all = Interval { from: Timestamp::MIN, until: Timestamp::MAX };
        let Interval { from, until } = window.unwrap_or(all);
        Interval { from, until: until.min(self.moment.happened_by.plus(1)) }
    }
}
