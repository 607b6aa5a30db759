//! The rules about access, each with its edges to the second.

mod answers;
mod check;
mod choice;
mod explain;
mod features;
mod grants;
mod properties;
mod standing;
mod windows;
