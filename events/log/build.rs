//! A new migration must be embedded although no Rust source changed.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
