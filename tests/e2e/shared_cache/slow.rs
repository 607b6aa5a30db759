//! A way to Redis on which answers are late.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longer than anybody waits for an answer of Redis.
const LATE: Duration = Duration::from_millis(300);

/// Ends with its drop.
pub(super) struct SlowWay {
    pub(super) port: u16,
    _leading: JoinSet<()>,
}

impl SlowWay {
    /// To a port of this machine. From the first such command of a connection on, every answer is
    /// late.
    pub(super) async fn start(to: u16, command: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut leading = JoinSet::new();
        leading.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(lead(stream, to, command));
            }
        });
        Self { port, _leading: leading }
    }
}

async fn lead(stream: TcpStream, to: u16, command: &str) {
    let to = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], to))).await.unwrap();
    let (mut asked, mut answered) = stream.into_split();
    let (mut answers, mut asks) = to.into_split();
    let is_late = AtomicBool::new(false);
    let asking = async {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = asked.read(&mut buffer).await {
            if String::from_utf8_lossy(&buffer[..read]).contains(command) {
                is_late.store(true, Ordering::Relaxed);
            }
            if asks.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let answering = async {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = answers.read(&mut buffer).await {
            if is_late.load(Ordering::Relaxed) {
                #[expect(clippy::disallowed_methods, reason = "being late is what it is for")]
                tokio::time::sleep(LATE).await;
            }
            if answered.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    // Whichever side ends, the other one is closed.
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}
