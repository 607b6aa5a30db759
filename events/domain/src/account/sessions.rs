//! Checkout sessions: what is compared and remembered of them, and which trainer they name.

use serde::{Deserialize, Serialize};

use super::compared::Fields;
use super::facts::Snapshot;
use super::landmarks::Mark;
use super::snapshots::trainer_in;
use crate::event::stripe::CheckoutSession;
use crate::event::{Code, is_false};
use crate::id::{StripeId, TrainerId};

/// What is remembered of a fact about a checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionBrief {
    /// The trainer that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trainer: Option<TrainerId>,
    /// Whether the fact tells that the session was completed.
    #[serde(default, skip_serializing_if = "is_false")]
    completed: bool,
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

    fn brief(&self, cause: &Code) -> SessionBrief {
        SessionBrief { trainer: session_trainer(self), completed: *cause == "completed" }
    }

    fn bears(brief: &SessionBrief, mark: Mark) -> bool {
        match mark {
            Mark::Names => brief.trainer.is_some(),
            Mark::Completed => brief.completed && brief.trainer.is_some(),
            _ => false,
        }
    }
}
