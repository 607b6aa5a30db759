//! Reading the decoded form of a request. Whatever isn't asked for by name is an error, as it is at
//! Stripe.

use serde_json::{Map, Value};

use super::request::ApiError;

/// A form, or a nested part of one.
pub(crate) type Form = Map<String, Value>;

type Read<T> = Result<T, ApiError>;

/// What pages a list or expands an answer; the shell's business, accepted everywhere.
const PAGING: [&str; 4] = ["expand", "limit", "starting_after", "ending_before"];

/// Refuses every parameter that isn't listed.
pub(super) fn known(form: &Form, within: &str, names: &[&str]) -> Read<()> {
    for name in form.keys() {
        let shared = within.is_empty() && PAGING.contains(&name.as_str());
        if !shared && !names.contains(&name.as_str()) {
            return Err(ApiError::unknown(&inside(within, name)));
        }
    }
    Ok(())
}

/// A nested parameter's name, as in `items[price]`.
pub(super) fn inside(within: &str, name: &str) -> String {
    if within.is_empty() { name.to_owned() } else { format!("{within}[{name}]") }
}

/// A parameter that an empty text unsets: absent, unset, or a text.
pub(super) fn field(form: &Form, name: &str) -> Read<Option<Option<String>>> {
    match form.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(Value::Number(number)) => Ok(Some(Some(number.to_string()))),
        Some(Value::Bool(flag)) => Ok(Some(Some(flag.to_string()))),
        Some(_) => Err(ApiError::invalid(name, format!("Invalid string: {name}"))),
    }
}

pub(super) fn text(form: &Form, name: &str) -> Read<Option<String>> {
    match field(form, name)? {
        None => Ok(None),
        Some(None) => Err(ApiError::empty(name)),
        Some(text) => Ok(text),
    }
}

pub(super) fn required(form: &Form, name: &str) -> Read<String> {
    text(form, name)?.ok_or_else(|| ApiError::missing(name))
}

pub(super) fn integer(form: &Form, name: &str) -> Read<Option<i64>> {
    let Some(text) = text(form, name)? else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ApiError::invalid(name, format!("Invalid integer: {text}"))),
    }
}

/// A point in time, of a range that no arithmetic on it leaves.
pub(super) fn time(form: &Form, name: &str) -> Read<Option<i64>> {
    match integer(form, name)? {
        Some(at) if !(0..=32_503_680_000).contains(&at) => {
            Err(ApiError::invalid(name, "Invalid timestamp: must be an integer Unix timestamp"))
        }
        at => Ok(at),
    }
}

pub(super) fn flag(form: &Form, name: &str) -> Read<Option<bool>> {
    match text(form, name)?.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(ApiError::invalid(name, format!("Invalid boolean: {other}"))),
    }
}

/// One of the words allowed, as they are spelt in the table.
pub(super) fn word(
    form: &Form,
    name: &str,
    allowed: &[&'static str],
) -> Read<Option<&'static str>> {
    let Some(text) = text(form, name)? else { return Ok(None) };
    match allowed.iter().find(|word| **word == text) {
        Some(word) => Ok(Some(word)),
        None => {
            let allowed = allowed.join(", ");
            let message = format!("Invalid {name}: must be one of {allowed}");
            Err(ApiError::invalid(name, message))
        }
    }
}

pub(super) fn nested<'a>(form: &'a Form, name: &str) -> Read<Option<&'a Form>> {
    match form.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(_) => Err(ApiError::invalid(name, format!("Invalid hash: {name}"))),
    }
}

/// A list of forms, which may also be written with indices.
pub(super) fn forms<'a>(form: &'a Form, name: &str) -> Read<Option<Vec<&'a Form>>> {
    let wrong = || ApiError::invalid(name, format!("Invalid array: {name}"));
    match form.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) if list.len() <= 20 => {
            list.iter().map(|one| one.as_object().ok_or_else(wrong)).collect::<Read<_>>().map(Some)
        }
        Some(Value::Object(map)) if map.keys().all(|key| key.parse::<u8>().is_ok()) => {
            map.values().map(|one| one.as_object().ok_or_else(wrong)).collect::<Read<_>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

pub(super) fn texts(form: &Form, name: &str) -> Read<Vec<String>> {
    let wrong = || ApiError::invalid(name, format!("Invalid array: {name}"));
    match form.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(_) => Err(wrong()),
    }
}

/// Merges `metadata` into what is there: an empty value deletes a key, an empty text all of them.
pub(super) fn metadata(form: &Form, mut current: Form) -> Read<Form> {
    match form.get("metadata") {
        None | Some(Value::Null) => Ok(current),
        Some(Value::String(text)) if text.is_empty() => Ok(Form::new()),
        Some(Value::Object(changes)) => {
            for (key, value) in changes {
                match value {
                    Value::String(text) if text.is_empty() => {
                        current.remove(key);
                    }
                    Value::String(text) => {
                        current.insert(key.clone(), Value::String(text.clone()));
                    }
                    _ => return Err(ApiError::invalid("metadata", "Invalid metadata value")),
                }
            }
            if current.len() > 50 {
                return Err(ApiError::invalid("metadata", "Metadata can have up to 50 keys"));
            }
            Ok(current)
        }
        Some(_) => Err(ApiError::invalid("metadata", "Invalid hash: metadata")),
    }
}

/// Bounds of `created`, from `created=N` or `created[gte]=N` and the like: whether a time fits.
pub(crate) fn created(form: &Form) -> Read<impl Fn(i64) -> bool + use<>> {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    match form.get("created") {
        Some(Value::Object(bounds)) => {
            known(bounds, "created", &["gt", "gte", "lt", "lte"])?;
            low = low.max(time(bounds, "gte")?.unwrap_or(low));
            low = low.max(time(bounds, "gt")?.map_or(low, |at| at + 1));
            high = high.min(time(bounds, "lte")?.unwrap_or(high));
            high = high.min(time(bounds, "lt")?.map_or(high, |at| at - 1));
        }
        Some(_) => {
            if let Some(at) = time(form, "created")? {
                (low, high) = (at, at);
            }
        }
        None => {}
    }
    Ok(move |at| (low..=high).contains(&at))
}
