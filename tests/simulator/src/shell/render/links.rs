//! What an old shape tells of other objects, learnt from the events.
//!
//! Before basil a charge named its invoice and an invoice its charge; in the newest shape neither
//! does. The events tell who belongs together, and what each was like when: an event rendered late
//! must not tell of what came after it.

use std::collections::HashMap;

use serde_json::Value;

use crate::world::Event;

/// Kinds of objects that old shapes hold whole where the newest ones hold an id.
const KEPT_WHOLE: [&str; 5] = ["charge", "coupon", "discount", "price", "product"];

/// Who belongs to whom, as of each event.
#[derive(Debug, Clone, Default)]
pub struct Links {
    count: usize,
    intents_of_invoice: HashMap<String, Vec<(usize, String)>>,
    invoices_of_intent: HashMap<String, Vec<(usize, String)>>,
    charges_of_intent: HashMap<String, Vec<(usize, String)>>,
    snapshots: HashMap<String, Vec<(usize, Value)>>,
    events_of_object: HashMap<String, Vec<usize>>,
}

impl Links {
    /// What these events tell, which must be in the order of their creation.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut links = Self::default();
        for event in events {
            links.learn(event);
        }
        links
    }

    /// Takes in the next event.
    pub fn learn(&mut self, event: &Event) {
        let at = self.count;
        self.count += 1;
        let object = &event.object;
        let kind = object["object"].as_str().unwrap_or_default();
        let Some(id) = object["id"].as_str() else { return };
        // What stands beside an update is not what was before it.
        if event.kind != "invoice.finalized" {
            self.events_of_object.entry(id.to_owned()).or_default().push(at);
        }
        if KEPT_WHOLE.contains(&kind) {
            self.snapshots.entry(id.to_owned()).or_default().push((at, object.clone()));
        }
        match kind {
            "invoice" => {
                if let Some(intent) = &event.intent {
                    self.link_payment(at, id, intent);
                }
            }
            "invoice_payment" => {
                let intent = object["payment"]["payment_intent"].as_str();
                if let (Some(invoice), Some(intent)) = (object["invoice"].as_str(), intent) {
                    self.link_payment(at, invoice, intent);
                }
            }
            "charge" => self.link_charge(at, object["payment_intent"].as_str(), Some(id)),
            "payment_intent" => self.link_charge(at, Some(id), object["latest_charge"].as_str()),
            _ => {}
        }
    }

    fn link_payment(&mut self, at: usize, invoice: &str, intent: &str) {
        push_new(self.invoices_of_intent.entry(intent.to_owned()).or_default(), at, invoice);
        push_new(self.intents_of_invoice.entry(invoice.to_owned()).or_default(), at, intent);
    }

    fn link_charge(&mut self, at: usize, intent: Option<&str>, charge: Option<&str>) {
        if let (Some(intent), Some(charge)) = (intent, charge) {
            push_new(self.charges_of_intent.entry(intent.to_owned()).or_default(), at, charge);
        }
    }

    /// The invoice that a payment intent is to pay as of an event, or, where it's told of only
    /// later, the first: an intent is made for its invoice, which tells of it in a later event.
    pub(crate) fn invoice_of(&self, intent: &str, at: usize) -> Option<&str> {
        let all = self.invoices_of_intent.get(intent)?;
        until(all, at).last().or_else(|| all.first().map(|(_, invoice)| invoice.as_str()))
    }

    /// The intent that is to pay an invoice, as of an event.
    pub(crate) fn intent_of(&self, invoice: &str, at: usize) -> Option<&str> {
        until(self.intents_of_invoice.get(invoice)?, at).last()
    }

    /// The charges that an intent made, as of an event, oldest first.
    pub(crate) fn charges_of(&self, intent: &str, at: usize) -> Vec<&str> {
        self.charges_of_intent.get(intent).map_or_else(Vec::new, |all| until(all, at).collect())
    }

    /// An object as of an event, or, where it's told of only later, as it was first told of: what
    /// one call changes at once comes as several events.
    pub(crate) fn snapshot(&self, id: &str, at: usize) -> Option<&Value> {
        let all = self.snapshots.get(id)?;
        let seen = all.partition_point(|(index, _)| *index <= at);
        all.get(seen.saturating_sub(1)).map(|(_, object)| object)
    }

    /// The event before this one that tells of the same object; itself when there is none.
    pub(crate) fn before(&self, object: &str, at: usize) -> usize {
        let all = self.events_of_object.get(object).map_or(&[][..], Vec::as_slice);
        let seen = all.partition_point(|index| *index < at);
        seen.checked_sub(1).map_or(at, |last| all[last])
    }
}

fn push_new(all: &mut Vec<(usize, String)>, at: usize, id: &str) {
    if !all.iter().any(|(_, known)| known == id) {
        all.push((at, id.to_owned()));
    }
}

fn until(all: &[(usize, String)], at: usize) -> impl Iterator<Item = &str> {
    all.iter().take_while(move |(index, _)| *index <= at).map(|(_, id)| id.as_str())
}
