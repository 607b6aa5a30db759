//! A limit that many ask for at once.

use futures::future::join_all;
use serde_json::{Value, json};

use super::cutter::Cutter;
use super::{counted, settled, starter};
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::check::verify_log;
use crate::crash::proxy::Proxy;
use crate::harness::{
    Answer, Caller, Claims, Database, Settings, TestApp, eventually, http, now, token,
};

const CALLS: usize = 200;
const LIMIT: usize = 9;
/// How many are told that they were granted something before the process is killed.
const TOLD: usize = 3;
const CONSUME: &str = "/api/v1/usage/customers/consume";

fn one() -> Value {
    json!({ "trainer": "t1", "quantity": 1 })
}

/// Exactly the limit was granted, each with a count and a position of its own, and everybody else
/// was told that it is reached.
async fn expect_the_limit(app: &TestApp, answers: &[Answer]) {
    let mut granted = Vec::new();
    for answer in answers {
        if answer.status == 200 {
            let json = answer.json();
            assert_eq!((&json["granted"], &json["limit"]), (&json!(true), &json!(9)), "{json}");
            granted.push(json["position"].as_i64().expect("a position"));
        } else {
            let problem = answer.expect_problem(403, "limit_reached");
            assert_eq!(problem["feature"], "customers", "{problem}");
            assert_eq!((&problem["limit"], &problem["used"]), (&json!(9), &json!(9)), "{problem}");
            assert_eq!(problem["current_tier"], "starter", "{problem}");
            assert_eq!(problem["required_tier"], "professional", "{problem}");
        }
    }
    granted.sort_unstable();
    granted.dedup();
    assert_eq!(granted.len(), LIMIT, "each has an event of its own");
    assert_eq!(counted(app).await, 9);
    let events = "SELECT count(*) FROM event WHERE type = 'UsageConsumed'";
    assert_eq!(app.database.number(events).await, 9);
    verify_log(app.owner(), "default").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_grant_exactly_the_limit() {
    let app = starter().await;
    let other = app.another().await;
    let callers = [app.service(), other.service()];
    let body = one();
    let calls = (0..CALLS).map(|n| settled(&callers[n % 2], CONSUME, &body, None));
    let answers = join_all(calls).await;
    expect_the_limit(&app, &answers).await;
    let mut used: Vec<u64> = answers
        .iter()
        .filter(|a| a.status == 200)
        .filter_map(|a| a.json()["used"].as_u64())
        .collect();
    used.sort_unstable();
    assert_eq!(used, (1..=9).collect::<Vec<_>>(), "each is told the count after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_of_answers_that_were_cut_off_count_once() {
    let app = starter().await;
    let other = app.another().await;
    let cutter = Cutter::start(app.url()).await;
    let token = token(&Claims::of("service", "e2e-service"));
    let cut_off = Caller::new(http(), cutter.url(), Some(token));
    let direct = [app.service(), other.service()];
    let body = one();
    let calls = (0..CALLS).map(async |n| {
        let key = format!("key-{n}");
        let first = cut_off.try_post_keyed(CONSUME, &body, &key).await;
        assert!(first.is_err(), "the answer was cut off: {first:?}");
        settled(&direct[n % 2], CONSUME, &body, Some(&key)).await
    });
    let answers = join_all(calls).await;
    assert!(cutter.cut() >= CALLS, "{} answers were cut off", cutter.cut());
    expect_the_limit(&app, &answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_takes_no_room_with_it() {
    let app = starter().await;
    let mut other = app.another().await;
    let (doomed, body) = (other.service(), one());
    let mut told = Vec::new();
    for n in 0..TOLD {
        let answer = settled(&doomed, CONSUME, &body, Some(&format!("key-{n}"))).await;
        told.push(answer.expect(200)["position"].clone());
    }

    // Whoever is granted something now can't be told before this ends, and so never: the server
    // finishes what a dead client asked for.
    let mut hold = app.owner().begin().await.unwrap();
    let head = "SELECT FROM log_head WHERE tenant = 'default' FOR UPDATE";
    sqlx::query(head).execute(&mut *hold).await.unwrap();
    let calls = join_all(
        (TOLD..CALLS)
            .map(async |n| doomed.try_post_keyed(CONSUME, &body, &format!("key-{n}")).await),
    );
    let killed = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waits = || async { (app.database.number(waiting).await > 0).then_some(()) };
        eventually("an append waits", waits).await;
        other.kill();
    };
    let (answers, ()) = tokio::join!(calls, killed);
    hold.rollback().await.unwrap();
    // Who came when nobody listened any more was not cut off.
    let is_cut =
        |answer: &reqwest::Result<Answer>| answer.as_ref().is_err_and(|error| !error.is_connect());
    assert!(answers.iter().any(is_cut), "calls were under way: {answers:?}");
    assert!(answers.iter().flatten().all(|answer| answer.status != 200), "{answers:?}");

    let service = app.service();
    let retries = (0..CALLS)
        .map(async |n| settled(&service, CONSUME, &body, Some(&format!("key-{n}"))).await);
    let answers = join_all(retries).await;
    for (n, position) in told.iter().enumerate() {
        assert_eq!(&answers[n].expect(200)["position"], position, "what was told stands");
    }
    expect_the_limit(&app, &answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_after_a_lost_commit_count_once() {
    let database = Database::fresh().await;
    let socket = database.cluster().socket_dir().join(".s.PGSQL.5432");
    let proxy = Proxy::start(socket).await;
    let (name, login) = database.name_and_login();
    let url = format!("postgres://{login}@{}/{name}?sslmode=disable", proxy.address());
    let settings = Settings::of_service().with("DATABASE_URL", url);
    let app = TestApp::start_on(database, settings).await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;

    let (service, body) = (app.service(), one());
    let mut answers = Vec::new();
    for n in 0..20 {
        let key = format!("key-{n}");
        proxy.lose_next_answer();
        let first = service.try_post_keyed(CONSUME, &body, &key).await.expect("an answer");
        assert!([200, 403, 503].contains(&first.status), "{first:?}");
        let again = settled(&service, CONSUME, &body, Some(&key)).await;
        if first.status != 503 {
            assert_eq!(first.status, again.status, "{first:?}, then {again:?}");
        }
        answers.push(again);
    }
    assert!(proxy.lost() >= LIMIT, "{} answers were lost", proxy.lost());
    expect_the_limit(&app, &answers).await;
}
