//! Forms: `a[b][c]=1&list[]=x&items[0][price]=y` as nested maps, arrays and strings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::failure::{Failure, bad_request};

const FIELDS_MAX: usize = 1_000;
const DEPTH_MAX: usize = 10;
const INDEX_MAX: usize = 999;

/// What users name themselves: its keys are never places in an array.
const FREE_KEYS: &str = "metadata";

/// What stands under a key while the form is read.
#[derive(Debug)]
enum Node {
    Text(String),
    Map(BTreeMap<String, Node>),
    Array(BTreeMap<usize, Node>),
}

/// One step of a path into the form.
#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
    /// `[]`: the next place of the array.
    Next,
}

/// Decodes the parts of a form, later ones over earlier ones.
pub(crate) fn decode(parts: &[&[u8]]) -> Result<Map<String, Value>, Failure> {
    let mut root = BTreeMap::new();
    let fields = parts.iter().flat_map(|part| form_urlencoded::parse(part));
    for (count, (name, value)) in fields.enumerate() {
        if count >= FIELDS_MAX {
            return Err(refuse(&name, &format!("more than {FIELDS_MAX} parameters")));
        }
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return Err(refuse(&name, "a parameter that isn't UTF-8"));
        }
        let (first, steps) = path(&name)?;
        let text = value.into_owned();
        if steps.is_empty() {
            if matches!(root.get(&first), Some(Node::Map(_) | Node::Array(_))) {
                return Err(refuse(&name, "a parameter that is both a value and a group"));
            }
            root.insert(first, Node::Text(text));
            continue;
        }
        let node = root.entry(first).or_insert_with(|| empty(&steps[0]));
        insert(node, &steps, text).map_err(|why| refuse(&name, why))?;
    }
    Ok(root.into_iter().map(|(key, node)| (key, value(node))).collect())
}

fn refuse(name: &str, why: &str) -> Failure {
    bad_request(None, Some(name), format!("Invalid request: {why}"))
}

/// Splits `a[b][0]` into its steps.
fn path(name: &str) -> Result<(String, Vec<Step>), Failure> {
    let malformed = || refuse(name, "a malformed parameter name");
    let Some((first, rest)) = name.split_once('[') else {
        return if name.is_empty() { Err(malformed()) } else { Ok((name.to_owned(), Vec::new())) };
    };
    let inner = rest.strip_suffix(']').ok_or_else(malformed)?;
    if first.is_empty() {
        return Err(malformed());
    }
    let mut steps = Vec::new();
    let mut is_free = first == FREE_KEYS;
    for part in inner.split("][") {
        if steps.len() >= DEPTH_MAX {
            return Err(refuse(name, &format!("parameters deeper than {DEPTH_MAX} levels")));
        }
        if part.contains(['[', ']']) {
            return Err(malformed());
        }
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        steps.push(if part.is_empty() {
            Step::Next
        } else if is_number && !is_free {
            let index = part.parse().ok().filter(|index| *index <= INDEX_MAX);
            Step::Index(index.ok_or_else(|| refuse(name, "an index that is too large"))?)
        } else {
            Step::Key(part.to_owned())
        });
        is_free = part == FREE_KEYS;
    }
    Ok((first.to_owned(), steps))
}

const fn empty(step: &Step) -> Node {
    match step {
        Step::Key(_) => Node::Map(BTreeMap::new()),
        Step::Index(_) | Step::Next => Node::Array(BTreeMap::new()),
    }
}

fn insert(node: &mut Node, steps: &[Step], text: String) -> Result<(), &'static str> {
    let Some((step, rest)) = steps.split_first() else {
        if !matches!(node, Node::Text(_)) {
            return Err("a parameter that is both a value and a group");
        }
        *node = Node::Text(text);
        return Ok(());
    };
    let fresh = || rest.first().map_or(Node::Text(String::new()), empty);
    let inner = match (node, step) {
        (Node::Map(map), Step::Key(key)) => map.entry(key.clone()).or_insert_with(fresh),
        (Node::Array(array), Step::Index(index)) => array.entry(*index).or_insert_with(fresh),
        (Node::Array(array), Step::Next) => {
            let last = array.last_key_value().map(|(index, last)| (*index, can_take(last, rest)));
            let place = match last {
                Some((index, true)) => index,
                Some((index, false)) => index + 1,
                None => 0,
            };
            array.entry(place).or_insert_with(fresh)
        }
        _ => return Err("a parameter that is both a list and a group"),
    };
    insert(inner, rest, text)
}

/// Whether `[]` still means the last element: a map that lacks the key is being filled.
fn can_take(last: &Node, rest: &[Step]) -> bool {
    match (last, rest) {
        (Node::Map(map), [Step::Key(key)]) => !map.contains_key(key),
        (Node::Map(map), [Step::Key(key), inner @ ..]) => {
            map.get(key).is_none_or(|node| can_take(node, inner))
        }
        (Node::Array(_), [Step::Next, ..]) => true,
        _ => false,
    }
}

fn value(node: Node) -> Value {
    match node {
        Node::Text(text) => Value::String(text),
        Node::Map(map) => {
            Value::Object(map.into_iter().map(|(key, node)| (key, value(node))).collect())
        }
        Node::Array(array) => Value::Array(array.into_values().map(value).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(form: &str, expect: Value) {
        let decoded = decode(&[form.as_bytes()]).map(Value::Object).map_err(|error| error.body());
        assert_eq!(decoded, Ok(expect), "{form}");
    }

    #[test]
    fn nested_forms_become_nested_values() {
        check("", json!({}));
        check("a=1&b=", json!({"a": "1", "b": ""}));
        check("a=x+y%26z&a=2", json!({"a": "2"}));
        check("a[b][c]=1&a[b][d]=2", json!({"a": {"b": {"c": "1", "d": "2"}}}));
        check("l[]=x&l[]=y", json!({"l": ["x", "y"]}));
        check("l[1]=y&l[0]=x", json!({"l": ["x", "y"]}));
        check(
            "i[0][price]=p&i[0][quantity]=1&i[1][price]=q",
            json!({"i": [{"price": "p", "quantity": "1"}, {"price": "q"}]}),
        );
        check(
            "i[][price]=p&i[][quantity]=1&i[][price]=q",
            json!({"i": [{"price": "p", "quantity": "1"}, {"price": "q"}]}),
        );
        check("a%5Bb%5D=%C3%BC", json!({"a": {"b": "ü"}}));
        check("metadata[0]=x&metadata[a]=y", json!({"metadata": {"0": "x", "a": "y"}}));
        check(
            "phases[0][items][0][metadata][7]=x",
            json!({"phases": [{"items": [{"metadata": {"7": "x"}}]}]}),
        );
    }

    #[test]
    fn the_query_and_the_body_are_one_form() {
        let decoded = decode(&[b"a=1&b=1", b"b=2"]).map(Value::Object);
        assert_eq!(decoded.map_err(|error| error.body()), Ok(json!({"a": "1", "b": "2"})));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX + 1));
        let many = "a[]=1&".repeat(FIELDS_MAX + 1);
        for form in [
            "a[b=1",
            "a[b]c=1",
            "[a]=1",
            "=1",
            "a=1&a[b]=2",
            "a[b]=2&a=1",
            "a[]=1&a[b]=2",
            "a[b]=1&a[b][c]=1",
            "a[1000]=x",
            "a=%ff",
            &deep,
            &many,
        ] {
            let refused = decode(&[form.as_bytes()]);
            assert_eq!(refused.map_err(|error| error.status()), Err(400), "{form}");
        }
    }
}
