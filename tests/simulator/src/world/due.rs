//! What falls due when time passes, and in which order.

use serde_json::json;

use super::World;
use super::invoices::Status as InvoiceStatus;
use super::subscriptions::{Status, Subscription};

/// Something that time brings about. The order is that in which things of one second happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Finalize,
    Collect,
    Announce,
    ExpireIncomplete,
    ExpirePending,
    Unpause,
    Cancel,
    EndPhase,
    Renew,
    ExpireSession,
}

/// The kinds of objects that time can do something to.
pub(super) const MAY_FALL_DUE: [&str; 3] = ["subscription", "invoice", "checkout.session"];

impl World {
    /// Whether anything happens by itself until then.
    #[must_use]
    pub fn is_due(&self, until: i64) -> bool {
        self.next_due(None, until).is_some()
    }

    /// Moves a test clock, or the real time, and does on the way what falls due.
    pub(super) fn pass(&mut self, clock: Option<&str>, until: i64) {
        while let Some((at, act, id)) = self.next_due(clock, until) {
            let now = self.time_of(clock).max(at);
            self.show(clock, now);
            self.act(act, &id);
            self.forget_changes();
            self.forget_settled();
        }
        let now = self.time_of(clock).max(until);
        self.show(clock, now);
    }

    /// Looks no more at what is over for good.
    fn forget_settled(&mut self) {
        let Self { awaiting, subscriptions, invoices, sessions, .. } = self;
        awaiting.retain(|(kind, id)| match *kind {
            "subscription" => !subscriptions[id].status.is_final(),
            "invoice" => {
                matches!(invoices[id].status, InvoiceStatus::Draft | InvoiceStatus::Open)
            }
            _ => sessions[id].status == "open",
        });
    }

    fn show(&mut self, clock: Option<&str>, now: i64) {
        match clock {
            None => self.now = now,
            Some(clock) => self.set(clock, json!({ "frozen_time": now })),
        }
    }

    /// The first thing due for those who live by a clock. Among equals it's the one made first,
    /// which its place in the list tells.
    fn next_due(&self, clock: Option<&str>, until: i64) -> Option<(i64, Act, String)> {
        let mut first: Option<(i64, Act, String)> = None;
        let mut offer = |due: Option<i64>, act: Act, id: &str| {
            let Some(at) = due.filter(|at| *at <= until) else { return };
            if first.as_ref().is_none_or(|(when, what, _)| (at, act) < (*when, *what)) {
                first = Some((at, act, id.to_owned()));
            }
        };
        for (kind, id) in &self.awaiting {
            match *kind {
                "subscription" => {
                    let of = &self.subscriptions[id];
                    if of.clock.as_deref() == clock && !of.status.is_final() {
                        self.offer_subscription(of, &mut offer);
                    }
                }
                "invoice" => {
                    let invoice = &self.invoices[id];
                    if invoice.clock.as_deref() != clock {
                        continue;
                    }
                    match invoice.status {
                        InvoiceStatus::Draft => offer(invoice.finalizes_at, Act::Finalize, id),
                        InvoiceStatus::Open => offer(invoice.next_attempt, Act::Collect, id),
                        _ => {}
                    }
                }
                "checkout.session" => {
                    let session = &self.sessions[id];
                    let buyer = session.customer.as_deref();
                    let lives_by = buyer.and_then(|buyer| self.clock_of_customer(buyer));
                    if session.status == "open" && lives_by.as_deref() == clock {
                        offer(Some(session.expires_at), Act::ExpireSession, id);
                    }
                }
                _ => {}
            }
        }
        first
    }

    fn offer_subscription(
        &self,
        of: &Subscription,
        offer: &mut impl FnMut(Option<i64>, Act, &str),
    ) {
        let id = of.id.as_str();
        if of.status == Status::Incomplete {
            offer(Some(of.created + 23 * 3_600), Act::ExpireIncomplete, id);
            return;
        }
        if of.status == Status::Trialing && !of.announced {
            offer(of.trial.map(|trial| trial.1 - 3 * 86_400), Act::Announce, id);
        }
        offer(of.pending.as_ref().map(|pending| pending.expires_at), Act::ExpirePending, id);
        offer(of.pause.and_then(|(_, resumes_at)| resumes_at), Act::Unpause, id);
        offer(of.cancel_at, Act::Cancel, id);
        let renews = of.status != Status::Paused;
        let schedule = of.schedule.as_ref().and_then(|schedule| self.schedules.get(schedule));
        let boundary = schedule.and_then(super::Schedule::boundary);
        // A phase that ends with the period is part of the renewal.
        offer(boundary.filter(|at| !renews || *at != of.period.1), Act::EndPhase, id);
        offer(renews.then_some(of.period.1), Act::Renew, id);
    }

    fn act(&mut self, act: Act, id: &str) {
        match act {
            Act::Finalize => self.finalize_due(id),
            Act::Collect => self.collect_due(id),
            Act::Announce => self.announce_trial_end(id),
            Act::ExpireIncomplete => self.expire_incomplete(id),
            Act::ExpirePending => {
                let pending = self.subscriptions.get(id).and_then(|of| of.pending.clone());
                if let Some(pending) = pending {
                    self.void(&pending.invoice);
                }
            }
            Act::Unpause => self.unpause(id),
            Act::Cancel => self.end(id, Some("cancellation_requested")),
            Act::EndPhase => self.phase_ends(id),
            Act::Renew => self.renew(id),
            Act::ExpireSession => self.session_expires(id),
        }
    }
}
