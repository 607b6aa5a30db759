//! A verification leaves nothing behind, or the next one removes it.

use std::pin::Pin;
use std::time::Duration;

use ledger_replay::{Progress, Report, VerifyConfig, VerifyError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::given;
use crate::world::{World, config};

type Verifying<'a> = Pin<Box<dyn Future<Output = Result<Report, VerifyError>> + 'a>>;

/// A verification that has taken in some events, and isn't polled any more.
async fn midway<'a>(
    world: &'a World,
    config: VerifyConfig,
    stop: &'a CancellationToken,
) -> Verifying<'a> {
    let progress = watch::Sender::new(Progress::default());
    let mut told = progress.subscribe();
    let verifier = world.verifier(VerifyConfig { page_events_max: 1, ..config });
    let mut verify: Verifying<'a> =
        Box::pin(async move { verifier.verify(&world.tenant, stop, &progress).await });
    tokio::select! {
        ended = &mut verify => panic!("it was too quick: {ended:?}"),
        seen = told.wait_for(|it| it.position > 5) => drop(seen.unwrap()),
    }
    verify
}

#[tokio::test]
async fn one_that_was_dropped_is_cleaned_up_by_the_next() {
    let world = World::busy(5, 1).await;
    let stop = CancellationToken::new();
    drop(midway(&world, config(), &stop).await);
    let left = world.leftovers();
    for what in ["rm_grants_next", "checkpoint rm_grants_next", "lease verify"] {
        assert!(left.contains(what), "it was dropped in the middle: {left}");
    }
    assert!(world.verify().await.equal);
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn one_that_is_told_to_end_leaves_nothing() {
    let world = World::busy(5, 2).await;
    let stop = CancellationToken::new();
    let verify = midway(&world, config(), &stop).await;
    stop.cancel();
    let ended = verify.await;
    assert!(matches!(ended, Err(VerifyError::Interrupted)), "{ended:?}");
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn two_at_once_do_not_get_into_each_others_way() {
    let world = World::busy(5, 3).await;
    let stop = CancellationToken::new();
    let patient = VerifyConfig { lease_ttl: Duration::from_secs(60), ..config() };
    let first = midway(&world, patient, &stop).await;
    let error = world.try_verify(config()).await.unwrap_err();
    assert!(matches!(error, VerifyError::Busy) && error.is_unavailable(), "{error}");
    assert!(first.await.unwrap().equal);
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn one_that_was_paused_for_too_long_gives_up() {
    let world = World::busy(5, 4).await;
    let stop = CancellationToken::new();
    let impatient = VerifyConfig { patience: Duration::from_secs(1), ..config() };
    let first = midway(&world, impatient, &stop).await;
    assert!(world.verify().await.equal, "the second one takes over");
    let error = first.await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn what_something_else_builds_is_left_alone() {
    let world = World::busy(1, 5).await;
    world.sql("CREATE SCHEMA rm_usage_next; CREATE TABLE rm_usage_next.precious ()");
    let error = world.try_verify(config()).await.unwrap_err();
    assert!(matches!(&error, VerifyError::Foreign(schema) if schema == "rm_usage_next"), "{error}");
    assert_eq!(world.leftovers(), "rm_usage_next");
}

#[tokio::test]
async fn parked_units_are_told_and_removed_with_the_rest() {
    let world = World::busy(3, 6).await;
    let unreadable = given::act("future", "trainer-t9", 0, "TrainerSuspended", &9.into());
    world.append(vec![unreadable]).await;
    world.project(10).await;
    let report = world.verify().await;
    assert!(report.equal, "both lack it: {report:#?}");
    let sides: Vec<_> = report.parked.iter().map(|it| it.read_model.as_str()).collect();
    assert_eq!(sides.len(), 2, "{sides:?}");
    assert_eq!(sides[1], format!("{}_next", sides[0]));
    assert_eq!(world.leftovers(), "");
}
