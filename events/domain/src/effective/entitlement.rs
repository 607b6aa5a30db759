//! What a trainer has of one feature.

use super::{Denial, Source};
use crate::catalog::{Allowance, FeatureKind};
use crate::id::{EventKey, PlanSlug};
use crate::time::Interval;

/// What a trainer has of one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// How the feature is measured.
    pub kind: FeatureKind,
    /// How much is allowed. Where [`denial`](Self::denial) is set, what would be allowed if the
    /// plan could be used.
    pub allowance: Allowance,
    /// Whether going over the limit is allowed, counted and flagged.
    pub soft: bool,
    /// What gives the feature, or would give it if it could be used; none if nothing does.
    pub giver: Option<Giver>,
    /// The lowest cap of administrators', which no plan lifts.
    pub cap: Option<u64>,
    /// Why the feature can't be used at all. Whether a limit is reached depends on usage, and is
    /// for [`check`](super::check()) to say.
    pub denial: Option<Denial>,
    /// Of a quota, the window that contains the instant asked about: usage within it counts.
    pub window: Option<Interval>,
    /// From what percentage of the limit on answers warn.
    pub warn_percent: u32,
}

impl Entitlement {
    /// Whether the feature can be used, as far as usage permits.
    #[must_use]
    pub const fn granted(&self) -> bool {
        self.denial.is_none()
    }

    /// The limit, for a feature that has one; none for a flag and where it is unlimited.
    #[must_use]
    pub const fn limit(&self) -> Option<u64> {
        self.allowance.cap()
    }
}

/// What gives a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Giver {
    /// A tier.
    Tier {
        /// Which.
        plan: PlanSlug,
        /// What gives the tier.
        source: Source,
        /// The event that said so last.
        event: Option<EventKey>,
    },
    /// An add-on.
    AddOn {
        /// Which.
        plan: PlanSlug,
        /// What gives the add-on.
        source: Source,
        /// The event that said so last.
        event: Option<EventKey>,
    },
    /// An administrator lifted the feature, or capped it.
    Override {
        /// By which event.
        event: EventKey,
    },
}

impl Giver {
    /// The add-on, if it is one.
    #[must_use]
    pub const fn add_on(&self) -> Option<&PlanSlug> {
        match self {
            Self::AddOn { plan, .. } => Some(plan),
            Self::Tier { .. } | Self::Override { .. } => None,
        }
    }

    /// The word for it in answers: `tier`, the add-on's name, or `override`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tier { .. } => "tier",
            Self::AddOn { plan, .. } => plan.as_str(),
            Self::Override { .. } => "override",
        }
    }

    /// The event that explains it; none for the default tier.
    #[must_use]
    pub const fn event(&self) -> Option<&EventKey> {
        match self {
            Self::Tier { event, .. } | Self::AddOn { event, .. } => event.as_ref(),
            Self::Override { event } => Some(event),
        }
    }
}
