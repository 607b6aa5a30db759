//! A session: what one holder of the lease does, and all that it remembers. Any trouble ends it,
//! and the next session begins from what the database holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ledger_domain::account::LogIdentity;
use ledger_domain::event::Event;
use ledger_domain::id::Tenant;
use ledger_log::{ReadError, Recorded};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::failpoint::{Point, reach};
use super::lease::Lease;
use super::looks::Looks;
use super::page::{Page, PageSize, Read, read};
use super::plan::{Known, Plan, model_of};
use super::retry::{Parked, Retried};
use super::ties::Ties;
use super::touched::Touched;
use super::trouble::{Halt, Trouble};
use super::units::{Folded, Units};
use super::write::write;
use super::{MANY, Runner};
use crate::control::{Checkpoint, store};
use crate::{ReadModel, feed, schema, subscriptions, usage};

/// What the holder of a lease remembers. Nothing in here is ahead of the database.
pub(super) struct Session<'a> {
    pub(super) runner: &'a Runner,
    pub(super) tenant: &'a Tenant,
    pub(super) token: i64,
    pub(super) checkpoint: Checkpoint,
    pub(super) written: Vec<String>,
    pub(super) parked: Parked,
    identity: LogIdentity,
    units: Units,
    ties: Ties,
    anything_waits: bool,
    page_events: &'a PageSize,
    /// The page after the checkpoint, if it was read already.
    ahead: Option<Vec<Recorded>>,
}

impl<'a> Session<'a> {
    /// Begins where the checkpoint is.
    pub(super) async fn begin(
        runner: &'a Runner,
        tenant: &'a Tenant,
        lease: Lease,
        page_events: &'a PageSize,
    ) -> Result<Self, Trouble> {
        let written = runner.config.written();
        let mut tx = runner.begin().await?;
        if !schema::has_our_form(&mut tx).await? {
            return Err(Halt::OtherForm.into());
        }
        let anything_waits = subscriptions::store::anything_waits(&mut tx, tenant).await?;
        let parked = Parked::load(&mut tx, tenant, &written).await?;
        let mut change = 0;
        if runner.config.serves() {
            // Under the new token: a page under an older one is committed by now, or refused.
            change = feed::store::begin(&mut tx, tenant, &feed::serving()).await?;
        }
        tx.commit().await?;
        runner.positions.set_change(tenant, change);
        let session = Self {
            identity: identity(runner, tenant).await?,
            units: Units::new(&runner.config, Arc::clone(&runner.stuck)),
            ties: Ties::new(),
            page_events,
            token: lease.token,
            checkpoint: lease.checkpoint,
            runner,
            tenant,
            written,
            parked,
            anything_waits,
            ahead: None,
        };
        session.check_head().await?;
        session.publish();
        Ok(session)
    }

    /// Follows the log until shutdown.
    pub(super) async fn follow(&mut self, shutdown: &CancellationToken) -> Result<(), Trouble> {
        let mut head = self.runner.log.watch(self.tenant);
        let mut checked = Instant::now();
        while !shutdown.is_cancelled() {
            if checked.elapsed() >= self.runner.config.poll {
                self.check_head().await?;
                checked = Instant::now();
            }
            self.retry_due().await?;
            let begun = Instant::now();
            let events = self.advance().await?;
            self.adapt(events, begun.elapsed());
            self.report();
            if events < self.page_events.get() {
                self.rest(&mut head, events, shutdown).await;
            }
        }
        Ok(())
    }

    /// Takes in one page and tells how many events it had. While a full page is taken in, the next
    /// one is read.
    async fn advance(&mut self) -> Result<usize, Trouble> {
        let recorded = match self.ahead.take() {
            Some(recorded) => recorded,
            None => self.read_from(self.checkpoint.position).await?,
        };
        let Some(page) = Page::after(&self.checkpoint, recorded)? else { return Ok(0) };
        let events = page.events.len();
        if events < self.page_events.get() {
            self.take_in(page, None).await?;
        } else {
            let next = self.read_from(page.end.position);
            let (taken, ahead) = tokio::join!(self.take_in(page, None), next);
            taken?;
            self.ahead = Some(ahead?);
        }
        metrics::counter!("ledger_projection_events_total").increment(events as u64);
        metrics::counter!("ledger_projection_pages_total").increment(1);
        Ok(events)
    }

