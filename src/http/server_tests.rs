use super::*;

use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(60);
const HEAD: &str = "POST / HTTP/1.1\r\nhost: ledger\r\ncontent-length: 4\r\n\r\n";

/// A server that echoes bodies, with these limits.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let router = Router::new().route("/", post(async |body: String| body));
        tasks.spawn(serve(listener, router, tasks.clone(), stop.clone(), limits));
        Self { address, stop, tasks }
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
    let limits = Limits { head: Duration::from_millis(200), idle: PATIENCE * 2 };
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
    let limits = Limits { head: Duration::from_millis(200), idle: PATIENCE * 2 };
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
    let limits = Limits { head: Duration::from_millis(50), idle: PATIENCE * 2 };
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
    let limits = Limits { head: PATIENCE * 2, idle: Duration::from_millis(50) };
    let server = Server::start(limits).await;
    let mut connection = server.connect().await;
    ask(&mut connection).await;
    assert_eq!(rest(&mut connection).await, "");
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
