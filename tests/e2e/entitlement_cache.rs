//! What is remembered of trainers: it saves every query, and no answer is ever older for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version, customer};
use crate::harness::{Database, Settings, TestApp, eventually, now, run, turns};

/// Statements on tables for questions: all of the role that answers them, and whatever reads the
/// log's usage.
pub(crate) const STATEMENTS: &str = "SELECT coalesce(sum(s.calls), 0)::bigint
    FROM pg_stat_statements s
    JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database()
        AND (r.rolname = 'ledger_api' OR s.query ILIKE '%from usage_entry%')
        AND s.query NOT ILIKE '%pg_stat_statements%'";

/// Refuses the feed's own statement, and no other.
const BREAK: &str = "CREATE POLICY broken ON projection.answer_feed AS RESTRICTIVE
    FOR SELECT TO ledger_projector USING (
        CASE WHEN current_query() LIKE '%LEFT JOIN answer_change%'
             THEN 1 / (length(tenant) - length(tenant)) = 1 ELSE true END)";
const MEND: &str = "DROP POLICY broken ON projection.answer_feed";

/// Ends the connections by which changes are heard, and whatever else the projector does.
const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE '%ledger_projector'";

/// A ledger whose server counts statements.
async fn counting() -> TestApp {
    TestApp::start_on(Database::counting_statements().await, Settings::of_service()).await
}

/// One of the metrics; 0 if it isn't there.
pub(crate) async fn metric(app: &TestApp, name: &str) -> f64 {
    let metrics = app.anyone().get("/metrics").await.body;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().expect("a number"))
}

async fn hits(app: &TestApp) -> f64 {
    metric(app, "ledger_entitlement_cache_hits_total").await
}

async fn misses(app: &TestApp) -> f64 {
    metric(app, "ledger_entitlement_cache_misses_total").await
}

/// A trainer buys a tier.
pub(crate) async fn purchase(app: &TestApp, trainer: &str) -> (Story, i64) {
    let mut story = Story::new(trainer, Version::Clover, now() - 2 * DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    (story, position)
}

/// Asks until an answer comes from memory: from now on an old one would be there to be found.
async fn remember(app: &TestApp, trainer: &str) -> Value {
    let path = format!("/api/v1/entitlements?trainer={trainer}");
    let mut turns = turns("an answer comes from memory");
    loop {
        let before = hits(app).await;
        let answer = app.service().get(&path).await.expect(200);
        if hits(app).await > before {
            return answer;
        }
        turns.next().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_answer_touches_no_table_and_a_cold_one_takes_one_query() {
    let app = counting().await;
    let (mut story, _) = purchase(&app, "t1").await;
    story.pass(3_600).add(AI_STARTER);
    app.stripe().deliver_all(&story.take()).await;
    let consumed =
        app.service().post("/api/v1/usage/customers/consume", &json!({"trainer": "t1"})).await;
    let position = consumed.expect(200)["position"].as_i64().expect("a position");
    let (_, other) = purchase(&app, "t2").await;
    // The catalogue is read once, and none of these trainers is asked about.
    app.service().read_at("/api/v1/entitlements?trainer=t0", position.max(other)).await;

    let statements = || app.database.number(STATEMENTS);
    for trainer in ["t1", "t2", "nobody"] {
        let before = statements().await;
        let path = format!("/api/v1/entitlements/customers?trainer={trainer}");
        let answer = app.service().get(&path).await;
        assert_eq!(statements().await - before, 1, "cold: {trainer} {answer:?}");
    }

    let paths = [
        "/api/v1/entitlements?trainer=t1",
        "/api/v1/entitlements/customers?trainer=t1",
        "/api/v1/entitlements/analytics?trainer=t1",
        "/api/v1/tiers/current?trainer=t2",
        "/api/v1/usage/t1/limits",
        "/api/v1/entitlements/customers?trainer=nobody",
    ];
    // On a busy machine the feed may be late, and then tables are read.
    eventually("answers touch no table", || async {
        let (before, hit) = (statements().await, hits(&app).await);
        for path in paths {
            let answer = app.service().get(path).await;
            assert!([200, 403].contains(&answer.status), "{answer:?}");
            let at = format!("{path}&min_position={position}").replacen("limits&", "limits?", 1);
            assert!([200, 403].contains(&app.service().get(&at).await.status));
        }
        let all = (2 * paths.len()) as f64;
        (statements().await == before && hits(&app).await - hit == all).then_some(())
    })
    .await;
    let authorized = eventually("a gateway's question touches no table", || async {
        let before = statements().await;
        let caller = app.trainer("t1");
        let answer = caller.authorize("customers").await;
        (statements().await == before).then_some(answer)
    });
    assert_eq!(authorized.await.status, 200);
}

/// What a change makes of an answer, at a place in it.
struct Step {
    what: &'static str,
    position: i64,
    pointer: &'static str,
    expected: Value,
}

/// Two nodes of one ledger, both of which remember what they answered.
pub(crate) struct Nodes {
    app: TestApp,
    other: TestApp,
    trainers: &'static [&'static str],
}

impl Nodes {
    async fn start(trainers: &'static [&'static str]) -> Self {
        Self::start_with(Settings::of_service(), trainers).await
    }

    pub(crate) async fn start_with(settings: Settings, trainers: &'static [&'static str]) -> Self {
        let app = TestApp::start_with(settings).await;
        let other = app.another().await;
        Self { app, other, trainers }
    }

    async fn remember(&self) {
        for node in [&self.app, &self.other] {
            for trainer in self.trainers {
                remember(node, trainer).await;
            }
        }
    }

    /// Whoever asks for a change sees it on each node, and who doesn't sees it soon.
    async fn expect(&self, trainer: &str, step: Step) {
        let Step { what, position, pointer, expected } = step;
        let path = format!("/api/v1/entitlements?trainer={trainer}");
        for node in [&self.other, &self.app] {
            let answer = node.service().read_at(&path, position).await;
            assert_eq!(answer.pointer(pointer), Some(&expected), "{what}: {answer}");
            eventually(what, || async {
                let answer = node.service().get(&path).await.expect(200);
                (answer.pointer(pointer) == Some(&expected)).then_some(())
            })
            .await;
        }
        self.remember().await;
    }

    async fn deliver(&self, story: &mut Story) -> i64 {
        self.app.stripe().deliver_all(&story.take()).await
    }
}

