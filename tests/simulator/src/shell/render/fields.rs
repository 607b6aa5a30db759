//! Small tools for changing shapes.

use serde_json::{Map, Value, json};

/// The fields of an object.
pub(crate) type Fields = Map<String, Value>;

/// Takes a field away; null when it isn't there.
pub(crate) fn take(fields: &mut Fields, key: &str) -> Value {
    fields.remove(key).unwrap_or_default()
}

/// Sets a field.
pub(crate) fn set(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    fields.insert(key.to_owned(), value.into());
}

/// Sets a field that isn't there yet.
pub(crate) fn set_new(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    fields.entry(key).or_insert_with(|| value.into());
}

/// Gives a field its older name, where it's there.
pub(crate) fn rename(fields: &mut Fields, new: &str, old: &str) {
    if let Some(value) = fields.remove(new) {
        fields.insert(old.to_owned(), value);
    }
}

/// Takes fields away.
pub(crate) fn drop_all(fields: &mut Fields, keys: &[&str]) {
    for key in keys {
        fields.remove(*key);
    }
}

/// A field's text.
pub(crate) fn text<'a>(fields: &'a Fields, key: &str) -> Option<&'a str> {
    fields.get(key)?.as_str()
}

/// A list of objects that all are in it.
pub(crate) fn whole_list(data: &[Value], url: &str) -> Value {
    let count = data.len();
    json!({
        "object": "list", "data": data, "has_more": false, "total_count": count, "url": url,
    })
}

/// The objects of a list, or of an array.
pub(crate) fn members(value: &mut Value) -> impl Iterator<Item = &mut Fields> {
    let data = match value {
        Value::Object(list) => list.get_mut("data"),
        other => Some(other),
    };
    data.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The plan that is the same as a price, as it was called before there were prices.
pub(crate) fn plan_of(price: &Value) -> Value {
    let recurring = &price["recurring"];
    json!({
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "aggregate_usage": null,
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": price["livemode"],
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    })
}
