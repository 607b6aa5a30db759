use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderValue;
use futures::stream;
use tokio::sync::mpsc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A body of these pieces, of which the last may be missing.
async fn read_pieces(pieces: Vec<Result<Vec<u8>, &'static str>>) -> Result<Collected, Problem> {
    let body = Body::from_stream(stream::iter(pieces));
    collect(&HeaderMap::new(), body, PATIENCE, &Budget::default()).await
}

fn telling(length: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static(length))])
}

#[tokio::test]
async fn a_body_comes_in_pieces() {
    let pieces = [1, 700, 3, 0, 90_000].map(|n| vec![b'x'; n]);
    let whole = read_pieces(pieces.iter().cloned().map(Ok).collect()).await.unwrap();
    assert_eq!(*whole, pieces.concat());
    assert_eq!(read_pieces(Vec::new()).await.unwrap().len(), 0);
    let full = (0..4).map(|_| Ok(vec![b'x'; BODY_BYTES_MAX / 4])).collect();
    assert_eq!(read_pieces(full).await.unwrap().len(), BODY_BYTES_MAX);
}

#[tokio::test]
async fn only_what_is_too_large_is_called_so() {
    let cut = read_pieces(vec![Ok(b"{".to_vec()), Err("gone")]).await;
    assert!(matches!(cut, Err(Problem::InvalidRequest(_))), "{cut:?}");
    let large = vec![Ok(vec![b'x'; BODY_BYTES_MAX]), Ok(b"x".to_vec()), Err("gone")];
    let large = read_pieces(large).await;
    assert!(matches!(large, Err(Problem::TooLarge)), "{large:?}");
}

/// Else a client that is still sending sees a broken connection instead of the answer.
#[tokio::test]
async fn the_rest_of_a_large_body_is_read_up_to_a_limit() {
    let (enough, none) = (Budget::default(), Budget::of_kib(0));
    for (headers, budget, pieces, read) in [
        (HeaderMap::new(), &enough, 8, 8..=8),
        (telling("2097152"), &enough, 8, 8..=8),
        (HeaderMap::new(), &enough, 1_000, 17..=24),
        (HeaderMap::new(), &none, 8, 8..=8),
        (HeaderMap::new(), &none, 1_000, 16..=20),
    ] {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let pieces = stream::iter(0..pieces).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, &str>(vec![b'x'; BODY_BYTES_MAX / 4])
        });
        let refused = collect(&headers, Body::from_stream(pieces), PATIENCE, budget).await;
        let refused = refused.expect_err("it is refused");
        assert!(matches!(refused, Problem::TooLarge | Problem::Unavailable), "{refused:?}");
        let taken = taken.load(Ordering::SeqCst);
        assert!(read.contains(&taken), "{taken} pieces");
    }
    let mut headers = telling("2097152");
    headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let unwanted = Body::from_stream(stream::once(async {
        panic!("it would tell the client to send") as Result<Vec<u8>, &str>
    }));
    let refused = collect(&headers, unwanted, PATIENCE, &enough).await;
    assert!(matches!(refused, Err(Problem::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let pieces = stream::iter([Ok::<_, &str>("{")]).chain(stream::pending());
    let (headers, budget) = (HeaderMap::new(), Budget::default());
    let read = collect(&headers, Body::from_stream(pieces), Duration::from_millis(20), &budget);
    let read = timeout(PATIENCE, read).await.expect("it gives up");
    assert!(matches!(read, Err(Problem::InvalidRequest(_))), "{read:?}");
}

/// What is under way together never has more than the budget, whatever lengths are told; and what
/// is small isn't concerned.
#[tokio::test]
async fn bodies_under_way_share_a_budget() {
    let budget = Budget::of_kib(300);
    let piece = || vec![b'x'; 40 << 10];
    let left = || budget.kib.available_permits();
    let (send, pieces) = mpsc::channel::<Result<Vec<u8>, &str>>(1);
    let pieces = stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    let headers = telling("1048576");
    let slow = collect(&headers, Body::from_stream(pieces), PATIENCE, &budget);
    let others = async {
        send.send(Ok(piece())).await.unwrap();
        send.send(Ok(piece())).await.unwrap();
        send.send(Ok(piece())).await.unwrap();
        // The channel holds one, so two were read: 80 KiB, for which it takes twice as much.
        assert_eq!(left(), 300 - 160, "what came counts, and not what was told");
        let small = Body::from(vec![b'x'; FREE_BYTES_MAX]);
        let small = collect(&HeaderMap::new(), small, PATIENCE, &budget).await.unwrap();
        assert_eq!(left(), 300 - 160, "{} bytes are free", small.len());
        let large = async || {
            let pieces = stream::iter((0..4).map(|_| Ok::<_, &str>(vec![b'x'; 40 << 10])));
            collect(&HeaderMap::new(), Body::from_stream(pieces), PATIENCE, &budget).await
        };
        let refused = large().await;
        assert!(matches!(refused, Err(Problem::Unavailable)), "{refused:?}");
        assert_eq!(left(), 300 - 160, "who is refused keeps nothing");
        drop(send);
        large
    };
    let (slow, large) = tokio::join!(slow, others);
    let slow = slow.unwrap();
    assert_eq!((slow.len(), left()), (120 << 10, 300 - 160), "held while it is worked on");
    drop(slow);
    assert_eq!(large().await.unwrap().len(), 160 << 10);
    assert_eq!(left(), 300, "all is given back");
}

#[test]
fn memory_follows_what_came() {
    for (length, told, gets) in [
        (10, 20_000, 20_000),
        (10, 0, 20),
        (40_000, 0, FREE_BYTES_MAX),
        (70_000, 0, 140_000),
        (70_000, BODY_BYTES_MAX, 140_000),
        (70_000, 100_000, 100_000),
        (900_000, 0, BODY_BYTES_MAX),
        (900_000, 950_000, 950_000),
    ] {
        assert_eq!(capacity(length, told), gets, "{length} of {told}");
    }
}
