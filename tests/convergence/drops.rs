//! What becomes of a webhook that never arrives: where others tell of it, a gap is listed until it
//! comes; where nothing can tell, that is counted. `docs/anomalies.md` holds the table that this
//! test prints.

use std::collections::BTreeMap;

use ledger_domain::account::{ChangeView, FactAnomaly, PaymentView, SubscriptionView};
use ledger_domain::event::Event as Fact;
use ledger_domain::id::{EventKey, StripeId};
use ledger_simulator::world::Event;
use ledger_simulator::world::diff::put_back;
use ledger_simulator::world::life::Step;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Map, Value};

use crate::delivery::{Told, claims};
use crate::ledger::{Ledger, Shown};
use crate::lives::{Case, Pace, case};
use crate::property::same;

/// What came of the events of one kind that were dropped, one at a time.
#[derive(Debug, Default, Clone, Copy)]
struct Losses {
    /// A gap or a conflict was listed.
    noticed: u32,
    /// Nothing was lost: other events told the same.
    harmless: u32,
    /// Unnoticed, for the object was never heard of again.
    last_words: u32,
    /// Unnoticed, although the object was heard of again.
    silent: u32,
}

/// What is shown, without the events that it came from.
#[derive(Debug, PartialEq)]
struct Meaning {
    subscriptions: BTreeMap<StripeId, SubscriptionView>,
    payments: BTreeMap<StripeId, PaymentView>,
    histories: BTreeMap<StripeId, Vec<ChangeView>>,
    links: BTreeMap<StripeId, String>,
}

fn meaning(shown: &Shown, any: &EventKey) -> Meaning {
    let mut subscriptions = shown.subscriptions.clone();
    subscriptions.values_mut().for_each(|view| view.last_event = any.clone());
    let mut payments = shown.payments.clone();
    for view in payments.values_mut() {
        view.event_ids.clear();
        view.updated_at = view.created_at;
    }
    let mut histories = shown.histories.clone();
    histories.values_mut().flatten().for_each(|step| step.event = any.clone());
    let links = shown.links.iter().map(|(id, link)| (id.clone(), link.trainer.to_string()));
    Meaning { subscriptions, payments, histories, links: links.collect() }
}

/// Whether the ledger has a use for it, and it is about a customer.
fn counts(told: &Told) -> bool {
    !matches!(
        told.entry.event,
        Fact::StripeEventRecorded(_) | Fact::PriceReported(_) | Fact::ProductReported(_)
    )
}

fn about(event: &Event) -> (&Value, &Value) {
    (&event.object["object"], &event.object["id"])
}

/// What the old values of a subscription's next event can tell.
pub(crate) fn told_of_subscription(object: &Value) -> Value {
    let items = object["items"]["data"].as_array().into_iter().flatten();
    let fields = ["current_period_start", "current_period_end", "quantity"];
    let item = |item: &Value| {
        let rest = fields.map(|field| item[field].clone());
        [item["price"]["id"].clone()].into_iter().chain(rest).collect::<Value>()
    };
    let fields = ["status", "cancel_at", "cancel_at_period_end", "trial_end", "schedule"];
    let whole = fields.map(|field| object[field].clone());
    whole.into_iter().chain([items.map(item).collect()]).collect()
}

/// Whether the next event of the same subscription says what the dropped one made of it, and no
/// other second is concerned. Where the events of its second come back to where they began, they
/// may as well have begun with what was before the dropped one.
fn must_be_noticed(told: &[Told], dropped: usize) -> bool {
    let of = |told: &Told| told.event.object["object"] == "subscription";
    let same = |other: &&Told| about(&other.event) == about(&told[dropped].event);
    let before = told[..dropped].iter().rev().find(same).map(|told| &told.event);
    let (event, next) = (&told[dropped].event, told[dropped + 1..].iter().find(same));
    let Some(next) = next.map(|told| &told.event).filter(|_| of(&told[dropped])) else {
        return false;
    };
    let Some(previous) = &next.previous_attributes else { return false };
    let apart =
        event.created < next.created && before.is_none_or(|before| before.created < event.created);
    let was = told_of_subscription(&put_back(&next.object, previous));
    let of_second = told[dropped + 1..].iter().filter(same).map(|told| &told.event);
    let of_second = of_second.take_while(|told| told.created == next.created);
    // An end says nothing of what was before it.
    let last = of_second.filter(|told| told.previous_attributes.is_some()).last();
    let is_circle = last.is_some_and(|last| told_of_subscription(&last.object) == was);
    apart && !is_circle && before.is_none_or(|before| told_of_subscription(&before.object) != was)
}

