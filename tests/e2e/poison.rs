//! A fact that a read model can't take in holds up its own trainer and nobody else.

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::check::{expect_equal_to_a_fold, verify_log};
use crate::harness::{TestApp, eventually, now};

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
        let current = app.trainer("ill").get("/api/v1/tiers/current").await.expect(200);
        (current["tier"]["slug"] == "professional").then_some(())
    })
    .await;
    assert_eq!(app.database.number(parked).await, 0);
    assert_told_once(&app).await;
    verify_log(app.owner(), "default").await;
    expect_equal_to_a_fold(&mut app).await;
}
