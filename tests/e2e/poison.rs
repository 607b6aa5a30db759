//! A fact that a read model can't take in holds up its own trainer and nobody else.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version, customer, event};
use crate::check::{expect_equal_to_a_fold, verify_log};
use crate::harness::{Settings, TestApp, eventually, now, run};

/// That the log has one line for the parked unit, with the reason, and the metrics count it once,
/// however often it was tried again.
async fn assert_told_once(app: &TestApp) {
    let output = app.output().text();
    let told: Vec<&str> = output.lines().filter(|line| line.contains("a unit is parked")).collect();
    let [line] = told[..] else { panic!("one line: {told:?}") };
    for part in ["WARN", "default", "customer/cus_ill", "poison"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(output.contains("trying a parked unit again"), "{output}");
    let metrics = app.anyone().get("/metrics").await.body;
    assert!(metrics.contains("\nledger_projection_parked_total 1\n"), "{metrics}");
}

/// That answers about the parked trainer tell the last position before the event that waits, and
/// that whoever asks for a later one is told why it doesn't come.
async fn assert_own_position(app: &TestApp, own: i64) {
    let ill = app.trainer("ill");
    let feature = "/api/v1/entitlements/customers";
    for path in ["/api/v1/tiers/current", "/api/v1/tiers/history", "/api/v1/entitlements", feature]
    {
        assert_eq!(ill.get(path).await.expect(200)["position"], own, "{path}");
        let reached = ill.get(&format!("{path}?min_position={own}")).await;
        assert_eq!(reached.expect(200)["position"], own, "{path}");
        let later = ill.get(&format!("{path}?min_position={}", own + 1)).await;
        let problem = later.expect_problem(503, "parked");
        let detail = problem["detail"].as_str().unwrap_or_default();
        for part in [&format!("position {own}"), "/api/v1/admin/projections", "min_position"] {
            assert!(detail.contains(part), "{part} in {detail}");
        }
        assert!(later.header("retry-after").is_some(), "{later:?}");
        let explained = app.anyone().get(problem["type"].as_str().unwrap()).await;
        assert_eq!(explained.status, 200, "{explained:?}");
    }
    // Nobody else's answer ends there.
    let well = app.trainer("well").get("/api/v1/tiers/current").await.expect(200);
    assert!(well["position"].as_i64() > Some(own), "{well}");
    let tiers = app.anyone().get("/api/v1/tiers").await.expect(200);
    assert!(tiers["position"].as_i64() > Some(own), "{tiers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trainer_waits_and_all_others_are_served() {
    let mut app = TestApp::start().await;
    let begin = now() - 5 * DAY;
    let mut ill = Story::new("ill", Version::Clover, begin);
    ill.purchase(STARTER);
    let position = app.stripe().deliver_all(&ill.take()).await;
    app.trainer("ill").read_at("/api/v1/tiers/current", position).await;

    let subscription = ill.tier().id.clone();
    app.database.execute(&format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON rm_subscriptions.trainer_subscriptions
         FOR EACH ROW WHEN (NEW.subscription_id = '{subscription}')
         EXECUTE FUNCTION public.refuse()"
    ));
    ill.pass(DAY).change_to(PROFESSIONAL);
    app.stripe().deliver_all(&ill.take()).await;

    // Everybody else goes on, also in what comes later.
    for trainer in ["well", "fine"] {
        let mut story = Story::new(trainer, Version::Clover, begin);
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL);
        let position = app.stripe().deliver_all(&story.take()).await;
        let current = app.trainer(trainer).read_at("/api/v1/tiers/current", position).await;
        assert_eq!(current["tier"]["slug"], "professional", "{trainer}: {current}");
    }
    let parked = "SELECT count(*) FROM projection.parked_unit";
    assert_eq!(app.database.number(parked).await, 1, "one unit is parked");
    let told = app.operator().get("/api/v1/admin/projections").await.expect(200);
    assert_eq!(told["parked"][0]["unit"], "customer/cus_ill", "{told}");
    let reason = told["parked"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("poison") && told["parked"][1].is_null(), "{told}");
    assert_eq!(app.anyone().get("/readyz").await.status, 200, "the service stays in use");
    let waiting = "SELECT count(*) FROM projection.parked_event";
    assert!(app.database.number(waiting).await > 0, "its events wait");
    // What it had before is still served, with a position that doesn't claim more.
    let before = app.trainer("ill").get("/api/v1/tiers/current").await;
    assert_eq!(before.expect(200)["tier"]["slug"], "starter");
    let first = told["parked"][0]["first_position"].as_i64().expect("an event waits");
    assert_own_position(&app, first - 1).await;

    app.database.execute("DROP TRIGGER refuse ON rm_subscriptions.trainer_subscriptions");
    eventually("the next attempt serves the trainer again", || async {
        let asked = app.service().get("/api/v1/tiers/current?trainer=ill").await;
        let current = asked.expect(200);
        (current["tier"]["slug"] == "professional").then_some(())
    })
    .await;
    assert_eq!(app.database.number(parked).await, 0);
    assert_told_once(&app).await;
    verify_log(app.owner(), "default").await;
    expect_equal_to_a_fold(&mut app).await;
}

