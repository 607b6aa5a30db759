//! What answers about many trainers, and to many who have no token, cost the database.

use futures::stream::{self, StreamExt};
use tokio::task::JoinSet;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::entitlement_cache::{self, metric};
use crate::harness::{Database, Settings, TestApp, eventually, now, soak, turns};

/// Statements on tables so far, whichever of the ledger's logins sent them and whatever for.
const STATEMENTS: &str = "SELECT coalesce(sum(s.calls), 0)::bigint
    FROM pg_stat_statements s
    JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND r.rolname LIKE 'ledger%'";

/// Questions and webhooks that are under way at the same time.
const LANES: usize = 16;

/// A question about a trainer, of one kind or another.
fn path(nth: usize) -> String {
    match nth % 4 {
        0 => format!("/api/v1/entitlements?trainer=t{nth}"),
        1 => format!("/api/v1/entitlements/customers?trainer=t{nth}"),
        2 => format!("/api/v1/tiers/current?trainer=t{nth}"),
        _ => format!("/api/v1/usage/t{nth}/limits"),
    }
}

/// A ledger with so many trainers who bought a tier.
async fn ledger(trainers: usize) -> TestApp {
    // Room for all of them.
    let settings = Settings::of_service().with("LEDGER_ENTITLEMENT_CACHE_MIB", "1024");
    let app = TestApp::start_on(Database::counting_statements().await, settings).await;
    let stripe = app.stripe();
    let deliveries = stream::iter(0..trainers).map(async |nth| {
        let mut story = Story::new(&format!("t{nth}"), Version::Clover, now() - 2 * DAY);
        story.purchase(STARTER);
        let is_news = |kind: &str| kind == "customer.subscription.created";
        let webhooks = story.take();
        let webhook = webhooks.iter().find(|it| it["type"].as_str().is_some_and(is_news));
        stripe.deliver(webhook.expect("it is told")).await
    });
    let positions: Vec<i64> = deliveries.buffer_unordered(LANES).collect().await;
    let position = positions.into_iter().max().expect("some are told");
    app.service().read_at("/api/v1/entitlements?trainer=nobody", position).await;
    app
}

/// Asks about each of them once, and tells how many statements there were meanwhile.
async fn ask_all(app: &TestApp, trainers: usize) -> i64 {
    let before = app.database.number(STATEMENTS).await;
    let service = app.service();
    let questions = stream::iter(0..trainers).map(async |nth| {
        let answer = service.get(&path(nth)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    });
    questions.buffer_unordered(LANES).collect::<Vec<()>>().await;
    app.database.number(STATEMENTS).await - before
}

/// What the ledger does by itself meanwhile is counted as well. It does so by the second, and not
/// by the question; so there is room for some of it, and a busy machine is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_cold_answer_takes_one_statement_of_all_logins_and_a_warm_one_none() {
    let trainers = soak(3_000, 100_000);
    let count = i64::try_from(trainers).expect("it is no more");
    let mut app = ledger(trainers).await;
    let mut tries = turns("cold answers take one statement each");
    loop {
        app.stop().await;
        app.start_service().await;
        // The catalogue is read once, for all of them.
        app.service().get("/api/v1/entitlements?trainer=nobody").await.expect(200);
        let cold = ask_all(&app, trainers).await;
        assert!(cold >= count, "{cold} statements for {count} cold answers: all are counted");
        if cold < count + count / 5 {
            break;
        }
        eprintln!("{cold} statements for {count} cold answers");
        tries.next().await;
    }
    eventually("warm answers take no statement", || async {
        let hits = || metric(&app, "ledger_entitlement_cache_hits_total");
        let before = hits().await;
        let warm = ask_all(&app, trainers).await;
        let found = hits().await - before;
        eprintln!("{warm} statements for {count} answers, {found} of them from memory");
        (warm < count / 10 && found >= trainers as f64).then_some(())
    })
    .await;
}

/// Nothing else limits how often somebody without a token asks.
#[tokio::test(flavor = "multi_thread")]
async fn all_who_ask_for_the_tiers_without_a_token_share_a_reading() {
    const CALLERS: usize = 90;
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let statements = entitlement_cache::STATEMENTS;
    let app =
        TestApp::start_on(Database::counting_statements().await, Settings::of_service()).await;
    app.anyone().get("/api/v1/tiers").await.expect(200);
    let mut tries = turns("the readings are shared");
    loop {
        let before = app.database.number(statements).await;
        let mut lock = app.owner().begin().await.unwrap();
        let held = "LOCK TABLE projection.parked_unit IN ACCESS EXCLUSIVE MODE";
        sqlx::query(held).execute(&mut *lock).await.unwrap();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let caller = app.anyone();
            callers.spawn(async move { caller.get("/api/v1/tiers").await });
        }
        eventually("somebody reads", || async {
            (app.database.number(WAITING).await > 0).then_some(())
        })
        .await;
        lock.rollback().await.unwrap();
        while let Some(answer) = callers.join_next().await {
            let answer = answer.unwrap().expect(200);
            assert_eq!(answer["tiers"].as_array().map(Vec::len), Some(3), "{answer}");
        }
        // Each reading takes some, and those who came while one was made share the next.
        let statements = app.database.number(statements).await - before;
        assert!(statements > 0, "readings are counted");
        if statements < CALLERS as i64 / 2 {
            break;
        }
        eprintln!("{statements} statements for {CALLERS} callers");
        tries.next().await;
    }
}
