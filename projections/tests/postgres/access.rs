//! What a reader may see, with statements that forget to ask for their own tenant.

use ledger_log::EventLog;
use ledger_projections::{ReadModel, Schemas, Version, create};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::given::{self, DAY_0};
use crate::world::{World, trainer};

/// Every table of the read models and of their control, with its schema.
const TABLES: &str = "SELECT n.nspname || '.' || c.relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND (n.nspname LIKE 'rm\\_%' OR n.nspname = 'projection') ORDER BY 1";

/// Rows for tables that the facts leave without some.
const STRANGERS: &str = include_str!("strangers.sql");

/// What every reader of a tenant sees all of.
const COMMON: [&str; 7] = [
    "projection.answer_feed",
    "projection.checkpoint",
    "rm_catalog.catalog",
    "rm_catalog.enforcement",
    "rm_catalog.price",
    "rm_catalog.product",
    "rm_catalog.stripe_account",
];

async fn filled() -> (World, Vec<String>) {
    let world = World::new();
    for name in ["default", "other"] {
        let tenant = world.open(name).await;
        let mut events = given::month();
        events.push(given::assigned("a0", 0, "t1", "enterprise"));
        events.push(given::assigned("a1", 0, "t2", "enterprise"));
        events.push(given::naming("t1", given::used("u0", 0, "t1", DAY_0, 1)));
        events.push(given::used("u1", 0, "t2", DAY_0, 1));
        world.log.append(&tenant, events).await.unwrap();
        world.project(&tenant).await;
    }
    let tables = world.sql(TABLES).lines().map(str::to_owned).collect();
    (world, tables)
}

async fn count(conn: &mut PgConnection, table: &str) -> Result<i64, sqlx::Error> {
    let mut savepoint = conn.begin().await?;
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let count = sqlx::query_scalar(sql).fetch_one(&mut *savepoint).await;
    savepoint.rollback().await?;
    count
}

/// Rows seen of all tables, those without any right counting as none.
async fn seen(conn: &mut PgConnection, tables: &[String]) -> Vec<(String, i64)> {
    let mut seen = Vec::new();
    for table in tables {
        match count(conn, table).await {
            Ok(0) | Err(_) => {}
            Ok(rows) => seen.push((table.clone(), rows)),
        }
    }
    seen
}

#[tokio::test]
async fn a_trainer_sees_its_own_rows_and_nobody_elses() {
    let (world, tables) = filled().await;
    let tenant = "default".parse().unwrap();
    let mut all = world.reader(&tenant, None).await;
    let whole = seen(all.connection(), &tables).await;
    let mut own = world.reader(&tenant, Some(&trainer("t1"))).await;
    let one = seen(own.connection(), &tables).await;
    let rows = |seen: &[(String, i64)], table: &str| {
        seen.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    };
    assert_eq!(rows(&whole, "rm_grants.entitlement_grants"), 2);
    assert_eq!(rows(&one, "rm_grants.entitlement_grants"), 1);
    assert_eq!(rows(&whole, "rm_usage.tier_usage_tracking"), 4);
    assert_eq!(rows(&one, "rm_usage.tier_usage_tracking"), 2);
    assert_eq!(rows(&one, "rm_subscriptions.trainer_subscriptions"), 1);
    assert_eq!(rows(&one, "projection.checkpoint"), 4);

    let mut nobody = world.reader(&tenant, Some(&trainer("t3"))).await;
    let left: Vec<_> = seen(nobody.connection(), &tables).await;
    let common = |table: &str| COMMON.contains(&table);
    assert!(left.iter().all(|(table, _)| common(table)), "{left:?}");

    let mut elsewhere = world.reader(&"nowhere".parse().unwrap(), None).await;
    assert_eq!(seen(elsewhere.connection(), &tables).await, []);
}

/// The rows of a table that its owner counts under a condition.
fn there(world: &World, table: &str, condition: &str) -> i64 {
    world.sql(&format!("SELECT count(*) FROM {table} WHERE {condition}")).parse().unwrap()
}

