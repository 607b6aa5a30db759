//! What is listed of a life that was told whole, and how each payment stands, against what the
//! simulator knows to be so.

use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::account::FactAnomaly;
use ledger_domain::id::StripeId;
use ledger_simulator::world::{Event, Truth, World};
use serde_json::Value;

use crate::delivery::claims;
use crate::ledger::Shown;

/// How many of a life's statuses were compared with the truth.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Statuses {
    pub(crate) compared: usize,
    /// Those of objects of which an order conflict is listed.
    pub(crate) left_out: usize,
}

/// About what nothing tells an order.
#[derive(Debug, Default)]
pub(crate) struct Undecided {
    /// Objects of which an order conflict is listed; of a charge its payment, too, whose row stands
    /// as the charge does.
    objects: BTreeSet<String>,
    /// Customers of whom one is listed that may concern any of their subscriptions.
    wholly: BTreeSet<String>,
    /// Subscriptions about which one is listed, or about an invoice of theirs.
    subscriptions: BTreeSet<String>,
}

impl Undecided {
    /// By what is listed of a kind.
    pub(crate) fn of(
        shown: &Shown,
        world: &World,
        events: &[&Event],
        counts: fn(&FactAnomaly) -> bool,
    ) -> Self {
        let mut undecided = Self::default();
        let listed = shown.anomalies.iter().filter(|(_, found)| found.iter().any(counts));
        for (customer, part) in listed.map(|(about, _)| about) {
            let name = customer.to_string();
            let Some((kind, id)) = part.split_once('/') else {
                undecided.wholly.insert(name);
                continue;
            };
            undecided.objects.insert(id.to_owned());
            if kind == "charge" {
                undecided.objects.extend(text_of(world, id, "payment_intent"));
            }
            // What a payment waits for that is open shows nowhere but in its row.
            if kind == "payment_intent" && !is_over(world, id) {
                continue;
            }
            let trainers = claims(events).filter(|(of, _)| *of == name);
            let trainers: BTreeSet<&str> = trainers.map(|(_, trainer)| trainer).collect();
            // Whatever else is so of a customer who is one trainer, nothing shows it.
            if kind == "customer" && trainers.len() < 2 {
                continue;
            }
            match subscription_of(kind, id, world) {
                Some(subscription) => undecided.subscriptions.insert(subscription),
                None => undecided.wholly.insert(name),
            };
        }
        undecided
    }

    /// Whether nothing tells how an invoice, payment, refund or dispute stands.
    pub(crate) fn is_about(&self, id: &str) -> bool {
        self.objects.contains(id)
    }

    /// Whether nothing tells how a subscription stands, or something that belongs to it.
    pub(crate) fn concerns(&self, truth: &Truth) -> bool {
        self.wholly.contains(&truth.customer) || self.subscriptions.contains(&truth.subscription)
    }
}

fn is_over(world: &World, intent: &str) -> bool {
    let status = world.find(intent).unwrap_or_default()["status"].clone();
    status == "succeeded" || status == "canceled"
}

/// Whether it says that nothing tells an order.
pub(crate) const fn is_conflict(anomaly: &FactAnomaly) -> bool {
    matches!(anomaly, FactAnomaly::OrderConflict(..))
}

/// Whether it says that something is odd about the facts of an object.
pub(crate) const fn is_odd(anomaly: &FactAnomaly) -> bool {
    !matches!(anomaly, FactAnomaly::ConflictingLink(..) | FactAnomaly::ConflictingCustomer(..))
}

/// The only subscription that an object is about: its own, or that of the invoice that is paid.
fn subscription_of(kind: &str, id: &str, world: &World) -> Option<String> {
    let of_invoice = |invoice: &Value| {
        invoice["parent"]["subscription_details"]["subscription"].as_str().map(str::to_owned)
    };
    match kind {
        "subscription" => Some(id.to_owned()),
        "invoice" => of_invoice(&world.find(id)?),
        "payment_intent" => {
            let mut paid = world.events().iter().filter(|it| it.intent.as_deref() == Some(id));
            of_invoice(&paid.next()?.object)
        }
        "charge" | "refund" | "dispute" => {
            subscription_of("payment_intent", &text_of(world, id, "payment_intent")?, world)
        }
        _ => None,
    }
}

/// A field of an object.
fn text_of(world: &World, id: &str, field: &str) -> Option<String> {
    world.find(id)?[field].as_str().map(str::to_owned)
}

