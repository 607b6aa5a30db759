//! Reading redacted objects: each function takes what it finds and leaves the rest.

use ledger_domain::event::Code;
use ledger_domain::event::stripe::{KeptMetadata, Listed, Unread};
use ledger_domain::id::StripeId;
use ledger_domain::money::Currency;

use crate::redact::{Fields, Node, OWN_METADATA_KEYS};

/// Something that the ledger can't do without is not there, or can't be read: its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing(String);

impl Missing {
    pub(super) fn at(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The same, seen from an object that holds this one under `path`.
    pub(super) fn under(self, path: &str) -> Self {
        Self(format!("{path}.{}", self.0))
    }

    /// Seen from the event. Paths consist of names of fields alone, never of what was in them.
    pub(super) fn into_unread(self) -> Unread {
        let path =
            if self.0.is_empty() { "data.object".to_owned() } else { self.under("data.object").0 };
        Unread::Unusable(path.into())
    }
}

/// An object as the event tells it, or as it was before: with the old values of
/// `previous_attributes` (`/api/events/object#event_object-data-previous_attributes`) put back, of
/// objects the parts that changed, of arrays the whole, null for what was not there.
#[derive(Clone, Copy)]
pub(super) struct View<'n> {
    now: &'n Node,
    /// Old values of some of the fields, when `now` is an object.
    was: Option<&'n Fields>,
}

impl<'n> View<'n> {
    /// Nothing at all.
    pub(super) const NONE: View<'static> = View::now(&Node::Null);

    /// As it is told.
    pub(super) const fn now(node: &'n Node) -> Self {
        Self { now: node, was: None }
    }

    /// As it was before.
    pub(super) const fn before(now: &'n Node, was: &'n Node) -> Self {
        match (now.as_object(), was.as_object()) {
            (Some(_), Some(fields)) => Self { now, was: Some(fields) },
            _ => Self::now(was),
        }
    }

    /// The value of a field, when there is one other than null.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let now = self.now.get(key);
        match (self.was.and_then(|was| was.get(key)), now) {
            (Some(Node::Null), _) => None,
            (Some(was), Some(now)) => Some(Self::before(now, was)),
            (Some(was), None) => Some(Self::now(was)),
            (None, now) => now.map(Self::now),
        }
    }

    pub(super) fn as_str(self) -> Option<&'n str> {
        self.now.as_str()
    }

    /// The elements of an array; none of anything else.
    pub(super) fn elements(self) -> impl ExactSizeIterator<Item = Self> {
        self.now.as_list().unwrap_or_default().iter().map(Self::now)
    }

    pub(super) const fn is_object(self) -> bool {
        self.now.as_object().is_some()
    }

    /// Every field, the old values last.
    fn fields(self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        let fields = self.now.as_object().into_iter().chain(self.was);
        fields.flat_map(Fields::iter)
    }
}

/// Asks for a value.
pub(super) fn need<T>(value: Option<T>, path: &str) -> Result<T, Missing> {
    value.ok_or_else(|| Missing::at(path))
}

/// The value at the end of a path.
pub(super) fn at<'n>(node: View<'n>, path: &[&str]) -> Option<View<'n>> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

/// A whole number. One that is there but can't be read is not the same as none: whatever would
/// stand for it in the log would be wrong.
pub(super) fn int(node: View<'_>, key: &str) -> Result<Option<i64>, Missing> {
    match node.get(key) {
        Some(found) if found.now.is_unfit() => Err(Missing::at(key)),
        found => Ok(found.and_then(|found| found.now.as_int())),
    }
}

/// A whole number that stands under the first of these names that has one.
pub(super) fn first_int(node: View<'_>, keys: [&str; 2]) -> Result<Option<i64>, Missing> {
    let [new, old] = keys;
    int(node, new)?.map_or_else(|| int(node, old), |int| Ok(Some(int)))
}

/// A whole number that must be there.
pub(super) fn need_int(node: View<'_>, key: &str) -> Result<i64, Missing> {
    need(int(node, key)?, key)
}

