//! What nodes share of what they remember: Redis saves queries, and whatever becomes of it, no
//! answer is ever wrong.

mod forger;
mod server;
mod slow;
mod spoilt;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bodies::{PROFESSIONAL, STARTER};
use crate::entitlement_cache::{self, Nodes, STATEMENTS, metric, purchase};
use crate::harness::{Caller, Database, Settings, TestApp, eventually, run, turns};
use server::{PASSWORD, Redis};
use slow::SlowWay;

const ANALYTICS: &str = "/features/analytics/granted";

fn settings(url: impl Into<String>) -> Settings {
    Settings::of_service().with("REDIS_URL", url)
}

fn question(trainer: &str) -> String {
    format!("/api/v1/entitlements?trainer={trainer}")
}

async fn count(app: &TestApp, what: &str) -> f64 {
    metric(app, &format!("ledger_entitlement_redis_{what}")).await
}

async fn refused(app: &TestApp, reason: &str) -> f64 {
    count(app, &format!("refused_total{{reason=\"{reason}\"}}")).await
}

async fn is_in_use(app: &TestApp) {
    eventually("Redis is in use", || async { (count(app, "in_use").await == 1.0).then_some(()) })
        .await;
}

/// Asks about nobody, whom nothing is remembered of, until Redis isn't asked any more.
async fn is_left_alone(app: &TestApp) {
    let mut turns = turns("Redis is left alone");
    for nth in 0.. {
        app.service().get(&question(&format!("nobody-{nth}"))).await.expect(200);
        if count(app, "in_use").await == 0.0 {
            return;
        }
        turns.next().await;
    }
}

/// Two nodes and a Redis. The first one has read nothing but the catalogue, and leaves in Redis
/// what it reads.
struct Pair {
    redis: Redis,
    app: TestApp,
    other: TestApp,
    trainers: usize,
}

