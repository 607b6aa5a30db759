//! Who sees what: row-level security, roles and grants.

use ledger_domain::event::Source;
use ledger_domain::id::{EventType, TrainerId};
use ledger_log::EventLog;
use ledger_log::postgres::{AuditFilter, AuditReader, Scope, begin_scoped, migrate};
use ledger_log::testing::{key, opening, own, tenant};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, Row};

use crate::support::{LOGIN, database, log_on, owner, pools};

const TABLES: [&str; 9] = [
    "log_identity",
    "log_head",
    "event",
    "event_dedup",
    "log_seal",
    "webhook_events",
    "event_text",
    "usage_entry",
    "event_json",
];

async fn filled() -> String {
    let database = database().await;
    let log = log_on(&database).await;
    for name in ["one", "two"] {
        let tenant = tenant(name);
        log.open(&tenant, opening()).await.unwrap();
        let mut event = own("evt_1");
        (event.body, event.text) = (Some(b"{}".to_vec()), Some("because".to_owned()));
        log.append(&tenant, vec![event, own("evt_2")]).await.unwrap();
        let used = ledger_log::testing::consume("use", "t1", 1, 9);
        log.append_decided(&tenant, used).await.unwrap();
    }
    log.shutdown().await;
    database
}

async fn count(pool: impl sqlx::PgExecutor<'_>, table: &str) -> Result<i64, sqlx::Error> {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await
}

#[tokio::test]
async fn without_a_tenant_the_auditor_sees_nothing_and_the_api_may_not_look() {
    let database = filled().await;
    let pools = pools(&database);
    for table in TABLES {
        assert_eq!(count(&pools.auditor, table).await.unwrap(), 0, "{table}");
        assert!(count(&owner(&database).await, table).await.unwrap() > 0, "{table}");
        // Of what was used it sees the rows of a trainer.
        if table == "usage_entry" {
            continue;
        }
        assert!(count(&pools.api, table).await.is_err(), "{table}");
        let mut scoped = begin_scoped(&pools.api, Scope::Tenant(&tenant("one"))).await.unwrap();
        assert!(count(&mut *scoped, table).await.is_err(), "{table}");
    }
}

#[tokio::test]
async fn the_api_sees_what_a_trainer_used_and_nothing_about_holds() {
    let database = filled().await;
    let api = pools(&database).api;
    assert_eq!(count(&api, "usage_entry").await.unwrap(), 0, "without a tenant");
    let (one, three) = (tenant("one"), tenant("three"));
    let [t1, t2] = ["t1", "t2"].map(|name| TrainerId::try_new(name).unwrap());
    for (scope, rows) in [
        (Scope::Tenant(&one), 1),
        (Scope::Trainer(&one, &t1), 1),
        (Scope::Trainer(&one, &t2), 0),
        (Scope::Trainer(&three, &t1), 0),
    ] {
        let mut scoped = begin_scoped(&api, scope).await.unwrap();
        assert_eq!(count(&mut *scoped, "usage_entry").await.unwrap(), rows, "{scope:?}");
    }
    for hidden in ["held", "held_until", "hold_id", "*"] {
        let mut scoped = begin_scoped(&api, Scope::Trainer(&one, &t1)).await.unwrap();
        let sql = AssertSqlSafe(format!("SELECT {hidden} FROM usage_entry"));
        let error = sqlx::query(sql).execute(&mut *scoped).await.unwrap_err();
        let error = error.into_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("42501"), "{hidden}: {error}");
    }
}

