//! What a trainer holds that doesn't go together.

use ledger_domain::effective::{Anomaly, Holdings, Setting, Source, effective};
use ledger_domain::id::{EventKey, StripeId, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::Reader;
use ledger_projections::queries::{AnomalyFilter, HolderPlace, Holders};

use super::words::Words;
use super::{Listed, OF_HOLDINGS, Object};
use crate::reads::{Reads, ReadsError};

/// For how many trainers holdings are read at once.
const TRAINERS_AT_ONCE: usize = 100;

const SEVERAL: &str = "The best tier counts, and the others may be paid for in vain. Ask which one \
    is meant, and end the others: subscriptions at Stripe, grants by taking them back.";
const TWICE: &str = "It counts once, and may be paid for twice. Ask which one is meant, and cancel \
    the other at Stripe.";
const TRIAL: &str = "The trial counts. If each trainer is to have one only, end it at Stripe.";

/// Where a look goes on, and how many anomalies of that trainer were shown.
type Next = Option<(HolderPlace, usize)>;

impl Reads {
    /// At most `room` anomalies from a trainer on, as things stand now, after those of the trainer
    /// that were shown. It looks at a limited number of trainers.
    pub(super) async fn of_holdings(
        &self,
        (tenant, reader): (&Tenant, &mut Reader),
        wanted: &AnomalyFilter,
        (from, mut shown): (Option<HolderPlace>, usize),
        room: usize,
    ) -> Result<(Vec<Listed>, Next), ReadsError> {
        let (catalogs, _) = self.catalogs.of(tenant, reader).await?;
        let now = self.clock.now();
        // Without a catalogue there are no tiers.
        let Some(catalog) = catalogs.in_force(now.micros()) else { return Ok((Vec::new(), None)) };
        let setting = Setting { catalog, catalog_until: None, billing: self.billing, now };
        let Holders { trainers, next } = match &wanted.trainer {
            Some(trainer) => Holders { trainers: vec![trainer.clone()], next: None },
            None => reader.holders(from.as_ref()).await?,
        };
        let mut listed = Vec::new();
        for trainers in trainers.chunks(TRAINERS_AT_ONCE) {
            let holdings = reader.holdings_of(trainers).await?;
            for (trainer, holdings) in trainers.iter().zip(&holdings) {
                let is_first = from.as_ref().is_some_and(|from| from.trainer == *trainer);
                let skipped = if is_first { std::mem::take(&mut shown) } else { 0 };
                let found = odd(trainer, holdings, &setting, wanted);
                for (place, entry) in found.into_iter().enumerate().skip(skipped) {
                    if listed.len() == room {
                        let from = HolderPlace { trainer: trainer.clone(), is_included: true };
                        return Ok((listed, Some((from, place))));
                    }
                    listed.push(entry);
                }
            }
        }
        Ok((listed, next.map(|next| (next, 0))))
    }
}

/// What is odd about one trainer's holdings, as far as it is wanted.
fn odd(
    trainer: &TrainerId,
    holdings: &Holdings,
    setting: &Setting<'_>,
    wanted: &AnomalyFilter,
) -> Vec<Listed> {
    let is_wanted = |entry: &Listed| {
        let Listed { kind, subject, .. } = entry;
        OF_HOLDINGS.contains(&&**kind)
            && wanted.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && wanted.subject.as_ref().is_none_or(|id| id.as_str() == &*subject.id)
    };
    let anomalies = effective(holdings, setting).anomalies;
    let listed = anomalies.iter().filter_map(|anomaly| told(trainer, holdings, anomaly));
    listed.filter(is_wanted).collect()
}

/// What gives a plan, with when it began and the event that says so.
struct Part {
    since: Option<Timestamp>,
    object: Object,
    event: Option<EventKey>,
}

/// An anomaly as it is listed; those that depend on one holding alone are not.
fn told(trainer: &TrainerId, holdings: &Holdings, anomaly: &Anomaly) -> Option<Listed> {
    let whole = || Object { kind: "trainer".into(), id: trainer.as_str().into() };
    let (subject, parts, words) = match anomaly {
        Anomaly::SeveralTiers(sources) => {
            let parts = parts(holdings, sources);
            let message = format!("Trainer {trainer} has several tiers: {}.", names(&parts));
            (whole(), parts, Words::new(message, SEVERAL))
        }
        Anomaly::AddOnTwice { add_on, sources } => {
            let parts = parts(holdings, sources);
            let message = format!("Trainer {trainer} has {add_on} twice: {}.", names(&parts));
            (whole(), parts, Words::new(message, TWICE))
        }
        Anomaly::SecondTrial { subscription, earlier } => {
            let message = format!(
                "Subscription {subscription} of trainer {trainer} began with a trial, although \
                 {earlier} had one."
            );
            let parts = vec![trial(holdings, earlier)?, trial(holdings, subscription)?];
            (parts[1].object.clone(), parts, Words::new(message, TRIAL))
        }
        Anomaly::UnknownPrice { .. }
        | Anomaly::UnknownStatus { .. }
        | Anomaly::ItemsIncomplete(_)
        | Anomaly::UnknownPlan { .. }
        | Anomaly::UselessOverride { .. } => return None,
    };
    // One alone is nothing odd: it began with the second.
    let second = parts.get(1).or(parts.first());
    Some(Listed {
        kind: anomaly.code().into(),
        customer: None,
        trainer: Some(trainer.clone()),
        event: second.and_then(|part| part.event.as_ref()).map(|key| key.id.clone()),
        previous: None,
        since: second.and_then(|part| part.since),
        differences: Vec::new(),
        message: words.message,
        what_to_do: words.what_to_do,
        related: parts.into_iter().map(|part| part.object).filter(|it| *it != subject).collect(),
        subject,
    })
}

/// What gives plans, each once: one subscription may give several.
fn parts(holdings: &Holdings, sources: &[Source]) -> Vec<Part> {
    let mut parts: Vec<Part> = sources.iter().filter_map(|s| part(holdings, s)).collect();
    parts.sort_by(|a, b| (a.since, &a.object.id).cmp(&(b.since, &b.object.id)));
    parts.dedup_by(|a, b| a.object == b.object);
    parts
}

fn names(parts: &[Part]) -> String {
    let names: Vec<String> =
        parts.iter().map(|Part { object, .. }| format!("{} {}", object.kind, object.id)).collect();
    names.join(", ")
}

fn part(holdings: &Holdings, source: &Source) -> Option<Part> {
    match source {
        Source::Subscription(id) => {
            let view = holdings.subscriptions.iter().find(|view| view.id == *id)?;
            Some(subscription(id, view.started_at, &view.last_event))
        }
        Source::Grant(event) => {
            let grant = holdings.grants.iter().find(|grant| grant.event == *event)?;
            let object = Object { kind: "grant".into(), id: event.id.as_str().into() };
            Some(Part { since: Some(grant.granted_at), object, event: Some(event.clone()) })
        }
        Source::Default => None,
    }
}

fn trial(holdings: &Holdings, id: &StripeId) -> Option<Part> {
    let view = holdings.subscriptions.iter().find(|view| view.id == *id)?;
    Some(subscription(id, view.trial.map(|trial| trial.from), &view.last_event))
}

fn subscription(id: &StripeId, since: Option<Timestamp>, event: &EventKey) -> Part {
    let object = Object { kind: "subscription".into(), id: id.as_str().into() };
    Part { since, object, event: Some(event.clone()) }
}
