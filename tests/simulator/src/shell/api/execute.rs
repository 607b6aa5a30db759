//! Carrying a request out, and showing what came of it.

use serde_json::{Map, Value, json};

use super::expand::{Expansion, Source};
use super::failure::{Failure, bad_request};
use super::page::{Paging, Place};
use super::{Reply, events};
use crate::shell::journal::Entry;
use crate::shell::render::Version;
use crate::shell::state::{Shared, State};
use crate::world::{Answer, Method, Request, World};

/// Whether a request is carried out for the first time, or once more after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Again,
}

/// Carries a request out at the present time.
pub(super) fn execute(shared: &Shared, call: &Request, version: &Version) -> Reply {
    reply(&mut shared.lock_now(), call, version, Turn::First)
}

/// Carries a request out as it once was. Its answer is under its key again.
pub(crate) fn repeat(state: &mut State, call: &Request, version: &Version) {
    let reply = reply(state, call, version, Turn::Again);
    let now = state.world.now();
    state.keys.keep(call, reply, now);
}

fn reply(state: &mut State, call: &Request, version: &Version, turn: Turn) -> Reply {
    match outcome(state, call, version, turn) {
        Ok(value) => Reply::object(&value),
        Err(failure) => {
            let failure = failure.map_payment_intent(|intent| state.render(intent, version));
            Reply::failure(&failure)
        }
    }
}

fn outcome(
    state: &mut State,
    original: &Request,
    version: &Version,
    turn: Turn,
) -> Result<Value, Failure> {
    let mut call = original.clone();
    let expansion = Expansion::take(&mut call.params)?;
    let paging = match call.method {
        Method::Get => Paging::take(&mut call.params)?,
        Method::Post | Method::Delete => Paging::take(&mut Map::new())?,
    };
    let path = call.path.clone();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let mut shown = match (call.method, segments.as_slice()) {
        (Method::Get, ["v1", "events"]) => events::list(state, call, &paging, version)?,
        (Method::Get, ["v1", "events", id]) => events::one(state, &call, id, version)?,
        (_, ["v1", "webhook_endpoints", rest @ ..]) => {
            note(state, original, version, turn)?;
            let answer = state.call_endpoints(&call, rest)?;
            show(state, answer, &paging, version)?
        }
        _ => {
            if turn == Turn::First {
                rehearse(state, &call, &expansion, version)?;
            }
            note(state, original, version, turn)?;
            let called = state.world.call(&call);
            // Also a call that failed may have changed something, as a declined payment does.
            state.sync();
            show(state, called?, &paging, version)?
        }
    };
    let find = |id: &str| state.find(id);
    expansion.apply(&mut shown, &Shown { state, world: &state.world, find: &find, version })?;
    Ok(shown)
}

/// The first version in which an invoice can show its payments.
const PAYMENTS_SINCE: &str = "2025-03-31";

/// The objects of a world in the shape of a version.
struct Shown<'a> {
    state: &'a State,
    world: &'a World,
    find: &'a dyn Fn(&str) -> Option<Value>,
    version: &'a Version,
}

impl Source for Shown<'_> {
    fn object(&self, id: &str) -> Option<Value> {
        (self.find)(id).map(|object| self.state.render(&object, self.version))
    }

    fn payments_of(&self, invoice: &str) -> Option<Value> {
        let payments = self.world.payments_of(invoice);
        let payments = payments.filter(|_| !self.version.is_before(PAYMENTS_SINCE))?;
        Some(self.state.render(&payments, self.version))
    }
}

/// Writes down what is about to be carried out, if it may change something.
fn note(state: &mut State, call: &Request, version: &Version, turn: Turn) -> Result<(), Failure> {
    if state.journal.is_none() || call.method == Method::Get || turn == Turn::Again {
        return Ok(());
    }
    let entry = Entry::Call {
        sum: state.sum.text(),
        at: state.world.now(),
        ids: state.ids.count,
        version: version.name().to_owned(),
        call: call.clone(),
    };
    state.write(&entry).map_err(|error| Failure::unwritten(&error))
}

/// Sees on a copy whether the answer will have what is to be expanded, since a request that is
/// refused must change nothing.
fn rehearse(
    state: &State,
    call: &Request,
    expansion: &Expansion,
    version: &Version,
) -> Result<(), Failure> {
    if call.method == Method::Get || expansion.is_empty() {
        return Ok(());
    }
    let mut world = state.world.clone();
    let Ok(Answer::Object(object)) = world.call(call) else { return Ok(()) };
    let find = |id: &str| world.find(id);
    let source = Shown { state, world: &world, find: &find, version };
    expansion.apply(&mut state.render(&object, version), &source)
}

fn show(
    state: &State,
    answer: Answer,
    paging: &Paging,
    version: &Version,
) -> Result<Value, Failure> {
    let (url, data) = match answer {
        Answer::Object(object) if paging.is_given => {
            let kind = object["object"].as_str().unwrap_or_default();
            let message = format!("Received unknown parameters: a {kind} has no pages");
            return Err(bad_request(Some("parameter_unknown"), None, message));
        }
        Answer::Object(object) => return Ok(state.render(&object, version)),
        Answer::List { url, data } => (url, data),
    };
    let (data, has_more) = paging.cut(data, |all, id| place(state, all, id))?;
    let data: Vec<Value> = data.iter().map(|object| state.render(object, version)).collect();
    Ok(list(&url, &data, has_more))
}

pub(super) fn list(url: &str, data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

/// The place of a cursor. One that no longer passes the filter still stands between its times.
fn place(state: &State, all: &[Value], cursor: &str) -> Option<Place> {
    if let Some(at) = all.iter().position(|object| object["id"] == cursor) {
        return Some(Place { newer: at, older_from: at + 1 });
    }
    let created = state.find(cursor)?["created"].as_i64()?;
    let older = |object: &Value| object["created"].as_i64().is_some_and(|at| at < created);
    let at = all.iter().position(older).unwrap_or(all.len());
    Some(Place { newer: at, older_from: at })
}
