//! The crate from outside: one binary, because linking is what takes long.

#![cfg(test)]

mod canary;
mod redact;
mod shapeless;
mod signature;
mod support;
