//! The state of one trainer by acts of administrators. These are ordered by their stream, so they
//! are folded in the order of the log.

use serde::{Deserialize, Serialize};

use super::view::{Change, ChangeView, Grant, GrantView, TrainerView};
use crate::event::{
    Code, Entry, Event, OverrideEffect, of_customer, of_nobody, of_tenant, of_usage,
};
use crate::id::{EventKey, FeatureSlug, PlanSlug, TrainerId};
use crate::time::Timestamp;

/// The state of one trainer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainerUnit {
    trainer: TrainerId,
    registered_at: Option<Timestamp>,
    suspended_at: Option<Timestamp>,
    grants: Vec<Given>,
    steps: Vec<Step>,
    position: i64,
}

/// What became of a trainer's read models since the last look.
#[derive(Debug)]
pub struct TrainerChanges {
    /// The state to be stored.
    pub state: Vec<u8>,
    /// The trainer.
    pub trainer: TrainerView,
    /// Everything that was ever given, what is over included.
    pub grants: Vec<GrantView>,
    /// The whole history of acts.
    pub history: Vec<ChangeView>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Given {
    event: EventKey,
    what: What,
    at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    actor: Box<str>,
    position: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Assigned { tier: PlanSlug, interval: Option<Code> },
    Grandfathered { tier: PlanSlug },
    Override { feature: FeatureSlug, effect: OverrideEffect },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    change: Box<str>,
    tier: Option<PlanSlug>,
    feature: Option<FeatureSlug>,
    at: Timestamp,
    actor: Box<str>,
    event: EventKey,
    position: i64,
}

impl TrainerUnit {
    /// The state before any act.
    #[must_use]
    pub const fn new(trainer: TrainerId) -> Self {
        Self {
            trainer,
            registered_at: None,
            suspended_at: None,
            grants: Vec::new(),
            steps: Vec::new(),
            position: 0,
        }
    }

    /// The state from its stored bytes.
    ///
    /// # Errors
    /// If it wasn't stored by this version of the program.
    pub fn restore(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        256 + 256 * (self.grants.len() + self.steps.len())
    }

    /// Adds an act; one that was added before changes nothing.
    pub fn evolve(&mut self, entry: &Entry) {
        if entry.position <= self.position {
            return;
        }
        match &entry.event {
            Event::TrainerRegistered(_) => {
                self.registered_at.get_or_insert(entry.occurred_at);
            }
            Event::TierAssigned(e) => {
                let (tier, interval) = (e.tier.clone(), e.interval.clone());
                self.give(What::Assigned { tier, interval }, e.expires_at, entry);
                self.step(Change::Assigned, Some(&e.tier), None, entry);
            }
            Event::TierGrandfathered(e) => {
                let what = What::Grandfathered { tier: e.tier.clone() };
                self.give(what, Some(e.expires_at), entry);
                self.step(Change::Grandfathered, Some(&e.tier), None, entry);
            }
            Event::TierAssignmentRevoked(_) => {
                self.revoke(entry, |what| !matches!(what, What::Override { .. }));
                self.step(Change::AssignmentRevoked, None, None, entry);
            }
            Event::OverrideGranted(e) => {
                let what = What::Override { feature: e.feature.clone(), effect: e.effect };
                self.give(what, e.expires_at, entry);
                self.step(Change::Override, None, Some(&e.feature), entry);
            }
            Event::OverrideRevoked(e) => {
                self.revoke(
                    entry,
                    |what| matches!(what, What::Override { feature, .. } if *feature == e.feature),
                );
                self.step(Change::OverrideRevoked, None, Some(&e.feature), entry);
            }
            Event::TrainerSuspended(_) => {
                self.suspended_at.get_or_insert(entry.occurred_at);
                self.step(Change::Suspended, None, None, entry);
            }
            Event::TrainerReinstated(_) => {
                self.suspended_at = None;
                self.step(Change::Reinstated, None, None, entry);
            }
            of_tenant!() | of_customer!() | of_usage!() | of_nobody!() => return,
        }
        self.position = entry.position;
    }

    /// The positions of all acts in this state that history shows.
    pub fn positions(&self) -> impl Iterator<Item = i64> {
        self.steps.iter().map(|step| step.position)
    }

    /// What is to be stored and shown.
    ///
    /// # Panics
    /// Never: the state has text keys.
    #[must_use]
    pub fn changes(&self) -> TrainerChanges {
        TrainerChanges {
            state: serde_json::to_vec(self).expect("the state has text keys"),
            trainer: TrainerView {
                trainer: self.trainer.clone(),
                registered_at: self.registered_at,
                suspended_at: self.suspended_at,
                position: self.position,
            },
            grants: self.grants.iter().map(|given| self.grant_view(given)).collect(),
            history: self.steps.iter().enumerate().map(|step| self.change_view(step)).collect(),
        }
    }

    /// A new grant replaces the one of its kind that still stood.
    fn give(&mut self, what: What, expires_at: Option<Timestamp>, entry: &Entry) {
        self.revoke(entry, |other| same_kind(other, &what));
        self.grants.push(Given {
            event: entry.key.clone(),
            what,
            at: entry.occurred_at,
            expires_at,
            revoked_at: None,
            actor: entry.metadata.actor.clone(),
            position: entry.position,
        });
    }

    fn revoke(&mut self, entry: &Entry, is_meant: impl Fn(&What) -> bool) {
        for given in &mut self.grants {
            if given.revoked_at.is_none() && is_meant(&given.what) {
                given.revoked_at = Some(entry.occurred_at);
                given.position = entry.position;
            }
        }
    }

    fn step(
        &mut self,
        change: Change,
        tier: Option<&PlanSlug>,
        feature: Option<&FeatureSlug>,
        entry: &Entry,
    ) {
        self.steps.push(Step {
            change: change.as_str().into(),
            tier: tier.cloned(),
            feature: feature.cloned(),
            at: entry.occurred_at,
            actor: entry.metadata.actor.clone(),
            event: entry.key.clone(),
            position: entry.position,
        });
    }

    fn grant_view(&self, given: &Given) -> GrantView {
        GrantView {
            event: given.event.clone(),
            trainer: self.trainer.clone(),
            grant: match given.what.clone() {
                What::Assigned { tier, interval } => Grant::Assigned { tier, interval },
                What::Grandfathered { tier } => Grant::Grandfathered { tier },
                What::Override { feature, effect } => Grant::Override { feature, effect },
            },
            granted_at: given.at,
            expires_at: given.expires_at,
            revoked_at: given.revoked_at,
            actor: given.actor.clone(),
            position: given.position,
        }
    }

    fn change_view(&self, (ordinal, step): (usize, &Step)) -> ChangeView {
        let change = Change::ALL.into_iter().find(|change| change.as_str() == &*step.change);
        ChangeView {
            subject: "trainer".into(),
            ordinal: i32::try_from(ordinal).unwrap_or(i32::MAX),
            trainer: Some(self.trainer.clone()),
            change: change.expect("only names of changes are stored"),
            from_prices: Vec::new(),
            to_prices: Vec::new(),
            tier: step.tier.clone(),
            feature: step.feature.clone(),
            at: step.at,
            actor: step.actor.clone(),
            event: step.event.clone(),
            position: step.position,
        }
    }
}

fn same_kind(a: &What, b: &What) -> bool {
    match (a, b) {
        (What::Override { feature: a, .. }, What::Override { feature: b, .. }) => a == b,
        (What::Assigned { .. }, What::Assigned { .. })
        | (What::Grandfathered { .. }, What::Grandfathered { .. }) => true,
        _ => false,
    }
}
