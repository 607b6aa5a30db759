//! Whether what one schema allows, another one allows, too, under the same names. It knows the part
//! of JSON Schema that the schemas are written in; what it doesn't know, it refuses.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that say nothing about values.
const ANNOTATIONS: [&str; 5] = ["$schema", "$defs", "$comment", "title", "description"];

/// Keywords that are compared.
const KNOWN: [&str; 18] = [
    "type",
    "const",
    "enum",
    "anyOf",
    "oneOf",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "items",
    "default",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "$ref",
];

/// Lower bounds, which may only sink.
const LOWER: [&str; 2] = ["minimum", "minLength"];

/// Upper bounds, which may only rise.
const UPPER: [&str; 2] = ["maximum", "maxLength"];

/// How deep schemas may be nested, which ends one that holds itself.
const DEPTH_MAX: usize = 32;

/// What `then` allowed and `now` doesn't, each with the path to it.
pub(super) fn broken(then: &Value, now: &Value) -> Vec<String> {
    let sides = Sides { then, now };
    let mut broken = Vec::new();
    sides.compare(then, now, "", 0, &mut broken);
    broken
}

/// The two documents, where references lead to.
struct Sides<'a> {
    then: &'a Value,
    now: &'a Value,
}

impl Sides<'_> {
    fn compare(&self, then: &Value, now: &Value, at: &str, depth: usize, broken: &mut Vec<String>) {
        let place = if at.is_empty() { "/" } else { at };
        if depth > DEPTH_MAX {
            return broken.push(format!("{place} is nested too deep to be compared"));
        }
        let (then, now) = (resolved(self.then, then), resolved(self.now, now));
        for keyword in then.keys().chain(now.keys()) {
            if ![&ANNOTATIONS[..], &KNOWN].concat().contains(&keyword.as_str()) {
                broken.push(format!("{place} has `{keyword}`, which can't be compared"));
            }
        }
        match (alternatives(&then), alternatives(&now)) {
            (None, None) => self.compare_one(&then, &now, at, depth, broken),
            (thens, nows) => {
                let thens = thens.unwrap_or_else(|| vec![Value::Object(then.clone())]);
                let nows = nows.unwrap_or_else(|| vec![Value::Object(now.clone())]);
                for then in &thens {
                    broken.extend(self.nearest(then, &nows, at, depth));
                }
            }
        }
        if then.get("default") != now.get("default") && then.contains_key("default") {
            broken.push(format!("{place} has another default"));
        }
    }

    /// What one alternative lacks in the one of the others that is most like it.
    fn nearest(&self, then: &Value, nows: &[Value], at: &str, depth: usize) -> Vec<String> {
        let each = nows.iter().map(|now| {
            let mut broken = Vec::new();
            self.compare(then, now, at, depth + 1, &mut broken);
            broken
        });
        // One of another type is least like it; all else that is said of it is beside the point.
        let other = of_another_type(at);
        let nearest = each.min_by_key(|broken| (broken.contains(&other), broken.len()));
        match nearest {
            Some(broken) if !broken.contains(&other) => broken,
            _ => vec![other],
        }
    }

    fn compare_one(
        &self,
        then: &Map<String, Value>,
        now: &Map<String, Value>,
        at: &str,
        depth: usize,
        broken: &mut Vec<String>,
    ) {
        let place = if at.is_empty() { "/" } else { at };
        compare_values(then, now, at, broken);
        for keyword in ["additionalProperties", "propertyNames", "items"] {
            let any = Value::Bool(true);
            let sides = (then.get(keyword).unwrap_or(&any), now.get(keyword).unwrap_or(&any));
            match sides {
                (Value::Bool(false), _) | (_, Value::Bool(true)) => {}
                (_, Value::Bool(false)) | (Value::Bool(true), _) => {
                    broken.push(format!("{place} has a narrower `{keyword}`"));
                }
                (then, now) => {
                    self.compare(then, now, &format!("{at}/{keyword}"), depth + 1, broken);
                }
            }
        }
        let (thens, nows) = (fields(then), fields(now));
        for (name, then) in &thens {
            match nows.get(name) {
                Some(now) => self.compare(then, now, &format!("{at}/{name}"), depth + 1, broken),
                None => broken.push(format!("{at}/{name} was removed or renamed")),
            }
        }
        let was_required = texts(then.get("required"));
        for name in texts(now.get("required")).difference(&was_required) {
            broken.push(format!("{at}/{name} must be there now"));
        }
    }
}

