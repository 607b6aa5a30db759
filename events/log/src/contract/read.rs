//! Rules of reading.

use std::sync::Arc;

use super::{Log, check, open, read_all, root};
use crate::port::{Expected, NewEvent, PAGE_BYTES_MAX, Recorded};
use crate::seal::text_hash;
use crate::testing::{key, own, shared, stream};

/// Pages follow each other without holes or repetition.
pub async fn pages_are_read_in_order(log: Log) {
    let tenant = open(&log).await;
    let events = (0..24).map(|n| own(&format!("evt_{n}"))).collect();
    log.append(&tenant, events).await.expect("appends");
    let mut read = Vec::new();
    for after in (0..25).step_by(7) {
        let page = log.read(&tenant, after, 7).await.expect("reads");
        assert!(page.len() == 7 || after == 21);
        read.extend(page);
    }
    assert_eq!(read.len(), 25);
    check(&read);
    assert!(log.read(&tenant, 25, 7).await.expect("reads").is_empty());
    assert!(log.read(&tenant, 0, 0).await.expect("reads").is_empty());
    let (first, given) = (&read[1], own("evt_0"));
    assert_eq!((&first.key, &first.stream), (&given.key, &given.stream));
    assert_eq!((&first.data, &first.metadata), (&given.data, &given.metadata));
    assert_eq!(first.occurred_at, given.occurred_at);
    assert_eq!(first.content_hash, given.content_hash);
}

/// Where events are large, a page has fewer of them, and never none.
pub async fn pages_are_bounded_in_bytes(log: Log) {
    let tenant = open(&log).await;
    for n in 0..3 {
        let large = |i| {
            let data = format!("{{\"of\":\"{}\"}}", "x".repeat(900_000)).into_bytes();
            NewEvent { data, ..own(&format!("evt_{n}_{i}")) }
        };
        log.append(&tenant, (0..8).map(large).collect()).await.expect("appends");
    }
    let (mut read, mut pages) = (Vec::new(), 0);
    while read.len() < 25 {
        let after = read.last().map_or(0, |event: &Recorded| event.position);
        let page = log.read(&tenant, after, 100).await.expect("reads");
        let without_last = page.iter().rev().skip(1).map(|event| event.data.len()).sum::<usize>();
        assert!(!page.is_empty() && without_last < PAGE_BYTES_MAX, "{without_last} bytes");
        read.extend(page);
        pages += 1;
    }
    assert_eq!(pages, 2, "of 16 MiB");
    check(&read);
}

/// Events are read at any positions, each once and in order, whatever order they are asked for in.
pub async fn events_are_read_at_positions(log: Log) {
    let (tenant, other) = (open(&log).await, open(&log).await);
    let events = (0..9).map(|n| own(&format!("evt_{n}"))).collect();
    log.append(&tenant, events).await.expect("appends");
    let all = read_all(&log, &tenant).await;
    let some = log.read_at(&tenant, &[7, 3, 99, 10, 3, 0, -1, i64::MIN]).await.expect("reads");
    assert_eq!(some, [all[2].clone(), all[6].clone(), all[9].clone()]);
    assert!(log.read_at(&tenant, &[]).await.expect("reads").is_empty());
    assert!(log.read_at(&other, &[2, 3]).await.expect("reads").is_empty(), "of this tenant only");
}

