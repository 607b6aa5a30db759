//! Subscriptions, payments and their history: what Stripe's facts about customers add up to.

pub(crate) mod payments;
mod rows;
pub(crate) mod store;

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use ledger_domain::account::FactAnomaly;
use ledger_domain::event::Entry;
use ledger_domain::id::{EventKey, StripeId};
use ledger_domain::time::Timestamp;

use crate::history::ChangeRow;
use crate::rows::{PartRow, key_text, table_rows};
use crate::runner::News;
use payments::LinkRow;
pub(crate) use payments::PaymentRow;
pub(crate) use rows::{ItemRow, SubscriptionRow, with_items};
pub(crate) use store::Batch;

/// Makes the tables.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

table_rows! {
    /// A webhook that could not be read.
    DeadLetterRow, DeadLetterColumns {
        event_id: String,
        position: i64,
        lacks: String,
    }
}

/// Events of a page that belong to no unit, and that somebody should know of all the same.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// Events that are odd whatever else there is: of another mode or account than the log's, or
    /// under an id that was taken.
    pub(crate) odd: Vec<AnomalyRow>,
    /// Webhooks that could not be read.
    pub(crate) dead_letters: Vec<DeadLetterRow>,
}

table_rows! {
    /// How many rows a list has now; what lies beyond is to go.
    CountRow, CountColumns {
        subject: String,
        count: i32,
    }
}

table_rows! {
    /// A stretch of a history, its last instant included, that is told anew.
    StretchRow, StretchColumns {
        subject: String,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    }
}

impl StretchRow {
    fn new(subscription: &StripeId, seconds: &RangeInclusive<Timestamp>) -> Self {
        Self {
            subject: subscription.as_str().to_owned(),
            since: seconds.start().to_datetime(),
            until: seconds.end().to_datetime(),
        }
    }
}

table_rows! {
    /// A part of a unit's state that is no more.
    GonePartRow, GonePartColumns {
        unit: String,
        part: String,
    }
}

table_rows! {
    /// An object whose anomalies are told anew.
    SubjectRow, SubjectColumns {
        customer_id: String,
        subject: String,
    }
}

table_rows! {
    /// Something that a person should look at.
    AnomalyRow, AnomalyColumns {
        customer_id: String,
        subject: String,
        kind: String,
        event_id: String,
        previous_event_id: Option<String>,
    }
}

table_rows! {
    /// Whose an object is.
    TieRow, TieColumns {
        object_id: String,
        customer_id: String,
    }
}

table_rows! {
    /// A fact that waits for an object.
    WaitingRow, WaitingColumns {
        waits_for: String,
        position: i64,
    }
}

table_rows! {
    /// An event that names a trainer.
    TrainerEventRow, TrainerEventColumns {
        trainer_id: String,
        position: i64,
    }
}

impl AnomalyRow {
    /// Of an event that is odd by itself: of the customer that it names, and of no object whose
    /// other events could explain it.
    pub(crate) fn of_event(kind: &str, entry: &Entry, other: Option<&EventKey>) -> Self {
        let event_id = key_text(&entry.key);
        let customer = entry.metadata.subject.customer.as_ref();
        Self {
            customer_id: customer.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            subject: format!("event/{}", entry.key.id),
            kind: kind.into(),
            event_id,
            previous_event_id: other.map(key_text),
        }
    }
}

impl Batch {
    /// Adds what changed for one customer.
    pub(crate) fn add(&mut self, unit: &str, customer: &StripeId, news: &News) {
        let changes = &news.changes;
        for (part, state) in &changes.parts {
            let (unit, part, state) = (unit.to_owned(), part.clone(), state.clone());
            self.parts.push(PartRow { unit, part, state });
        }
        for view in &changes.subscriptions {
            self.subscriptions.push(SubscriptionRow::from(view));
            if news.items.contains(&view.id) {
                ItemRow::of(view).for_each(|row| self.items.push(row));
            }
        }
        for history in &changes.histories {
            history.steps.iter().for_each(|step| self.history.push(ChangeRow::from(step)));
            self.stretches.push(StretchRow::new(&history.subscription, &history.seconds));
        }
        for (subject, len) in &news.item_counts {
            self.item_counts.push(count(subject.as_str(), *len));
        }
        for view in &changes.payments {
            self.payments.push(PaymentRow::from(view));
        }
        for part in &changes.gone_parts {
            self.gone_parts.push(GonePartRow { unit: unit.to_owned(), part: part.clone() });
        }
        let texts =
            |ids: &[StripeId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        for id in &changes.gone_subscriptions {
            self.item_counts.push(count(id.as_str(), 0));
            self.stretches.push(StretchRow::new(id, &(Timestamp::MIN..=Timestamp::MAX)));
        }
        self.gone_subscriptions.extend(texts(&changes.gone_subscriptions));
        self.gone_payments.extend(texts(&changes.gone_payments));
        if changes.gone_link {
            self.gone_links.push(customer.as_str().to_owned());
        }
        if let Some(link) = &changes.link {
            self.links.push(LinkRow::from(link));
        }
        for (subject, anomalies) in &changes.anomalies {
            self.look_at(customer.as_str(), subject, anomalies);
        }
    }

    /// Adds what was noted of events that belong to no unit.
    pub(crate) fn add_noted(&mut self, noted: &Noted) {
        for row in &noted.dead_letters {
            self.dead_letters.push(row.clone());
        }
        noted.odd.iter().for_each(|row| self.anomalies.push(row.clone()));
    }

    fn look_at(&mut self, customer: &str, subject: &str, anomalies: &[FactAnomaly]) {
        let (customer_id, subject) = (customer.to_owned(), subject.to_owned());
        for anomaly in anomalies {
            self.anomalies.push(AnomalyRow {
                customer_id: customer_id.clone(),
                subject: subject.clone(),
                kind: anomaly.kind().into(),
                event_id: key_text(anomaly.event()),
                previous_event_id: anomaly.other().map(key_text),
            });
        }
        self.looked_at.push(SubjectRow { customer_id, subject });
    }
}

fn count(subject: &str, len: usize) -> CountRow {
    CountRow { subject: subject.to_owned(), count: i32::try_from(len).unwrap_or(i32::MAX) }
}