    /// Reads a page from the event at a position on: that event is read again, to see that it is
    /// still there.
    fn read_from(
        &self,
        position: i64,
    ) -> impl Future<Output = Result<Vec<Recorded>, ReadError>> + use<'a> {
        let (log, tenant) = (&self.runner.log, self.tenant);
        let (after, again) = if position == 0 { (0, 0) } else { (position - 1, 1) };
        log.read(tenant, after, again + self.page_events.get())
    }

    /// Folds a page, or the queue of a parked unit that is tried again, and writes it in one
    /// transaction. Whatever fails, the transaction is rolled back and the session ends.
    ///
    /// Invariants: memory changes after the commit alone; no transaction is open while events are
    /// read or folded, so that none lasts longer than its statements.
    pub(super) async fn take_in(
        &mut self,
        page: Page,
        retried: Option<Retried<'_>>,
    ) -> Result<(), Trouble> {
        let runner = self.runner;
        let _turn = runner.pages.acquire().await;
        let mut looks = Looks::new(runner);
        let known = Known {
            log: &*runner.log,
            tenant: self.tenant,
            config: &runner.config,
            identity: &self.identity,
            ties: &self.ties,
            parked: &self.parked.units,
            retried,
            anything_waits: self.anything_waits,
        };
        let mut plan = Plan::make(&mut looks, &known, page.events).await?;
        let facts = std::mem::take(&mut plan.units);
        let log = (&*runner.log, self.tenant);
        let (mut folded, failed) =
            self.units.fold(&mut looks, log, facts, (&plan.afresh, &plan.again)).await?;
        looks.end().await?;
        for unit in failed {
            let (model, name) = (model_of(&unit.key), unit.key.to_string());
            plan.park(&known, model, name, &unit.reason, unit.positions);
        }
        let mut touched = Touched::by(&folded, &plan);
        let mut tx = runner.begin().await?;
        if runner.config.serves() {
            touched.look_back(&mut tx, self.tenant).await?;
        }
        for (unit, reason) in write(&mut tx, self.tenant, &mut folded, &plan.noted).await? {
            plan.park(&known, model_of(&unit.key), unit.name, &reason, unit.positions);
        }
        if let Some(Retried { unit, positions, .. }) =
            retried.filter(|retried| !plan.newly_parked.contains_key(retried.unit))
        {
            store::unpark(&mut tx, self.tenant, &self.written, unit, positions).await?;
        }
        touched.park(&plan, retried.is_some());
        let after = self.write_rest(&mut tx, plan, &touched, &page.end).await?;
        reach(Point::Commit(&runner.config.owner));
        tx.commit().await?;
        self.remember(after, folded, page.end, retried.is_some());
        Ok(())
    }

    /// Writes what belongs to no single unit, and the checkpoint.
    async fn write_rest(
        &self,
        tx: &mut PgConnection,
        plan: Plan,
        touched: &Touched,
        end: &Checkpoint,
    ) -> Result<After, Trouble> {
        let (tenant, written) = (self.tenant, &self.written);
        let from = self.checkpoint.position;
        let named = plan.named_after(from);
        subscriptions::store::tie(tx, tenant, plan.ties.rows()).await?;
        let anything_waits = plan.waits.len() > 0;
        subscriptions::store::wait(tx, tenant, plan.waits).await?;
        subscriptions::store::stop_waiting(tx, tenant, plan.released).await?;
        usage::store::add(tx, tenant, usage::rows(&plan.usage)).await?;
        store::park(tx, tenant, plan.parks).await?;
        store::park_events(tx, tenant, plan.parked_events).await?;
        if !store::advance(tx, tenant, written, from, end, self.token).await? {
            return Err(Trouble::Fenced);
        }
        // Once the checkpoint is ours, nobody else can have written events after it.
        if self.runner.config.models.contains(&ReadModel::Subscriptions) {
            subscriptions::store::name(tx, tenant, named).await?;
        }
        let change = match self.runner.config.serves() {
            true => touched.tell(tx, tenant, &feed::serving()).await?,
            false => None,
        };
        let (ties, newly_parked) = (plan.ties, plan.newly_parked);
        Ok(After { ties, newly_parked, anything_waits, change })
    }

    fn remember(&mut self, after: After, folded: Vec<Folded>, end: Checkpoint, is_retry: bool) {
        self.units.put_back(folded);
        self.ties.remember(after.ties);
        self.anything_waits |= after.anything_waits;
        if is_retry || !after.newly_parked.is_empty() {
            self.park(after.newly_parked);
            self.parked.is_stale = true;
        }
        self.checkpoint = end;
        if let Some(number) = after.change {
            self.runner.positions.set_change(self.tenant, number);
        }
        self.publish();
    }

    /// Remembers units as parked, and tells of each that was not: a unit that is tried again and
    /// fails is no news.
    fn park(&mut self, units: HashMap<String, String>) {
        for (unit, reason) in units {
            if self.parked.units.insert(unit.clone()) {
                metrics::counter!("ledger_projection_parked_total").increment(1);
                tracing::warn!(tenant = %self.tenant, unit, reason, "a unit is parked");
            }
        }
    }

    /// Whether the log is still the one that the checkpoint was taken in.
    async fn check_head(&self) -> Result<(), Trouble> {
        let at = &self.checkpoint;
        let Some(head) = self.runner.log.head(self.tenant).await? else {
            return Err(Halt::Behind { position: at.position, head: 0 }.into());
        };
        if head.log_id != at.log_id {
            return Err(Halt::OtherLog { expected: at.log_id, found: head.log_id }.into());
        }
        if head.epoch != at.epoch {
            return Err(Halt::OtherEpoch { expected: at.epoch, found: head.epoch }.into());
        }
        if head.position < at.position {
            return Err(Halt::Behind { position: at.position, head: head.position }.into());
        }
        Ok(())
    }

    /// Pages that take too long become smaller, so that readers see them sooner.
    fn adapt(&mut self, events: usize, took: Duration) {
        let config = &self.runner.config;
        if events > 0 {
            metrics::histogram!("ledger_projection_page_seconds").record(took.as_secs_f64());
        }
        if took > config.page_time {
            self.page_events.shrink();
        } else if events >= self.page_events.get() && took < config.page_time / 2 {
            self.page_events.grow();
        }
    }

    /// Waits until the log moves, a parked unit is due, or the poll.
    async fn rest(
        &self,
        head: &mut watch::Receiver<i64>,
        events: usize,
        shutdown: &CancellationToken,
    ) {
        let config = &self.runner.config;
        if events > 0 {
            let linger = if events < MANY { config.linger } else { config.linger_busy };
            super::wait(linger, shutdown).await;
        }
        // A head that goes on being ahead while nothing is there to read is wrong: a backup was put
        // back. The log looks at it from time to time.
        let moves = events > 0 || head.has_changed().unwrap_or(false);
        if *head.borrow_and_update() > self.checkpoint.position && moves {
            return;
        }
        let longest = config.poll.min(self.parked.due_in(Instant::now()));
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = head.changed() => if changed.is_err() {
                super::wait(longest, shutdown).await;
            },
            () = tokio::time::sleep_until(Instant::now() + longest) => {}
        }
    }

    fn publish(&self) {
        self.runner.positions.publish(self.tenant, self.checkpoint.position);
        self.runner.feed.ring();
    }

    /// Tells how it stands once everything has been done that there was to do.
    fn report(&self) {
        self.runner.positions.set_halted(self.tenant, None);
        let tenant = self.tenant.to_string();
        metrics::gauge!("ledger_projection_parked_units", "tenant" => tenant)
            .set(self.parked.units.len() as f64);
    }
}

/// What memory learns from a page once it is committed.
struct After {
    ties: super::ties::PageTies,
    newly_parked: HashMap<String, String>,
    anything_waits: bool,
    /// The change of answers that it made.
    change: Option<i64>,
}

/// What the log's first event says of the account that it belongs to.
async fn identity(runner: &Runner, tenant: &Tenant) -> Result<LogIdentity, Trouble> {
    let corrupt = |what: &str| Halt::Corrupt { position: 1, what: what.into() };
    let first = runner.log.read(tenant, 0, 1).await?.into_iter().next();
    let first = first.ok_or_else(|| corrupt("there is no first event"))?;
    match &read(first) {
        Read::Entry(entry) if let Event::LogOpened(opened) = &entry.event => {
            Ok(LogIdentity::from(opened))
        }
        Read::Entry(_) | Read::Unreadable(_) => Err(corrupt("it doesn't open the log").into()),
    }
}
