//! Checkout sessions: what is compared and remembered of them, and which trainer they name.

use serde::{Deserialize, Serialize};

use super::compared::Fields;
use super::facts::Snapshot;
use super::landmarks::Mark;
use super::snapshots::trainer_in;
use crate::event::Code;
use crate::event::stripe::{CheckoutSession, Reported};
use crate::id::{StripeId, TrainerId};

/// What is remembered of a fact about a checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionBrief {
    /// The trainer that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trainer: Option<TrainerId>,
    told: Told,
}

/// What a fact tells of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Completed,
    /// What became of its delayed payment.
    Paid,
    /// Nobody paid.
    Expired,
}

/// The trainer that a checkout session names.
pub(super) fn session_trainer(session: &CheckoutSession) -> Option<TrainerId> {
    session.client_reference_id.clone().or_else(|| trainer_in(&session.metadata))
}

impl Snapshot for CheckoutSession {
    type Brief = SessionBrief;

    fn compared(&self, fields: &mut impl Fields) {
        fields.field("status", &self.status);
        fields.field("payment_status", &self.payment_status);
        fields.field("customer", &self.customer);
        fields.field("subscription", &self.subscription);
    }

    fn customer(&self) -> Option<&StripeId> {
        self.customer.as_ref()
    }

    fn rank(&self, cause: &Code) -> i64 {
        match cause.as_str() {
            "async_payment_succeeded" | "async_payment_failed" => 1,
            _ => 0,
        }
    }

    fn brief(reported: &Reported<Self>) -> SessionBrief {
        let told = match reported.cause.as_str() {
            "completed" => Told::Completed,
            "expired" => Told::Expired,
            _ => Told::Paid,
        };
        SessionBrief { trainer: session_trainer(&reported.snapshot), told }
    }

    fn bears(brief: &SessionBrief, mark: Mark) -> bool {
        let names = brief.trainer.is_some();
        match mark {
            Mark::Named => names,
            Mark::Bought => names && brief.told != Told::Expired,
            Mark::Completed => names && brief.told == Told::Completed,
            _ => false,
        }
    }
}