/// What is said of a value alone: its type, its bounds, the values it may have.
fn compare_values(
    then: &Map<String, Value>,
    now: &Map<String, Value>,
    at: &str,
    broken: &mut Vec<String>,
) {
    let place = if at.is_empty() { "/" } else { at };
    let (was, is) = (texts(then.get("type")), texts(now.get("type")));
    if !is.is_empty() && (was.is_empty() || !was.is_subset(&is)) {
        broken.push(of_another_type(at));
    }
    match (values(then), values(now)) {
        (_, None) => {}
        (Some(was), Some(is)) => {
            let gone = was.into_iter().filter(|value| !is.contains(value));
            broken.extend(gone.map(|value| format!("{place} may not be {value} any more")));
        }
        (None, Some(_)) => broken.push(format!("{place} may only be some values now")),
    }
    for keyword in ["format", "pattern"] {
        if now.contains_key(keyword) && now.get(keyword) != then.get(keyword) {
            broken.push(format!("{place} has another `{keyword}`"));
        }
    }
    let narrower = |keyword: &str, is_narrower: fn(f64, f64) -> bool| {
        let bound = |side: &Map<String, Value>| side.get(keyword).and_then(Value::as_f64);
        bound(now).is_some_and(|is| bound(then).is_none_or(|was| is_narrower(was, is)))
    };
    let lower = LOWER.into_iter().filter(|keyword| narrower(keyword, |was, is| is > was));
    let upper = UPPER.into_iter().filter(|keyword| narrower(keyword, |was, is| is < was));
    broken.extend(lower.chain(upper).map(|keyword| format!("{place} has a tighter `{keyword}`")));
}

fn of_another_type(at: &str) -> String {
    format!("{} is of another type", if at.is_empty() { "/" } else { at })
}

/// A schema with what it refers to put in its place.
fn resolved(document: &Value, schema: &Value) -> Map<String, Value> {
    let Value::Object(schema) = schema else { return Map::new() };
    let mut resolved = schema.clone();
    for _ in 0..DEPTH_MAX {
        let Some(Value::String(path)) = resolved.remove("$ref") else { return resolved };
        let target = path.strip_prefix('#').and_then(|path| document.pointer(path));
        let target = target.and_then(Value::as_object);
        let target = target.unwrap_or_else(|| panic!("{path} leads nowhere"));
        for (keyword, value) in target {
            resolved.entry(keyword.clone()).or_insert_with(|| value.clone());
        }
    }
    panic!("references lead in a circle")
}

/// The schemas of which one must hold; none if there is only the one.
fn alternatives(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    Some(list.clone())
}

fn fields(schema: &Map<String, Value>) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The only values that are allowed; none if it isn't said which.
fn values(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    let one = schema.get("const").map(|value| vec![value.clone()]);
    one.or_else(|| schema.get("enum").and_then(Value::as_array).cloned())
}

