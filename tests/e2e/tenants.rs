//! Tenants never mix: not in answers, and not in SQL that forgets to name the tenant.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_as, query_scalar};

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version, event};
use crate::check::verify_log;
use crate::harness::{Claims, JWT_SECRET, Settings, TestApp, eventually, now, run};

const ACME_SECRET: &str = "whsec_e2e_acme_44c1";
const ACME_KEY: &str = "e2e-key-of-acme-alone-of-thirty-two-bytes";
const BOLT_KEY: &str = "e2e-key-of-bolt-alone-of-thirty-two-bytes";
const ENFORCEMENT: &str = "/api/v1/admin/enforcement";

/// Two tenants with the same trainers, customers and event ids.
async fn two_tenants(folder: &Path) -> (TestApp, i64, i64) {
    let acme = folder.join("acme");
    fs::create_dir(&acme).unwrap();
    fs::write(acme.join("STRIPE_WEBHOOK_SECRET"), ACME_SECRET).unwrap();
    fs::write(acme.join("STRIPE_LIVEMODE"), "false").unwrap();
    for (name, price) in [
        ("STRIPE_PRICE_TIER_STARTER", "price_starter_month"),
        ("STRIPE_PRICE_TIER_PROFESSIONAL", "price_professional_month"),
        ("STRIPE_PRICE_ADDON_AI_STARTER", "price_ai_starter_month"),
    ] {
        fs::write(acme.join(name), price).unwrap();
    }
    let secrets = folder.to_str().unwrap();
    let settings = Settings::of_service().with("LEDGER_TENANT_SECRETS_DIR", secrets);
    let app = TestApp::start_with(settings).await;

    let begin = now() - 5 * DAY;
    let (mut one, mut two) =
        (Story::new("t1", Version::Clover, begin), Story::new("t1", Version::Clover, begin));
    one.purchase(STARTER);
    two.purchase(PROFESSIONAL).pass(DAY).add(AI_STARTER);
    let ours = app.stripe().deliver_all(&one.take()).await;
    let theirs = app.stripe_of("acme", ACME_SECRET).deliver_all(&two.take()).await;
    (app, ours, theirs)
}

fn of_acme(role: &str, subject: &str) -> Claims {
    of_tenant(role, subject, "acme")
}

fn of_tenant(role: &str, subject: &str, tenant: &str) -> Claims {
    Claims::of(role, subject).with("tenant", tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_names_in_two_tenants_are_two_trainers() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ours, theirs) = two_tenants(folder.path()).await;
    let current = app.trainer("t1").read_at("/api/v1/tiers/current", ours).await;
    assert_eq!(current["tier"]["slug"], "starter");
    assert_eq!(current["add_ons"], serde_json::json!([]));
    let acme = app.caller(&of_acme("trainer", "t1"));
    let current = acme.read_at("/api/v1/tiers/current", theirs).await;
    assert_eq!(current["tier"]["slug"], "professional");
    assert_eq!(current["add_ons"][0]["slug"], "ai_starter");

    for (caller, position) in [(app.trainer("t1"), ours), (acme, theirs)] {
        let history = caller.read_at("/api/v1/tiers/history", position).await;
        let changes = history["changes"].as_array().unwrap();
        let created = changes.iter().filter(|change| change["action"] == "created");
        assert!(created.count() > 0 && position > 1, "{history}");
    }
    for tenant in ["default", "acme"] {
        verify_log(app.owner(), tenant).await;
    }
    let shared = "SELECT count(*) FROM event a JOIN event b USING (namespace, event_id)
        WHERE a.tenant = 'default' AND b.tenant = 'acme'";
    assert!(app.database.number(shared).await > 5, "the same ids are in both logs");

    let auditor = app.caller(&of_acme("auditor", "eve"));
    let events = auditor.get("/api/v1/audit/events").await.expect(200);
    let listed = events["events"].as_array().unwrap().len();
    let own = "SELECT count(*) FROM event WHERE tenant = 'acme'";
    assert_eq!(i64::try_from(listed).unwrap(), app.database.number(own).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_in_one_tenant_is_listed_in_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ours, _) = two_tenants(folder.path()).await;
    let mut story = Story::new("t7", Version::Clover, now() - 5 * DAY);
    story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).pass(DAY).cancel_at_period_end(true);
    let mut webhooks = story.take();
    webhooks.retain(|webhook| webhook["data"]["previous_attributes"]["items"].is_null());
    webhooks.push(event(Version::Clover, "evt_odd", "invoice.paid", now(), &Value::Null, None));
    let theirs = app.stripe_of("acme", ACME_SECRET).deliver_all(&webhooks).await;
    let acme = app.caller(&of_acme("operator", "olga"));
    for (path, list) in
        [("/api/v1/admin/anomalies", "anomalies"), ("/api/v1/admin/dead-letters", "dead_letters")]
    {
        let listed = acme.read_at(path, theirs).await;
        assert_eq!(listed[list].as_array().map(Vec::len), Some(1), "{listed}");
        let none = app.operator().read_at(path, ours).await;
        assert_eq!(none[list], serde_json::json!([]), "{none}");
    }
    let told = acme.get("/api/v1/admin/projections").await.expect(200);
    assert_eq!(told["log"]["position"], theirs, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opens_its_own_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ..) = two_tenants(folder.path()).await;
    let mut story = Story::new("t9", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhook = story.take().remove(0);
    assert_eq!(app.stripe().with_secret(ACME_SECRET).post(&webhook).await.status, 400);
    let crossed = app.stripe_of("acme", crate::harness::WEBHOOK_SECRET);
    assert_eq!(crossed.post(&webhook).await.status, 400);
    let stored = "SELECT count(*) FROM event WHERE event_id LIKE 'evt_t9_%'";
    assert_eq!(app.database.number(stored).await, 0);

    // A tenant that nobody keeps has no rows, and is no reason for an error that tells more.
    let stranger = app.caller(&Claims::of("trainer", "t1").with("tenant", "nobody"));
    let answer = stranger.get("/api/v1/tiers/current").await;
    assert!([401, 403, 404].contains(&answer.status), "{answer:?}");
}