impl Pair {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let settings = settings(redis.url());
        Self::on(redis, Database::fresh().await, settings).await
    }

    /// With settings that name some way to that Redis.
    async fn on(redis: Redis, database: Database, settings: Settings) -> Self {
        let app = TestApp::start_on(database, settings).await;
        let other = app.another().await;
        let pair = Self { redis, app, other, trainers: 0 };
        pair.know_the_catalog().await;
        pair
    }

    /// Nobody is asked about otherwise.
    async fn know_the_catalog(&self) {
        for node in [&self.app, &self.other] {
            node.service().get(&question("t0")).await.expect(200);
        }
    }

    /// Somebody whom nobody was asked about yet buys a tier.
    async fn buyer(&mut self) -> String {
        self.trainers += 1;
        let trainer = format!("t{}", self.trainers);
        let (_, position) = purchase(&self.app, &trainer).await;
        // Both nodes have heard of it.
        for node in [&self.app, &self.other] {
            node.service().read_at(&question("t0"), position).await;
        }
        trainer
    }

    /// The first node reads the tables about a trainer and leaves that in Redis; none if Redis was
    /// late just then.
    async fn leave(&self, trainer: &str) -> Option<(String, Vec<u8>)> {
        self.leave_of("default", &self.app.service(), trainer).await
    }

    /// The same of a tenant, asked by somebody of it.
    async fn leave_of(
        &self,
        tenant: &str,
        caller: &Caller,
        trainer: &str,
    ) -> Option<(String, Vec<u8>)> {
        is_in_use(&self.app).await;
        let before = count(&self.app, "unwritten_total").await;
        let mut turns = turns("something is left in Redis");
        loop {
            // What the feed told of meanwhile isn't kept anywhere, and read again.
            caller.get(&question(trainer)).await.expect(200);
            if let Some(left) = self.redis.find(tenant, trainer) {
                return Some(left);
            }
            if count(&self.app, "unwritten_total").await > before {
                return None;
            }
            turns.next().await;
        }
    }

    /// A buyer of whom the first node has left something, and what.
    async fn left(&mut self) -> (String, String, Vec<u8>) {
        let mut turns = turns("something is left in Redis of somebody");
        loop {
            let trainer = self.buyer().await;
            if let Some((name, value)) = self.leave(&trainer).await {
                return (trainer, name, value);
            }
            turns.next().await;
        }
    }

    /// Another trainer's questions are answered out of Redis by the other node, sooner or later: on
    /// a busy machine the feed or Redis itself may be late, and then tables are read.
    async fn share(&mut self) -> Value {
        let mut turns = turns("the other node is answered from Redis");
        loop {
            let (trainer, ..) = self.left().await;
            is_in_use(&self.other).await;
            let before = count(&self.other, "hits_total").await;
            let answer = self.other.service().get(&question(&trainer)).await.expect(200);
            assert_eq!(answer["tier"], "starter", "{answer}");
            if count(&self.other, "hits_total").await > before {
                return answer;
            }
            turns.next().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_has_read_another_needs_no_table_for() {
    let redis = Redis::start().await;
    let settings = settings(redis.url());
    let mut pair = Pair::on(redis, Database::counting_statements().await, settings).await;
    let mut turns = turns("the other node touches no table");
    loop {
        let (trainer, ..) = pair.left().await;
        let own = pair.app.service().get(&question(&trainer)).await.expect(200);
        is_in_use(&pair.other).await;
        let hits = count(&pair.other, "hits_total").await;
        let statements = pair.app.database.number(STATEMENTS).await;
        let others = pair.other.service().get(&question(&trainer)).await.expect(200);
        let (now_hits, now_statements) =
            (count(&pair.other, "hits_total").await, pair.app.database.number(STATEMENTS).await);
        // What was there a moment ago may be newer by a position.
        assert_eq!(own["features"], others["features"]);
        if now_hits > hits {
            assert_eq!(now_statements, statements, "no table is touched");
            break;
        }
        turns.next().await;
    }
    // What is kept there is kept for five minutes at most.
    let (_, name, _) = pair.left().await;
    let left: i64 = redis::cmd("TTL").arg(&name).query(&mut pair.redis.connect()).unwrap();
    assert!((1..=300).contains(&left), "{left} seconds");
}

async fn with_redis(trainers: &'static [&'static str]) -> (Redis, Nodes) {
    let redis = Redis::start().await;
    let nodes = Nodes::start_with(settings(redis.url()), trainers).await;
    (redis, nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_stripe_tells() {
    let (_redis, nodes) = with_redis(&["t1"]).await;
    entitlement_cache::stripe_tells(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_was_used_and_a_limit_that_is_reached() {
    let (_redis, nodes) = with_redis(&["t1"]).await;
    entitlement_cache::usage_is_seen(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_concerns_everybody() {
    let (_redis, nodes) = with_redis(&["t1", "t2"]).await;
    entitlement_cache::everybody_is_concerned(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_a_subscription_move_to_another_trainer() {
    let (_redis, nodes) = with_redis(&["t1", "t2"]).await;
    entitlement_cache::a_subscription_moves(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_feed_never_makes_an_answer_old() {
    let (_redis, nodes) = with_redis(&["t1"]).await;
    entitlement_cache::the_feed_breaks(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_takes_over_and_no_answer_is_old() {
    let (_redis, nodes) = with_redis(&["t1"]).await;
    entitlement_cache::another_takes_over(nodes).await;
}

/// Nobody deletes anything in Redis, so the old entry is there when the change is asked for; and it
/// is put back over the new one.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_entry_that_is_put_back_is_not_believed() {
    let mut pair = Pair::start().await;
    let trainer = "changing";
    let (mut story, _) = purchase(&pair.app, trainer).await;
    let mut tiers = [(PROFESSIONAL, true), (STARTER, false)].into_iter().cycle();
    let mut turns = turns("an old entry is known to be old");
    let before = refused(&pair.other, "old").await;
    loop {
        let left = pair.leave(trainer).await;
        let (price, expected) = tiers.next().expect("for ever");
        story.pass(60).change_to(price);
        let position = pair.app.stripe().deliver_all(&story.take()).await;
        pair.app.service().read_at(&question(trainer), position).await;
        // The other node has heard of the change, and not been asked since.
        pair.other.service().read_at(&question("t0"), position).await;
        if let Some((name, old)) = left {
            pair.redis.put(&name, &old);
        }
        for node in [&pair.other, &pair.app] {
            let answer = node.service().read_at(&question(trainer), position).await;
            assert_eq!(answer.pointer(ANALYTICS), Some(&json!(expected)), "{answer}");
            let answer = node.service().get(&question(trainer)).await.expect(200);
            assert_eq!(answer.pointer(ANALYTICS), Some(&json!(expected)), "{answer}");
        }
        if refused(&pair.other, "old").await > before {
            break;
        }
        turns.next().await;
    }
    pair.share().await;
}

/// It can't know what happened before it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_just_started_believes_nothing_from_before() {
    let mut pair = Pair::start().await;
    let (trainer, name, old) = pair.left().await;
    pair.other.kill();
    let (mut story, _) = purchase(&pair.app, "another").await;
    story.pass(60).change_to(PROFESSIONAL);
    let position = pair.app.stripe().deliver_all(&story.take()).await;
    pair.other.start_service().await;
    pair.other.service().read_at(&question("t0"), position).await;
    is_in_use(&pair.other).await;
    pair.redis.put(&name, &old);
    let before = count(&pair.other, "hits_total").await;
    let answer = pair.other.service().get(&question(&trainer)).await.expect(200);
    assert_eq!(answer["tier"], "starter", "{answer}");
    assert!(count(&pair.other, "hits_total").await == before, "it is asked of the tables");
    pair.share().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_under_way_and_comes_back_empty() {
    const CALLERS: usize = 16;
    let mut pair = Pair::start().await;
    let (trainer, ..) = pair.left().await;
    let mut callers = JoinSet::new();
    for lane in 0..CALLERS {
        let (caller, trainer) = (pair.other.service(), trainer.clone());
        callers.spawn(async move {
            for nth in 0..40 {
                let nobody = caller.get(&question(&format!("nobody-{lane}-{nth}"))).await;
                assert_eq!(nobody.expect(200)["tier"], Value::Null);
                assert_eq!(caller.get(&question(&trainer)).await.expect(200)["tier"], "starter");
            }
        });
    }
    eventually("they ask Redis", || async {
        (count(&pair.other, "misses_total").await > 0.0).then_some(())
    })
    .await;
    pair.redis.kill();
    while let Some(done) = callers.join_next().await {
        done.expect("all are answered");
    }
    let trainer = pair.buyer().await;
    for node in [&pair.app, &pair.other] {
        is_left_alone(node).await;
        assert_eq!(node.service().get(&question(&trainer)).await.expect(200)["tier"], "starter");
        assert_eq!(node.anyone().get("/readyz").await.status, 200);
    }
    pair.redis.restart().await;
    pair.share().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_flushed() {
    let mut pair = Pair::start().await;
    let (trainer, ..) = pair.left().await;
    redis::cmd("FLUSHALL").query::<()>(&mut pair.redis.connect()).unwrap();
    let answer = pair.other.service().get(&question(&trainer)).await.expect(200);
    assert_eq!(answer["tier"], "starter", "{answer}");
    pair.share().await;
}

/// It takes connections and questions, and doesn't answer.
#[tokio::test(flavor = "multi_thread")]
async fn redis_hangs() {
    let mut pair = Pair::start().await;
    let (trainer, ..) = pair.left().await;
    is_in_use(&pair.other).await;
    pair.redis.freeze();
    let before = count(&pair.other, "failures_total").await;
    let answer = pair.other.service().get(&question(&trainer)).await.expect(200);
    assert_eq!(answer["tier"], "starter", "{answer}");
    is_left_alone(&pair.other).await;
    // One call failed, and perhaps some that were under way with it; all others didn't wait.
    for nth in 0..50 {
        pair.other.service().get(&question(&format!("nobody-again-{nth}"))).await.expect(200);
    }
    let failures = count(&pair.other, "failures_total").await - before;
    assert!((1.0..5.0).contains(&failures), "{failures} failures");
    assert_eq!(pair.other.anyone().get("/readyz").await.status, 200);
    pair.redis.thaw();
    pair.share().await;
}

/// It lives, and each answer to a question is late: once in a while somebody waits, and no longer
/// than anybody has to.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_slow() {
    let redis = Redis::start().await;
    let way = SlowWay::start(redis.port, "GETRANGE").await;
    let settings = settings(Redis::url_at(way.port));
    let mut pair = Pair::on(redis, Database::fresh().await, settings).await;
    let trainer = pair.buyer().await;
    let before = count(&pair.other, "failures_total").await;
    let mut turns = turns("a call is too late");
    for nth in 0.. {
        let nobody = question(&format!("nobody-{nth}"));
        pair.other.service().get(&nobody).await.expect(200);
        if count(&pair.other, "failures_total").await > before {
            break;
        }
        turns.next().await;
    }
    for node in [&pair.app, &pair.other] {
        assert_eq!(node.service().get(&question(&trainer)).await.expect(200)["tier"], "starter");
        assert_eq!(count(node, "hits_total").await, 0.0, "nothing was waited for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_costs_redis_alone() {
    let redis = Redis::start().await;
    let wrong = "wrong-password-93ab";
    let url = redis.url().replace(PASSWORD, wrong);
    let pair = Pair::on(redis, Database::fresh().await, settings(url)).await;
    let (_, position) = purchase(&pair.app, "t1").await;
    for node in [&pair.app, &pair.other] {
        let answer = node.service().read_at(&question("t1"), position).await;
        assert_eq!(answer["tier"], "starter", "{answer}");
        eventually("the log says so", || async {
            node.output().text().contains("Redis can't be asked").then_some(())
        })
        .await;
        assert!(!node.output().text().contains(wrong), "nobody tells the password");
        assert_eq!(count(node, "in_use").await, 0.0);
    }
    assert_eq!(pair.redis.find("default", "t1"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_redis_is_refused_at_the_start() {
    let settings = settings("http://:hunter2@localhost").with("DATABASE_URL", "postgres://u@h/d");
    let ended = run(&settings, &["serve"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(told.contains("REDIS_URL can't be used"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

/// Over TLS, a server is known by its certificate.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_reached_over_tls() {
    let (redis, trusted) = Redis::start_with_tls().await;
    let settings = settings(redis.tls_url()).with("SSL_CERT_FILE", &trusted);
    let mut pair = Pair::on(redis, Database::fresh().await, settings).await;
    pair.share().await;

    let (impostor, _) = Redis::start_with_tls().await;
    let misled = crate::shared_cache::settings(impostor.tls_url()).with("SSL_CERT_FILE", trusted);
    let app = TestApp::start_with(misled).await;
    eventually("nobody trusts it", || async {
        app.output().text().contains("Redis can't be asked").then_some(())
    })
    .await;
    assert_eq!(count(&app, "in_use").await, 0.0);
    assert_eq!(app.service().get(&question("t1")).await.expect(200)["tier"], Value::Null);
}