pub(super) fn flag(node: View<'_>, key: &str) -> Option<bool> {
    node.get(key)?.now.as_flag()
}

pub(super) fn text(node: View<'_>, key: &str) -> Option<Box<str>> {
    node.get(key)?.as_str().map(Into::into)
}

/// A decimal, which may have come as a whole number.
pub(super) fn decimal(node: View<'_>, key: &str) -> Option<Box<str>> {
    let node = node.get(key)?.now;
    node.as_int().map(|int| int.to_string().into()).or_else(|| node.as_str().map(Into::into))
}

pub(super) fn code(node: View<'_>, key: &str) -> Option<Code> {
    node.get(key)?.as_str().map(Code::new)
}

pub(super) fn currency(node: View<'_>, key: &str) -> Option<Currency> {
    Currency::try_new(node.get(key)?.as_str()?).ok()
}

/// The id of an object, itself given as an id or expanded.
pub(super) fn id_of(node: View<'_>) -> Option<StripeId> {
    let id = node.as_str().or_else(|| node.get("id")?.as_str())?;
    StripeId::try_new(id).ok()
}

/// The id of an object that a field refers to.
pub(super) fn link(node: View<'_>, key: &str) -> Option<StripeId> {
    id_of(node.get(key)?)
}

/// The metadata that stands in a field, as far as the ledger reads it. A key that an operator chose
/// to keep stays in the redacted body: in a snapshot, its first appearance would look like a change
/// that nobody told of.
pub(super) fn metadata(node: View<'_>, key: &str) -> KeptMetadata {
    let mut kept = KeptMetadata::new();
    let fields = node.get(key).into_iter().flat_map(View::fields);
    for (key, value) in fields.filter(|(key, _)| OWN_METADATA_KEYS.iter().any(|own| own == key)) {
        match value.as_str() {
            Some(text) => kept.insert(key.into(), text.into()),
            None => kept.remove(key),
        };
    }
    kept
}

