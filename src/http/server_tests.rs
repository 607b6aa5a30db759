use super::*;

use axum::routing::{get, post};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(60);
const HEAD: &str = "POST / HTTP/1.1\r\nhost: ledger\r\ncontent-length: 4\r\n\r\n";

/// Limits that no test reaches.
const PATIENT: Limits = Limits {
    connections: 1_000,
    head: Duration::from_secs(120),
    idle: Duration::from_secs(120),
    write: Duration::from_secs(120),
};
/// An answer that doesn't fit into the buffers between two ends.
const LARGE: usize = 64 << 20;

/// A server that echoes bodies, with these limits.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// One for each piece of a body that was sent to `/pieces`, and for each whole body of `/held`.
    seen: Arc<Semaphore>,
    /// What answers at `/held` are waiting for.
    go: Arc<Semaphore>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (seen, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (pieces, whole, goes) = (Arc::clone(&seen), Arc::clone(&seen), Arc::clone(&go));
        let router = Router::new()
            .route("/", post(async |body: String| body))
            .route("/pieces", post(|body: Body| echo_pieces(body, pieces)))
            .route("/held", post(|body: String| echo_held(body, whole, goes)))
            .route("/large", get(async || vec![b'x'; LARGE]));
        tasks.spawn(serve(listener, router, tasks.clone(), stop.clone(), limits));
        Self { address, stop, tasks, seen, go }
    }

    /// Waits until one more piece or body was seen.
    async fn see(&self) {
        timeout(PATIENCE, self.seen.acquire()).await.unwrap().unwrap().forget();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await.unwrap();
    }
}

async fn echo_pieces(body: Body, seen: Arc<Semaphore>) -> Vec<u8> {
    let (mut pieces, mut whole) = (body.into_data_stream(), Vec::new());
    while let Some(Ok(piece)) = pieces.next().await {
        whole.extend_from_slice(&piece);
        seen.add_permits(1);
    }
    whole
}

async fn echo_held(body: String, seen: Arc<Semaphore>, go: Arc<Semaphore>) -> String {
    seen.add_permits(1);
    go.acquire().await.unwrap().forget();
    body
}

/// The rest of what the server says before it hangs up.
async fn rest(connection: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, connection.read_to_end(&mut rest)).await.expect("it hangs up");
    String::from_utf8(rest).unwrap()
}

/// One request, and its answer's body.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(format!("{HEAD}ping").as_bytes()).await.unwrap();
    echoed(connection).await
}

