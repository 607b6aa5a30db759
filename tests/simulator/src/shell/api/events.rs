//! Events, asked for.

use serde_json::Value;

use super::execute::list as list_of;
use super::failure::{Failure, bad_request, missing, unknown_parameter};
use super::page::{Paging, Place as Cut};
use crate::shell::render::Version;
use crate::shell::state::State;
use crate::shell::webhooks::Place;
use crate::world::{Answer, Event, Request, created};

/// How far back events can be asked for.
const RETENTION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// `GET /v1/events`. The world filters by type and time; deliveries are the shell's, and so is the
/// time of what is told otherwise than it happened.
pub(super) fn list(
    state: &mut State,
    mut call: Request,
    paging: &Paging,
    version: &Version,
) -> Result<Value, Failure> {
    let delivered = match call.params.remove("delivery_success") {
        None => None,
        Some(wanted) if wanted == "true" => Some(true),
        Some(wanted) if wanted == "false" => Some(false),
        Some(_) => {
            let message = "Invalid boolean: delivery_success is true or false".to_owned();
            return Err(bad_request(None, Some("delivery_success"), message));
        }
    };
    state.settle_times();
    let is_created_then = created(&call.params)?;
    if state.outbox.told.is_altered() {
        call.params.remove("created");
    }
    let Answer::List { url, data } = state.world.call(&call)? else {
        return Err(bad_request(None, None, "Events come as a list".to_owned()));
    };
    let mut found: Vec<Place> = Vec::new();
    for event in &data {
        let id = event["id"].as_str().unwrap_or_default();
        let Some((place, event)) = state.event(id) else { continue };
        let twins = state.outbox.told.twins_of(place.0);
        for (place, event) in std::iter::once((place, &*event)).chain(twins) {
            let has_arrived = state.outbox.pending(&event.id) == 0;
            let fits = delivered.is_none_or(|wanted| has_arrived == wanted);
            if fits && is_created_then(event.created) && is_kept(state, event) {
                found.push(place);
            }
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    // One may go on from an event that the filter hides, as from the last that was delivered.
    let (page, has_more) = paging.cut(found, |all, cursor| {
        let (at, _) = state.event(cursor)?;
        let newer = all.partition_point(|each| *each > at);
        let is_there = all.get(newer) == Some(&at);
        Some(Cut { newer, older_from: newer + usize::from(is_there) })
    })?;
    let data = page.into_iter().filter_map(|place| {
        let event = state.event_at(place)?;
        Some(state.render_event(place.0, &event, version))
    });
    let data: Vec<Value> = data.collect();
    Ok(list_of(&url, &data, has_more))
}

/// `GET /v1/events/{id}`.
pub(super) fn one(
    state: &mut State,
    call: &Request,
    id: &str,
    version: &Version,
) -> Result<Value, Failure> {
    if let Some(name) = call.params.keys().next() {
        return Err(unknown_parameter(name));
    }
    state.settle_times();
    let found = state.event(id).filter(|(_, event)| is_kept(state, event));
    let ((at, _), event) = found.ok_or_else(|| missing(404, "event", id, "id"))?;
    Ok(state.render_event(at, &event, version))
}

/// Whether an event is young enough to be asked for. What a test clock made keeps that clock's
/// time, which tells nothing of its age.
fn is_kept(state: &State, event: &Event) -> bool {
    event.test_clock.is_some() || event.created > state.world.now() - RETENTION_SECONDS
}
