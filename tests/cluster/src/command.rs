//! Running PostgreSQL's own programs, always in the same surroundings.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// A command that behaves the same on every machine.
///
/// The user's `PG*` variables would redirect a program to another server, a working folder would be
/// kept busy or might be closed to the server's account, and a locale would translate messages.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command.current_dir("/").env("LC_ALL", "C").env("PGCLIENTENCODING", "UTF8");
    command
}

/// Runs a command to its end, and fails with what it wrote unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let program = Path::new(command.get_program()).to_path_buf();
    let output = match command.output() {
        Ok(output) => output,
        Err(source) => return Err(Error::Spawn { program, source }),
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(stdout.into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let output_text = format!("{}\n{}", stdout.trim(), stderr.trim()).trim().to_owned();
    Err(Error::Failed { program, status: output.status, output: output_text })
}