/// The answer to what ended with `ping`.
async fn echoed(connection: &mut TcpStream) -> String {
    let mut answer = String::new();
    while !answer.ends_with("ping") {
        let mut bytes = [0; 1024];
        let read = timeout(PATIENCE, connection.read(&mut bytes)).await.unwrap().unwrap();
        assert!(read > 0, "it hung up after {answer}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    answer
}

#[tokio::test]
async fn heads_that_never_end_are_broken_off_and_others_are_answered() {
    let limits = Limits { head: Duration::from_millis(200), ..PATIENT };
    let server = Server::start(limits).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut connection = server.connect().await;
        connection.write_all(b"POST / HTTP/1.1\r\nx-slow: ").await.unwrap();
        slow.push(connection);
    }
    assert!(ask(&mut server.connect().await).await.starts_with("HTTP/1.1 200"));
    for connection in &mut slow {
        assert_eq!(rest(connection).await, "");
    }
    server.end().await;
}

/// A byte from time to time doesn't make a head take longer.
#[tokio::test]
async fn a_head_that_drips_is_broken_off() {
    let limits = Limits { head: Duration::from_millis(200), ..PATIENT };
    let server = Server::start(limits).await;
    let mut connection = server.connect().await;
    connection.write_all(b"POST / HTTP/1.1\r\nx-slow: ").await.unwrap();
    let drips = async {
        let mut drops = tokio::time::interval(Duration::from_millis(20));
        while connection.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    };
    timeout(PATIENCE, drips).await.expect("it hangs up");
    server.end().await;
}

/// What a proxy keeps open for its next request stays open, and its requests are not hurried by
/// those before.
#[tokio::test]
async fn an_idle_connection_outlives_the_limit_of_heads() {
    let limits = Limits { head: Duration::from_millis(50), ..PATIENT };
    let server = Server::start(limits).await;
    let (mut idle, mut untouched) = (server.connect().await, server.connect().await);
    ask(&mut idle).await;
    // Twice as long as a head may take, told by one that takes too long.
    for _ in 0..2 {
        let mut slow = server.connect().await;
        slow.write_all(b"P").await.unwrap();
        assert_eq!(rest(&mut slow).await, "");
    }
    ask(&mut idle).await;
    ask(&mut untouched).await;
    server.end().await;
}

#[tokio::test]
async fn an_idle_connection_ends_too() {
    let limits = Limits { idle: Duration::from_millis(50), ..PATIENT };
    let server = Server::start(limits).await;
    let mut connection = server.connect().await;
    ask(&mut connection).await;
    assert_eq!(rest(&mut connection).await, "");
    server.end().await;
}

/// Connections that say nothing, or not enough, keep nobody out.
#[tokio::test]
async fn whoever_is_idle_makes_room() {
    let server = Server::start(Limits { connections: 3, ..PATIENT }).await;
    let mut used = server.connect().await;
    ask(&mut used).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut connection = server.connect().await;
        // Those that say something last longer, and not for ever.
        if silent.len() % 2 == 0 {
            connection.write_all(b"POST / HTTP/1.1\r\nx-slow: ").await.unwrap();
        }
        silent.push(connection);
        assert!(ask(&mut server.connect().await).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(rest(&mut used).await, "", "it was idle for longest");
    for connection in &mut silent[..15] {
        assert_eq!(rest(connection).await, "");
    }
    drop(silent);
    server.end().await;
}

/// Whoever has sent all of a request is answered, however many come meanwhile.
#[tokio::test]
async fn whoever_is_being_answered_keeps_its_place() {
    let server = Server::start(Limits { connections: 2, ..PATIENT }).await;
    let mut busy = server.connect().await;
    busy.write_all(format!("{HEAD}ping").replacen('/', "/held", 1).as_bytes()).await.unwrap();
    server.see().await;
    for _ in 0..10 {
        ask(&mut server.connect().await).await;
    }
    server.go.add_permits(1);
    assert!(echoed(&mut busy).await.starts_with("HTTP/1.1 200"));
    server.end().await;
}

/// Bodies that don't come, or not to their end, keep nobody out.
#[tokio::test]
async fn whoever_stops_within_a_body_makes_room() {
    let server = Server::start(Limits { connections: 3, ..PATIENT }).await;
    let asks_first = format!("{}expect: 100-continue\r\n\r\n", &HEAD[..HEAD.len() - 2]);
    let said = [HEAD.to_owned(), format!("{HEAD}pin"), asks_first];
    let mut slow = Vec::new();
    for said in said.iter().cycle().take(30) {
        let mut connection = server.connect().await;
        connection.write_all(said.as_bytes()).await.unwrap();
        slow.push(connection);
        assert!(ask(&mut server.connect().await).await.starts_with("HTTP/1.1 200"));
    }
    for connection in &mut slow[..25] {
        let told = rest(connection).await;
        assert!(!told.contains("200 OK") && !told.contains("problem"), "{told}");
    }
    drop(slow);
    server.end().await;
}

#[tokio::test]
async fn whoever_goes_on_within_a_body_has_not_waited_long() {
    let server = Server::start(Limits { connections: 2, ..PATIENT }).await;
    let head = HEAD.replacen('/', "/pieces", 1);
    let (mut slow, mut stuck) = (server.connect().await, server.connect().await);
    for connection in [&mut slow, &mut stuck] {
        connection.write_all(format!("{head}p").as_bytes()).await.unwrap();
        server.see().await;
    }
    slow.write_all(b"i").await.unwrap();
    server.see().await;
    ask(&mut server.connect().await).await;
    assert_eq!(rest(&mut stuck).await, "", "it said something before the other one did");
    slow.write_all(b"ng").await.unwrap();
    assert!(echoed(&mut slow).await.starts_with("HTTP/1.1 200"));
    server.end().await;
}

/// Who doesn't read is not written to for ever; who reads slowly is.
#[tokio::test]
async fn an_answer_that_is_not_taken_is_broken_off() {
    let limits = Limits { connections: 1, write: Duration::from_secs(2), ..PATIENT };
    let server = Server::start(limits).await;
    let head = b"GET /large HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n";
    let mut slow = server.connect().await;
    slow.write_all(head).await.unwrap();
    let mut bytes = vec![0; 1 << 20];
    let mut taken = 0;
    let reads = async {
        let mut pauses = tokio::time::interval(Duration::from_millis(50));
        loop {
            match slow.read(&mut bytes).await.expect("it isn't broken off") {
                0 => break,
                read => taken += read,
            }
            pauses.tick().await;
        }
    };
    timeout(PATIENCE, reads).await.expect("it is read to its end");
    assert!(taken > LARGE, "{taken} bytes");

    let mut deaf = server.connect().await;
    deaf.write_all(head).await.unwrap();
    deaf.readable().await.unwrap();
    // It keeps the only place until then.
    ask(&mut server.connect().await).await;
    drop(deaf);
    server.end().await;
}

#[tokio::test]
async fn a_long_head_is_refused_with_a_problem() {
    let server = Server::start(Limits::default()).await;
    let long_uri = format!("GET /{} HTTP/1.1\r\nhost: l\r\n\r\n", "x".repeat(URI_BYTES_MAX));
    let long_header = format!("{}x-long: {}\r\n\r\n", &HEAD[..HEAD.len() - 2], "x".repeat(40_000));
    let many = "x-many: 1\r\n".repeat(HEADERS_MAX + 1);
    let many = format!("{}{many}\r\n", &HEAD[..HEAD.len() - 2]);
    for (head, status, code) in [
        (long_uri, 414, "uri_too_long"),
        (long_header, 431, "headers_too_large"),
        (many, 431, "headers_too_large"),
    ] {
        let mut connection = server.connect().await;
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let answer = rest(&mut connection).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains(code), "{answer}");
    }
    server.end().await;
}
