//! Rules of appending.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;

use super::{Log, open, read_all};
use crate::port::{AppendError, Expected, Head, Outcome};
use crate::testing::{event, key, opening, own, shared, stream, tenant};

/// Opening is idempotent, also when many do it at once.
pub async fn a_log_is_opened_once(log: Log) {
    let tenant = tenant("opened_at_once");
    let opened = join_all((0..10).map(|_| log.open(&tenant, opening()))).await;
    let heads: Vec<_> = opened.into_iter().map(|head| head.expect("opens")).collect();
    assert!(heads.iter().all(|head| head.log_id == heads[0].log_id && head.position == 1));
    log.append(&tenant, vec![own("evt_1")]).await.expect("appends");
    let again = log.open(&tenant, opening()).await.expect("opens");
    assert_eq!((again.log_id, again.position), (heads[0].log_id, 2));
    let events = read_all(&log, &tenant).await;
    assert_eq!(&*events[0].event_type, "LogOpened");
    assert!(events.iter().all(|event| event.log_id == heads[0].log_id));
    assert_eq!(log.head(&tenant).await.expect("reads").expect("a head"), again);
    assert!(log.tenants().await.expect("reads").contains(&tenant));
}

/// Nothing is appended to a log that isn't there.
pub async fn a_log_must_be_opened_first(log: Log) {
    let tenant = tenant("never_opened");
    let refused = log.append(&tenant, vec![own("evt_1")]).await;
    assert_eq!(refused, Err(AppendError::UnknownTenant(tenant.clone())));
    assert!(log.head(&tenant).await.expect("reads").is_none());
    assert!(log.read(&tenant, 0, 10).await.expect("reads").is_empty());
    assert!(!log.tenants().await.expect("reads").contains(&tenant));
}

/// However many append a key at the same time, one does it, and all are told where it is.
pub async fn a_key_is_appended_once_by_a_hundred_callers(log: Log) {
    let tenant = open(&log).await;
    for round in 0..5 {
        let id = format!("evt_{round}");
        let calls = (0..100).map(|_| log.append(&tenant, vec![own(&id)]));
        let outcomes: Vec<_> =
            join_all(calls).await.into_iter().map(|o| o.expect("appends")[0]).collect();
        let appended = outcomes.iter().filter(|o| matches!(o, Outcome::Appended { .. }));
        assert_eq!(appended.count(), 1);
        assert!(outcomes.iter().all(|o| o.position() == outcomes[0].position()));
        let later = log.append(&tenant, vec![own(&id)]).await.expect("appends")[0];
        let position = outcomes[0].position();
        assert_eq!(later, Outcome::AlreadyAppended { position, revision: 0 });
    }
    assert_eq!(read_all(&log, &tenant).await.len(), 6);
}

/// The same key with another content is told apart, and changes nothing.
pub async fn a_key_with_another_content_is_refused(log: Log) {
    let tenant = open(&log).await;
    let first = log.append(&tenant, vec![own("evt_1")]).await.expect("appends")[0];
    let mut other = own("evt_1");
    other.content_hash = [9; 32];
    let refused = log.append(&tenant, vec![own("evt_2"), other]).await;
    let reused = AppendError::IdReused { position: first.position(), revision: 0 };
    assert_eq!(refused, Err(reused));
    assert_eq!(read_all(&log, &tenant).await.len(), 2, "nothing of that append is there");
    // Another namespace is another key.
    let elsewhere = log.append(&tenant, vec![event("api", "evt_1", "api-evt_1")]).await;
    assert_eq!(elsewhere, Ok(vec![Outcome::Appended { position: 3, revision: 0 }]));
}

/// A retry is told its first result although the stream has moved on since.
pub async fn a_retry_succeeds_after_others_have_appended(log: Log) {
    let tenant = open(&log).await;
    let first = shared("one", "trainer-t1", Expected::NoStream);
    let done = log.append(&tenant, vec![first.clone()]).await.expect("appends")[0];
    let next = shared("two", "trainer-t1", Expected::Revision(0));
    log.append(&tenant, vec![next]).await.expect("appends");
    let again = log.append(&tenant, vec![first]).await.expect("appends")[0];
    let position = done.position();
    assert_eq!(again, Outcome::AlreadyAppended { position, revision: 0 });
}

