//! What each API version changed, newest first, and how to undo it.

mod basil;
mod basil_invoice;
mod early;
mod middle;
mod recent;

use serde_json::{Value, json};

use super::fields::Fields;
use super::links::Links;
use super::version::Version;

/// One change of one kind of object.
pub(crate) struct Change {
    /// The date of the first version that has it.
    since: &'static str,
    /// The `object` of what changed.
    kind: &'static str,
    /// Turns the newer shape into the one before. It must bear fields that are missing or null.
    undo: fn(&mut Fields, &Scope<'_>),
}

/// The changes by version; those of one file belong together and are in order themselves.
const CHANGES: [&[Change]; 4] =
    [&recent::CHANGES, &basil::CHANGES, &middle::CHANGES, &early::CHANGES];

/// What a change may look up.
pub(crate) struct Scope<'a> {
    pub(crate) links: &'a Links,
    /// The event as of which things are told.
    pub(crate) at: usize,
    version: &'a Version,
    /// How many changes were undone before this one.
    undone: usize,
}

impl Scope<'_> {
    /// Another object, in the shape that is just being worked on.
    pub(crate) fn fetch(&self, id: &str) -> Option<Value> {
        let mut object = self.links.snapshot(id, self.at)?.clone();
        for (index, change) in applicable(self.version).take(self.undone).enumerate() {
            visit(&mut object, change, &Scope { undone: index, ..*self });
        }
        Some(object)
    }

    /// As [`Scope::fetch`], with the bare id and kind of an object that no event told of.
    pub(crate) fn fetch_or_name(&self, id: &str, kind: &str) -> Value {
        self.fetch(id).unwrap_or_else(|| json!({ "id": id, "object": kind }))
    }
}

/// Turns an object of the newest shape into that of a version.
pub(crate) fn undo(object: &mut Value, links: &Links, version: &Version, at: usize) {
    for (undone, change) in applicable(version).enumerate() {
        visit(object, change, &Scope { links, at, version, undone });
    }
}

fn applicable(version: &Version) -> impl Iterator<Item = &'static Change> {
    CHANGES.into_iter().flatten().filter(|change| version.is_before(change.since))
}

/// Undoes one change wherever its kind of object stands, outside in, since an outer object's older
/// shape may be made from what the inner one loses.
fn visit(value: &mut Value, change: &Change, scope: &Scope<'_>) {
    match value {
        Value::Object(fields) => {
            let is_meant = fields.get("object").is_some_and(|kind| kind == change.kind);
            let is_deleted = fields.get("deleted").is_some_and(|deleted| deleted == true);
            if is_meant && !is_deleted {
                (change.undo)(fields, scope);
            }
            let inner = fields.iter_mut().filter(|(key, _)| *key != "metadata");
            inner.for_each(|(_, inner)| visit(inner, change, scope));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| visit(value, change, scope)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_in_order() {
        let dates: Vec<&str> = CHANGES.into_iter().flatten().map(|change| change.since).collect();
        for pair in dates.windows(2) {
            assert!(pair[0] >= pair[1], "{pair:?}");
        }
    }
}
