//! Many connections that nobody uses, or that stop within what they say.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{TestApp, now, turns};

/// How many there may be at once, by docs/api.md.
const CONNECTIONS_MAX: usize = 4_096;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_keep_nobody_out() {
    let mut app = TestApp::start().await;
    // As most systems start a process.
    app.restart_by(r#"ulimit -Sn 1024 && exec "$0" serve"#).await;
    let before = resident_mib(app.pid());
    let mut idle = Vec::new();
    for n in 0..handles(10_000) {
        let mut connection = connect(&app).await;
        // Some say nothing, and some not enough.
        if n % 2 == 0 {
            connection.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").await.expect("is taken");
        }
        idle.push(connection);
        if n % 500 == 499 {
            expect_service(&app, &format!("t{n}")).await;
        }
    }
    assert!(idle.len() > CONNECTIONS_MAX, "{} say nothing", idle.len());
    let open = fs::read_dir(format!("/proc/{}/fd", app.pid())).expect("is there").count();
    assert!(open < CONNECTIONS_MAX + 128, "{open} files are open");
    let grown = resident_mib(app.pid()) - before;
    assert!(grown < 256.0, "{grown} MiB for connections that nobody uses");
    drop(idle);
    app.anyone().get("/healthz").await.expect(200);
}

/// Anybody may begin a webhook, and say how long it is. Some time later each is told that it is too
/// late; that is not how room is made for others.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_never_come_whole_keep_nobody_out() {
    let app = TestApp::start().await;
    let head = b"POST /api/v1/webhooks/stripe HTTP/1.1\r\nhost: l\r\ncontent-length: 100\r\n\r\n";
    let mut turns = turns("some are closed before it is too late for them");
    for n in 0.. {
        let mut slow = Vec::new();
        for _ in 0..handles(5_000) {
            let mut connection = connect(&app).await;
            connection.write_all(head).await.expect("is taken");
            slow.push(connection);
        }
        assert!(slow.len() > CONNECTIONS_MAX, "{} say how long they are", slow.len());
        app.anyone().get("/readyz").await.expect(200);
        expect_service(&app, &format!("t{n}")).await;
        if slow.iter().any(|connection| matches!(connection.try_read(&mut [0; 16]), Ok(0))) {
            return;
        }
        // On a machine that takes so long to open them, it was too late for the first.
        turns.next().await;
    }
}

/// That a trainer can buy, and is answered.
async fn expect_service(app: &TestApp, trainer: &str) {
    let mut story = Story::new(trainer, Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    let current = app.trainer(trainer).read_at("/api/v1/tiers/current", position).await;
    assert_eq!(current["access"], json!("granted"), "{trainer}: {current}");
}

async fn connect(app: &TestApp) -> TcpStream {
    let address = app.url().strip_prefix("http://").expect("a plain address");
    let mut turns = turns("a connection is accepted");
    loop {
        match TcpStream::connect(address).await {
            Ok(connection) => return connection,
            Err(_) => turns.next().await,
        }
    }
}

/// How many of so many files this process may have open; a few are others'.
fn handles(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = limit.maximum.map_or(wanted + 2_000, |maximum| maximum.min(wanted + 2_000));
    let raised = raised.max(limit.current.unwrap_or(0));
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).expect("may be raised");
    wanted.min(raised.saturating_sub(1_000))
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split(' ').rev().nth(1));
    kib.and_then(|kib| kib.trim().parse::<f64>().ok()).expect("a number of KiB") / 1_024.0
}