/// Whether it alone of its second says who a customer is, and in a later second one says so that
/// stands by itself: a session does, and so do the customer's metadata, which all of the customer's
/// events show. Not where they only repeat what stood there before a session that was lost, nor
/// where it can't be told any more whether they began before the session of another trainer.
fn is_said_again(told: &[Told], dropped: usize) -> bool {
    let lost = &told[dropped].event;
    let Some((customer, trainer)) = claims(&[lost]).next() else { return false };
    let events = || told.iter().enumerate().filter(|(i, _)| *i != dropped);
    let claiming = || {
        let events = events().map(|(_, told)| &told.event);
        events.filter_map(|event| {
            let (of, names) = claims(&[event]).next()?;
            (of == customer).then_some((event, names))
        })
    };
    let is_customer = |event: &Event| event.object["object"] == "customer";
    // After what metadata began to name the trainer, if nobody heard how.
    let names_another = |event: &&Event| {
        is_customer(event)
            && event.object["id"] == customer
            && event.object["metadata"]["trainer_id"] != trainer
    };
    let before = events().map(|(_, told)| &told.event).filter(|it| it.created < lost.created);
    let began_after = before.filter(names_another).map(|event| event.created).max();
    let may_be_later = || {
        claiming().any(|(event, names)| {
            let after = began_after.is_none_or(|at| event.created >= at);
            !is_customer(event) && names != trainer && after
        })
    };
    let begins = |event: &Event| {
        let metadata = event.previous_attributes.as_ref().and_then(|it| it.get("metadata"));
        metadata.is_some_and(|metadata| metadata.get("trainer_id").is_some())
    };
    let stands = |event: &Event| match &*event.kind {
        "checkout.session.completed" => true,
        "customer.updated" => begins(event) || is_customer(lost) && !may_be_later(),
        _ => false,
    };
    claiming().all(|(event, _)| event.created != lost.created)
        && claiming().any(|(event, _)| stands(event) && event.created > lost.created)
}

fn anomalies(shown: &Shown) -> Vec<&FactAnomaly> {
    shown.anomalies.values().flatten().collect()
}

/// Whether something new is listed of an event's object: a gap or an undecided order.
fn is_listed(event: &Event, shown: &Shown, whole: &Shown) -> bool {
    let (kind, id) = about(event);
    let part = format!("{}/{}", kind.as_str().unwrap_or_default(), id.as_str().unwrap_or_default());
    shown.anomalies.iter().filter(|((_, about), _)| *about == part).any(|(place, listed)| {
        let before = whole.anomalies.get(place);
        listed.iter().any(|anomaly| before.is_none_or(|before| !before.contains(anomaly)))
    })
}

fn drop_each(told: &[Told], losses: &mut BTreeMap<String, Losses>) -> Result<(), TestCaseError> {
    let whole = Ledger::of(told.iter().map(|told| &told.entry)).shown;
    let key = &told[0].entry.key;
    for (dropped, lost) in told.iter().enumerate().filter(|(_, told)| counts(told)) {
        let others = told.iter().enumerate().filter(|(i, _)| *i != dropped);
        let mut ledger = Ledger::of(others.map(|(_, told)| &told.entry));
        let before = anomalies(&whole);
        let is_news = |listed: &&FactAnomaly| {
            // Who of those that disagree is named changes with those that are left.
            !matches!(listed, FactAnomaly::ConflictingLink(..)) && !before.contains(listed)
        };
        let noticed = anomalies(&ledger.shown).iter().any(is_news);
        let noticed_there = is_listed(&lost.event, &ledger.shown, &whole);
        prop_assert!(noticed_there || !must_be_noticed(told, dropped), "{:?}", lost.event);
        if is_said_again(told, dropped) {
            let of = |shown: &Shown| meaning(shown, key).links;
            prop_assert_eq!(of(&ledger.shown), of(&whole), "{:?}", lost.event);
        }
        let entry = losses.entry(lost.event.kind.clone()).or_default();
        let heard_again =
            told[dropped + 1..].iter().any(|told| about(&told.event) == about(&lost.event));
        let count = if noticed {
            &mut entry.noticed
        } else if meaning(&ledger.shown, key) == meaning(&whole, key) {
            &mut entry.harmless
        } else if heard_again {
            &mut entry.silent
        } else {
            &mut entry.last_words
        };
        *count += 1;
        ledger.take_in([&lost.entry]);
        same(&whole, &ledger.shown)?;
    }
    Ok(())
}

/// Shares are compared where so many events were dropped, and may differ by so many points: the
/// lives are others than those of the documented table.
const ENOUGH: u32 = 150;
const POINTS: u32 = 12;

/// Lines of the documented table that tell something else.
fn untrue(documented: &str, losses: &BTreeMap<String, Losses>) -> Vec<String> {
    let mut untrue = Vec::new();
    for (kind, of) in losses {
        let row = documented.lines().find(|line| line.starts_with(&format!("| `{kind}` ")));
        let Some(row) = row else {
            untrue.push(format!("there is no line of {kind}"));
            continue;
        };
        let told = row.split('|').filter_map(|cell| cell.trim().strip_suffix(" %")?.parse().ok());
        let told: Vec<u32> = told.collect();
        let counts = [of.noticed, of.harmless, of.last_words, of.silent];
        let all: u32 = counts.iter().sum();
        let shares: Vec<u32> = counts.iter().map(|count| count * 100 / all.max(1)).collect();
        let differ = || told.iter().zip(&shares).any(|(a, b)| a.abs_diff(*b) > POINTS);
        if told.len() != counts.len() || (all >= ENOUGH && differ()) {
            untrue.push(format!("{row}\nof {all}: {shares:?}"));
        }
    }
    untrue
}

