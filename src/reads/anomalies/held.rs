//! What a trainer holds that doesn't go together, or that gives nothing since it isn't known.

use ledger_domain::account::{Difference, Grant, SubscriptionView, statuses};
use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Anomaly, Holdings, Setting, Source, effective};
use ledger_domain::id::{EventKey, StripeId, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::Reader;
use ledger_projections::queries::{AnomalyFilter, HolderPlace, Holders};
use serde_json::Value;

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
const PRICE: &str = "It gives nothing by that price. If the price sells a plan, name it there in \
    the catalogue, as an id or by the `STRIPE_PRICE_...` variable that the file names, and run \
    `ledger catalog publish`. If it doesn't, give the subscription the right price at Stripe.";
const STATUS: &str = "It counts as locked and grants nothing. Compare the status at Stripe: if it \
    is so, a newer version of the ledger may know it; if not, any later change of the \
    subscription, even of its metadata, brings a webhook that puts it right.";
const ITEMS: &str = "Plans among the items that Stripe didn't show count for nothing. Compare the \
    items at Stripe: if what is paid for isn't shown, sell it by a subscription of its own or take \
    items away until the rest fits; the webhook of that change puts it right.";
const PLAN: &str = "It gives nothing. Run `ledger catalog publish` with a catalogue that has the \
    plan, or take the grant back and give one that is there.";
const OVERRIDE: &str = "It changes nothing. Run `ledger catalog publish` with a catalogue in which \
    the feature is of that kind, or take the override back and make one that fits.";

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
        let billing = self.tenants.billing(tenant.as_str());
        let setting = Setting { catalog, catalog_until: None, billing, now };
        let Holders { trainers, next } = match &wanted.trainer {
            Some(trainer) => Holders { trainers: vec![trainer.clone()], next: None },
            None => reader.holders(catalog, from.as_ref()).await?,
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
    let listed =
        anomalies.iter().filter_map(|anomaly| told(trainer, holdings, setting.catalog, anomaly));
    listed.filter(is_wanted).collect()
}

/// What gives a plan, with when it began and the event that says so.
struct Part {
    since: Option<Timestamp>,
    object: Object,
    event: Option<EventKey>,
}

/// An anomaly as it is listed.
fn told(
    trainer: &TrainerId,
    holdings: &Holdings,
    catalog: &Catalog,
    anomaly: &Anomaly,
) -> Option<Listed> {
    let whole = || Object { kind: "trainer".into(), id: trainer.as_str().into() };
    let mut differences = Vec::new();
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
        Anomaly::UnknownPrice { subscription, price } => {
            let (view, part) = of_subscription(holdings, subscription)?;
            let place = view.items.iter().position(|item| item.price.id == *price)?;
            let field = format!("items[{place}].price");
            differences.push(Difference::new(&field, Value::Null, price.as_str()));
            let message = format!(
                "Subscription {subscription} of trainer {trainer} has the price {price}, which no \
                 plan of the catalogue has."
            );
            (part.object.clone(), vec![part], Words::new(message, PRICE))
        }
        Anomaly::UnknownStatus { subscription, status } => {
            let (_, part) = of_subscription(holdings, subscription)?;
            let known: Vec<&str> = statuses().collect();
            differences.push(Difference::new("status", known, status.as_str()));
            let message = format!(
                "Subscription {subscription} of trainer {trainer} has the status {}, which this \
                 ledger doesn't know.",
                status.as_str()
            );
            (part.object.clone(), vec![part], Words::new(message, STATUS))
        }
        Anomaly::ItemsIncomplete(subscription) => {
            let (_, part) = of_subscription(holdings, subscription)?;
            differences.push(Difference::new("items.has_more", false, true));
            let message = format!(
                "Subscription {subscription} of trainer {trainer} has more items than Stripe \
                 showed."
            );
            (part.object.clone(), vec![part], Words::new(message, ITEMS))
        }
        Anomaly::UnknownPlan { event, plan } => {
            let part = grant(holdings, event)?;
            differences.push(Difference::new("tier", Value::Null, plan.as_str()));
            let message = format!(
                "Trainer {trainer} was given the plan {plan}, which the catalogue doesn't have."
            );
            (part.object.clone(), vec![part], Words::new(message, PLAN))
        }
        Anomaly::UselessOverride { event, feature } => {
            let part = grant(holdings, event)?;
            let message = if catalog.feature(feature).is_some() {
                format!(
                    "An override for trainer {trainer} switches {feature} on, which is a number in \
                     the catalogue."
                )
            } else {
                differences.push(Difference::new("feature", Value::Null, feature.as_str()));
                format!(
                    "An override for trainer {trainer} is of {feature}, which the catalogue \
                     doesn't have."
                )
            };
            (part.object.clone(), vec![part], Words::new(message, OVERRIDE))
        }
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
        differences,
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
        Source::Subscription(id) => of_subscription(holdings, id).map(|(_, part)| part),
        Source::Grant(event) => grant(holdings, event),
        Source::Default => None,
    }
}

