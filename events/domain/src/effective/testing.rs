//! Holdings for tests, told in the words of the business.
//!
//! A subscription made here is an active one that began on the 1st of November 2026 and runs by
//! the month, unless the test says otherwise. A day without a time is its midnight.

use super::{Billing, Disputes, Effective, Entitlement, Holdings, LostDispute, Setting, effective};
use crate::account::{Grant, GrantView, ScheduledChange, SubscriptionView, TrainerView};
use crate::catalog::{Allowance, Catalog};
use crate::event::stripe::{Item, ItemPrice};
use crate::event::{Code, OverrideEffect};
use crate::id::{EventId, EventKey, FeatureSlug, Namespace, PlanSlug, StripeId, TrainerId};
use crate::time::{Interval, Timestamp};

/// Features, tiers and add-ons of the test catalogues. `founder` is retired.
const PLANS: &str = r#"
name = "Studio"
audience = "trainer"
[features]
customers = { name = "C", description = "C", kind = "limit" }
analytics = { name = "A", description = "A", kind = "flag" }
api_keys = { name = "K", description = "K", kind = "flag" }
ai_generations = { name = "G", description = "G", kind = "quota", reset = "month" }
reports = { name = "R", description = "R", kind = "quota", reset = "billing_period" }
[tiers.starter]
name = "Starter"
description = "S"
level = 1
requests_per_minute = 100
prices = { month = "price_starter_month", year = "price_starter_year" }
grants = { customers = 9, reports = 10 }
[tiers.professional]
name = "Professional"
description = "P"
level = 2
requests_per_minute = 250
prices = { month = "price_professional_month", year = "price_professional_year" }
grants = { customers = 20, reports = 50, analytics = true }
[tiers.enterprise]
name = "Enterprise"
description = "E"
level = 3
requests_per_minute = 1000
prices = { month = "price_enterprise_month" }
grants = { customers = "unlimited", reports = "unlimited", analytics = true, api_keys = true }
[tiers.founder]
name = "Founder"
description = "F"
level = 4
requests_per_minute = 400
active = false
prices = { month = "price_founder_month" }
grants = { customers = 30 }
[add_ons.ai_starter]
name = "AI Starter"
description = "AS"
rank = 1
prices = { month = "price_ai_starter_month", year = "price_ai_starter_year" }
grants = { ai_generations = 100 }
[add_ons.ai_professional]
name = "AI Professional"
description = "AP"
rank = 2
prices = { month = "price_ai_professional_month" }
grants = { ai_generations = 500 }
"#;

const FREE: &str = r#"
[tiers.free]
name = "Free"
description = "F"
level = 0
requests_per_minute = 10
grants = { customers = 3, ai_generations = 5 }
"#;

fn parse(text: &str) -> Catalog {
    Catalog::parse(text, &|_| None).expect("a catalogue").catalog
}

/// Three tiers and AI add-ons, no free tier: who doesn't pay is locked.
pub(crate) fn studio() -> Catalog {
    studio_with("")
}

/// As [`studio`], with policies.
pub(crate) fn studio_with(policies: &str) -> Catalog {
    parse(&format!("{PLANS}\n[policies]\n{policies}"))
}

/// As [`studio`], with a free tier for everybody who has nothing else.
pub(crate) fn with_free_tier() -> Catalog {
    parse(&format!("{PLANS}{FREE}\n[policies]\ndefault_tier = \"free\""))
}

/// As [`with_free_tier`], but for those alone who never paid.
pub(crate) fn with_free_tier_until_paid() -> Catalog {
    parse(&format!("{PLANS}{FREE}\n[policies]\ndefault_tier = \"free\"\nwhen_inactive = \"lock\""))
}

/// An instant, or the midnight of a day.
pub(crate) fn at(text: &str) -> Timestamp {
    let midnight = if text.len() == 10 { "T00:00:00Z" } else { "" };
    format!("{text}{midnight}").parse().expect("an instant")
}

/// From one instant to another.
pub(crate) fn span(from: &str, until: &str) -> Interval {
    Interval { from: at(from), until: at(until) }
}

pub(crate) fn key(id: &str) -> EventKey {
    let namespace = Namespace::try_new("api").expect("a namespace");
    EventKey::new(namespace, EventId::try_new(id).expect("an event id"))
}