/// The table, with shares in percent.
fn table(losses: &BTreeMap<String, Losses>) -> String {
    let mut lines = vec![
        "| event | dropped | noticed | nothing lost | last word | silent |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for (kind, of) in losses {
        let all = of.noticed + of.harmless + of.last_words + of.silent;
        let share = |count: u32| format!("{} %", (count * 100 + all / 2) / all.max(1));
        let shares = [of.noticed, of.harmless, of.last_words, of.silent].map(share);
        lines.push(format!("| `{kind}` | {all} | {} |", shares.join(" | ")));
    }
    lines.join("\n")
}

#[test]
fn a_dropped_event_is_noticed_where_others_tell_and_forgotten_when_it_comes() {
    let mut runner = TestRunner::new(crate::seeded(3, 40, 4_000));
    let losses = std::cell::RefCell::new(BTreeMap::new());
    let result = runner.run(&case(25), |mut case| {
        case.twins = 0;
        case.apart();
        case.versions.truncate(1);
        let world = case.live();
        let told = case.tell(&world);
        drop_each(&told, &mut losses.borrow_mut())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    let losses = losses.into_inner();
    println!("{}", table(&losses));
    let untrue = untrue(include_str!("../../docs/anomalies.md"), &losses);
    assert!(untrue.is_empty(), "in docs/anomalies.md:\n{}", untrue.join("\n"));
    let created = losses["customer.subscription.created"];
    assert_eq!(created.silent, 0, "whatever is heard later tells of a creation: {created:?}");
    let paid = losses["payment_intent.succeeded"];
    assert!(paid.harmless > 9 * paid.last_words, "invoice and charge tell the same: {paid:?}");
    let updates = losses["customer.subscription.updated"];
    assert!(updates.noticed > updates.silent, "{updates:?}");
}

/// The event that names the customer is lost, and the page of another trainer was paid before: the
/// metadata that are told again may be older than that.
#[test]
fn a_customer_who_is_named_after_a_page_was_paid() {
    let steps = vec![
        Step::Customer { card: 0, clock: false },
        Step::Page { customer: 40, price: 228, names: 183 },
        Step::Subscribe { customer: 144, price: 219, behavior: 192, classic: true, missing: 64 },
        Step::Card { customer: 29, card: 0 },
        Step::Subscribe { customer: 29, price: 0, behavior: 0, classic: false, missing: 0 },
        Step::Card { customer: 29, card: 1 },
        Step::Wait { hours: 1488 },
        Step::Resume { subscription: 149, card: 0 },
        Step::Name { customer: 161, trainer: 164 },
        Step::Wait { hours: 8784 },
    ];
    drop_each_of(steps, 0);
}

/// The next second leads away and back before the subscription ends: it may as well lead back and
/// away.
#[test]
fn a_second_that_leads_back_before_the_end() {
    let steps = vec![
        Step::Customer { card: 0, clock: false },
        Step::Card { customer: 129, card: 0 },
        Step::Subscribe { customer: 129, price: 1, behavior: 0, classic: false, missing: 0 },
        Step::Card { customer: 129, card: 1 },
        Step::Wait { hours: 1488 },
        Step::Pay { invoice: 233, card: 0 },
        Step::Wait { hours: 1 },
        Step::Pay { invoice: 118, card: 167 },
        Step::Pay { invoice: 90, card: 0 },
        Step::Cancel { subscription: 33 },
    ];
    drop_each_of(steps, 8_133_536_882_456_212_992);
}

/// Drops each event of a life, told in the oldest form.
fn drop_each_of(steps: Vec<Step>, seed: u64) {
    let versions = vec!["2017-08-15"];
    let case = Case { steps, pace: Pace::Usual, twins: 0, versions, seed };
    let told = case.tell(&case.live());
    drop_each(&told, &mut BTreeMap::new()).unwrap();
}

#[test]
fn a_line_that_tells_something_else_is_found() {
    let of = Losses { noticed: 150, harmless: 50, last_words: 0, silent: 0 };
    let losses = BTreeMap::from([("charge.failed".to_owned(), of)]);
    let row = |noticed, harmless| {
        format!("\n| `charge.failed` | 9 | {noticed} % | {harmless} % | 0 % | 0 % |\n")
    };
    assert!(untrue(&row(75, 25), &losses).is_empty());
    assert!(untrue(&row(70, 30), &losses).is_empty());
    assert_eq!(untrue(&row(40, 60), &losses).len(), 1);
    assert_eq!(untrue("", &losses).len(), 1);
}

/// A value that is absent and one that is null are the same to this test.
#[test]
fn old_values_are_put_back_as_they_were() {
    let previous: Map<String, Value> = serde_json::from_str(r#"{"cancel_at":null}"#).unwrap();
    let object = serde_json::json!({"status": "active", "cancel_at": 5});
    let before = serde_json::json!({"status": "active"});
    let was = told_of_subscription(&put_back(&object, &previous));
    assert_eq!(was, told_of_subscription(&before));
}