fn grant(holdings: &Holdings, event: &EventKey) -> Option<Part> {
    let grant = holdings.grants.iter().find(|grant| grant.event == *event)?;
    let kind = if matches!(grant.grant, Grant::Override { .. }) { "override" } else { "grant" };
    let object = Object { kind: kind.into(), id: event.id.as_str().into() };
    Some(Part { since: Some(grant.granted_at), object, event: Some(event.clone()) })
}

fn trial(holdings: &Holdings, id: &StripeId) -> Option<Part> {
    let (view, part) = of_subscription(holdings, id)?;
    Some(Part { since: view.trial.map(|trial| trial.from), ..part })
}

fn of_subscription<'a>(
    holdings: &'a Holdings,
    id: &StripeId,
) -> Option<(&'a SubscriptionView, Part)> {
    let view = holdings.subscriptions.iter().find(|view| view.id == *id)?;
    let object = Object { kind: "subscription".into(), id: id.as_str().into() };
    let part = Part { since: view.started_at, object, event: Some(view.last_event.clone()) };
    Some((view, part))
}

#[cfg(test)]
mod tests {
    use ledger_domain::account::GrantView;
    use ledger_domain::effective::Billing;
    use ledger_domain::event::OverrideEffect;
    use ledger_domain::id::{EventId, FeatureSlug, Namespace, PlanSlug};
    use ledger_domain::time::SECOND;

    use super::*;

    #[test]
    fn what_was_given_in_vain_is_listed_with_what_it_names() {
        let text = include_str!("../../../catalogs/trainers.toml");
        let catalog = Catalog::parse(text, &|_| None).unwrap().catalog;
        let trainer = TrainerId::try_new("t1").unwrap();
        let given = |id: &str, grant: Grant| GrantView {
            event: EventKey::new(Namespace::try_new("api").unwrap(), EventId::try_new(id).unwrap()),
            trainer: trainer.clone(),
            grant,
            granted_at: Timestamp::from_unix(5),
            expires_at: None,
            revoked_at: None,
            actor: "ada".into(),
            position: 1,
        };
        let tier = |slug: &str| Grant::Grandfathered { tier: PlanSlug::try_new(slug).unwrap() };
        let switched_on = |slug: &str| Grant::Override {
            feature: FeatureSlug::try_new(slug).unwrap(),
            effect: OverrideEffect::Grant,
        };
        let grants = vec![
            given("a1", tier("starter")),
            given("a2", tier("platinum")),
            given("a3", switched_on("analytics")),
            given("a4", switched_on("teleportation")),
            given("a5", switched_on("customers")),
        ];
        let holdings = Holdings { grants, ..Holdings::default() };
        let (billing, now) = (Billing::Stripe, Timestamp::from_micros(10 * SECOND));
        let setting = Setting { catalog: &catalog, catalog_until: None, billing, now };
        let found = odd(&trainer, &holdings, &setting, &AnomalyFilter::default());
        let told: Vec<_> = found
            .iter()
            .map(|it| (&*it.kind, &*it.subject.id, it.differences.first().map(|d| d.seen.clone())))
            .collect();
        assert_eq!(
            told,
            [
                ("unknown_plan", "a2", Some("platinum".into())),
                ("useless_override", "a4", Some("teleportation".into())),
                ("useless_override", "a5", None),
            ]
        );
        for entry in &found {
            assert!(entry.message.ends_with('.') && entry.since.is_some(), "{entry:?}");
        }
    }
}
