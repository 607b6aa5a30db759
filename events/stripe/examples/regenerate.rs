//! Writes the golden translations anew, to see in the diff what a change of the rules changes:
//!
//! ```text
//! cargo run -p ledger-stripe --example regenerate
//! ```

#[path = "../tests/it/render.rs"]
mod render;

fn main() {
    for webhook in render::webhooks() {
        let text = render::text(&render::translated(&webhook));
        std::fs::write(render::event_of(&webhook), text).expect("a writable folder");
    }
}
