//! Rows of history: two tables of one shape, since what Stripe made and what administrators made
//! belong to read models that are rebuilt apart.

use chrono::{DateTime, Utc};
use ledger_domain::account::{Change, ChangeView};
use ledger_domain::id::{FeatureSlug, InvalidName, PlanSlug, StripeId, TrainerId};

use crate::rows::{InvalidRow, key_text, parse_key, parse_words, table_rows, words};

table_rows! {
    /// One step.
    ChangeRow, ChangeColumns {
        subject: String,
        ordinal: i32,
        trainer_id: Option<String>,
        change: String,
        from_prices: String,
        to_prices: String,
        tier: Option<String>,
        feature: Option<String>,
        at: DateTime<Utc>,
        actor: String,
        event_id: String,
        position: i64,
    }
}

impl From<&ChangeView> for ChangeRow {
    fn from(view: &ChangeView) -> Self {
        Self {
            subject: view.subject.to_string(),
            ordinal: view.ordinal,
            trainer_id: view.trainer.as_ref().map(|t| t.as_str().to_owned()),
            change: view.change.as_str().to_owned(),
            from_prices: words(&view.from_prices),
            to_prices: words(&view.to_prices),
            tier: view.tier.as_ref().map(|t| t.as_str().to_owned()),
            feature: view.feature.as_ref().map(|f| f.as_str().to_owned()),
            at: view.at.to_datetime(),
            actor: view.actor.to_string(),
            event_id: key_text(&view.event),
            position: view.position,
        }
    }
}

impl TryFrom<ChangeRow> for ChangeView {
    type Error = InvalidRow;

    fn try_from(row: ChangeRow) -> Result<Self, InvalidRow> {
        let change = Change::ALL
            .into_iter()
            .find(|change| change.as_str() == row.change)
            .ok_or_else(|| InvalidRow::new("tier_history", &row.change))?;
        row.try_into_view(change).map_err(|e| InvalidRow::new("tier_history", e))
    }
}

impl ChangeRow {
    fn try_into_view(self, change: Change) -> Result<ChangeView, InvalidName> {
        Ok(ChangeView {
            subject: self.subject.into_boxed_str(),
            ordinal: self.ordinal,
            trainer: self.trainer_id.map(TrainerId::try_from).transpose()?,
            change,
            from_prices: parse_words(&self.from_prices, StripeId::try_new)?,
            to_prices: parse_words(&self.to_prices, StripeId::try_new)?,
            tier: self.tier.map(PlanSlug::try_from).transpose()?,
            feature: self.feature.map(FeatureSlug::try_from).transpose()?,
            at: self.at.into(),
            actor: self.actor.into_boxed_str(),
            event: parse_key(&self.event_id)?,
            position: self.position,
        })
    }
}
