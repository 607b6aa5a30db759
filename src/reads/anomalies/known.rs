//! Anomalies of facts, with what the events concerned tell of them.

use ledger_domain::account::{
    Difference, LogIdentity, difference, disagreement, linked_trainer, next_statuses,
};
use ledger_domain::codec;
use ledger_domain::event::{Event, Metadata};
use ledger_domain::id::StripeId;
use ledger_domain::time::Timestamp;
use ledger_log::Recorded;
use ledger_projections::queries::AnomalyView;
use serde_json::Value;

use super::words::{Words, words};
use super::{Listed, Object};

/// An event of the log, as far as this program can read it.
pub(super) struct Known {
    pub(super) at: Timestamp,
    content_hash: [u8; 32],
    event: Option<Event>,
    metadata: Option<Metadata>,
}

impl From<Recorded> for Known {
    fn from(recorded: Recorded) -> Self {
        let Recorded { event_type, schema_version, data, .. } = &recorded;
        Self {
            at: recorded.occurred_at,
            content_hash: recorded.content_hash,
            event: codec::decode(event_type, *schema_version, data).ok(),
            metadata: Metadata::from_bytes(&recorded.metadata).ok(),
        }
    }
}

/// An anomaly with all that the two events tell of it.
pub(super) fn listed(
    view: AnomalyView,
    event: Option<&Known>,
    previous: Option<&Known>,
    identity: Option<&LogIdentity>,
) -> Listed {
    let differences = match &*view.kind {
        "foreign" => strangeness(event, identity),
        "id_reused" => reuse(event, previous),
        "conflicting_customer" => ownership(view.customer.as_ref(), event),
        kind => of_facts(
            kind,
            event.and_then(|known| known.event.as_ref()),
            previous.and_then(|known| known.event.as_ref()),
        ),
    };
    let (kind, id) = view.subject;
    let (event_id, previous_id) = (view.event.id, view.previous.map(|key| key.id));
    let subject = Object { kind, id };
    let Words { message, what_to_do } =
        words(&view.kind, &subject, (&event_id, previous_id.as_ref()), &differences);
    Listed {
        kind: view.kind,
        customer: view.customer,
        trainer: view.trainer,
        subject,
        related: Vec::new(),
        event: Some(event_id),
        previous: previous_id,
        since: event.map(|known| known.at),
        differences,
        message,
        what_to_do,
    }
}

/// What an event of this kind of anomaly is, and what it should be by the other one.
fn of_facts(kind: &str, event: Option<&Event>, previous: Option<&Event>) -> Vec<Difference> {
    let Some(event) = event else { return Vec::new() };
    match (kind, previous) {
        ("gap_suspected", previous) => difference(previous, event),
        ("order_conflict", Some(previous)) => disagreement(previous, event),
        ("unexpected_transition", Some(previous)) => {
            let (Some(before), Some(after)) = (status(previous), status(event)) else {
                return Vec::new();
            };
            let expected: Vec<&str> =
                [before].into_iter().chain(next_statuses(before).iter().copied()).collect();
            vec![Difference::new("status", expected, after)]
        }
        ("conflicting_link", Some(previous)) => {
            let trainer = |event| linked_trainer(event).map(|trainer| trainer.to_string());
            vec![Difference::new("trainer_id", trainer(previous), trainer(event))]
        }
        _ => Vec::new(),
    }
}

fn status(event: &Event) -> Option<&str> {
    let Event::SubscriptionReported(reported) = event else { return None };
    Some(reported.snapshot.status.as_str())
}

/// What an event says of the account that it is of, and what the log says.
fn strangeness(event: Option<&Known>, identity: Option<&LogIdentity>) -> Vec<Difference> {
    let origin = event.and_then(|known| known.metadata.as_ref()?.stripe.as_ref());
    let (Some(origin), Some(identity)) = (origin, identity) else { return Vec::new() };
    let account = |id: Option<&StripeId>| id.map(|id| id.as_str().to_owned());
    let pairs = [
        ("livemode", Value::from(identity.livemode), Value::from(origin.livemode)),
        (
            "account",
            Value::from(account(identity.account.as_ref())),
            Value::from(account(origin.account.as_ref())),
        ),
    ];
    let differing = pairs.into_iter().filter(|(_, expected, seen)| expected != seen);
    differing.map(|(field, expected, seen)| Difference::new(field, expected, seen)).collect()
}

/// Whose the ledger has an object, and whose an event says it is.
fn ownership(owner: Option<&StripeId>, event: Option<&Known>) -> Vec<Difference> {
    let named = event.and_then(|known| known.metadata.as_ref()?.subject.customer.as_ref());
    let text = |id: Option<&StripeId>| id.map(|id| id.as_str().to_owned());
    vec![Difference::new("customer", text(owner), text(named))]
}

/// By which contents one id came.
fn reuse(event: Option<&Known>, previous: Option<&Known>) -> Vec<Difference> {
    let Some(Event::IdReuseSeen(seen)) = event.and_then(|known| known.event.as_ref()) else {
        return Vec::new();
    };
    let first = previous.map(|known| hex::encode(known.content_hash));
    vec![Difference::new("content_hash", first, seen.content_hash.to_string())]
}