/// A text, or a list of texts.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let list = match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What breaks going from one to the other, and back.
    fn both_ways(wide: &Value, narrow: &Value) -> (Vec<String>, Vec<String>) {
        (broken(wide, narrow), broken(narrow, wide))
    }

    /// The one thing that breaks in one direction; the other one is allowed.
    fn narrowed(wide: &Value, narrow: &Value) -> String {
        let (mut there, back) = both_ways(wide, narrow);
        assert_eq!((there.len(), back), (1, vec![]), "{there:?}");
        there.remove(0)
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better with json!(..)")]
    fn with_a(schema: Value) -> Value {
        json!({ "type": "object", "properties": { "a": schema } })
    }

    #[test]
    fn no_field_is_removed_or_renamed_and_any_may_be_added() {
        let (with, without) = (with_a(json!({})), json!({ "type": "object", "properties": {} }));
        assert_eq!(narrowed(&with, &without), "/a was removed or renamed");
        let renamed = json!({ "type": "object", "properties": { "b": {} } });
        let (there, back) = both_ways(&with, &renamed);
        assert_eq!(there, ["/a was removed or renamed"]);
        assert_eq!(back, ["/b was removed or renamed"]);
    }

    #[test]
    fn no_field_comes_to_be_required() {
        let mut required = with_a(json!({}));
        required["required"] = json!(["a"]);
        assert_eq!(narrowed(&with_a(json!({})), &required), "/a must be there now");
        // Also one that wasn't there at all.
        let (there, _) = both_ways(&json!({ "type": "object" }), &required);
        assert_eq!(there, ["/a must be there now"]);
    }

    #[test]
    fn no_type_changes_and_null_may_come_and_not_go() {
        let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
        let (there, back) = both_ways(&with_a(text.clone()), &with_a(number));
        assert_eq!((&*there[0], &*back[0]), ("/a is of another type", "/a is of another type"));
        let or_null = json!({ "type": ["string", "null"] });
        assert_eq!(narrowed(&or_null, &text), "/ is of another type");
        assert_eq!(narrowed(&json!({}), &text), "/ is of another type");
        let whole = json!({ "type": "integer" });
        assert_eq!(broken(&whole, &json!({ "type": "number" })).len(), 1);
    }

    #[test]
    fn no_value_goes_and_any_may_come() {
        let (two, one) = (json!({ "enum": ["x", "y"] }), json!({ "enum": ["x"] }));
        assert_eq!(narrowed(&two, &one), "/ may not be \"y\" any more");
        assert_eq!(narrowed(&two, &json!({ "const": "x" })), "/ may not be \"y\" any more");
        assert_eq!(narrowed(&json!({}), &one), "/ may only be some values now");
    }

    #[test]
    fn no_alternative_goes_and_any_may_come() {
        let variant = |name: &str| {
            let properties = json!({ name: { "type": "integer" } });
            json!({ "type": "object", "properties": properties, "required": [name],
                "additionalProperties": false })
        };
        let two = json!({ "oneOf": [{ "const": "x" }, variant("y")] });
        let one = json!({ "oneOf": [variant("y")] });
        assert_eq!(narrowed(&two, &one).split(' ').next(), Some("/"));
        assert_eq!(narrowed(&two, &variant("y")), narrowed(&two, &one));
        let renamed = json!({ "oneOf": [{ "const": "x" }, variant("z")] });
        assert!(!broken(&two, &renamed).is_empty());
        // The alternative that is most like it tells what is wrong.
        let or_null = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
        let sides = (or_null(with_a(json!({}))), or_null(with_a(json!({ "type": "string" }))));
        assert_eq!(narrowed(&sides.0, &sides.1), "/a is of another type");
    }

    #[test]
    fn no_bound_is_tightened() {
        for (keyword, wide, narrow) in
            [("minimum", 0, 1), ("minLength", 0, 1), ("maximum", 2, 1), ("maxLength", 2, 1)]
        {
            let (wide, narrow) = (json!({ keyword: wide }), json!({ keyword: narrow }));
            let tighter = format!("/ has a tighter `{keyword}`");
            assert_eq!(narrowed(&wide, &narrow), tighter);
            assert_eq!(narrowed(&json!({}), &narrow), tighter);
        }
        for keyword in ["pattern", "format"] {
            let (one, other) = (json!({ keyword: "x" }), json!({ keyword: "y" }));
            assert_eq!(narrowed(&json!({}), &one), format!("/ has another `{keyword}`"));
            assert_eq!(both_ways(&one, &other).1.len(), 1);
        }
    }

    #[test]
    fn unknown_fields_stay_allowed_and_elements_are_compared() {
        for keyword in ["additionalProperties", "items", "propertyNames"] {
            let (any, none) = (json!({}), json!({ keyword: false }));
            let narrower = format!("/ has a narrower `{keyword}`");
            assert_eq!(narrowed(&any, &none), narrower);
            let text = json!({ keyword: { "type": "string" } });
            assert_eq!(narrowed(&any, &text), narrower);
            assert_eq!(narrowed(&text, &none), narrower);
            let number = json!({ keyword: { "type": "integer" } });
            assert_eq!(broken(&text, &number), [format!("/{keyword} is of another type")]);
        }
    }

    #[test]
    fn a_default_stays_what_it_is() {
        let (zero, one) = (with_a(json!({ "default": 0 })), with_a(json!({ "default": 1 })));
        assert_eq!(broken(&zero, &one), ["/a has another default"]);
        assert_eq!(broken(&zero, &with_a(json!({}))), ["/a has another default"]);
        assert!(broken(&with_a(json!({})), &zero).is_empty());
    }

    #[test]
    fn references_are_followed_whatever_they_are_called() {
        let referring = |name: &str, of: &str| {
            let reference = json!({ "$ref": format!("#/$defs/{name}"), "description": name });
            json!({ "$defs": { name: { "type": of } }, "properties": { "a": reference } })
        };
        assert!(broken(&referring("A", "string"), &referring("B", "string")).is_empty());
        let other = broken(&referring("A", "string"), &referring("A", "integer"));
        assert_eq!(other, ["/a is of another type"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let found = broken(&json!({}), &json!({ "not": {} }));
        assert_eq!(found, ["/ has `not`, which can't be compared"]);
        let endless = json!({ "$defs": { "A": { "items": { "$ref": "#/$defs/A" } } },
            "$ref": "#/$defs/A" });
        assert!(broken(&endless, &endless)[0].ends_with("too deep to be compared"));
    }
}
