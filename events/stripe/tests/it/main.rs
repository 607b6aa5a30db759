//! The crate from outside: one binary, because linking is what takes long.

#![cfg(test)]

mod both;
mod canary;
mod golden;
mod redact;
mod render;
mod shapeless;
mod signature;
mod support;
mod unfit;