/// A new tenant is served without a restart, and a secret can be changed without one.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_come_and_secrets_change_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ..) = two_tenants(folder.path()).await;
    let mut story = Story::new("t5", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhook = story.take().remove(0);

    let late = folder.path().join("late");
    fs::create_dir(&late).unwrap();
    fs::write(late.join("STRIPE_WEBHOOK_SECRET"), "whsec_e2e_late_1").unwrap();
    eventually("what is missing is told", || async {
        app.output().text().contains("lacks STRIPE_LIVEMODE").then_some(())
    })
    .await;
    let opened = "SELECT count(*) FROM event WHERE tenant = 'late'";
    assert_eq!(app.database.number(opened).await, 0, "a half-written folder opens no log");
    fs::write(late.join("STRIPE_LIVEMODE"), "false").unwrap();
    fs::write(folder.path().join("acme/STRIPE_WEBHOOK_SECRET"), "whsec_e2e_acme_new").unwrap();
    for (tenant, secret) in [("late", "whsec_e2e_late_1"), ("acme", "whsec_e2e_acme_new")] {
        let stripe = app.stripe_of(tenant, secret);
        eventually("the new secret is in force", || async {
            let answer = stripe.post(&webhook).await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    assert_eq!(app.stripe_of("acme", ACME_SECRET).post(&webhook).await.status, 400);
}

/// Where Stripe bills, its word on a trial that ended is awaited; by hand nobody will say one.
#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_is_billed_in_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ..) = two_tenants(folder.path()).await;
    let mut story = Story::new("t7", Version::Clover, now() - 14 * DAY - 1_800);
    let webhooks = story.try_out(STARTER, 14).take();
    let ours = app.stripe().deliver_all(&webhooks).await;
    let theirs = app.stripe_of("acme", ACME_SECRET).deliver_all(&webhooks).await;
    let acme = app.caller(&of_acme("service", "app"));
    let (path, default) = ("/api/v1/tiers/current?trainer=t7", app.service());
    assert_eq!(default.read_at(path, ours).await["access"], "locked");
    assert_eq!(acme.read_at(path, theirs).await["access"], "locked", "as the tenant `default`");

    let setting = folder.path().join("acme/LEDGER_BILLING");
    for (billing, access) in [("stripe", "granted"), ("manual", "locked")] {
        fs::write(&setting, billing).unwrap();
        eventually("the tenant is billed otherwise", || async {
            (acme.get(path).await.expect(200)["access"] == access).then_some(())
        })
        .await;
        assert_eq!(default.get(path).await.expect(200)["access"], "locked");
    }
    fs::write(folder.path().join("acme/LEDGER_BILING"), "stripe").unwrap();
    eventually("a mistake in a name is told", || async {
        app.output().text().contains("LEDGER_BILING").then_some(())
    })
    .await;
}

/// Whose key signed a token decides whose data it may open, whatever the token says.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_its_own_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    let key_of = |tenant: &str| folder.path().join(tenant).join("LEDGER_JWT_SECRET");
    for (tenant, key) in [("bolt", Some(BOLT_KEY)), ("cove", None)] {
        fs::create_dir(folder.path().join(tenant)).unwrap();
        if let Some(key) = key {
            fs::write(key_of(tenant), key).unwrap();
        }
        fs::write(folder.path().join(tenant).join("STRIPE_LIVEMODE"), "false").unwrap();
        let secret = format!("whsec_e2e_{tenant}");
        fs::write(folder.path().join(tenant).join("STRIPE_WEBHOOK_SECRET"), secret).unwrap();
    }
    let (app, ..) = two_tenants(folder.path()).await;
    let bearer = |tenant: &str, key: &str| {
        let claims = of_tenant("admin", "mallory", tenant).with("roles", vec!["admin", "auditor"]);
        app.anyone().with_token(&claims.signed_with(key))
    };
    // What a token opens: 401 nothing, 200 the log and the switch of the tenant that it names.
    let opens = async |tenant: &str, key: &str| {
        let bearer = bearer(tenant, key);
        let log = bearer.get("/api/v1/audit/events").await.status;
        let act = serde_json::json!({ "mode": "shadow", "reason": "a drill" });
        let switch = bearer.put_keyed(ENFORCEMENT, &act, "drill").await.status;
        assert_eq!(log, switch, "{tenant}");
        log
    };
    for tenant in ["default", "acme", "cove"] {
        assert_eq!(opens(tenant, JWT_SECRET).await, 200, "{tenant} has no key of its own");
        assert_eq!(opens(tenant, BOLT_KEY).await, 401, "{tenant}");
    }
    assert_eq!(opens("bolt", JWT_SECRET).await, 401, "nor is it open to the process's key");
    assert_eq!(opens("bolt", BOLT_KEY).await, 200);

    // Two with keys of their own are strangers to each other; a token that was good isn't any more.
    fs::write(key_of("acme"), ACME_KEY).unwrap();
    app.signal("HUP");
    let own = bearer("acme", ACME_KEY);
    eventually("the key of acme is in force", || async {
        (own.get("/api/v1/audit/events").await.status == 200).then_some(())
    })
    .await;
    for (tenant, key) in [("bolt", ACME_KEY), ("acme", BOLT_KEY), ("acme", JWT_SECRET)] {
        assert_eq!(opens(tenant, key).await, 401, "{tenant}");
    }
    for (tenant, key) in [("bolt", BOLT_KEY), ("acme", ACME_KEY)] {
        assert_eq!(opens(tenant, key).await, 200, "{tenant}");
    }

    // What is no key doesn't open the tenant to another one.
    for unfit in ["", "short"] {
        fs::write(key_of("acme"), unfit).unwrap();
        app.signal("HUP");
        eventually("the mistake is told", || async {
            let told = app.output().text();
            let part = if unfit.is_empty() { "its file is empty" } else { "32 bytes" };
            told.contains(part).then_some(())
        })
        .await;
        assert_eq!(opens("acme", ACME_KEY).await, 200);
        assert_eq!(opens("acme", JWT_SECRET).await, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_token_is_signed_with_the_tenants_key() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ..) = two_tenants(folder.path()).await;
    let args = ["token", "--role", "auditor", "--subject", "eve", "--tenant", "acme"];
    let secrets = folder.path().to_str().unwrap();
    let settings = Settings::of_service().with("LEDGER_TENANT_SECRETS_DIR", secrets);
    let opens = async |settings: &Settings| {
        let printed = run(settings, &args).await;
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        let eve = app.anyone().with_token(printed.stdout.trim());
        eve.get("/api/v1/audit/events").await.status
    };
    assert_eq!(opens(&settings).await, 200, "with the process's key");
    fs::write(folder.path().join("acme/LEDGER_JWT_SECRET"), ACME_KEY).unwrap();
    app.signal("HUP");
    let without = settings.clone().without("LEDGER_TENANT_SECRETS_DIR");
    eventually("the tenant's key is in force", || async {
        (opens(&without).await == 401).then_some(())
    })
    .await;
    assert_eq!(opens(&settings.without("LEDGER_JWT_SECRET")).await, 200);
}

/// What every reader of a tenant sees all of, whoever it is about.
const COMMON: [&str; 7] = [
    "projection.answer_feed",
    "projection.checkpoint",
    "rm_catalog.catalog",
    "rm_catalog.enforcement",
    "rm_catalog.price",
    "rm_catalog.product",
    "rm_catalog.stripe_account",
];

/// What a role sees without any condition in the SQL, of tables that all hold rows to be hidden.
#[tokio::test(flavor = "multi_thread")]
async fn sql_without_the_tenant_sees_no_other_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let (app, ours, theirs) = two_tenants(folder.path()).await;
    let acme = |role| app.caller(&of_acme(role, "ann"));
    for (service, admin, position) in
        [(app.service(), app.admin(), ours), (acme("service"), acme("admin"), theirs)]
    {
        service.read_at("/api/v1/tiers/current?trainer=t1", position).await;
        let body = serde_json::json!({ "trainer": "t1" });
        let used = service.post("/api/v1/usage/customers/consume", &body).await.expect(200);
        let position = used["position"].as_i64().unwrap();
        service.read_at("/api/v1/tiers/current?trainer=t1", position).await;
        // The reason of an act lies beside the log, as text.
        let act = serde_json::json!({ "mode": "shadow", "reason": "a drill" });
        let changed = admin.put_keyed("/api/v1/admin/enforcement", &act, "one").await.expect(200);
        let position = changed["position"].as_i64().unwrap();
        service.read_at("/api/v1/tiers/current?trainer=t1", position).await;
    }
    app.database.execute(include_str!("../../projections/tests/postgres/strangers.sql"));
    app.database.execute("SELECT strangers(ARRAY['default', 'acme'], ARRAY['t1', 't2'])");
    let mut connection = PgConnection::connect(&app.database.url()).await.unwrap();
    for role in ["ledger_api", "ledger_auditor"] {
        for table in readable(&app, role).await {
            let rows = count(&mut connection, role, None, None, &table).await;
            assert_eq!(rows, 0, "{role}, {table}: rows without a setting");
            let rows = count(&mut connection, role, Some("nobody"), Some("*"), &table).await;
            assert_eq!(rows, 0, "{role}, {table}: rows of a tenant that there isn't");

            let others = owners_count(&app, &table, "tenant <> 'acme'").await;
            let acme = owners_count(&app, &table, "tenant = 'acme'").await;
            assert!(acme > 0 && others > 0, "{table} has nothing to hide");
            let rows = count(&mut connection, role, Some("acme"), Some("*"), &table).await;
            assert_eq!(rows, acme, "{role}, {table}: {acme} rows are of the tenant");
            if role == "ledger_api" {
                expect_own_rows_only(&app, &mut connection, &table, acme).await;
            }
        }
    }
}

/// A trainer's own rows, and nobody else's of the same tenant.
async fn expect_own_rows_only(app: &TestApp, connection: &mut PgConnection, table: &str, all: i64) {
    // What waits may name a trainer, and is for operators all the same.
    let is_of_operators = table.starts_with("projection.");
    let of_trainers = "to_jsonb(r) ? 'trainer_id'";
    let names_them = owners_count(app, &format!("{table} r"), of_trainers).await > 0;
    let own = if names_them && !is_of_operators {
        let own = owners_count(app, table, "tenant = 'acme' AND trainer_id = 't1'").await;
        assert!((1..all).contains(&own), "{table} has {own} of {all} rows to show");
        own
    } else if COMMON.contains(&table) {
        all
    } else {
        0
    };
    let rows = count(connection, "ledger_api", Some("acme"), Some("t1"), table).await;
    assert_eq!(rows, own, "{table}, as t1");
}

/// The tables that a role may read.
async fn readable(app: &TestApp, role: &str) -> Vec<String> {
    let sql = "SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege($1, c.oid, 'SELECT')
          AND has_schema_privilege($1, n.oid, 'USAGE')
          AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attname = 'tenant')
        ORDER BY 1";
    let tables: Vec<String> = query_scalar(sql).bind(role).fetch_all(app.owner()).await.unwrap();
    assert!(tables.len() > 3, "{role} reads {tables:?}");
    tables
}