const TIER: &str = "/tier";
/// What the other catalogue gives everybody, and this one doesn't know.
const OF_THE_OTHER: &str = "/features/AI_MESSAGES/granted";
const ANALYTICS: &str = "/features/analytics/granted";
const USED: &str = "/features/customers/used";

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_stripe_tells() {
    stripe_tells(Nodes::start(&["t1"]).await).await;
}

pub(crate) async fn stripe_tells(nodes: Nodes) {
    let (mut story, _) = purchase(&nodes.app, "t1").await;
    nodes.remember().await;
    story.pass(DAY).change_to(PROFESSIONAL);
    let position = nodes.deliver(&mut story).await;
    let expected = json!(true);
    nodes.expect("t1", Step { what: "an upgrade", position, pointer: ANALYTICS, expected }).await;
    story.pass(3_600).change_to(STARTER);
    let position = nodes.deliver(&mut story).await;
    let expected = json!(false);
    nodes.expect("t1", Step { what: "a downgrade", position, pointer: ANALYTICS, expected }).await;
    story.pass(3_600).cancel_now();
    let position = nodes.deliver(&mut story).await;
    let expected = json!("none");
    let pointer = "/access";
    nodes.expect("t1", Step { what: "the end", position, pointer, expected }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_was_used_and_a_limit_that_is_reached() {
    usage_is_seen(Nodes::start(&["t1"]).await).await;
}

pub(crate) async fn usage_is_seen(nodes: Nodes) {
    purchase(&nodes.app, "t1").await;
    nodes.remember().await;
    for used in 1..=9 {
        let node = if used % 2 == 0 { &nodes.app } else { &nodes.other };
        let path = "/api/v1/usage/customers/consume";
        let granted = node.service().post(path, &json!({"trainer": "t1"})).await.expect(200);
        let position = granted["position"].as_i64().expect("a position");
        let expected = json!(used);
        nodes.expect("t1", Step { what: "usage", position, pointer: USED, expected }).await;
    }
    for node in [&nodes.app, &nodes.other] {
        let path = "/api/v1/entitlements/customers?trainer=t1";
        node.service().get(path).await.expect_problem(403, "limit_reached");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_what_concerns_everybody() {
    everybody_is_concerned(Nodes::start(&["t1", "t2"]).await).await;
}

pub(crate) async fn everybody_is_concerned(nodes: Nodes) {
    purchase(&nodes.app, "t1").await;
    purchase(&nodes.app, "t2").await;
    nodes.remember().await;
    let change = json!({ "mode": "shadow", "reason": "a drill" });
    let put = nodes.app.admin();
    let changed = put.put_keyed("/api/v1/admin/enforcement", &change, "a").await.expect(200);
    let position = changed["position"].as_i64().expect("a position");
    for node in [&nodes.other, &nodes.app] {
        for trainer in nodes.trainers {
            let path = format!("/api/v1/entitlements/analytics?trainer={trainer}");
            let answer = eventually("the change is known", || async {
                let path = format!("{path}&min_position={position}");
                Some(node.service().get(&path).await).filter(|answer| answer.status != 503)
            })
            .await;
            assert_eq!(answer.status, 200, "nothing is denied in shadow: {answer:?}");
        }
    }
    nodes.remember().await;

    let organisation = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/organisation.toml");
    let settings = Settings::of_service().with("DATABASE_URL", nodes.app.database.url());
    let published = run(&settings, &["catalog", "publish", organisation]).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let position = nodes.app.database.number("SELECT max(position) FROM log_head").await;
    for trainer in ["t1", "t2"] {
        let (pointer, expected) = (OF_THE_OTHER, json!(true));
        nodes.expect(trainer, Step { what: "a catalogue", position, pointer, expected }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_sees_a_subscription_move_to_another_trainer() {
    a_subscription_moves(Nodes::start(&["t1", "t2"]).await).await;
}

pub(crate) async fn a_subscription_moves(nodes: Nodes) {
    let mut story = Story::new("t1", Version::Clover, now() - 2 * DAY).unnamed();
    story.purchase(STARTER);
    nodes.deliver(&mut story).await;
    nodes.remember().await;
    // Stripe tells that the customer was always somebody else.
    let id = story.customer.clone();
    let told = |trainer: &str, at| customer(&id, at, &json!({ "trainer_id": trainer }));
    story.pass(DAY);
    let at = story.now;
    story.tell("customer.updated", &told("t2", at));
    let mut webhooks = story.take();
    webhooks[0]["data"]["previous_attributes"] = json!({ "metadata": { "trainer_id": "t1" } });
    let position = nodes.app.stripe().deliver_all(&webhooks).await;
    for (trainer, expected) in [("t2", json!("starter")), ("t1", Value::Null)] {
        let (what, pointer) = ("another trainer", TIER);
        nodes.expect(trainer, Step { what, position, pointer, expected }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_feed_never_makes_an_answer_old() {
    the_feed_breaks(Nodes::start(&["t1"]).await).await;
}

pub(crate) async fn the_feed_breaks(nodes: Nodes) {
    let (mut story, _) = purchase(&nodes.app, "t1").await;
    nodes.remember().await;
    let mut tier = [(PROFESSIONAL, json!(true)), (STARTER, json!(false))].into_iter().cycle();
    let path = "/api/v1/entitlements?trainer=t1";
    for round in 0..6 {
        let is_broken = round % 2 == 0;
        if is_broken {
            nodes.app.database.execute(BREAK);
        }
        nodes.app.database.execute(CUT);
        let (price, expected) = tier.next().expect("for ever");
        story.pass(60).change_to(price);
        let position = nodes.deliver(&mut story).await;
        for node in [&nodes.other, &nodes.app] {
            let answer = node.service().read_at(path, position).await;
            assert_eq!(answer.pointer(ANALYTICS), Some(&expected), "round {round}: {answer}");
        }
        if is_broken {
            // Without a position asked for, it is as new as the tables are.
            for node in [&nodes.other, &nodes.app] {
                eventually("the feed's age is told", || async {
                    let age = metric(node, "ledger_entitlement_feed_age_seconds").await;
                    Some(age).filter(|age| *age > 1.0)
                })
                .await;
                let before = misses(node).await;
                let answer = node.service().get(path).await.expect(200);
                assert_eq!(answer.pointer(ANALYTICS), Some(&expected), "round {round}: {answer}");
                assert!(misses(node).await > before, "the table was read");
            }
            nodes.app.database.execute(MEND);
        }
        nodes.remember().await;
    }
}

/// Whoever wrote the read models is gone, or doesn't know yet that it isn't the one any more.
#[tokio::test(flavor = "multi_thread")]
async fn another_node_takes_over_and_no_answer_is_old() {
    another_takes_over(Nodes::start(&["t1"]).await).await;
}

pub(crate) async fn another_takes_over(mut nodes: Nodes) {
    let (mut story, _) = purchase(&nodes.app, "t1").await;
    nodes.remember().await;
    nodes.app.database.hold_up_runner();
    story.pass(DAY).change_to(PROFESSIONAL);
    let position = nodes.deliver(&mut story).await;
    let path = format!("/api/v1/entitlements?trainer=t1&min_position={position}");
    for node in [&nodes.app, &nodes.other] {
        node.service().get(&path).await.expect_problem(503, "unavailable");
    }
    nodes.app.database.release_runner();
    let (what, pointer, expected) = ("an upgrade", ANALYTICS, json!(true));
    nodes.expect("t1", Step { what, position, pointer, expected }).await;
    nodes.app.kill();
    story.pass(60).change_to(STARTER);
    let position = nodes.other.stripe().deliver_all(&story.take()).await;
    let path = "/api/v1/entitlements?trainer=t1";
    let answer = nodes.other.service().read_at(path, position).await;
    assert_eq!(answer.pointer(ANALYTICS), Some(&json!(false)), "{answer}");
    nodes.app.start_service().await;
    let (what, expected) = ("a downgrade", json!(false));
    nodes.expect("t1", Step { what, position, pointer, expected }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_size_is_bounded() {
    let settings = Settings::of_service().with("LEDGER_ENTITLEMENT_CACHE_MIB", "1");
    let app = std::sync::Arc::new(TestApp::start_with(settings).await);
    purchase(&app, "t1").await;
    remember(&app, "t1").await;
    let mut tasks = JoinSet::new();
    for lane in 0..8 {
        let app = std::sync::Arc::clone(&app);
        tasks.spawn(async move {
            for nth in 0..400 {
                let path = format!("/api/v1/entitlements?trainer=nobody-{lane}-{nth}");
                app.service().get(&path).await.expect(200);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("all are answered");
    }
    remember(&app, "t1").await;
    let bytes = eventually("the size is told", || async {
        let bytes = metric(&app, "ledger_entitlement_cache_bytes").await;
        Some(bytes).filter(|bytes| *bytes > 0.5 * f64::from(1 << 20))
    })
    .await;
    assert!(bytes <= f64::from(1 << 20), "{bytes} bytes");
    let entries = metric(&app, "ledger_entitlement_cache_entries").await;
    assert!(entries < 3_000.0, "{entries} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_are_answered_by_one_query() {
    const CALLERS: usize = 60;
    let app = counting().await;
    let (_, position) = purchase(&app, "t1").await;
    app.service().read_at("/api/v1/entitlements?trainer=t0", position).await;
    remember(&app, "t0").await;
    let (before, missed) = (app.database.number(STATEMENTS).await, misses(&app).await);
    let mut lock = app.owner().begin().await.unwrap();
    let held = "LOCK TABLE rm_grants.trainer IN ACCESS EXCLUSIVE MODE";
    sqlx::query(held).execute(&mut *lock).await.unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let caller = app.service();
        callers.spawn(async move { caller.get("/api/v1/entitlements?trainer=t1").await });
    }
    eventually("all have asked", || async {
        (misses(&app).await - missed >= CALLERS as f64).then_some(())
    })
    .await;
    lock.rollback().await.unwrap();
    let mut answers = BTreeMap::new();
    while let Some(answer) = callers.join_next().await {
        let tier = answer.unwrap().expect(200)["tier"].clone();
        *answers.entry(tier.to_string()).or_insert(0) += 1;
    }
    assert_eq!(answers, BTreeMap::from([("\"starter\"".to_owned(), CALLERS)]));
    let statements = app.database.number(STATEMENTS).await - before;
    // A second one, where the feed was late just then: what was read then holds for all who wait.
    assert!((1..=2).contains(&statements), "{statements} statements for {CALLERS} callers");
}
