//! Rows of payments and of customers' links.

pub(crate) mod store;

use chrono::{DateTime, Utc};
use ledger_domain::account::{LinkView, PaymentKind, PaymentView};
use ledger_domain::event::Code;
use ledger_domain::id::{InvalidName, StripeId, TrainerId};
use ledger_domain::money::Currency;
use ledger_domain::time::Timestamp;

use crate::rows::{
    InvalidRow, code_text, id_text, instant, key_text, parse_code, parse_id, parse_key,
    parse_words, table_rows, words,
};

table_rows! {
    /// One object that money moves with.
    PaymentRow, PaymentColumns {
        object_id: String,
        kind: String,
        customer_id: Option<String>,
        trainer_id: Option<String>,
        subscription_id: Option<String>,
        invoice_id: Option<String>,
        payment_id: Option<String>,
        status: String,
        amount_minor: i64,
        paid_minor: i64,
        refunded_minor: i64,
        currency: String,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        lost_at: Option<DateTime<Utc>>,
        attempt_count: i64,
        next_attempt_at: Option<DateTime<Utc>>,
        reason: Option<String>,
        event_ids: String,
        position: i64,
    }
}

table_rows! {
    /// Which trainer a customer is.
    LinkRow, LinkColumns {
        customer_id: String,
        trainer_id: String,
        since: DateTime<Utc>,
        event_id: String,
        conflicting: bool,
        position: i64,
    }
}

impl From<&PaymentView> for PaymentRow {
    fn from(view: &PaymentView) -> Self {
        Self {
            object_id: view.object.as_str().to_owned(),
            kind: view.kind.as_str().to_owned(),
            customer_id: id_text(view.customer.as_ref()),
            trainer_id: view.trainer.as_ref().map(|t| t.as_str().to_owned()),
            subscription_id: id_text(view.subscription.as_ref()),
            invoice_id: id_text(view.invoice.as_ref()),
            payment_id: id_text(view.payment.as_ref()),
            status: view.status.as_str().to_owned(),
            amount_minor: view.amount_minor,
            paid_minor: view.paid_minor,
            refunded_minor: view.refunded_minor,
            currency: view.currency.as_str().to_owned(),
            created_at: view.created_at.to_datetime(),
            updated_at: view.updated_at.to_datetime(),
            lost_at: instant(view.lost_at),
            attempt_count: view.attempt_count,
            next_attempt_at: instant(view.next_attempt_at),
            reason: code_text(view.reason.as_ref()),
            event_ids: words(view.event_ids.iter().map(key_text)),
            position: view.position,
        }
    }
}

impl TryFrom<PaymentRow> for PaymentView {
    type Error = InvalidRow;

    fn try_from(row: PaymentRow) -> Result<Self, InvalidRow> {
        let kind =
            [PaymentKind::Invoice, PaymentKind::Payment, PaymentKind::Refund, PaymentKind::Dispute]
                .into_iter()
                .find(|kind| kind.as_str() == row.kind)
                .ok_or_else(|| InvalidRow::new("payment_logs", &row.kind))?;
        row.try_into_view(kind).map_err(|e| InvalidRow::new("payment_logs", e))
    }
}

impl PaymentRow {
    fn try_into_view(self, kind: PaymentKind) -> Result<PaymentView, InvalidName> {
        Ok(PaymentView {
            object: StripeId::try_from(self.object_id)?,
            kind,
            customer: parse_id(self.customer_id)?,
            trainer: self.trainer_id.map(TrainerId::try_from).transpose()?,
            subscription: parse_id(self.subscription_id)?,
            invoice: parse_id(self.invoice_id)?,
            payment: parse_id(self.payment_id)?,
            status: Code::new(&self.status),
            amount_minor: self.amount_minor,
            paid_minor: self.paid_minor,
            refunded_minor: self.refunded_minor,
            currency: Currency::try_from(self.currency)?,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
            lost_at: self.lost_at.map(Timestamp::from),
            attempt_count: self.attempt_count,
            next_attempt_at: self.next_attempt_at.map(Timestamp::from),
            reason: parse_code(self.reason.as_deref()),
            event_ids: parse_words(&self.event_ids, parse_key)?,
            position: self.position,
        })
    }
}

impl From<&LinkView> for LinkRow {
    fn from(view: &LinkView) -> Self {
        Self {
            customer_id: view.customer.as_str().to_owned(),
            trainer_id: view.trainer.as_str().to_owned(),
            since: view.since.to_datetime(),
            event_id: key_text(&view.event),
            conflicting: view.conflicting,
            position: view.position,
        }
    }
}
