//! Writes the schemas of the events' current versions anew, to see in the diff what changes:
//!
//! ```text
//! cargo run -p ledger-domain --example schemas
//! ```
//!
//! Those of older versions stay as they are.

fn main() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for made in ledger_domain::schema::all() {
        let path = folder.join(format!("{}.json", made.name));
        std::fs::write(path, made.text()).expect("a writable folder");
    }
}
