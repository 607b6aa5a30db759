//! What events hold, as JSON Schemas (draft 2020-12) that are made from the types which read them.
//!
//! They are committed in `schemas`, so that a change of a shape is seen, and one that can't read
//! what was written before is refused. A schema says what may be read under a version, which is
//! more than what is written: fields that nobody knows are passed over, and most may be missing.
//!
//! Schema and reader differ in some spellings that were never written. The schema allows `1.0` for
//! a whole number, and numbers beyond their `format`. The reader takes structs as lists, variants
//! that hold nothing as `{"on": null}`, and ids without hyphens.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::catalog::Interval;
use crate::event::{self, Metadata};
use crate::id::StripeId;

/// A schema, made from a type.
#[derive(Debug, Clone)]
pub struct Made {
    /// The name of its file, without its ending: `<Type>.v<version>`, or `Metadata`, which has no
    /// versions.
    pub name: &'static str,
    /// The schema.
    pub schema: Value,
}

impl Made {
    pub(crate) fn of<T: JsonSchema>(name: &'static str, title: &str) -> Self {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let mut schema = settings.into_generator().into_root_schema_for::<T>();
        schema.insert("title".into(), title.into());
        Self { name, schema: schema.to_value() }
    }

    /// The schema as its file holds it.
    ///
    /// # Panics
    /// Never: any JSON can be written.
    #[must_use]
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(&self.schema).expect("JSON");
        format!("{text}\n")
    }
}

/// The schemas of all events in their current versions, and of what stands beside them.
#[must_use]
pub fn all() -> Vec<Made> {
    let mut all = event::schemas();
    all.push(Made::of::<Metadata>("Metadata", "Metadata"));
    all
}

/// [`crate::catalog::ResolvedPrices`]: the derived schema of a map doesn't tell which keys it has.
pub(crate) fn of_prices(generator: &mut SchemaGenerator) -> Schema {
    let interval = generator.subschema_for::<Interval>();
    let ids = generator.subschema_for::<Vec<StripeId>>();
    let of_plan = json_schema!({
        "type": "object",
        "propertyNames": interval,
        "additionalProperties": ids,
    });
    json_schema!({ "type": "object", "additionalProperties": of_plan })
}

/// ASCII letters, digits and `extra`, between 1 and `max` of them.
pub(crate) fn of_name(max: usize, extra: &[u8]) -> Schema {
    // A hyphen is the last of them, where it means itself.
    let pattern = format!("^[A-Za-z0-9{}]*$", String::from_utf8_lossy(extra));
    json_schema!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": pattern })
}
