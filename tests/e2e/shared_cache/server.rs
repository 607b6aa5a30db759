//! A real Redis, for one test.

use std::fs;
use std::process::Command;
use std::time::Duration;

use redis::{Commands, Connection};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::{Certified, Service, Settings, WAIT_MAX, command};

/// What it takes to sign in.
pub(super) const PASSWORD: &str = "e2e-redis-password-41c7";

/// How often to look for a port that stays free until Redis listens on it.
const ATTEMPTS: usize = 20;

/// Runs until it is dropped.
pub(super) struct Redis {
    pub(super) port: u16,
    tls_port: Option<u16>,
    process: Option<Service>,
    folder: TempDir,
}

impl Redis {
    pub(super) async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), false).await
    }

    /// With another port for TLS, and the file with the certificate by which the server is known.
    pub(super) async fn start_with_tls() -> (Self, String) {
        let folder = TempDir::new().unwrap();
        let Certified { authority, own, key } = Certified::new();
        for (name, pem) in [("ca", authority), ("own", own.pem()), ("key", key.serialize_pem())] {
            fs::write(folder.path().join(name), pem).unwrap();
        }
        let trusted = folder.path().join("ca").to_str().expect("a path in UTF-8").to_owned();
        (Self::start_in(folder, true).await, trusted)
    }

    async fn start_in(folder: TempDir, with_tls: bool) -> Self {
        let installed = Command::new("redis-server").arg("--version").output();
        installed.expect("redis-server is installed: tools/setup.sh does it");
        let mut redis = Self { port: 0, tls_port: None, process: None, folder };
        for _ in 0..ATTEMPTS {
            redis.port = free_port().await;
            redis.tls_port = if with_tls { Some(free_port().await) } else { None };
            if redis.begin().await {
                return redis;
            }
        }
        panic!("no port stays free");
    }

    /// Starts the server again, after [`Redis::kill`].
    pub(super) async fn restart(&mut self) {
        assert!(self.begin().await, "the port is free again");
    }

    async fn begin(&mut self) -> bool {
        let folder = self.folder.path().to_str().expect("a path in UTF-8");
        let port = self.port;
        let mut arguments = format!(
            "--port {port} --bind 127.0.0.1 --dir {folder} --requirepass {PASSWORD} \
             --appendonly no --save"
        );
        if let Some(port) = self.tls_port {
            arguments = format!(
                "--tls-port {port} --tls-auth-clients no --tls-ca-cert-file {folder}/ca \
                 --tls-cert-file {folder}/own --tls-key-file {folder}/key {arguments}"
            );
        }
        // The last one, that of `--save`, is empty.
        let arguments: Vec<&str> = arguments.split(' ').chain([""]).collect();
        match Service::spawn(command("redis-server", &Settings::none(), &arguments), listens).await
        {
            Ok(process) => self.process = Some(process),
            Err(told) => assert!(told.contains("Address already in use"), "{told}"),
        }
        self.process.is_some()
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// From now on it takes connections and questions, and answers none.
    pub(super) fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal("STOP");
    }

    /// It answers again.
    pub(super) fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal("CONT");
    }

    /// Its URL, or that of something in front of it.
    pub(super) fn url_at(port: u16) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{port}/")
    }

    pub(super) fn url(&self) -> String {
        Self::url_at(self.port)
    }

    /// Its URL over TLS.
    pub(super) fn tls_url(&self) -> String {
        let port = self.tls_port.expect("it was started with TLS");
        format!("rediss://:{PASSWORD}@localhost:{port}/")
    }

    pub(super) fn connect(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let connection = client.get_connection_with_timeout(WAIT_MAX).unwrap();
        connection.set_read_timeout(Some(WAIT_MAX)).unwrap();
        connection
    }

    /// What lies there of a trainer of a tenant, its name and value, if it is there.
    pub(super) fn find(&self, tenant: &str, trainer: &str) -> Option<(String, Vec<u8>)> {
        let mut connection = self.connect();
        let pattern = format!("ledger:held:*:{tenant}:{trainer}");
        let names: Vec<String> = connection.keys(pattern).unwrap();
        assert!(names.len() < 2, "{names:?}");
        let name = names.into_iter().next()?;
        let value: Option<Vec<u8>> = connection.get(&name).unwrap();
        Some((name, value?))
    }

    pub(super) fn put(&self, name: &str, value: &[u8]) {
        let expiry = Duration::from_secs(300).as_secs();
        self.connect().set_ex::<_, _, ()>(name, value, expiry).unwrap();
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// What Redis says once it listens.
fn listens(line: &str) -> Option<String> {
    line.contains("Ready to accept connections").then(String::new)
}
