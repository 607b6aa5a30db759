//! A stand-in for the network between the service and PostgreSQL: it can lose the answer to a
//! commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// What a statement that appends contains.
const APPENDS: &[u8] = b"INSERT INTO event";

/// Of PostgreSQL's protocol: the server has finished, and no transaction is open any more.
const READY_AND_IDLE: [u8; 6] = *b"Z\0\0\0\x05I";

/// Listens on TCP and passes everything on to a Unix socket; ends at drop.
pub(crate) struct Proxy {
    address: String,
    cuts: Arc<Cuts>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Cuts {
    wanted: AtomicUsize,
    made: AtomicUsize,
}

impl Proxy {
    /// Starts to listen for clients of the server whose socket this is.
    pub(crate) async fn start(socket: std::path::PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cuts = Arc::new(Cuts::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&cuts);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                connections.spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { address, cuts, _tasks: tasks }
    }

    /// As in `127.0.0.1:40123`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Loses the answer to the next commit of an append, and the connection with it.
    pub(crate) fn lose_next_answer(&self) {
        self.cuts.wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.cuts.made.load(Ordering::SeqCst)
    }
}

impl Cuts {
    /// Whether to cut now.
    fn take(&self) -> bool {
        let less = |wanted: usize| wanted.checked_sub(1);
        let taken = self.wanted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.made.fetch_add(usize::from(taken), Ordering::SeqCst);
        taken
    }
}

/// One connection, until one side ends it or it's cut.
async fn pass(client: TcpStream, server: UnixStream, cuts: Arc<Cuts>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut question, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut tracker = Tracker::default();
    loop {
        tokio::select! {
            read = from_client.read(&mut question) => {
                let Some(bytes) = some(&question, read) else { return };
                tracker.client_said(bytes);
                if to_server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answer) => {
                let Some(bytes) = some(&answer, read) else { return };
                if tracker.server_finished_an_append(bytes) && cuts.take() {
                    // The server has committed, and nobody is told.
                    return;
                }
                if to_client.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn some(buffer: &[u8], read: std::io::Result<usize>) -> Option<&[u8]> {
    let count = read.ok().filter(|count| *count > 0)?;
    Some(&buffer[..count])
}

/// Knows whether a connection appends. A statement is named by its text once and runs by a name
/// after that, so a connection that ever appended counts as one that does; only what is executed
/// can commit, not what is merely prepared.
#[derive(Default)]
struct Tracker {
    tail: Vec<u8>,
    appends: bool,
    executes: bool,
}

impl Tracker {
    fn client_said(&mut self, bytes: &[u8]) {
        // A text may come in two pieces.
        self.tail.extend_from_slice(bytes);
        self.appends |= contains(&self.tail, APPENDS);
        let keep = self.tail.len().min(APPENDS.len());
        self.tail.drain(..self.tail.len() - keep);
        // `Execute`, of the unnamed portal, or a simple query.
        self.executes |= contains(bytes, b"E\0\0\0\x09\0") || bytes.first() == Some(&b'Q');
    }

    fn server_finished_an_append(&mut self, bytes: &[u8]) -> bool {
        if !bytes.ends_with(&READY_AND_IDLE) {
            return false;
        }
        self.appends && std::mem::take(&mut self.executes)
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