/// What is read of an object at the end of a path, if there is one.
pub(super) fn within<T>(
    node: View<'_>,
    path: &[&str],
    read: impl FnOnce(View<'_>) -> Result<T, Missing>,
) -> Result<Option<T>, Missing> {
    let found = at(node, path).map(read).transpose();
    found.map_err(|missing| missing.under(&path.join(".")))
}

/// The elements of an array; none where there is none.
pub(super) fn list<T>(
    node: View<'_>,
    key: &str,
    element: impl Fn(View<'_>) -> Result<T, Missing>,
) -> Result<Vec<T>, Missing> {
    let numbered = node.get(key).unwrap_or(View::NONE).elements().enumerate();
    numbered
        .map(|(index, node)| {
            element(node).map_err(|missing| missing.under(&format!("{key}.{index}")))
        })
        .collect()
}

/// The elements of a page (`/api/pagination`), and whether there are more.
pub(super) fn page<T>(
    node: View<'_>,
    key: &str,
    element: impl Fn(View<'_>) -> Result<T, Missing>,
) -> Result<Listed<T>, Missing> {
    let Some(page) = node.get(key) else { return Ok(Listed::default()) };
    let data = list(page, "data", element).map_err(|missing| missing.under(key))?;
    Ok(Listed { data, has_more: flag(page, "has_more").unwrap_or_default() })
}

/// The sum of the amounts in a list that has any; none when one of them isn't told.
pub(super) fn sum(node: View<'_>, key: &str) -> Result<Option<i64>, Missing> {
    let amounts = list(node, key, |part| int(part, "amount"))?;
    let Some(amounts) = amounts.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    if amounts.is_empty() {
        return Ok(None);
    }
    let sum = amounts.into_iter().try_fold(0_i64, i64::checked_add);
    sum.ok_or_else(|| Missing::at(key)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<const N: usize>(fields: [(&'static str, Node); N]) -> Node {
        Node::Object(Fields::from_any(fields.map(|(key, node)| (key.into(), node))))
    }

    #[test]
    fn old_values_cover_new_ones_and_null_was_not_there() {
        let now = object([
            ("kept", Node::Int(1)),
            ("changed", object([("kept", Node::Int(2)), ("changed", Node::Int(3))])),
            ("replaced", object([("id", Node::Text("new".into()))])),
            ("added", Node::Int(4)),
            ("list", Node::List([Node::Int(5), Node::Int(6)].into())),
        ]);
        let was = object([
            ("changed", object([("changed", Node::Int(7))])),
            ("replaced", Node::Text("old".into())),
            ("added", Node::Null),
            ("list", Node::List([Node::Int(8)].into())),
            ("removed", Node::Int(9)),
        ]);
        let view = View::before(&now, &was);
        assert_eq!(int(view, "kept"), Ok(Some(1)));
        assert_eq!(at(view, &["changed", "kept"]).and_then(|v| v.now.as_int()), Some(2));
        assert_eq!(at(view, &["changed", "changed"]).and_then(|v| v.now.as_int()), Some(7));
        assert_eq!(link(view, "replaced").map(String::from).as_deref(), Some("old"));
        assert_eq!(int(view, "added"), Ok(None));
        let list = view.get("list").unwrap_or(View::NONE).elements();
        assert_eq!(list.map(|v| v.now.as_int()).collect::<Vec<_>>(), [Some(8)]);
        assert_eq!(int(view, "removed"), Ok(Some(9)));
    }

    #[test]
    fn old_metadata_is_put_back_key_by_key() {
        let text = |text: &str| Node::Text(text.into());
        let [a, b] = ["trainer_id", "tenant"];
        let now = object([("metadata", object([(a, text("1")), (b, text("2"))]))]);
        let was = object([("metadata", object([(b, text("3")), (a, Node::Null)]))]);
        let kept = metadata(View::before(&now, &was), "metadata");
        assert_eq!(kept, KeptMetadata::from([(b.into(), "3".into())]));
    }

    #[test]
    fn of_metadata_the_ledgers_own_keys_are_read() {
        let text = |text: &str| Node::Text(text.into());
        let now = object([("metadata", object([("plan_hint", text("x")), ("tenant", text("y"))]))]);
        let kept = metadata(View::now(&now), "metadata");
        assert_eq!(kept, KeptMetadata::from([("tenant".into(), "y".into())]));
    }

    #[test]
    fn a_whole_number_may_lack_but_not_be_unfit() {
        let node = object([("old", Node::Int(1)), ("null", Node::Null), ("unfit", Node::Unfit)]);
        let view = View::now(&node);
        assert_eq!(int(view, "null"), Ok(None));
        assert_eq!(int(view, "unfit"), Err(Missing::at("unfit")));
        assert_eq!(need_int(view, "null"), Err(Missing::at("null")));
        assert_eq!(first_int(view, ["null", "old"]), Ok(Some(1)));
        assert_eq!(first_int(view, ["old", "unfit"]), Ok(Some(1)));
        assert_eq!(first_int(view, ["unfit", "old"]), Err(Missing::at("unfit")));
    }

    #[test]
    fn a_sum_that_lacks_a_part_is_none_and_one_that_has_an_unfit_part_or_overflows_an_error() {
        let part = |amount| object([("amount", Node::Int(amount))]);
        let of = |parts: Vec<Node>| {
            let node = object([("taxes", Node::List(parts.into()))]);
            sum(View::now(&node), "taxes")
        };
        assert_eq!(of(vec![part(1), part(-3)]), Ok(Some(-2)));
        assert_eq!(of(vec![]), Ok(None));
        assert_eq!(of(vec![part(1), Node::Null]), Ok(None));
        let unfit = object([("amount", Node::Unfit)]);
        assert_eq!(of(vec![part(1), unfit]), Err(Missing::at("taxes.1.amount")));
        assert_eq!(of(vec![part(i64::MAX), part(1)]), Err(Missing::at("taxes")));
    }
}
