//! Starts a private cluster, prints its URL, and stays until standard input ends.
//!
//! For scripts that need a database for a moment:
//! `cargo run -p ledger-cluster --example private_cluster [DATA_DIR]`.

use std::error::Error;
use std::io::{self, Write};

use ledger_cluster::Cluster;

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Cluster::builder();
    if let Some(dir) = std::env::args_os().nth(1) {
        builder = builder.data_dir(dir);
    }
    let cluster = builder.start()?;
    let database = cluster.fresh_database()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", cluster.url(&database, cluster.superuser()))?;
    stdout.flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