/// Every table with rows of tenants must keep them apart, whoever may read it today.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_has_row_level_security() {
    let app = TestApp::start().await;
    let sql = "SELECT n.nspname || '.' || c.relname, c.relrowsecurity, c.relforcerowsecurity
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND n.nspname NOT LIKE 'pg\\_%' AND c.relname <> '_sqlx_migrations'";
    let tables: Vec<(String, bool, bool)> = query_as(sql).fetch_all(app.owner()).await.unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    for (table, enabled, forced) in tables {
        assert!(enabled && forced, "{table} has no row-level security, or not for its owner");
    }
}

/// As a role, in a transaction with these settings, like the service does.
async fn count(
    connection: &mut PgConnection,
    role: &str,
    tenant: Option<&str>,
    user: Option<&str>,
    table: &str,
) -> i64 {
    let mut transaction = connection.begin().await.unwrap();
    query(AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
        .execute(&mut *transaction)
        .await
        .unwrap();
    for (name, value) in [("ledger.tenant", tenant), ("ledger.user", user)] {
        if let Some(value) = value {
            let sql = "SELECT set_config($1, $2, true)";
            query(sql).bind(name).bind(value).execute(&mut *transaction).await.unwrap();
        }
    }
    let sql = format!("SELECT count(*) FROM {table}");
    let rows = query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    rows.unwrap_or_else(|error| panic!("{role}, {table}: {error}"))
}

async fn owners_count(app: &TestApp, table: &str, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
    query_scalar(AssertSqlSafe(sql)).fetch_one(app.owner()).await.unwrap()
}