/// A stream is read from any of its revisions on.
pub async fn streams_are_read_in_order(log: Log) {
    let tenant = open(&log).await;
    for n in 0..5 {
        let expected = if n == 0 { Expected::NoStream } else { Expected::Revision(n - 1) };
        let both = vec![shared(&format!("id{n}"), "trainer-t1", expected), own(&format!("e{n}"))];
        log.append(&tenant, both).await.expect("appends");
    }
    let name = stream("trainer-t1");
    let read = |from, limit| log.read_stream(&tenant, &name, from, limit);
    let revisions = |events: Vec<crate::port::Recorded>| {
        events.iter().map(|event| event.revision).collect::<Vec<_>>()
    };
    assert_eq!(revisions(read(0, 100).await.expect("reads")), [0, 1, 2, 3, 4]);
    assert_eq!(revisions(read(2, 2).await.expect("reads")), [2, 3]);
    assert_eq!(revisions(read(5, 2).await.expect("reads")), [0; 0]);
    let own = stream("stripe-e3");
    let events = log.read_stream(&tenant, &own, 0, 10).await.expect("reads");
    assert_eq!((events.len(), events[0].stream.as_str()), (1, "stripe-e3"));
    assert!(log.read_stream(&tenant, &own, 1, 10).await.expect("reads").is_empty());
    for absent in ["stripe-e9", "nothing", "trainer-t2"] {
        let events = log.read_stream(&tenant, &stream(absent), 0, 10).await.expect("reads");
        assert!(events.is_empty());
    }
    let opened = log.read_stream(&tenant, &stream("tenant"), 0, 10).await.expect("reads");
    assert_eq!(opened.len(), 1);
}

/// A key leads to its event.
pub async fn events_are_found_by_key(log: Log) {
    let tenant = open(&log).await;
    log.append(&tenant, vec![own("evt_1"), own("evt_2")]).await.expect("appends");
    let found = log.find(&tenant, &key("stripe", "evt_2")).await.expect("reads").expect("there");
    assert_eq!(found.position, 3);
    assert_eq!(log.read(&tenant, 2, 1).await.expect("reads"), [found]);
    assert!(log.find(&tenant, &key("api", "evt_2")).await.expect("reads").is_none());
}

/// Bodies and texts lie beside the event, which holds a hash of them.
pub async fn what_lies_beside_is_kept_and_bound(log: Log) {
    let tenant = open(&log).await;
    let mut event = own("evt_1");
    let body = br#"{"object":"event"}"#.repeat(200);
    event.body = Some(body.clone());
    event.text = Some("because".to_owned());
    log.append(&tenant, vec![event.clone(), own("evt_2")]).await.expect("appends");
    assert_eq!(log.body(&tenant, &event.key).await.expect("reads"), Some(body));
    assert_eq!(log.body(&tenant, &key("stripe", "evt_2")).await.expect("reads"), None);
    assert_eq!(log.body(&tenant, &key("stripe", "evt_3")).await.expect("reads"), None);
    let events = read_all(&log, &tenant).await;
    assert!(events[1].body_hash.is_some());
    assert!(events[1].text_hash.is_some_and(|hash| hash != text_hash(&[0; 16], "because")));
    assert_eq!((events[2].body_hash, events[2].text_hash), (None, None));
}

/// Whoever reads the log can recompute its seal.
pub async fn the_seal_is_over_what_is_read(log: Log) {
    let tenant = open(&log).await;
    for round in 0..4 {
        let events = (0..=round).map(|n| own(&format!("r{round}n{n}"))).collect();
        log.append(&tenant, events).await.expect("appends");
        let head = log.head(&tenant).await.expect("reads").expect("a head");
        let events = read_all(&log, &tenant).await;
        assert_eq!(head.root, root(&events));
        assert_eq!(head.position, events.last().expect("events").position);
        assert_eq!(head.recorded_at, events.last().expect("events").recorded_at);
    }
}

/// Who watches is told of positions, and what it is told of can be read.
pub async fn watchers_are_woken(log: Log) {
    let tenant = open(&log).await;
    let mut watcher = log.watch(&tenant);
    let reader = {
        let (log, tenant) = (Arc::clone(&log), tenant.clone());
        async move {
            let mut last = *watcher.borrow_and_update();
            while last < 51 {
                watcher.changed().await.expect("the log is there");
                let position = *watcher.borrow_and_update();
                assert!(position > last, "positions only rise");
                last = position;
                let page = log.read(&tenant, position - 1, 1).await.expect("reads");
                assert_eq!(page.len(), 1, "what is told of is durable");
            }
        }
    };
    let writer = async {
        for n in 0..50 {
            log.append(&tenant, vec![own(&format!("evt_{n}"))]).await.expect("appends");
        }
    };
    tokio::join!(reader, writer);
}
