//! The committed schemas of events, for tests that make events or keep some.

use std::collections::HashMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/domain/schemas");

/// What a schema says against a document. It is named as its file is: `<Type>.v<version>`, or
/// `Metadata`.
pub(crate) fn wrong(schema: &str, document: &[u8]) -> Vec<String> {
    static SCHEMAS: OnceLock<HashMap<String, Validator>> = OnceLock::new();
    let Some(schema) = SCHEMAS.get_or_init(read).get(schema) else {
        return vec![format!("there is no schema {schema}")];
    };
    match serde_json::from_slice::<Value>(document) {
        Ok(document) if schema.is_valid(&document) => Vec::new(),
        Ok(document) => schema.iter_errors(&document).map(|error| error.to_string()).collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn read() -> HashMap<String, Validator> {
    let mut schemas = HashMap::new();
    for file in std::fs::read_dir(FOLDER).expect("the folder of schemas") {
        let path = file.expect("a schema").path();
        let schema = std::fs::read(&path).expect("a schema");
        let schema: Value = serde_json::from_slice(&schema).expect("JSON");
        let options = jsonschema::options().should_validate_formats(true);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        schemas.insert(name, options.build(&schema).expect("a JSON Schema"));
    }
    schemas
}