/// That nothing is listed but what these lives bring with them: conflicts of order and of links,
/// and steps whose order only the kinds of two events tell.
pub(crate) fn check_anomalies(
    shown: &Shown,
    events: &[&Event],
    undecided: &Undecided,
) -> Result<(), String> {
    let is_decided =
        |part: &str| part.split_once('/').is_none_or(|(_, id)| !undecided.objects.contains(id));
    let of_objects = shown.anomalies.iter().filter(|((_, part), _)| is_decided(part));
    let found = of_objects.map(|(_, found)| found).chain(shown.odd_sold.values()).flatten();
    for anomaly in found {
        match anomaly {
            FactAnomaly::OrderConflict(..) | FactAnomaly::ConflictingLink(..) => {}
            FactAnomaly::UnexpectedTransition(event, previous) => {
                let told = |id: &str| events.iter().find(|event| event.id == id);
                let (Some(before), Some(after)) =
                    (told(previous.id.as_str()), told(event.id.as_str()))
                else {
                    return Err(format!("nobody told of {anomaly:?}"));
                };
                // Of one second's events without old values the kind decides, and may be wrong.
                let is_silent = [before, after].iter().any(|it| it.previous_attributes.is_none());
                if is_silent && before.created == after.created {
                    continue;
                }
                let status = |event: &Event| event.object["status"].as_str().map(str::to_owned);
                let step = (status(before), status(after));
                return Err(format!("a step that nobody takes: {step:?} by {anomaly:?}"));
            }
            FactAnomaly::GapSuspected(..) | FactAnomaly::ConflictingCustomer(..) => {
                return Err(format!("nothing is missing, and yet: {anomaly:?}"));
            }
        }
    }
    Ok(())
}

/// The ids of all objects of a kind of which something was told.
fn told<'a>(events: &[&'a Event], kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let objects = events.iter().map(|event| &event.object);
    let of_kind = objects.filter(|object| object["object"] == *kind);
    of_kind.filter_map(|object| Some((object["id"].as_str()?, object))).collect()
}

/// That there is a row of each invoice, refund and dispute of which something was told, and that it
/// stands as the object does.
pub(crate) fn check_statuses(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    undecided: &Undecided,
    statuses: &mut Statuses,
) -> Result<(), String> {
    for kind in ["invoice", "refund", "dispute"] {
        for id in told(events, kind).into_keys() {
            let object = world.find(id).unwrap_or_default();
            check_status(shown, id, &object["status"], undecided, statuses)?;
        }
    }
    Ok(())
}

/// The same of payments: an intent has a row, in which its charges are. A charge has one to itself
/// only where it has no intent; where nothing was told of the intent, its row stands as the charge
/// does that succeeded, or as the last.
pub(crate) fn check_payments(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    undecided: &Undecided,
    statuses: &mut Statuses,
) -> Result<(), String> {
    let (intents, charges) = (told(events, "payment_intent"), told(events, "charge"));
    for id in intents.keys() {
        let status = world.find(id).unwrap_or_default()["status"].clone();
        check_status(shown, id, &status, undecided, statuses)?;
    }
    let mut without: BTreeMap<&str, Value> = BTreeMap::new();
    for (id, charge) in charges {
        let row = charge["payment_intent"].as_str().unwrap_or(id);
        if row != id && shown.payments.contains_key(&stripe_id(id)) {
            return Err(format!("{id} has a row beside that of {row}"));
        }
        if intents.contains_key(row) {
            continue;
        }
        let status = world.find(id).unwrap_or_default()["status"].clone();
        let of_row = without.entry(row).or_insert_with(|| status.clone());
        if status == "succeeded" {
            *of_row = status;
        }
    }
    without.iter().try_for_each(|(id, status)| check_status(shown, id, status, undecided, statuses))
}

/// That an object has a row, which has its status.
fn check_status(
    shown: &Shown,
    id: &str,
    status: &Value,
    undecided: &Undecided,
    statuses: &mut Statuses,
) -> Result<(), String> {
    let Some(row) = shown.payments.get(&stripe_id(id)) else {
        return Err(format!("{id} has no row"));
    };
    if undecided.is_about(id) {
        statuses.left_out += 1;
        return Ok(());
    }
    statuses.compared += 1;
    if *status != *row.status.as_str() {
        return Err(format!("{id} is {status}, and not as in {row:#?}"));
    }
    Ok(())
}

fn stripe_id(id: &str) -> StripeId {
    StripeId::try_new(id).expect("an id")
}
