//! How long one webhook takes, step by step, on one core.
//!
//! ```text
//! cargo run --release -p ledger-stripe --example speed [FILE]
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use ledger_stripe::redact::{MetadataKeys, Redacted, redact};
use ledger_stripe::signature::{SigningSecret, TOLERANCE_S, sign, verify};
use ledger_stripe::translate::translate;

const ROUNDS: usize = 9;
const WEBHOOKS: u32 = 20_000;
const NOW: i64 = 1_790_000_000;

fn main() {
    let file = std::env::args().nth(1).unwrap_or_else(|| {
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/customer.subscription.updated/2024-11-20.acacia.webhook.json"
        )
        .to_owned()
    });
    let pretty = std::fs::read(&file).expect("the file can be read");
    let value: serde_json::Value = serde_json::from_slice(&pretty).expect("the file is JSON");
    let compact = serde_json::to_vec(&value).expect("JSON can be written");
    for (name, body) in [("as Stripe sends it", &pretty), ("without spaces", &compact)] {
        println!("{name}: {} bytes", body.len());
        measure(body);
    }
}

fn measure(body: &[u8]) {
    let secrets = SigningSecret::parse_list("whsec_speed").expect("a list of one");
    let header = sign(&secrets[0], NOW, body);
    let keys = MetadataKeys::default();
    let verified = verify(&header, body, &secrets, NOW, TOLERANCE_S).expect("just signed");
    let redacted = redact(verified, &keys).expect("an event");
    let stored = redacted.to_bytes();
    let translated = translate(&redacted);
    println!("  {} bytes are stored", stored.len());
    time("verify", || verify(&header, body, &secrets, NOW, TOLERANCE_S));
    time("redact", || redact(black_box(verified), &keys));
    time("to_bytes", || black_box(&redacted).to_bytes());
    time("translate", || translate(black_box(&redacted)));
    time("event to JSON", || translated.event.to_data());
    time("from_stored", || Redacted::from_stored(black_box(&stored)));
    time("(serde_json::Value)", || serde_json::from_slice::<serde_json::Value>(black_box(body)));
}

/// The median of some rounds, because other work on the machine only ever adds time.
fn time<T>(name: &str, mut step: impl FnMut() -> T) {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..WEBHOOKS {
                black_box(step());
            }
            start.elapsed() / WEBHOOKS
        })
        .collect();
    rounds.sort_unstable();
    let micros = |d: Duration| d.as_secs_f64() * 1e6;
    println!(
        "  {name:22} {:7.2} us (fastest {:.2})",
        micros(rounds[ROUNDS / 2]),
        micros(rounds[0])
    );
}
