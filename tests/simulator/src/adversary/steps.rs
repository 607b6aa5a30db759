//! The disturbances, one by one. Each costs at most a sort of the deliveries.

use std::collections::{BTreeSet, HashMap};

use super::chance::Chance;
use super::{Delivery, Reorder};
use crate::world::Event;

/// The length of an event's id after its prefix.
const ID_LENGTH: usize = 24;

/// How much later a second event object of one change may be made.
const TWIN_SECONDS_MAX: usize = 2;

pub(super) fn undisturbed(events: &[Event]) -> Vec<Delivery> {
    let deliver = |(index, event): (usize, &Event)| Delivery {
        index,
        event: event.clone(),
        attempt: 1,
        after_seconds: 0,
        api_version: None,
    };
    events.iter().enumerate().map(deliver).collect()
}

/// In the order of time, and not of what happened: a test clock's times and the account's
/// alternate, and what came later must not be stamped earlier.
pub(super) fn collapse_seconds(deliveries: &mut [Delivery], within: u32) {
    let times: BTreeSet<i64> = deliveries.iter().map(|delivery| delivery.event.created).collect();
    let mut bursts: Vec<i64> = Vec::new();
    for at in times {
        if bursts.last().is_none_or(|start| at - start > i64::from(within)) {
            bursts.push(at);
        }
    }
    for Delivery { event, .. } in deliveries {
        let begun = bursts.partition_point(|start| *start <= event.created);
        event.created = bursts[begun - 1];
    }
}

/// Moves the times of a burst together, in their order: to each other's next second, and sometimes
/// to the one after it.
pub(super) fn gather_seconds(deliveries: &mut [Delivery], within: u32) {
    if within == 0 {
        return;
    }
    let times: BTreeSet<i64> = deliveries.iter().map(|delivery| delivery.event.created).collect();
    let mut moved: HashMap<i64, i64> = HashMap::new();
    let mut burst: Option<(i64, i64)> = None;
    for at in times {
        let (start, last) = match burst {
            Some((start, last)) if at - start <= i64::from(within) => {
                (start, last + if at % 3 == 0 { 2 } else { 1 })
            }
            // Never before what was moved ahead.
            ended => (at, ended.map_or(at, |(_, last)| at.max(last + 1))),
        };
        burst = Some((start, last));
        moved.insert(at, last);
    }
    for Delivery { event, .. } in deliveries {
        event.created = moved[&event.created];
    }
}

/// Gives changes a second event object each, made up to two seconds later and before the object's
/// next change.
pub(super) fn second_objects(deliveries: &mut Vec<Delivery>, percent: u8, chance: &mut Chance) {
    let limits = until_next_of_object(deliveries);
    let mut all = Vec::with_capacity(deliveries.len());
    for (delivery, limit) in deliveries.drain(..).zip(limits) {
        let twin = chance.hits(percent).then(|| {
            let mut twin = delivery.clone();
            let event = &mut twin.event;
            event.id = format!("evt_{}", chance.word(ID_LENGTH));
            let later = i64::try_from(chance.below(TWIN_SECONDS_MAX + 1)).unwrap_or_default();
            event.created += later.min(limit);
            twin
        });
        all.push(delivery);
        all.extend(twin);
    }
    *deliveries = all;
}

/// How many seconds after each delivery's event nothing else has happened yet to its object.
fn until_next_of_object(deliveries: &[Delivery]) -> Vec<i64> {
    let mut next: HashMap<&str, i64> = HashMap::new();
    let mut limits: Vec<i64> = Vec::with_capacity(deliveries.len());
    for Delivery { event, .. } in deliveries.iter().rev() {
        let id = event.object["id"].as_str().unwrap_or_default();
        let until = next.insert(id, event.created).map_or(i64::MAX, |next| next - event.created);
        limits.push(until.max(0));
    }
    limits.reverse();
    limits
}

pub(super) fn reorder(deliveries: &mut [Delivery], how: Reorder, chance: &mut Chance) {
    match how {
        Reorder::None => {}
        Reorder::Any => {
            for last in (1..deliveries.len()).rev() {
                deliveries.swap(last, chance.below(last + 1));
            }
        }
        // Within blocks of one more than the window nothing can get farther than the window.
        Reorder::Window(window) => {
            let block = usize::try_from(window).unwrap_or(usize::MAX).saturating_add(1);
            for block in deliveries.chunks_mut(block) {
                reorder(block, Reorder::Any, chance);
            }
        }
    }
}

/// Exchanges the event of an object's creation with the next that is delivered of the object, if
/// that one comes later.
pub(super) fn swap_creations(deliveries: &mut [Delivery], percent: u8, chance: &mut Chance) {
    let mut creations: HashMap<String, Option<usize>> = HashMap::new();
    for at in 0..deliveries.len() {
        let event = &deliveries[at].event;
        let Some(id) = event.object["id"].as_str().map(str::to_owned) else { continue };
        if event.kind.ends_with(".created") {
            creations.insert(id, Some(at));
        } else if let Some(created) = creations.get_mut(&id).and_then(Option::take)
            && chance.hits(percent)
        {
            deliveries.swap(created, at);
        }
    }
}

pub(super) fn lose(deliveries: &mut Vec<Delivery>, drop: u8, resend: u8, chance: &mut Chance) {
    let mut late = Vec::new();
    let mut kept = Vec::with_capacity(deliveries.len());
    for delivery in deliveries.drain(..) {
        if !chance.hits(drop) {
            kept.push(delivery);
        } else if chance.hits(resend) {
            late.push((kept.len(), Delivery { attempt: 2, ..delivery }));
        }
    }
    insert_later(&mut kept, late, chance);
    *deliveries = kept;
}

pub(super) fn duplicate(deliveries: &mut Vec<Delivery>, percent: u8, chance: &mut Chance) {
    let mut again = Vec::new();
    for (at, delivery) in deliveries.iter().enumerate() {
        if chance.hits(percent) {
            again.push((at + 1, delivery.clone()));
        }
    }
    insert_later(deliveries, again, chance);
}

/// Puts deliveries at random places at or after the given ones.
fn insert_later(deliveries: &mut Vec<Delivery>, late: Vec<(usize, Delivery)>, chance: &mut Chance) {
    let end = deliveries.len();
    let mut placed: Vec<(usize, bool, Delivery)> =
        deliveries.drain(..).enumerate().map(|(at, kept)| (at, true, kept)).collect();
    for (earliest, delivery) in late {
        let place = earliest + chance.below(end + 1 - earliest.min(end));
        placed.push((place, false, delivery));
    }
    placed.sort_by_key(|(place, is_kept, _)| (*place, *is_kept));
    deliveries.extend(placed.into_iter().map(|(_, _, delivery)| delivery));
}

pub(super) fn delay(deliveries: &mut [Delivery], most: u32, chance: &mut Chance) {
    let limit = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
    for delivery in deliveries.iter_mut().filter(|_| most > 0) {
        delivery.after_seconds = u32::try_from(chance.below(limit)).unwrap_or(most);
    }
}

pub(super) fn mix_versions(deliveries: &mut [Delivery], versions: &[String], chance: &mut Chance) {
    for delivery in deliveries {
        delivery.api_version = versions.get(chance.below(versions.len())).cloned();
    }
}
