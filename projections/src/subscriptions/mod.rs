//! Subscriptions, payments and their history: what Stripe's facts about customers add up to.

mod payments;
mod rows;
pub(crate) mod store;

use ledger_domain::account::OrderAnomaly;
use ledger_domain::id::StripeId;

use crate::history::ChangeRow;
use crate::rows::{PartRow, key_text, table_rows};
use crate::runner::News;
use payments::{LinkRow, PaymentRow};
use rows::{ItemRow, SubscriptionRow};
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
    /// Events of another mode or account than the log's.
    pub(crate) foreign: Vec<String>,
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
            self.history_counts.push(count(history.subscription.as_str(), history.len));
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
            self.history_counts.push(count(id.as_str(), 0));
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
        let foreign = noted.foreign.iter().map(|event_id| AnomalyRow {
            customer_id: String::new(),
            subject: "event".into(),
            kind: "foreign".into(),
            event_id: event_id.clone(),
            previous_event_id: None,
        });
        foreign.for_each(|row| self.anomalies.push(row));
    }

    fn look_at(&mut self, customer: &str, subject: &str, anomalies: &[OrderAnomaly]) {
        let (customer_id, subject) = (customer.to_owned(), subject.to_owned());
        for anomaly in anomalies {
            let (kind, event, previous) = match anomaly {
                OrderAnomaly::GapSuspected(event, previous) => {
                    ("gap_suspected", event, previous.as_ref())
                }
                OrderAnomaly::OrderConflict(event) => ("order_conflict", event, None),
            };
            self.anomalies.push(AnomalyRow {
                customer_id: customer_id.clone(),
                subject: subject.clone(),
                kind: kind.into(),
                event_id: key_text(event),
                previous_event_id: previous.map(key_text),
            });
        }
        self.looked_at.push(SubjectRow { customer_id, subject });
    }
}

fn count(subject: &str, len: usize) -> CountRow {
    CountRow { subject: subject.to_owned(), count: i32::try_from(len).unwrap_or(i32::MAX) }
}