/// A writer that hasn't seen the last event of its stream is told which that is.
pub async fn expected_revisions_are_exact(log: Log) {
    let tenant = open(&log).await;
    let name = "trainer-t1";
    let mut attempts = 0;
    let mut attempt = |expected| {
        attempts += 1;
        log.append(&tenant, vec![shared(&format!("id{attempts}"), name, expected)])
    };
    let wrong = |actual| Err(AppendError::WrongExpectedRevision { stream: stream(name), actual });
    assert_eq!(attempt(Expected::Revision(0)).await, wrong(None));
    let appended = |position, revision| Ok(vec![Outcome::Appended { position, revision }]);
    assert_eq!(attempt(Expected::NoStream).await, appended(2, 0));
    assert_eq!(attempt(Expected::NoStream).await, wrong(Some(0)));
    assert_eq!(attempt(Expected::Revision(1)).await, wrong(Some(0)));
    assert_eq!(attempt(Expected::Revision(0)).await, appended(3, 1));
    assert_eq!(attempt(Expected::Revision(0)).await, wrong(Some(1)));
    assert_eq!(read_all(&log, &tenant).await.len(), 3, "refused appends leave nothing");
}

/// Read, decide, append with what was seen: nobody's update is lost, whoever runs beside.
pub async fn writers_of_one_stream_lose_no_update(log: Log) {
    let tenant = Arc::new(open(&log).await);
    let name = stream("trainer-t1");
    let writers = (0..8).map(|writer| {
        let (log, tenant, name) = (Arc::clone(&log), Arc::clone(&tenant), name.clone());
        async move {
            for number in 0..10 {
                let mut expected = Expected::NoStream;
                loop {
                    let id = format!("w{writer}n{number}");
                    let event = shared(&id, name.as_str(), expected);
                    match log.append(&tenant, vec![event]).await {
                        Ok(_) => break,
                        Err(AppendError::WrongExpectedRevision { actual, .. }) => {
                            expected = actual.map_or(Expected::NoStream, Expected::Revision);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    });
    join_all(writers).await;
    let events = log.read_stream(&tenant, &name, 0, 1_000).await.expect("reads");
    assert_eq!(events.len(), 80);
    read_all(&log, &tenant).await;
}

/// One event that can't be appended takes the others with it.
pub async fn an_append_is_all_or_none(log: Log) {
    let tenant = open(&log).await;
    let conflicting = shared("two", "trainer-t1", Expected::Revision(7));
    let together = vec![own("evt_1"), conflicting, own("evt_2")];
    let refused = log.append(&tenant, together).await;
    assert!(matches!(refused, Err(AppendError::WrongExpectedRevision { actual: None, .. })));
    assert_eq!(read_all(&log, &tenant).await.len(), 1);
    assert!(log.find(&tenant, &key("stripe", "evt_1")).await.expect("reads").is_none());
    let later = log.append(&tenant, vec![own("evt_1")]).await;
    assert_eq!(later, Ok(vec![Outcome::Appended { position: 2, revision: 0 }]));
    assert_eq!(log.append(&tenant, Vec::new()).await, Ok(Vec::new()));
}

/// What is known is answered, the rest appended.
pub async fn an_append_may_hold_what_is_known(log: Log) {
    let tenant = open(&log).await;
    log.append(&tenant, vec![own("evt_1"), own("evt_2")]).await.expect("appends");
    let mixed = vec![own("evt_3"), own("evt_1"), own("evt_3"), own("evt_4")];
    let outcomes = log.append(&tenant, mixed).await.expect("appends");
    let expected = [
        Outcome::Appended { position: 4, revision: 0 },
        Outcome::AlreadyAppended { position: 2, revision: 0 },
        Outcome::AlreadyAppended { position: 4, revision: 0 },
        Outcome::Appended { position: 5, revision: 0 },
    ];
    assert_eq!(outcomes, expected);
    let mut other = own("evt_9");
    other.content_hash = [1; 32];
    let twice = log.append(&tenant, vec![own("evt_9"), other]).await;
    assert!(matches!(twice, Err(AppendError::Refused(_))));
    assert_eq!(read_all(&log, &tenant).await.len(), 5);
}

/// Events of one append see each other.
pub async fn an_append_may_chain_revisions(log: Log) {
    let tenant = open(&log).await;
    let chain = |first: i64| {
        let of = |n: i64| {
            let before = first + n - 1;
            let expected = if before < 0 { Expected::NoStream } else { Expected::Revision(before) };
            shared(&format!("id{}", first + n), "trainer-t1", expected)
        };
        (0..3).map(of).collect::<Vec<_>>()
    };
    let outcomes = log.append(&tenant, chain(0)).await.expect("appends");
    assert_eq!(outcomes[2], Outcome::Appended { position: 4, revision: 2 });
    let outcomes = log.append(&tenant, chain(3)).await.expect("appends");
    assert_eq!(outcomes[2], Outcome::Appended { position: 7, revision: 5 });
    let mut broken = chain(6);
    broken.swap(0, 1);
    assert!(log.append(&tenant, broken).await.is_err());
    assert_eq!(read_all(&log, &tenant).await.len(), 7);
}

/// What was acknowledged before another append began stands before it.
pub async fn positions_follow_acknowledgements(log: Log) {
    let tenant = Arc::new(open(&log).await);
    let callers = (0..32).map(|caller| {
        let (log, tenant) = (Arc::clone(&log), Arc::clone(&tenant));
        tokio::task::unconstrained(async move {
            let mut last = 0;
            for number in 0..25 {
                // What the head says was acknowledged lies before what comes now.
                let seen = log.head(&tenant).await.expect("reads").expect("a head").position;
                let event = own(&format!("c{caller}n{number}"));
                let at = log.append(&tenant, vec![event]).await.expect("appends")[0].position();
                assert!(at > last && at > seen, "{at} after {last} and {seen}");
                last = at;
            }
        })
    });
    join_all(callers).await;
    let events = read_all(&log, &tenant).await;
    assert_eq!(events.len(), 1 + 32 * 25);
}

/// Each tenant has its own positions, keys and streams.
pub async fn tenants_are_apart(log: Log) {
    let tenants = join_all((0..12).map(|_| open(&log))).await;
    let ids: Vec<_> = (0..20).map(|n| format!("evt_{n}")).collect();
    let calls = ids.iter().flat_map(|id| {
        tenants.iter().map(|tenant| log.append(tenant, vec![own(id)])).collect::<Vec<_>>()
    });
    for outcome in join_all(calls).await {
        assert!(matches!(outcome.expect("appends")[0], Outcome::Appended { .. }));
    }
    for tenant in &tenants {
        let events = read_all(&log, tenant).await;
        assert_eq!(events.len(), 21);
        assert!(events.iter().all(|event| event.tenant == *tenant));
        assert_eq!(events.iter().map(|e| e.log_id).collect::<HashSet<_>>().len(), 1);
    }
    let heads = join_all(tenants.iter().map(|tenant| log.head(tenant))).await;
    let root = |head: Result<Option<Head>, _>| head.expect("reads").expect("a head").root;
    assert_eq!(heads.into_iter().map(root).collect::<HashSet<_>>().len(), 12);
}

/// Limits hold, and what breaks one hurts nobody else.
pub async fn what_breaks_a_limit_is_refused(log: Log) {
    let tenant = open(&log).await;
    let refused = |change: fn(&mut crate::port::NewEvent)| {
        let mut event = own("evt_1");
        change(&mut event);
        log.append(&tenant, vec![event])
    };
    for broken in [
        refused(|e| e.data = vec![b' '; crate::DATA_BYTES_MAX + 1]),
        refused(|e| e.data = b"no json".to_vec()),
        refused(|e| e.stream = stream("elsewhere")),
        refused(|e| e.stream = stream("stripe-evt_2")),
        refused(|e| e.expected = Expected::Revision(0)),
    ] {
        assert!(matches!(broken.await, Err(AppendError::Refused(_))));
    }
    let many = (0..=crate::APPEND_EVENTS_MAX).map(|n| own(&format!("evt_{n}"))).collect();
    assert!(matches!(log.append(&tenant, many).await, Err(AppendError::Refused(_))));
    assert_eq!(read_all(&log, &tenant).await.len(), 1);
}