pub(crate) fn feature(slug: &str) -> FeatureSlug {
    FeatureSlug::try_new(slug).expect("a feature")
}

pub(crate) fn stripe_id(id: &str) -> StripeId {
    StripeId::try_new(id).expect("a Stripe id")
}

fn plan(slug: &str) -> PlanSlug {
    PlanSlug::try_new(slug).expect("a plan")
}

fn trainer() -> TrainerId {
    TrainerId::try_new("t1").expect("a trainer")
}

/// A subscription in the making.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed(pub(crate) SubscriptionView);

/// An active subscription.
pub(crate) fn subscribed(id: &str, price: &str) -> Subscribed {
    let start = at("2026-11-01");
    Subscribed(SubscriptionView {
        id: stripe_id(id),
        customer: None,
        trainer: Some(trainer()),
        status: Code::new("active"),
        items: Vec::new(),
        items_complete: true,
        anchor: Some(start),
        started_at: Some(start),
        current_period: Some(span("2026-11-01", "2026-12-01")),
        trial: None,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        past_due_since: None,
        collection_paused: false,
        scheduled: None,
        once_active: true,
        last_event: key(&format!("evt_{id}")),
        position: 1,
    })
    .also(price)
}

impl Subscribed {
    pub(crate) fn change(mut self, change: impl FnOnce(&mut SubscriptionView)) -> Self {
        change(&mut self.0);
        self
    }

    /// Another price in the same subscription.
    pub(crate) fn also(self, price: &str) -> Self {
        let interval = price.rsplit('_').next().filter(|word| ["month", "year"].contains(word));
        let price = ItemPrice {
            currency: None,
            id: stripe_id(price),
            interval: interval.map(Code::new),
            interval_count: None,
            product: None,
            unit_amount: None,
            unit_amount_decimal: None,
            usage_type: None,
        };
        self.change(|view| {
            view.items.push(Item {
                current_period_end: None,
                current_period_start: None,
                id: None,
                price,
                quantity: None,
            });
        })
    }

    pub(crate) fn status(self, status: &str) -> Self {
        self.change(|view| view.status = Code::new(status))
    }

    pub(crate) fn never_paid(self) -> Self {
        self.change(|view| view.once_active = false)
    }

    pub(crate) fn started(self, from: &str) -> Self {
        self.change(|view| view.started_at = Some(at(from)))
    }

    pub(crate) fn anchored(self, anchor: &str) -> Self {
        self.change(|view| view.anchor = Some(at(anchor)))
    }

    pub(crate) fn period(self, from: &str, until: &str) -> Self {
        self.change(|view| view.current_period = Some(span(from, until)))
    }

    /// On trial, from its start, and never paid yet.
    pub(crate) fn on_trial_until(self, until: &str) -> Self {
        self.status("trialing").never_paid().anchored(until).change(|view| {
            let trial = view.started_at.map(|from| Interval { from, until: at(until) });
            (view.trial, view.current_period) = (trial, trial);
        })
    }

    pub(crate) fn cancel_at(self, end: &str) -> Self {
        self.change(|view| view.cancel_at = Some(at(end)))
    }

    /// Cancelled, as Stripe says.
    pub(crate) fn ended(self, end: &str) -> Self {
        self.status("canceled").change(|view| view.ended_at = Some(at(end)))
    }

    pub(crate) fn past_due_since(self, since: &str) -> Self {
        self.status("past_due").change(|view| view.past_due_since = Some(at(since)))
    }

    pub(crate) fn changes_to(self, price: &str, when: &str) -> Self {
        let scheduled = ScheduledChange { at: at(when), prices: vec![stripe_id(price)] };
        self.change(|view| view.scheduled = Some(scheduled))
    }
}

/// A grant in the making.
#[derive(Debug, Clone)]
pub(crate) struct Given(pub(crate) GrantView);

fn given(event: &str, grant: Grant) -> Given {
    Given(GrantView {
        event: key(event),
        trainer: trainer(),
        grant,
        granted_at: at("2026-11-01"),
        expires_at: None,
        revoked_at: None,
        actor: "admin".into(),
        position: 1,
    })
}

pub(crate) fn assigned(event: &str, tier: &str) -> Given {
    let interval = Some(Code::new("year"));
    given(event, Grant::Assigned { tier: plan(tier), interval })
}

