//! Baseline: sync-engine, the best-known way of keeping Stripe's webhooks in PostgreSQL.
//!
//! It runs in process, without HTTP, and gets subscription webhooks, which it understands, one at a
//! time and with as many in flight as there are connections. It keeps the last state of each object
//! only: no log, no deduplication.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ledger_cluster::Cluster;
use serde_json::{Value, json};

use crate::requests::{SIGNING_SECRET, unix_now};
use crate::service::root;
use crate::story::{self, Bodies};

/// Webhooks that aren't measured: connections, and code that is yet to be compiled.
const WARM_UP: usize = 500;

/// An installation, ready to be run.
pub(crate) struct SyncEngine {
    folder: PathBuf,
}

/// Webhooks a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) one_at_a_time: f64,
    pub(crate) concurrent: f64,
}

impl SyncEngine {
    /// Installs it with npm, below `target/`; tells why where that isn't possible.
    ///
    /// # Errors
    /// When files can't be copied.
    pub(crate) fn install() -> Result<Option<Self>> {
        for program in ["node", "npm"] {
            if Command::new(program).arg("--version").output().is_err() {
                println!("sync-engine is left out: {program} isn't installed");
                return Ok(None);
            }
        }
        let source = root().join("benches/webhooks/sync_engine");
        let folder = root().join("target/benches/sync_engine");
        fs::create_dir_all(&folder)?;
        for file in ["package.json", "package-lock.json", "run.mjs"] {
            fs::copy(source.join(file), folder.join(file)).context(file)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        let output = npm.current_dir(&folder).output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            println!("sync-engine is left out: npm can't install it:\n{}", text.trim());
            return Ok(None);
        }
        Ok(Some(Self { folder }))
    }

    /// Feeds it so many webhooks in each of the two ways, in a database of its own.
    ///
    /// # Errors
    /// When it fails, or doesn't hold what it was told afterwards.
    pub(crate) fn run(
        &self,
        cluster: &Cluster,
        webhooks: usize,
        connections: usize,
    ) -> Result<Rates> {
        let database = cluster.fresh_database()?;
        let mut bodies = subscription_bodies(WARM_UP + 2 * webhooks).into_iter();
        let mut next = |count: usize| -> Vec<Value> { bodies.by_ref().take(count).collect() };
        let configuration = json!({
            "host": cluster.socket_dir(),
            "port": 5432,
            "user": cluster.superuser(),
            "database": database,
            "secret": SIGNING_SECRET,
            "runs": [
                { "concurrency": connections, "bodies": next(WARM_UP) },
                { "concurrency": 1, "bodies": next(webhooks) },
                { "concurrency": connections, "bodies": next(webhooks) },
            ],
        });
        let path = self.folder.join("run.json");
        fs::write(&path, configuration.to_string())?;
        let output =
            Command::new("node").arg("run.mjs").arg(&path).current_dir(&self.folder).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rates: Vec<f64> = text.lines().filter_map(per_second).collect();
        let [_, one_at_a_time, concurrent] = rates[..] else { anyhow::bail!("answered {text}") };
        let kept = cluster.execute(&database, "SELECT count(*) FROM stripe.subscriptions")?;
        ensure!(kept.parse::<usize>()? > webhooks / 2, "keeps {kept} subscriptions only");
        cluster.drop_database(&database)?;
        Ok(Rates { one_at_a_time, concurrent })
    }
}

/// Each customer has one subscription that is created and then renewed, a few others later.
fn subscription_bodies(count: usize) -> Vec<Value> {
    let bodies = Bodies::new(unix_now());
    let waves = (0..).step_by(64).flat_map(|first| story::moments(first, 64));
    let moments = waves.filter(story::Moment::is_subscription);
    let write = |moment| {
        let mut body = Vec::new();
        bodies.write(moment, &mut body);
        Value::String(String::from_utf8(body).expect("templates are UTF-8"))
    };
    moments.take(count).map(write).collect()
}

fn per_second(line: &str) -> Option<f64> {
    let run: Value = serde_json::from_str(line).ok()?;
    Some(run["webhooks"].as_f64()? / run["seconds"].as_f64()?)
}
