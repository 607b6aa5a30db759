//! The ledger with its trainers.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ledger_cluster::Cluster;

use crate::Arguments;
use crate::load;
use crate::questions::Questions;
use crate::service::{Server, ledger, migrated_database, pause};
use crate::webhooks::{SECRET, trainer};

/// How long the read models may take to take in what was told.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Ledger<'a> {
    cluster: &'a Cluster,
    counts_statements: bool,
    database: String,
    server: Server,
    /// A service's.
    pub(crate) token: String,
    trainers: usize,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    hits: f64,
    misses: f64,
    statements: Option<f64>,
}

impl<'a> Ledger<'a> {
    /// A ledger whose trainers have all bought something.
    ///
    /// # Errors
    /// When it doesn't start, refuses a webhook, or doesn't take all of them in.
    pub(crate) fn start(cluster: &'a Cluster, arguments: &Arguments) -> Result<Self> {
        let database = migrated_database(cluster)?;
        let ttl = ["token", "--role", "service", "--subject", "bench", "--ttl", "12h"];
        let made = ledger(cluster, &database).args(ttl).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout)?.trim().to_owned();
        let server = Server::ledger(&mut ledger(cluster, &database), SECRET)?;
        let (counts_statements, trainers) = (arguments.statements, arguments.trainers);
        let ledger = Self { cluster, counts_statements, database, server, token, trainers };
        let purchases = Questions::purchases(trainers)?;
        load::run(ledger.address(), arguments.connections, &purchases)?;
        ledger.wait()?;
        Ok(ledger)
    }

    /// Waits until everybody's subscription is known.
    fn wait(&self) -> Result<()> {
        let since = Instant::now();
        let count = "SELECT count(DISTINCT trainer_id) FROM rm_subscriptions.trainer_subscriptions";
        while self.sql(count)? != self.trainers.to_string() {
            ensure!(since.elapsed() < PATIENCE, "the read models don't take all in");
            pause(Duration::from_millis(50));
        }
        self.cluster.execute(&self.database, "VACUUM ANALYZE")?;
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What it answers to the question that is measured.
    ///
    /// # Errors
    /// When it isn't granted.
    pub(crate) fn an_answer(&self) -> Result<Vec<u8>> {
        let path = format!("/api/v1/entitlements/customers?trainer={}", trainer(0));
        Ok(self.get(&path)?.into_bytes())
    }

    /// What it has counted so far.
    ///
    /// # Errors
    /// When it can't be asked.
    pub(crate) fn count(&self) -> Result<Count> {
        let metrics = self.get("/metrics")?;
        let statements = "SELECT coalesce(sum(s.calls), 0) FROM pg_stat_statements s
            JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'ledger_api'
            AND s.query NOT ILIKE 'begin%' AND s.query NOT ILIKE 'commit%'
            AND s.query NOT ILIKE 'set %'";
        let statements = match self.counts_statements {
            true => Some(self.cluster.execute("postgres", statements)?.parse()?),
            false => None,
        };
        Ok(Count {
            hits: value(&metrics, "ledger_entitlement_cache_hits_total")?,
            misses: value(&metrics, "ledger_entitlement_cache_misses_total")?,
            statements,
        })
    }

    /// How large the cache believes to be.
    ///
    /// # Errors
    /// When it can't be asked.
    pub(crate) fn cache_mib(&self) -> Result<f64> {
        let bytes = value(&self.get("/metrics")?, "ledger_entitlement_cache_bytes")?;
        Ok(bytes / f64::from(1 << 20))
    }

    fn sql(&self, sql: &str) -> Result<String> {
        Ok(self.cluster.execute(&self.database, sql)?)
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address())?;
        let token = &self.token;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: ledger\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "refused: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
        Ok(body.to_owned())
    }
}

impl Count {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits - before.hits,
            misses: self.misses - before.misses,
            statements: self.statements.zip(before.statements).map(|(now, then)| now - then),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from memory, {} not", self.hits, self.misses)?;
        match self.statements {
            Some(statements) => write!(f, ", {statements} statements"),
            None => Ok(()),
        }
    }
}

fn value(metrics: &str, name: &str) -> Result<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name}"))?.parse()?)
}
