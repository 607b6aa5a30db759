//! Payment disputes, as far as access depends on them.

use serde::{Deserialize, Serialize};

use crate::account::{PaymentKind, PaymentView};
use crate::id::StripeId;
use crate::time::Timestamp;

/// The payment disputes of a trainer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputes {
    /// How many are open.
    pub open: u32,
    /// Those that were lost.
    pub lost: Vec<LostDispute>,
}

/// A payment dispute that was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostDispute {
    /// The subscription whose payment was disputed; none if no fact tells, and then every
    /// subscription that had begun by then is meant.
    pub subscription: Option<StripeId>,
    /// Since when it is lost.
    pub at: Timestamp,
}

/// Picks the disputes out of a trainer's payments. An inquiry that may become a dispute is open
/// like one; a status that this ledger doesn't know is neither open nor lost. See
/// <https://docs.stripe.com/api/disputes/object#dispute_object-status>.
impl<'a> FromIterator<&'a PaymentView> for Disputes {
    fn from_iter<I: IntoIterator<Item = &'a PaymentView>>(payments: I) -> Self {
        let mut disputes = Self::default();
        let all = payments.into_iter().filter(|view| view.kind == PaymentKind::Dispute);
        for dispute in all {
            match dispute.status.as_str() {
                "needs_response"
                | "under_review"
                | "warning_needs_response"
                | "warning_under_review" => disputes.open += 1,
                _ => {}
            }
            let lost = |at| LostDispute { subscription: dispute.subscription.clone(), at };
            disputes.lost.extend(dispute.lost_at.map(lost));
        }
        disputes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effective::testing::{at, stripe_id};
    use crate::event::Code;
    use crate::money::Currency;

    fn payment(kind: PaymentKind, status: &str) -> PaymentView {
        PaymentView {
            object: stripe_id("du_1"),
            kind,
            customer: None,
            trainer: None,
            subscription: Some(stripe_id("sub_1")),
            invoice: None,
            payment: None,
            status: Code::new(status),
            amount_minor: 2_900,
            paid_minor: 0,
            refunded_minor: 0,
            currency: Currency::try_new("usd").expect("a currency"),
            created_at: at("2026-11-01"),
            updated_at: at("2026-11-25"),
            lost_at: (status == "lost").then(|| at("2026-11-20")),
            attempt_count: 0,
            next_attempt_at: None,
            reason: None,
            event_ids: Vec::new(),
            position: 1,
        }
    }

    #[test]
    fn disputes_are_open_lost_or_neither() {
        let dispute = |status| payment(PaymentKind::Dispute, status);
        let open = ["needs_response", "under_review", "warning_needs_response"];
        let closed = ["won", "warning_closed", "of_tomorrow"];
        let mut payments: Vec<_> = open.into_iter().chain(closed).map(dispute).collect();
        payments.push(payment(PaymentKind::Payment, "needs_response"));
        payments.push(dispute("lost"));
        let lost = LostDispute { subscription: Some(stripe_id("sub_1")), at: at("2026-11-20") };
        assert_eq!(payments.iter().collect::<Disputes>(), Disputes { open: 3, lost: vec![lost] });
    }
}