/// Of a customer whose first facts can't be taken in nothing is known, not even whose it is. What
/// waits tells by itself whom it is about, and that trainer isn't told that there is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_and_names_a_trainer_ends_that_trainers_answers() {
    let mut app = TestApp::start().await;
    app.database.execute(
        "INSERT INTO rm_subscriptions.unit_part (tenant, unit, part, state)
         VALUES ('default', 'customer/cus_new', 'garbage', 'garbage')",
    );
    let at = now() - DAY;
    let nameless = customer("cus_new", at, &json!({}));
    let tell = |id: &str, kind: &str, object: &Value| {
        let webhook = event(Version::Clover, id, kind, at, object, None);
        let stripe = app.stripe();
        async move { stripe.deliver(&webhook).await }
    };
    tell("evt_1", "customer.created", &nameless).await;
    let mut story = Story::new("new", Version::Clover, at);
    story.purchase(STARTER);
    let mut subscription = story.tier().json(Version::Clover);
    subscription["customer"] = "cus_new".into();
    subscription["metadata"] = json!({ "trainer_id": "t_new" });
    let first = tell("evt_2", "customer.subscription.created", &subscription).await;
    let position = tell("evt_3", "customer.updated", &nameless).await;
    // Others are told everything.
    app.trainer("t_other").read_at("/api/v1/tiers/current", position).await;

    let new = app.trainer("t_new");
    for path in ["/api/v1/tiers/current", "/api/v1/tiers/history", "/api/v1/entitlements"] {
        assert_eq!(new.get(path).await.expect(200)["position"], first - 1, "{path}");
        let later = new.get(&format!("{path}?min_position={position}")).await;
        later.expect_problem(503, "parked");
    }
    let body = json!({ "trainer": "t_new" });
    let consumed = app.service().post("/api/v1/usage/customers/consume", &body).await;
    consumed.expect_problem(503, "parked");

    // Whoever watches `ledger replay status` hears of it by its exit.
    let settings = Settings::none().with("DATABASE_URL", app.database.url());
    for args in [&["replay", "status"][..], &["replay", "status", "--json"]] {
        let told = run(&settings, args).await;
        assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
        for part in ["customer/cus_new", "its state can't be read"] {
            assert!(told.stdout.contains(part), "{part} in {}", told.stdout);
        }
        assert!(told.stderr.contains("parked"), "{}", told.stderr);
    }

    // What docs/metrics.md says to do about a state that can't be read.
    app.stop().await;
    let mut login = PgConnection::connect(&app.database.url()).await.unwrap();
    let drop = "SET ROLE ledger_projector;
        DROP SCHEMA rm_subscriptions, rm_grants, rm_catalog, rm_usage, projection CASCADE";
    sqlx::raw_sql(drop).execute(&mut login).await.unwrap();
    login.close().await.unwrap();
    let owner = settings.clone().with("LEDGER_OWNER_DATABASE_URL", app.database.owner_url());
    let migrated = run(&owner, &["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    app.start_service().await;
    let current = app.trainer("t_new").read_at("/api/v1/tiers/current", position).await;
    assert_eq!(current["tier"]["slug"], "starter", "{current}");
    let told = run(&settings, &["replay", "status"]).await;
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
}
