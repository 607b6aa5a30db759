//! What gives the feature, or would, and the facts that made that what it is.

use super::{Case, Step};
use crate::account::{Change, ChangeView, GrantView, PaymentKind, PaymentView, SubscriptionView};
use crate::catalog::Plan;
use crate::effective::{Giver, Source, World};
use crate::id::StripeId;
use crate::time::Timestamp;

/// How many events of a payment are named.
const PAYMENT_EVENTS: usize = 5;

impl Case<'_> {
    /// What gives the feature; what gives the tier, where nothing gives the feature; what gave the
    /// tier that ended last, where nothing does.
    fn source(&self, world: &World<'_>) -> Option<Source> {
        match &self.entitlement.giver {
            Some(Giver::Tier { source, .. } | Giver::AddOn { source, .. }) => Some(source.clone()),
            Some(Giver::Override { .. }) | None => {
                world.tier_that_counts().map(|held| held.source())
            }
        }
    }

    /// The plan by which the source gives or would give.
    pub(super) fn plan<'p>(&'p self, world: &'p World<'_>) -> Option<&'p Plan> {
        match &self.entitlement.giver {
            Some(Giver::Tier { plan, .. } | Giver::AddOn { plan, .. }) => {
                self.grounds.setting.catalog.plan(plan)
            }
            Some(Giver::Override { .. }) | None => world.tier_that_counts().map(|held| held.plan),
        }
    }

    /// The step of what gives the feature, and those of the facts behind it.
    pub(super) fn origin(&self, world: &World<'_>) -> Vec<Step> {
        let name = self.plan(world).map_or("a plan", Plan::name);
        match self.source(world) {
            Some(Source::Subscription(id)) => match self.subscription(&id) {
                Some(view) => self.of_subscription(view, name),
                None => Vec::new(),
            },
            Some(Source::Grant(event)) => {
                let mut grants = self.grounds.holdings.grants.iter();
                grants
                    .find(|grant| grant.event == event)
                    .map(|g| grant(g, name))
                    .into_iter()
                    .collect()
            }
            Some(Source::Default) => {
                let says = format!("The catalogue gives {name} to whoever has nothing else.");
                vec![Step::new("default_tier", says).by([&self.grounds.published.event])]
            }
            None => match world.of_no_plan().next() {
                Some(view) => self.of_subscription(view, "nothing that the catalogue knows"),
                // That nothing was ever given is in no event; that nothing is given by default is.
                None => {
                    let says = "The trainer holds no tier, and the catalogue gives none to whoever \
                                has nothing else.";
                    vec![Step::new("nothing", says.to_owned()).by([&self.grounds.published.event])]
                }
            },
        }
    }

    pub(super) fn subscription(&self, id: &StripeId) -> Option<&SubscriptionView> {
        self.grounds.holdings.subscriptions.iter().find(|view| view.id == *id)
    }

    fn of_subscription(&self, view: &SubscriptionView, plan: &str) -> Vec<Step> {
        let says = format!(
            "Subscription {} is to {plan}, and its status is {}{}.",
            view.id,
            view.status.as_str(),
            self.dates(view)
        );
        let mut steps =
            vec![Step::new("subscription", says).at(view.started_at).by([&view.last_event])];
        steps.extend(self.life(view));
        steps.extend(self.owed(&view.id));
        steps.extend(self.dispute(view));
        steps.extend(self.link(view));
        steps
    }

    /// The dates of a subscription that decide.
    fn dates(&self, view: &SubscriptionView) -> String {
        let end = view.ended_at.or(view.cancel_at);
        let policies = self.grounds.setting.catalog.policies();
        let trial = view.trial.filter(|_| view.status == "trialing");
        let since = view.past_due_since.filter(|_| view.status == "past_due");
        let mut dates = String::new();
        if let Some(trial) = trial {
            dates.push_str(&format!("; the trial ends on {}", trial.until));
        }
        if let Some(since) = since {
            let days = policies.past_due_grace_days;
            dates.push_str(&format!("; a payment failed on {since}, and {days} days are given"));
        }
        if let Some(end) = end {
            let ends = if end > self.grounds.setting.now { "is to end" } else { "ended" };
            dates.push_str(&format!("; it {ends} on {end}"));
        }
        dates
    }

    /// The steps of its life that made it what it is: of each kind, the last.
    fn life(&self, view: &SubscriptionView) -> Vec<Step> {
        let lives = self.grounds.lives.iter().filter(|step| *step.subject == *view.id.as_str());
        let mut last: Vec<&ChangeView> = Vec::new();
        for step in lives {
            last.retain(|other| kind(other.change) != kind(step.change));
            last.push(step);
        }
        last.into_iter().map(|step| self.life_step(step)).collect()
    }

    fn life_step(&self, step: &ChangeView) -> Step {
        let plan = |prices: &[StripeId]| {
            let mut plans = prices.iter().filter_map(|id| {
                self.grounds.setting.catalog.plan_by_price(id).map(|(plan, _)| plan.name())
            });
            plans.next().unwrap_or("an unknown plan").to_owned()
        };
        let happened = match step.change {
            Change::Created => "it began".to_owned(),
            Change::PlanChanged => format!(
                "its plan changed from {} to {}",
                plan(&step.from_prices),
                plan(&step.to_prices)
            ),
            Change::Renewed => "a new period began".to_owned(),
            Change::TrialStarted => "a trial began".to_owned(),
            Change::TrialEnded => "the trial ended".to_owned(),
            Change::PaymentFailed => "a payment failed".to_owned(),
            Change::Recovered => "it was paid after all".to_owned(),
            Change::CancelScheduled => "its end was set".to_owned(),
            Change::CancelWithdrawn => "its end was taken back".to_owned(),
            Change::Cancelled => "it ended".to_owned(),
            Change::Paused => "it was paused".to_owned(),
            Change::Resumed => "it went on after a pause".to_owned(),
            Change::Assigned
            | Change::AssignmentRevoked
            | Change::Grandfathered
            | Change::Override
            | Change::OverrideRevoked
            | Change::Suspended
            | Change::Reinstated => "an administrator acted".to_owned(),
        };
        let says = format!("On {} {happened}.", step.at);
        Step::new(step.change.as_str(), says).at(step.at).by([&step.event])
    }

    /// The open invoices of a subscription.
    pub(super) fn open_invoices(&self, id: &StripeId) -> impl Iterator<Item = &PaymentView> {
        let payments = self.grounds.payments.iter();
        payments.filter(move |payment| {
            payment.kind == PaymentKind::Invoice
                && payment.subscription.as_ref() == Some(id)
                && payment.status == "open"
        })
    }

    /// What isn't paid.
    fn owed(&self, id: &StripeId) -> Vec<Step> {
        let step = |invoice: &PaymentView| {
            let next = invoice.next_attempt_at.map(|at| format!(", and is tried next on {at}"));
            let tried = match invoice.attempt_count {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            let says = format!(
                "Invoice {} is open: its payment was tried {tried}{}.",
                invoice.object,
                next.unwrap_or_default()
            );
            let events = invoice.event_ids.iter().rev().take(PAYMENT_EVENTS);
            Step::new("invoice", says).at(invoice.created_at).by(events)
        };
        let failed = self.open_invoices(id).filter(|invoice| invoice.attempt_count > 0);
        failed.map(step).collect()
    }

    /// The dispute that was lost and locks the subscription, where the catalogue says so.
    fn dispute(&self, view: &SubscriptionView) -> Option<Step> {
        use crate::catalog::OnDisputeLost;
        if self.grounds.setting.catalog.policies().on_dispute_lost != OnDisputeLost::Lock {
            return None;
        }
        let is_about = |(dispute, at): &(&PaymentView, Timestamp)| match &dispute.subscription {
            Some(id) => *id == view.id,
            None => view.started_at.is_none_or(|started| started <= *at),
        };
        let mut lost = self.grounds.payments.iter().filter_map(|p| Some((p, p.lost_at?)));
        let (lost, at) = lost.find(is_about)?;
        let says = format!("Dispute {} was lost, which locks what it paid for.", lost.object);
        let events = lost.event_ids.iter().rev().take(PAYMENT_EVENTS);
        Some(Step::new("dispute", says).at(at).by(events))
    }

    /// Why the subscription is this trainer's.
    fn link(&self, view: &SubscriptionView) -> Option<Step> {
        let mut links = self.grounds.links.iter();
        let link = links.find(|link| view.customer.as_ref() == Some(&link.customer))?;
        let contested = if link.conflicting { "; others were named, too" } else { "" };
        let says = format!(
            "Customer {} is {} since {}{contested}.",
            link.customer, link.trainer, link.since
        );
        Some(Step::new("link", says).at(link.since).by([&link.event]))
    }
}