pub(crate) fn grandfathered(event: &str, tier: &str) -> Given {
    given(event, Grant::Grandfathered { tier: plan(tier) })
}

pub(crate) fn overridden(event: &str, slug: &str, effect: OverrideEffect) -> Given {
    given(event, Grant::Override { feature: feature(slug), effect })
}

impl Given {
    fn change(mut self, change: impl FnOnce(&mut GrantView)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn on(self, from: &str) -> Self {
        self.change(|view| view.granted_at = at(from))
    }

    pub(crate) fn expires(self, until: &str) -> Self {
        self.change(|view| view.expires_at = Some(at(until)))
    }

    pub(crate) fn revoked(self, when: &str) -> Self {
        self.change(|view| view.revoked_at = Some(at(when)))
    }
}

/// Nothing at all.
pub(crate) fn nothing() -> Holdings {
    Holdings::default()
}

impl From<Subscribed> for Holdings {
    fn from(subscription: Subscribed) -> Self {
        nothing().and(subscription)
    }
}

impl From<Given> for Holdings {
    fn from(given: Given) -> Self {
        nothing().and(given)
    }
}

impl Holdings {
    /// Both what is here and what is there.
    pub(crate) fn and(mut self, more: impl Into<PartOfHoldings>) -> Self {
        match more.into() {
            PartOfHoldings::Subscription(view) => self.subscriptions.push(*view),
            PartOfHoldings::Grant(view) => self.grants.push(*view),
        }
        self
    }

    pub(crate) fn suspended(mut self, since: &str) -> Self {
        self.trainer = Some(TrainerView {
            trainer: trainer(),
            registered_at: None,
            suspended_at: Some(at(since)),
            position: 1,
        });
        self
    }

    pub(crate) fn lost_dispute(mut self, subscription: Option<&str>, when: &str) -> Self {
        let lost = LostDispute { subscription: subscription.map(stripe_id), at: at(when) };
        self.disputes = Disputes { open: 0, lost: vec![lost] };
        self
    }
}

/// One thing that a trainer holds.
pub(crate) enum PartOfHoldings {
    Subscription(Box<SubscriptionView>),
    Grant(Box<GrantView>),
}

impl From<Subscribed> for PartOfHoldings {
    fn from(subscribed: Subscribed) -> Self {
        Self::Subscription(Box::new(subscribed.0))
    }
}

impl From<Given> for PartOfHoldings {
    fn from(given: Given) -> Self {
        Self::Grant(Box::new(given.0))
    }
}

/// What a catalogue makes of holdings at an instant, billed by Stripe.
pub(crate) fn answer(catalog: &Catalog, holdings: impl Into<Holdings>, now: &str) -> Effective {
    effective(&holdings.into(), &setting(catalog, at(now)))
}

pub(crate) fn setting(catalog: &Catalog, now: Timestamp) -> Setting<'_> {
    Setting { catalog, catalog_until: None, billing: Billing::Stripe, now }
}

/// The gist of an answer: `TIER STATUS ACCESS`, and why it is locked.
pub(crate) fn gist(answer: &Effective) -> String {
    let tier = answer.tier.as_ref().map_or("-", |tier| tier.slug.as_str());
    let why = answer.locked_by.map(|denial| format!(" {}", denial.code())).unwrap_or_default();
    format!("{tier} {} {}{why}", answer.status.as_str(), answer.access.as_str())
}

/// The gist of one feature: how much, whether softly, by what; or why not.
pub(crate) fn gist_of(answer: &Effective, slug: &str) -> String {
    let entitlement = &answer.features[slug];
    if let Some(denial) = entitlement.denial {
        return denial.code().to_owned();
    }
    let amount = amount(entitlement);
    let soft = if entitlement.soft { " soft" } else { "" };
    let giver = entitlement.giver.as_ref().map_or("nobody", |giver| giver.as_str());
    format!("{amount}{soft} by {giver}")
}

fn amount(entitlement: &Entitlement) -> String {
    match entitlement.allowance {
        Allowance::Flag(on) => if on { "on" } else { "off" }.to_owned(),
        Allowance::Capped(cap) => cap.to_string(),
        Allowance::Unlimited => "unlimited".to_owned(),
    }
}
