//! How much is read, and what is no JSON.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{count, everything_stored, some_webhook};
use crate::harness::{TestApp, WAIT_MAX, eventually};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_mebibyte_is_read_and_one_byte_more_is_not() {
    let app = TestApp::start().await;
    let full = padded("evt_full", MEBIBYTE);
    app.stripe().post_bytes(full).await.expect(200);
    assert_eq!(count(&app, "evt_full").await, 1);

    let before = everything_stored(&app).await;
    for size in [MEBIBYTE + 1, 3 * MEBIBYTE] {
        // Nobody who sends a little too much is left with a broken connection.
        for _ in 0..8 {
            let answer = app.stripe().post_bytes(padded("evt_overfull", size)).await;
            assert_eq!(answer.status, 413, "{size} bytes: {answer:?}");
        }
    }
    assert_eq!(everything_stored(&app).await, before);
    app.stripe().post(&some_webhook("evt_after")).await.expect(200);
}

/// Nobody has to say how long a body is before sending it.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_not_read_to_its_end() {
    let app = TestApp::start().await;
    let before = everything_stored(&app).await;
    let address = app.url().strip_prefix("http://").expect("a plain address").to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/v1/webhooks/stripe HTTP/1.1\r\nHost: {address}\r\n\
         Stripe-Signature: t=1,v1=00\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let chunk = [format!("{:x}\r\n", 64 * 1024).into_bytes(), vec![b'x'; 64 * 1024]].concat();
    let mut sent = 0;
    // It ends with an answer, or with the connection; and long before this.
    while sent < 64 * MEBIBYTE {
        let written = connection.write_all(&[&chunk[..], b"\r\n"].concat()).await;
        if written.is_err() {
            break;
        }
        sent += 64 * 1024;
    }
    assert!(sent < 64 * MEBIBYTE, "{sent} bytes were taken");
    let mut answer = Vec::new();
    // The rest of what was sent may have broken the connection before the answer was read.
    if timeout(WAIT_MAX, connection.read_to_end(&mut answer)).await.expect("it ends").is_ok() {
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    assert_eq!(everything_stored(&app).await, before);
    app.stripe().post(&some_webhook("evt_after")).await.expect(200);
}

/// Bodies of whomever share a limit: what is sent slowly takes no more than that, and small
/// webhooks come through meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_share_a_limit_and_small_ones_are_not_concerned() {
    let app = TestApp::start().await;
    let address = app.url().strip_prefix("http://").expect("a plain address").to_owned();
    let head = format!(
        "POST /api/v1/webhooks/stripe HTTP/1.1\r\nHost: {address}\r\n\
         Stripe-Signature: t=1,v1=00\r\nContent-Length: {MEBIBYTE}\r\n\r\n"
    );
    // They never come to their end, and more than half of what is told takes all of it.
    let unfinished = [head.into_bytes(), vec![b'x'; MEBIBYTE * 3 / 4]].concat();
    let mut slow = Vec::new();
    let refused = async {
        loop {
            let mut connection = TcpStream::connect(&address).await.unwrap();
            connection.write_all(&unfinished).await.unwrap();
            slow.push(connection);
            if slow.len() < 60 {
                continue;
            }
            let answer = app.stripe().post_bytes(padded("evt_large", MEBIBYTE / 4)).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let refused = timeout(WAIT_MAX, refused).await.expect("there is a limit");
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    app.stripe().post(&some_webhook("evt_small")).await.expect(200);
    let metrics = app.anyone().get("/metrics").await.body;
    let name = "ledger_webhooks_rejected_total{reason=\"no_room\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("it's counted");
    assert_ne!(count, "0");

    drop(slow);
    eventually("there is room again", || async {
        let answer = app.stripe().post_bytes(padded("evt_late", MEBIBYTE / 4)).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// Too large is what is too large, and nothing else: Stripe's logs would lead astray.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_is_not_called_too_large() {
    let app = TestApp::start().await;
    let before = everything_stored(&app).await;
    let address = app.url().strip_prefix("http://").expect("a plain address").to_owned();
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "POST /api/v1/webhooks/stripe HTTP/1.1\r\nHost: {address}\r\n\
             Stripe-Signature: t=1,v1=00\r\n{framing}\r\n\r\n5\r\n{{\"id\""
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(WAIT_MAX, connection.read_to_end(&mut answer)).await;
        read.expect("it ends").expect("it isn't broken off");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{framing}: {answer}");
    }
    assert_eq!(everything_stored(&app).await, before);
    app.stripe().post(&some_webhook("evt_after")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_and_not_stored() {
    let app = TestApp::start().await;
    let before = everything_stored(&app).await;
    let whole = some_webhook("evt_cut").to_string();
    let mut without_id = some_webhook("evt_x");
    without_id.as_object_mut().unwrap().remove("id");
    let mut without_type = some_webhook("evt_no_type");
    without_type.as_object_mut().unwrap().remove("type");
    let mut without_created = some_webhook("evt_no_created");
    without_created.as_object_mut().unwrap().remove("created");
    let mut strange_id = some_webhook("evt_strange");
    strange_id["id"] = "evt 1; DROP TABLE event".into();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [(&str, Vec<u8>); 10] = [
        ("nothing", Vec::new()),
        ("cut off", whole.as_bytes()[..whole.len() - 5].to_vec()),
        ("two documents", format!("{whole}{whole}").into_bytes()),
        ("a list", format!("[{whole}]").into_bytes()),
        ("no UTF-8", [b"{\"id\":\"\xff\xfe", whole.as_bytes()].concat()),
        ("very deep", deep.into_bytes()),
        ("no id", without_id.to_string().into_bytes()),
        ("no type", without_type.to_string().into_bytes()),
        ("no created", without_created.to_string().into_bytes()),
        ("no such id", strange_id.to_string().into_bytes()),
    ];
    for (what, body) in bodies {
        let answer = app.stripe().post_bytes(body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
    }
    assert_eq!(everything_stored(&app).await, before);
    // None of them took the service down.
    app.stripe().post(&some_webhook("evt_after")).await.expect(200);
}

/// A webhook of exactly this many bytes.
fn padded(id: &str, bytes: usize) -> Vec<u8> {
    let mut webhook = some_webhook(id);
    webhook["data"]["object"]["description"] = "".into();
    let missing = bytes - webhook.to_string().len();
    webhook["data"]["object"]["description"] = "x".repeat(missing).into();
    let body = webhook.to_string().into_bytes();
    assert_eq!(body.len(), bytes);
    body
}
