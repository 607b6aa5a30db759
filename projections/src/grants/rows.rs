//! Rows of trainers and of what administrators gave them.

use chrono::{DateTime, Utc};
use ledger_domain::account::{Grant, GrantView, TrainerView};
use ledger_domain::event::OverrideEffect;
use ledger_domain::id::{FeatureSlug, InvalidName, PlanSlug, TrainerId};
use ledger_domain::time::Timestamp;

use crate::rows::{InvalidRow, code_text, instant, key_text, parse_code, parse_key, table_rows};

table_rows! {
    /// A trainer apart from subscriptions and grants.
    TrainerRow, TrainerColumns {
        trainer_id: String,
        registered_at: Option<DateTime<Utc>>,
        suspended_at: Option<DateTime<Utc>>,
        position: i64,
    }
}

table_rows! {
    /// Something that was given.
    GrantRow, GrantColumns {
        event_id: String,
        trainer_id: String,
        kind: String,
        tier: Option<String>,
        interval: Option<String>,
        feature: Option<String>,
        effect: Option<String>,
        granted_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
        actor: String,
        position: i64,
    }
}

impl From<&TrainerView> for TrainerRow {
    fn from(view: &TrainerView) -> Self {
        Self {
            trainer_id: view.trainer.as_str().to_owned(),
            registered_at: instant(view.registered_at),
            suspended_at: instant(view.suspended_at),
            position: view.position,
        }
    }
}

impl TryFrom<TrainerRow> for TrainerView {
    type Error = InvalidRow;

    fn try_from(row: TrainerRow) -> Result<Self, InvalidRow> {
        Ok(Self {
            trainer: TrainerId::try_from(row.trainer_id)
                .map_err(|e| InvalidRow::new("trainer", e))?,
            registered_at: row.registered_at.map(Timestamp::from),
            suspended_at: row.suspended_at.map(Timestamp::from),
            position: row.position,
        })
    }
}

impl From<&GrantView> for GrantRow {
    fn from(view: &GrantView) -> Self {
        let (kind, tier, interval, feature, effect) = match &view.grant {
            Grant::Assigned { tier, interval } => {
                ("assigned", Some(tier), interval.as_ref(), None, None)
            }
            Grant::Grandfathered { tier } => ("grandfathered", Some(tier), None, None, None),
            Grant::Override { feature, effect } => {
                ("override", None, None, Some(feature), Some(effect))
            }
        };
        Self {
            event_id: key_text(&view.event),
            trainer_id: view.trainer.as_str().to_owned(),
            kind: kind.to_owned(),
            tier: tier.map(|tier| tier.as_str().to_owned()),
            interval: code_text(interval),
            feature: feature.map(|feature| feature.as_str().to_owned()),
            effect: effect.map(|e| serde_json::to_string(e).expect("an effect has text keys")),
            granted_at: view.granted_at.to_datetime(),
            expires_at: instant(view.expires_at),
            revoked_at: instant(view.revoked_at),
            actor: view.actor.to_string(),
            position: view.position,
        }
    }
}

impl TryFrom<GrantRow> for GrantView {
    type Error = InvalidRow;

    fn try_from(row: GrantRow) -> Result<Self, InvalidRow> {
        let invalid = |what: &dyn std::fmt::Display| InvalidRow::new("entitlement_grants", what);
        let grant = row.grant()?;
        let names = || -> Result<_, InvalidName> {
            Ok((parse_key(&row.event_id)?, TrainerId::try_new(&row.trainer_id)?))
        };
        let (event, trainer) = names().map_err(|e| invalid(&e))?;
        Ok(Self {
            event,
            trainer,
            grant,
            granted_at: row.granted_at.into(),
            expires_at: row.expires_at.map(Timestamp::from),
            revoked_at: row.revoked_at.map(Timestamp::from),
            actor: row.actor.into_boxed_str(),
            position: row.position,
        })
    }
}

impl GrantRow {
    fn grant(&self) -> Result<Grant, InvalidRow> {
        let invalid = |what: &dyn std::fmt::Display| InvalidRow::new("entitlement_grants", what);
        let tier = self.tier.as_deref().map(PlanSlug::try_new).transpose();
        let tier = tier.map_err(|e| invalid(&e))?;
        let feature = self.feature.as_deref().map(FeatureSlug::try_new).transpose();
        let feature = feature.map_err(|e| invalid(&e))?;
        match (self.kind.as_str(), tier, feature, self.effect.as_deref()) {
            ("assigned", Some(tier), None, None) => {
                Ok(Grant::Assigned { tier, interval: parse_code(self.interval.as_deref()) })
            }
            ("grandfathered", Some(tier), None, None) => Ok(Grant::Grandfathered { tier }),
            ("override", None, Some(feature), Some(effect)) => {
                let effect: OverrideEffect =
                    serde_json::from_str(effect).map_err(|e| invalid(&e))?;
                Ok(Grant::Override { feature, effect })
            }
            (kind, ..) => Err(invalid(&kind)),
        }
    }
}
