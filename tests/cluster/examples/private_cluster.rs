//! Gives scripts a private database for a moment.
//!
//! `private_cluster [--data-dir DIR] [--sql DIR] [-- COMMAND ARGUMENT...]`
//!
//! Starts a cluster (temporary without `--data-dir`), creates a database, runs the `*.sql` files of
//! the folder in the order of their names, and then the command with `DATABASE_URL` and
//! `LEDGER_OWNER_DATABASE_URL` set, whose exit status is ours. Without a command it prints the URL
//! and stays until standard input ends.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use ledger_cluster::Cluster;

const USAGE: &str = "usage: private_cluster [--data-dir DIR] [--sql DIR] [-- COMMAND ARGUMENT...]";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("private_cluster: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut builder = Cluster::builder();
    let mut sql = None;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--data-dir") => builder = builder.data_dir(arguments.next().ok_or(USAGE)?),
            Some("--sql") => sql = Some(PathBuf::from(arguments.next().ok_or(USAGE)?)),
            Some("--") => break,
            _ => return Err(USAGE.into()),
        }
    }
    let cluster = builder.start()?;
    let database = cluster.fresh_database()?;
    if let Some(folder) = sql {
        apply(&cluster, &database, &folder)?;
    }
    let url = cluster.url(&database, cluster.superuser());
    let Some(program) = arguments.next() else {
        let mut stdout = io::stdout();
        writeln!(stdout, "{url}")?;
        stdout.flush()?;
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Command::new(program);
    command.args(arguments).env("DATABASE_URL", &url).env("LEDGER_OWNER_DATABASE_URL", &url);
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs all SQL files of a folder; a folder that isn't there has none.
fn apply(cluster: &Cluster, database: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    if !folder.exists() {
        return Ok(());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    for file in files {
        cluster.execute_file(database, &file).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}
