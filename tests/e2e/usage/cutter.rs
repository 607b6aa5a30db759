//! A bad network between an application and the ledger: requests arrive, answers don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Listens on TCP and passes requests on; ends at drop.
pub(super) struct Cutter {
    url: String,
    cut: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Cutter {
    /// In front of the service at this URL.
    pub(super) async fn start(service: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = service.strip_prefix("http://").expect("plain HTTP").to_owned();
        let cut = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&cut);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&service).await.unwrap();
                connections.spawn(cut_answer(client, server, Arc::clone(&counter)));
            }
        });
        Self { url, cut, _tasks: tasks }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How many answers were cut off.
    pub(super) fn cut(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}

/// One connection, until the answer to its first request begins.
async fn cut_answer(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicUsize>) {
    let (mut question, mut answer) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let count = read.unwrap_or(0);
                if count == 0 || server.write_all(&question[..count]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                // The ledger has decided, and nobody is told.
                cut.fetch_add(usize::from(read.unwrap_or(0) > 0), Ordering::SeqCst);
                return;
            }
        }
    }
}