/// Every policy, with rows there that it has to hide.
#[tokio::test]
async fn each_table_shows_a_reader_just_what_is_for_it() {
    let (world, _) = filled().await;
    world.sql(STRANGERS);
    world.sql("SELECT strangers(ARRAY['default', 'other'], ARRAY['t1', 't2'])");
    let readable =
        TABLES.replace(" ORDER BY", " AND has_table_privilege($1, c.oid, 'SELECT') ORDER BY");
    let tenant = "default".parse().unwrap();
    for (pool, role) in [(&world.pools.api, "ledger_api"), (&world.pools.auditor, "ledger_auditor")]
    {
        let readable = world.sql(&readable.replace("$1", &format!("'{role}'")));
        assert!(readable.lines().count() > 15, "{role} reads {readable}");
        for table in readable.lines() {
            // What waits may name a trainer, and is for operators all the same.
            let of_trainers = "to_jsonb(r) ? 'trainer_id'";
            let is_of_trainers = !table.starts_with("projection.")
                && there(&world, &format!("{table} r"), of_trainers) > 0;
            let (own, others) = ("tenant = 'default'", "tenant = 'other'");
            let (all, elsewhere) = (there(&world, table, own), there(&world, table, others));
            assert!(all > 0 && elsewhere > 0, "{table} has nothing to hide");
            let of_one = if is_of_trainers {
                there(&world, table, "tenant = 'default' AND trainer_id = 't1'")
            } else if COMMON.contains(&table) {
                all
            } else {
                0
            };
            assert!(!is_of_trainers || (1..all).contains(&of_one), "{table}: {of_one} of {all}");
            for trainer in [None, Some("t1")] {
                let expected = if role == "ledger_api" && trainer.is_some() { of_one } else { all };
                let named = trainer.map(self::trainer);
                let mut reader =
                    ledger_projections::as_reader(pool, &tenant, named.as_ref()).await.unwrap();
                let rows = count(reader.connection(), table).await.unwrap();
                assert_eq!(rows, expected, "{role}, {table}, as {trainer:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_tenant_there_is_nothing_and_a_connection_carries_nothing_over() {
    let (world, tables) = filled().await;
    let path = format!("SET search_path = {}", Schemas::LIVE.search_path());
    for pool in [&world.pools.api, &world.pools.auditor] {
        let options = pool.connect_options().as_ref().clone();
        let one = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut conn = one.acquire().await.unwrap();
        sqlx::query(AssertSqlSafe(path.clone())).execute(&mut *conn).await.unwrap();
        assert_eq!(seen(&mut conn, &tables).await, []);
        drop(conn);
        let tenant = "default".parse().unwrap();
        let mut reader = ledger_projections::as_reader(&one, &tenant, None).await.unwrap();
        assert_ne!(seen(reader.connection(), &tables).await, []);
        reader.finish().await.unwrap();
        let mut conn = one.acquire().await.unwrap();
        assert_eq!(seen(&mut conn, &tables).await, []);
        drop(conn);
        // Dropped in the middle, as a request that is cancelled.
        drop(ledger_projections::as_reader(&one, &tenant, None).await.unwrap());
        let mut conn = one.acquire().await.unwrap();
        assert_eq!(seen(&mut conn, &tables).await, []);
    }
}

#[tokio::test]
async fn readers_write_nothing_and_auditors_alone_see_state() {
    let (world, tables) = filled().await;
    let is_state = |table: &str| table.ends_with("_part") && !table.contains("tenant");
    for (pool, is_auditor) in [(&world.pools.api, false), (&world.pools.auditor, true)] {
        let mut conn = pool.acquire().await.unwrap();
        for table in &tables {
            let sql = AssertSqlSafe(format!("DELETE FROM {table}"));
            assert!(sqlx::query(sql).execute(&mut *conn).await.is_err(), "{table}");
            let is_hidden = table.ends_with("_part") || table.ends_with(".lease");
            if is_hidden && !(is_auditor && is_state(table)) {
                assert!(count(&mut conn, table).await.is_err(), "{table}");
            }
        }
    }
    // An auditor sees the state of one tenant's trainers and customers.
    let tenant = "default".parse().unwrap();
    let mut reader =
        ledger_projections::as_reader(&world.pools.auditor, &tenant, None).await.unwrap();
    let mut seen = 0;
    for table in tables.iter().filter(|it| is_state(it) || it.ends_with(".trainer_event")) {
        let own = world.sql(&format!("SELECT count(*) FROM {table} WHERE tenant = 'default'"));
        assert_ne!(own, "0", "{table}");
        assert_eq!(count(reader.connection(), table).await.unwrap().to_string(), own, "{table}");
        seen += 1;
    }
    assert_eq!(seen, 3, "{tables:?}");
}

#[tokio::test]
async fn every_table_of_every_version_is_walled_off() {
    let world = World::new();
    // A copy of a database doesn't have the rights on its model.
    let database = &world.database;
    world.sql(&format!("GRANT CREATE ON DATABASE {database} TO ledger_projector"));
    let mut conn = world.pools.projector.acquire().await.unwrap();
    for model in ReadModel::ALL {
        create(&mut conn, model, Version::Next).await.unwrap();
    }
    let schema = "(n.nspname LIKE 'rm\\_%' OR n.nspname = 'projection')";
    let open = format!(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND {schema} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    );
    assert_eq!(world.sql(&open), "");
    let across = format!(
        "SELECT i.indexrelid::regclass FROM pg_index i
         JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE {schema} AND a.attname <> 'tenant'"
    );
    assert_eq!(world.sql(&across), "");
    let owners = format!(
        "SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schema}"
    );
    assert_eq!(world.sql(&owners), "ledger_projector");
    let differ = "SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema LIKE 'rm\\_%' GROUP BY 1, 2 HAVING count(*) <> 2";
    assert_eq!(world.sql(differ), "");
}