#[tokio::test]
async fn the_auditor_sees_its_tenant_alone_and_nothing_is_carried_over() {
    let database = filled().await;
    // One connection, so that each looks through the eyes of the one before.
    let options = pools(&database).auditor.connect_options().as_ref().clone();
    let auditor = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    for table in TABLES {
        let all = count(&owner(&database).await, table).await.unwrap();
        let mut scoped = begin_scoped(&auditor, Scope::Tenant(&tenant("one"))).await.unwrap();
        assert_eq!(count(&mut *scoped, table).await.unwrap() * 2, all, "{table}");
        let sql = AssertSqlSafe(format!("SELECT DISTINCT tenant FROM {table}"));
        let tenants: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *scoped).await.unwrap();
        assert_eq!(tenants, ["one"], "{table}");
        scoped.commit().await.unwrap();
        assert_eq!(count(&auditor, table).await.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn no_role_can_change_or_take_away_what_happened() {
    let database = filled().await;
    let pools = pools(&database);
    for sql in [
        "UPDATE event SET data = 'x'",
        "DELETE FROM event",
        "TRUNCATE event",
        "UPDATE event_dedup SET position = 1",
        "DELETE FROM event_dedup",
        "UPDATE log_seal SET root = ''",
        "UPDATE log_seal SET leaves = NULL",
        "DELETE FROM log_seal",
        "DELETE FROM log_head",
        "UPDATE usage_entry SET quantity = 0",
        "DELETE FROM log_identity",
        "DROP TABLE event",
        "SELECT * FROM event_p00000",
        "SELECT * FROM event_dedup_h0",
        "SET ROLE postgres",
    ] {
        for pool in [&pools.writer, &pools.projector, &pools.api, &pools.auditor] {
            let done = sqlx::query(sql).execute(pool).await;
            let error = done.expect_err(sql).into_database_error().unwrap();
            assert_eq!(error.code().as_deref(), Some("42501"), "{sql}: {error}");
        }
    }
    for sql in
        ["INSERT INTO log_seal VALUES (1, now(), 'one', '')", "SELECT ensure_event_partition(1)"]
    {
        for pool in [&pools.projector, &pools.api, &pools.auditor] {
            assert!(sqlx::query(sql).execute(pool).await.is_err(), "{sql}");
        }
    }
}

#[tokio::test]
async fn a_connection_has_its_role_from_the_start_and_falls_back_to_it() {
    let database = filled().await;
    let pools = pools(&database);
    let mut connection = pools.auditor.acquire().await.unwrap();
    for sql in ["SELECT 1", "RESET ROLE", "DISCARD ALL"] {
        sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
        let role: String = sqlx::query_scalar("SELECT current_user::text")
            .persistent(false)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(role, "ledger_auditor", "after {sql}");
    }
}

#[tokio::test]
async fn every_unique_index_starts_with_the_tenant_and_every_table_is_guarded() {
    let owner = owner(&database().await).await;
    let indexes = "SELECT c.relname::text FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE n.nspname = 'public' AND i.indisunique AND a.attname <> 'tenant'
          AND c.relname <> '_sqlx_migrations'";
    let found: Vec<String> = sqlx::query_scalar(indexes).fetch_all(&owner).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    let tables =
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> '_sqlx_migrations'
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)";
    let found: Vec<String> = sqlx::query_scalar(tables).fetch_all(&owner).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    let grants =
        "SELECT table_name::text || ' to ' || grantee FROM information_schema.role_table_grants g
        JOIN pg_class c ON c.relname = g.table_name AND c.relispartition
        WHERE grantee <> 'postgres'";
    let found: Vec<String> = sqlx::query_scalar(grants).fetch_all(&owner).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn many_databases_are_migrated_at_once_and_again() {
    let cluster = ledger_cluster::Cluster::builder().start().unwrap();
    cluster.execute("postgres", "CREATE ROLE \"a \"\"strange\"\" login\" LOGIN").unwrap();
    let names: Vec<_> = (0..6).map(|_| cluster.fresh_database().unwrap()).collect();
    let migrated = names.iter().chain(&names).map(|name| async {
        let owner = PgPool::connect(&cluster.url(name, cluster.superuser())).await.unwrap();
        migrate(&owner, &["a \"strange\" login"]).await.unwrap();
        owner.close().await;
    });
    futures::future::join_all(migrated).await;
}

#[tokio::test]
async fn the_view_shows_json_by_the_rights_of_who_looks() {
    let database = filled().await;
    let pools = pools(&database);
    let mut scoped = begin_scoped(&pools.auditor, Scope::Tenant(&tenant("two"))).await.unwrap();
    let sql = "SELECT tenant, data ->> 'id' AS id, metadata ->> 'source' AS source
        FROM event_json WHERE event_id = 'evt_2'";
    let rows = sqlx::query(sql).fetch_all(&mut *scoped).await.unwrap();
    assert_eq!(rows.len(), 1);
    let texts = ["tenant", "id", "source"].map(|name| rows[0].get::<String, _>(name));
    assert_eq!(texts, ["two", "evt_2", "test"]);
}

#[tokio::test]
async fn audits_filter_page_and_show_what_lies_beside() {
    let database = database().await;
    let log = log_on(&database).await;
    let one = tenant("one");
    log.open(&one, opening()).await.unwrap();
    for n in 0..30 {
        let mut event = own(&format!("evt_{n}"));
        if n % 3 == 0 {
            event.event_type = "InvoiceReported".into();
            event.metadata = br#"{"source":"import"}"#.to_vec();
        }
        (event.body, event.text) = (Some(b"{\"n\":1}".to_vec()), Some("because".to_owned()));
        log.append(&one, vec![event]).await.unwrap();
    }
    let reader = AuditReader::new(pools(&database).auditor);
    let positions = |page: &ledger_log::postgres::AuditPage| {
        page.events.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    let all = reader.page(&one, &AuditFilter::default(), 0, 100).await.unwrap();
    assert_eq!((positions(&all), all.next), ((1..=31).collect(), None));
    let invoices = EventType::try_new("InvoiceReported").unwrap();
    let invoices = AuditFilter { event_type: Some(invoices), ..AuditFilter::default() };
    let imports = AuditFilter { source: Some(Source::Import), ..AuditFilter::default() };
    for filter in [&invoices, &imports] {
        let first = reader.page(&one, filter, 0, 4).await.unwrap();
        assert_eq!((positions(&first), first.next), (vec![2, 5, 8, 11], Some(11)));
        let rest = reader.page(&one, filter, 11, 100).await.unwrap();
        assert_eq!((positions(&rest), rest.next), (vec![14, 17, 20, 23, 26, 29], None));
    }
    let (from, until) = (all.events[9].recorded_at, all.events[19].recorded_at);
    let between = AuditFilter {
        recorded_from: Some(from),
        recorded_until: Some(until),
        ..AuditFilter::default()
    };
    let page = reader.page(&one, &between, 0, 100).await.unwrap();
    assert!(page.events.iter().all(|e| from <= e.recorded_at && e.recorded_at < until));
    let expected = all.events.iter().filter(|e| from <= e.recorded_at && e.recorded_at < until);
    assert_eq!(page.events.len(), expected.count());
    // Among some positions, in any order and also where there is nothing.
    let some = [29, 5, 8, 9, 40, 2, 0];
    let at = async |filter: &AuditFilter, limit: usize| {
        let events = reader.at(&one, filter, &some, limit).await.unwrap();
        events.events.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    assert_eq!(at(&AuditFilter::default(), 100).await, [2, 5, 8, 9, 29]);
    assert_eq!(at(&invoices, 2).await, [2, 5]);
    assert_eq!(at(&imports, 100).await, [2, 5, 8, 29]);
    let expected: Vec<i64> =
        page.events.iter().map(|event| event.position).filter(|p| some.contains(p)).collect();
    assert_eq!(at(&between, 100).await, expected);
    assert!(reader.at(&tenant("two"), &invoices, &some, 9).await.unwrap().events.is_empty());
    let seen = reader.event(&one, &key("stripe", "evt_3")).await.unwrap().unwrap();
    let (salt, body) = seen.body.unwrap();
    assert_eq!(Some(ledger_log::seal::body_hash(&salt, &body)), seen.event.body_hash);
    let (salt, text) = seen.text.unwrap();
    assert_eq!(Some(ledger_log::seal::text_hash(&salt, &text)), seen.event.text_hash);
    assert!(reader.event(&tenant("two"), &key("stripe", "evt_3")).await.unwrap().is_none());
    assert!(reader.page(&tenant("two"), &between, 0, 9).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn the_service_login_has_no_more_than_its_roles() {
    let owner = owner(&database().await).await;
    let sql = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = $1";
    let direct: i64 = sqlx::query_scalar(sql).bind(LOGIN).fetch_one(&owner).await.unwrap();
    assert_eq!(direct, 0);
}
