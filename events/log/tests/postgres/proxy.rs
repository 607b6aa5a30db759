//! A proxy in front of the server that cuts connections at the worst moment.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use ledger_cluster::Cluster;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// What happens to the next exchange of the appending task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    Nothing,
    /// The request never arrives.
    Request,
    /// The request is carried out, its answer never arrives.
    Answer,
    /// The connection is cut, and the request arrives later, when the test says so.
    LateRequest,
}

/// One proxy, and how to reach it.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
    _accepting: Aborting,
}

struct State {
    socket: PathBuf,
    cut: AtomicU8,
    cuts: Semaphore,
    late: Semaphore,
    late_done: Semaphore,
    tasks: Mutex<Vec<Aborting>>,
}

/// A task that ends with its owner.
struct Aborting(tokio::task::AbortHandle);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            socket: cluster.socket_dir().join(".s.PGSQL.5432"),
            cut: AtomicU8::new(Cut::Nothing as u8),
            cuts: Semaphore::new(0),
            late: Semaphore::new(0),
            late_done: Semaphore::new(0),
            tasks: Mutex::default(),
        });
        let accepting = Arc::clone(&state);
        let accepting = spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let served = Arc::clone(&accepting).serve(client);
                accepting.tasks.lock().unwrap().push(spawn(async { drop(served.await) }));
            }
        });
        Self { port, state, _accepting: accepting }
    }

    /// The URL of a database behind the proxy.
    pub(crate) fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Sets what happens to the next exchange.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Waits until it has happened.
    pub(crate) async fn was_cut(&self) {
        wait(&self.state.cuts).await;
    }

    /// Lets the late request arrive, and waits until the server has answered it.
    pub(crate) async fn deliver_late(&self) {
        self.state.late.add_permits(1);
        wait(&self.state.late_done).await;
    }
}

async fn wait(semaphore: &Semaphore) {
    let permit = tokio::time::timeout(crate::load::PATIENCE, semaphore.acquire()).await;
    permit.unwrap().unwrap().forget();
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Aborting {
    #[expect(clippy::disallowed_methods, reason = "it is aborted with its owner")]
    Aborting(tokio::spawn(task).abort_handle())
}

impl State {
    fn takes(&self, cut: Cut) -> bool {
        let (cut, none) = (cut as u8, Cut::Nothing as u8);
        let taken =
            self.cut.compare_exchange(cut, none, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if taken {
            self.cuts.add_permits(1);
        }
        taken
    }

    async fn serve(self: Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        let mut server = UnixStream::connect(&self.socket).await?;
        let mut first = vec![0; 8192];
        let length = client.read(&mut first).await?;
        first.truncate(length);
        // Only the appending task asks for this at its start; others are never cut.
        let appends = first.windows(18).any(|window| window == b"force_generic_plan");
        server.write_all(&first).await?;
        if !appends {
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (mut request, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                length = from_client.read(&mut request) => {
                    let bytes = &request[..length?];
                    if bytes.is_empty() || self.takes(Cut::Request) {
                        return Ok(());
                    }
                    if self.takes(Cut::LateRequest) {
                        drop((from_client, to_client));
                        return self.deliver(bytes, &mut to_server, &mut from_server).await;
                    }
                    to_server.write_all(bytes).await?;
                }
                length = from_server.read(&mut answer) => {
                    let bytes = &answer[..length?];
                    // The server answers an exchange once it is durable.
                    if bytes.is_empty() || self.takes(Cut::Answer) {
                        return Ok(());
                    }
                    to_client.write_all(bytes).await?;
                }
            }
        }
    }

    async fn deliver(
        &self,
        bytes: &[u8],
        to_server: &mut (impl AsyncWrite + Unpin),
        from_server: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<()> {
        self.late.acquire().await.map_err(io::Error::other)?.forget();
        to_server.write_all(bytes).await?;
        // Any answer means that it is done with.
        let mut answer = [0; 4096];
        let _length = from_server.read(&mut answer).await?;
        self.late_done.add_permits(1);
        Ok(())
    }
}