/// An act that gave a plan.
fn grant(grant: &GrantView, plan: &str) -> Step {
    use crate::account::Grant;
    let (what, how) = match grant.grant {
        Grant::Grandfathered { .. } => ("grandfathering", "may keep"),
        Grant::Assigned { .. } | Grant::Override { .. } => ("assignment", "was given"),
    };
    let until = grant.expires_at.map(|until| format!(" until {until}")).unwrap_or_default();
    let says = format!("The trainer {how} {plan}{until}, by {}.", grant.actor);
    Step::new(what, says).at(grant.granted_at).by([&grant.event])
}

/// Steps of one kind undo or repeat each other: the last one counts.
const fn kind(change: Change) -> u8 {
    match change {
        Change::Created => 0,
        Change::PlanChanged => 1,
        Change::Renewed => 2,
        Change::TrialStarted | Change::TrialEnded => 3,
        Change::PaymentFailed | Change::Recovered => 4,
        Change::CancelScheduled | Change::CancelWithdrawn | Change::Cancelled => 5,
        Change::Paused | Change::Resumed => 6,
        Change::Assigned
        | Change::AssignmentRevoked
        | Change::Grandfathered
        | Change::Override
        | Change::OverrideRevoked
        | Change::Suspended
        | Change::Reinstated => 7,
    }
}
