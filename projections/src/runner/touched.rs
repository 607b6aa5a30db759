//! Whose answers a page may change.
//!
//! An answer is made from what a trainer holds (the trainer, grants, subscriptions, disputes), what
//! it used, what holds for the whole tenant (catalogues, enforcement), and what is parked. Whoever
//! adds to that adds here: a page whose changes aren't told of leaves old answers standing.

use std::collections::BTreeSet;

use ledger_domain::account::PaymentKind;
use ledger_domain::id::{StripeId, Tenant, TrainerId};
use sqlx::PgConnection;

use super::plan::Plan;
use super::trouble::Trouble;
use super::units::{Changes, Folded};
use crate::{feed, subscriptions, usage};

/// Who may be answered differently after a page.
#[derive(Default)]
pub(super) struct Touched {
    everybody: bool,
    /// Who holds something else.
    trainers: BTreeSet<String>,
    /// Whose usage changed.
    users: BTreeSet<String>,
    /// Subscriptions and disputes that may have been another trainer's, who loses them.
    subscriptions: Vec<String>,
    payments: Vec<String>,
}

impl Touched {
    /// By what units and plan say. A unit whose rows are refused afterwards counts as well, which
    /// does no harm.
    pub(super) fn by(folded: &[Folded], plan: &Plan) -> Self {
        let mut touched = Self::default();
        for unit in folded {
            touched.add(&unit.changes);
        }
        let users = plan.usage.iter().filter_map(|entry| usage::counted(&entry.event));
        touched.users.extend(users.map(|(trainer, ..)| trainer.as_str().to_owned()));
        touched
    }

    fn add(&mut self, changes: &Changes) {
        let text = |id: &StripeId| id.as_str().to_owned();
        match changes {
            Changes::Tenant(changes) => self.everybody |= changes.changes_answers(),
            Changes::Trainer(changes) => self.hold(Some(&changes.trainer.trainer)),
            Changes::Customer(news) => {
                let changes = &news.changes;
                for view in &changes.subscriptions {
                    self.hold(view.trainer.as_ref());
                    self.subscriptions.push(text(&view.id));
                }
                let disputes = changes.payments.iter();
                for view in disputes.filter(|view| view.kind == PaymentKind::Dispute) {
                    self.hold(view.trainer.as_ref());
                    self.payments.push(text(&view.object));
                }
                self.subscriptions.extend(changes.gone_subscriptions.iter().map(text));
                self.payments.extend(changes.gone_payments.iter().map(text));
            }
        }
    }

    fn hold(&mut self, trainer: Option<&TrainerId>) {
        self.trainers.extend(trainer.map(|trainer| trainer.as_str().to_owned()));
    }

    /// Adds those whose subscriptions and disputes they were, while the tables still say so.
    pub(super) async fn look_back(
        &mut self,
        conn: &mut PgConnection,
        tenant: &Tenant,
    ) -> sqlx::Result<()> {
        let (subscriptions, payments) = (&self.subscriptions, &self.payments);
        let owners = subscriptions::store::owners(conn, tenant, subscriptions, payments).await?;
        self.trainers.extend(owners);
        Ok(())
    }

    /// Adds everybody where anything is parked, queued, or taken up again: which answers end before
    /// an event that waits follows from links that no page tells of.
    pub(super) fn park(&mut self, plan: &Plan, is_retry: bool) {
        self.everybody |= is_retry || plan.parks.len() > 0 || plan.parked_events.len() > 0;
    }

    /// Tells of it, and by which number if there is anything to tell.
    pub(super) async fn tell(
        &self,
        conn: &mut PgConnection,
        tenant: &Tenant,
        serving: &[String],
    ) -> Result<Option<i64>, Trouble> {
        if !self.everybody && self.trainers.is_empty() && self.users.is_empty() {
            return Ok(None);
        }
        let trainers = (!self.everybody).then_some(&self.trainers);
        let told = feed::store::record(conn, tenant, serving, trainers, &self.users).await?;
        // Somebody has made the read models anew meanwhile.
        told.map(Some).ok_or(Trouble::Fenced)
    }
}
