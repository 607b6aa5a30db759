//! Reading redacted objects: each function takes what it finds and leaves the rest.

use ledger_domain::event::Code;
use ledger_domain::event::stripe::{KeptMetadata, Listed, Unread};
use ledger_domain::id::StripeId;
use ledger_domain::money::Currency;

use crate::redact::Node;

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

/// Asks for a value.
pub(super) fn need<T>(value: Option<T>, path: &str) -> Result<T, Missing> {
    value.ok_or_else(|| Missing::at(path))
}

/// The value at the end of a path.
pub(super) fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

pub(super) fn int(node: &Node, key: &str) -> Option<i64> {
    node.get(key)?.as_int()
}

pub(super) fn flag(node: &Node, key: &str) -> Option<bool> {
    node.get(key)?.as_flag()
}

pub(super) fn text(node: &Node, key: &str) -> Option<Box<str>> {
    node.get(key)?.as_str().map(Into::into)
}

/// A decimal, which may have come as a whole number.
pub(super) fn decimal(node: &Node, key: &str) -> Option<Box<str>> {
    match node.get(key)? {
        Node::Int(int) => Some(int.to_string().into()),
        node => node.as_str().map(Into::into),
    }
}

pub(super) fn code(node: &Node, key: &str) -> Option<Code> {
    node.get(key)?.as_str().map(Code::new)
}

pub(super) fn currency(node: &Node, key: &str) -> Option<Currency> {
    Currency::try_new(node.get(key)?.as_str()?).ok()
}

/// The id of an object, itself given as an id or expanded.
pub(super) fn id_of(node: &Node) -> Option<StripeId> {
    let id = node.as_str().or_else(|| node.get("id")?.as_str())?;
    StripeId::try_new(id).ok()
}

/// The id of an object that a field refers to.
pub(super) fn link(node: &Node, key: &str) -> Option<StripeId> {
    id_of(node.get(key)?)
}

/// The kept metadata that stands in a field.
pub(super) fn metadata(node: &Node, key: &str) -> KeptMetadata {
    let fields = node.get(key).and_then(Node::as_object);
    let texts = fields.into_iter().flat_map(|fields| fields.iter());
    texts.filter_map(|(key, value)| Some((key.into(), value.as_str()?.into()))).collect()
}

/// The elements of an array; none where there is none.
pub(super) fn list<T>(
    node: &Node,
    key: &str,
    element: impl Fn(&Node) -> Result<T, Missing>,
) -> Result<Vec<T>, Missing> {
    let nodes = node.get(key).and_then(Node::as_list).unwrap_or_default();
    let numbered = nodes.iter().enumerate();
    numbered
        .map(|(index, node)| {
            element(node).map_err(|missing| missing.under(&format!("{key}.{index}")))
        })
        .collect()
}

/// The elements of a page (`/api/pagination`), and whether there are more.
pub(super) fn page<T>(
    node: &Node,
    key: &str,
    element: impl Fn(&Node) -> Result<T, Missing>,
) -> Result<Listed<T>, Missing> {
    let Some(page) = node.get(key) else { return Ok(Listed::default()) };
    let data = list(page, "data", element).map_err(|missing| missing.under(key))?;
    Ok(Listed { data, has_more: flag(page, "has_more").unwrap_or_default() })
}

/// The sum of the amounts in a list that has any.
pub(super) fn sum(node: &Node, key: &str) -> Option<i64> {
    let amounts = node.get(key)?.as_list().filter(|list| !list.is_empty())?;
    amounts.iter().try_fold(0_i64, |sum, part| sum.checked_add(int(part, "amount")?))
}
