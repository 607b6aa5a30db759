//! Events, asked for.

use serde_json::Value;

use super::execute::list as list_of;
use super::failure::{Failure, bad_request, missing, unknown_parameter};
use super::page::{Paging, Place};
use crate::shell::render::Version;
use crate::shell::state::State;
use crate::world::{Answer, Event, Request};

/// How far back events can be asked for.
const RETENTION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// `GET /v1/events`. The world filters by type and time; deliveries are the shell's.
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
    let Answer::List { url, data } = state.world.call(&call)? else {
        return Err(bad_request(None, None, "Events come as a list".to_owned()));
    };
    let mut found: Vec<usize> = Vec::new();
    for event in &data {
        let id = event["id"].as_str().unwrap_or_default();
        let Some((at, event)) = state.event(id) else { continue };
        let fits = delivered.is_none_or(|wanted| (state.outbox.pending(id) == 0) == wanted);
        if fits && is_kept(state, event) {
            found.push(at);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    // One may go on from an event that the filter hides, as from the last that was delivered.
    let (page, has_more) = paging.cut(found, |all, cursor| {
        let (at, _) = state.event(cursor)?;
        let newer = all.partition_point(|each| *each > at);
        let is_there = all.get(newer) == Some(&at);
        Some(Place { newer, older_from: newer + usize::from(is_there) })
    })?;
    let events = state.world.events();
    let data: Vec<Value> =
        page.into_iter().map(|at| state.render_event(at, &events[at], version)).collect();
    Ok(list_of(&url, &data, has_more))
}

/// `GET /v1/events/{id}`.
pub(super) fn one(
    state: &State,
    call: &Request,
    id: &str,
    version: &Version,
) -> Result<Value, Failure> {
    if let Some(name) = call.params.keys().next() {
        return Err(unknown_parameter(name));
    }
    let found = state.event(id).filter(|(_, event)| is_kept(state, event));
    let (at, event) = found.ok_or_else(|| missing(404, "event", id, "id"))?;
    Ok(state.render_event(at, event, version))
}

/// Whether an event is young enough to be asked for. What a test clock made keeps that clock's
/// time, which tells nothing of its age.
fn is_kept(state: &State, event: &Event) -> bool {
    event.test_clock.is_some() || event.created > state.world.now() - RETENTION_SECONDS
}
