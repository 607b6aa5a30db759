//! What would change the answer, apart from time.

use super::{Case, Remedy, Step};
use crate::account::{PaymentView, SubscriptionView};
use crate::effective::overrides::Override;
use crate::effective::{
    Access, Denial, Giver, Source, World, check, effective, required_add_on, required_tier,
};
use crate::money::Money;

impl Case<'_> {
    pub(super) fn remedies(&self, world: &World<'_>) -> Vec<Remedy> {
        let Some(denial) = self.check.denial else {
            return self.keeping();
        };
        let caps = self.caps(world);
        let mut remedies = Vec::new();
        match denial {
            Denial::FeatureNotAvailable | Denial::QuotaExhausted => {
                remedies.extend(self.uncapping(&caps));
            }
            Denial::LimitReached => {
                remedies.extend(self.release());
                remedies.extend(self.uncapping(&caps));
            }
            Denial::SubscriptionInactive | Denial::TrialExpired => {
                remedies.extend(self.paying(world, denial));
            }
            Denial::AccountSuspended => remedies.extend(self.suspension().map(reinstating)),
        }
        let helps = matches!(
            denial,
            Denial::FeatureNotAvailable | Denial::LimitReached | Denial::QuotaExhausted
        );
        // A cap wins over every plan.
        if helps && caps.is_empty() {
            remedies.extend(self.plans());
        }
        remedies
    }

    /// Under grace, what keeps the feature.
    fn keeping(&self) -> Vec<Remedy> {
        let is_in_grace = self.answer.access_of(self.entitlement) == Access::Grace;
        let view = self.giving_subscription().filter(|_| is_in_grace);
        let open = view.into_iter().flat_map(|view| self.open_invoices(&view.id));
        open.map(pay).collect()
    }

    fn giving_subscription(&self) -> Option<&SubscriptionView> {
        match self.entitlement.giver.as_ref()? {
            Giver::Tier { source: Source::Subscription(id), .. }
            | Giver::AddOn { source: Source::Subscription(id), .. } => self.subscription(id),
            Giver::Tier { .. } | Giver::AddOn { .. } | Giver::Override { .. } => None,
        }
    }

    /// The caps of administrators' that leave no room.
    fn caps<'w>(&self, world: &'w World<'_>) -> Vec<&'w Override<'w>> {
        let overrides = world.overrides().iter().filter(|x| x.feature == self.feature.slug());
        overrides.filter(|x| x.cap().is_some_and(|cap| cap <= self.check.meter.used)).collect()
    }

    /// To take caps back, if there is room without them.
    fn uncapping(&self, caps: &[&Override<'_>]) -> Option<Remedy> {
        let lowest = caps.iter().filter_map(|cap| cap.cap()).min()?;
        let events: Vec<_> = caps.iter().map(|cap| cap.view.event.clone()).collect();
        let mut without = self.grounds.holdings.clone();
        without.grants.retain(|grant| !events.contains(&grant.event));
        let answer = effective(&without, &self.grounds.setting);
        let has = answer.features.get(self.feature.slug())?;
        if check(has, self.grounds.used, 1, self.grounds.outcome).denial.is_some() {
            return None;
        }
        let (name, what) = (self.name(), if caps.len() == 1 { "the cap" } else { "the caps" });
        let says = format!("An administrator can take back {what} of {name} at {lowest}.");
        Some(Remedy { events, ..Remedy::new("override", says) })
    }

    /// How much to give back until one more fits.
    fn release(&self) -> Option<Remedy> {
        let over = self.check.meter.used.saturating_add(1);
        let quantity = over.checked_sub(self.check.meter.limit?).filter(|more| *more > 0)?;
        if quantity > self.check.meter.used {
            return None;
        }
        let says = format!("Releasing {quantity} of {} makes room for one.", self.name());
        Some(Remedy { quantity: Some(quantity), ..Remedy::new("release", says) })
    }

    /// The plans on sale that have room.
    fn plans(&self) -> Vec<Remedy> {
        let (catalog, slug) = (self.grounds.setting.catalog, self.feature.slug());
        let need = self.check.meter.used.saturating_add(1);
        let tier = required_tier(catalog, slug, need).map(|plan| ("tier", plan));
        let add_on = required_add_on(catalog, slug, need).map(|plan| ("add_on", plan));
        let remedy = |(what, plan): (&'static str, &crate::catalog::Plan)| {
            let amount = plan.allowance(slug).and_then(crate::catalog::Allowance::cap);
            let amount = amount.map(|cap| format!(", {cap} of it")).unwrap_or_default();
            let says = format!("{} has {}{amount}.", plan.name(), self.name());
            Remedy { plan: Some(plan.slug().clone()), ..Remedy::new(what, says) }
        };
        tier.into_iter().chain(add_on).map(remedy).collect()
    }

    /// What brings a locked or ended subscription back.
    fn paying(&self, world: &World<'_>, denial: Denial) -> Vec<Remedy> {
        let Some(plan) = self.plan(world) else { return Vec::new() };
        let held = world.tier_that_counts().and_then(|held| held.subscription());
        let Some(view) = self.giving_subscription().or(held) else { return Vec::new() };
        let is_over = view.status == "canceled" || view.status == "incomplete_expired";
        let ended = is_over || view.cancel_at.is_some_and(|end| end <= self.grounds.setting.now);
        let mut remedies: Vec<Remedy> = Vec::new();
        if !ended {
            remedies.extend(self.open_invoices(&view.id).map(pay));
        }
        if view.status == "paused" {
            let says = format!("Subscription {} can be resumed at Stripe.", view.id);
            let events = vec![view.last_event.clone()];
            remedies.push(Remedy { events, ..Remedy::new("resume", says) });
        }
        if remedies.is_empty() && plan.is_active() {
            let after = match denial {
                Denial::TrialExpired => "after the trial",
                _ if ended => "again",
                _ => "anew",
            };
            let says = format!("Buying {} {after} gives it back.", plan.name());
            let plan = Some(plan.slug().clone());
            remedies.push(Remedy { plan, ..Remedy::new("buy", says) });
        }
        remedies
    }
}

impl Remedy {
    const fn new(what: &'static str, says: String) -> Self {
        Self { what, says, plan: None, quantity: None, amount: None, events: Vec::new() }
    }
}

fn pay(invoice: &PaymentView) -> Remedy {
    let amount_minor = invoice.amount_minor.saturating_sub(invoice.paid_minor);
    let amount = Some(Money { amount_minor, currency: invoice.currency });
    let says = format!("Invoice {} can be paid.", invoice.object);
    let events = invoice.event_ids.last().cloned().into_iter().collect();
    Remedy { amount, events, ..Remedy::new("pay", says) }
}

fn reinstating(suspension: Step) -> Remedy {
    let says = "An administrator can reinstate the trainer.".to_owned();
    Remedy { events: suspension.events, ..Remedy::new("reinstate", says) }
}
