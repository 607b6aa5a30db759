//! The indexes that answers about one trainer rest on: they are there, and the statements that
//! read take them, by the server's own account of how it ran each.

use std::fs;

use ledger_cluster::Cluster;
use ledger_domain::time::Interval;

use crate::world::{World, trainer};

/// What the read models promise, and the log's own table of usage: an index whose columns begin
/// like this.
const PROMISED: [(&str, &[&str]); 3] = [
    ("public.usage_entry", &["tenant", "trainer", "feature", "occurred_at"]),
    ("rm_subscriptions.trainer_subscriptions", &["tenant", "trainer_id", "current_period_end"]),
    ("rm_usage.tier_usage_tracking", &["tenant", "trainer_id", "period_start", "period_end"]),
];

/// Enough of everybody's that to read it all would cost more than to look a trainer up.
const ROWS: &str = "
    INSERT INTO rm_subscriptions.trainer_subscriptions (tenant, subscription_id, customer_id,
        trainer_id, status, items_complete, current_period_end, collection_paused, once_active,
        last_event_id, position)
    SELECT 'default', 'sub_' || n, 'cus_' || n % 2000, 't' || n % 2000, 'canceled', true,
        timestamptz '2026-01-01 00:00Z' + n * interval '1 hour', false, true, 'evt_' || n, n
    FROM generate_series(1, 20000) AS n;
    INSERT INTO rm_usage.tier_usage_tracking (tenant, trainer_id, period_start, period_end,
        feature, used, first_used_at, last_used_at, position)
    SELECT 'default', 't' || n, day, day + interval '1 day', 'api_calls', 1, day, day, 1
    FROM generate_series(0, 1999) AS n, generate_series(timestamptz '2026-01-01 00:00Z',
        timestamptz '2026-01-20 00:00Z', interval '1 day') AS day;
    INSERT INTO public.usage_entry (tenant, trainer, feature, occurred_at, position, quantity)
    SELECT 'default', 't' || n % 2000, 'api_calls',
        timestamptz '2026-01-01 00:00Z' + n * interval '1 minute', n, 1
    FROM generate_series(1, 20000) AS n;
    ANALYZE public.usage_entry;
    ANALYZE rm_subscriptions.trainer_subscriptions;
    ANALYZE rm_usage.tier_usage_tracking;";

/// Lets the server tell of each statement how it ran it.
fn explain_everything(world: &World) {
    for setting in
        ["session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0"]
    {
        world.sql(&format!("ALTER DATABASE {} SET {setting}", world.database));
    }
}

/// Every plan that ran in a database, as the server's log has them.
fn plans(database: &str) -> Vec<String> {
    let log = fs::read_to_string(Cluster::shared().log()).unwrap();
    let mut plans: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in log.lines() {
        if line.starts_with('\t') {
            if let Some(plan) = plans.last_mut().filter(|_| is_inside) {
                plan.push_str(line);
                plan.push('\n');
            }
            continue;
        }
        is_inside = line.contains(&format!("@{database} ")) && line.ends_with("plan:");
        if is_inside {
            plans.push(String::new());
        }
    }
    plans
}

/// The names of the indexes of a table whose first columns are these.
fn indexes_on(world: &World, table: &str, columns: &[&str]) -> Vec<String> {
    let sql = format!(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = '{table}'::regclass AND i.indisvalid AND '{}' = (
             SELECT string_agg(a.attname, ' ' ORDER BY k.place)
             FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= {})",
        columns.join(" "),
        columns.len()
    );
    world.sql(&sql).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_trainers_rows_are_found_by_the_indexes_that_were_promised() {
    let world = World::new();
    explain_everything(&world);
    world.sql(ROWS);
    let tenant = "default".parse().unwrap();

    let mut reader = world.reader(&tenant, Some(&trainer("t7"))).await;
    // The planner's own choice, also where it could read whole tables.
    sqlx::query("SET LOCAL enable_seqscan = on").execute(reader.connection()).await.unwrap();
    let (holdings, _) = reader.holdings(&trainer("t7")).await.unwrap();
    assert_eq!(holdings.subscriptions.len(), 10);
    let day = |text: &str| format!("{text}T00:00:00Z").parse().unwrap();
    let window = Interval { from: day("2026-01-05"), until: day("2026-01-10") };
    let asked = [("api_calls".parse().unwrap(), Some(window))];
    let sums = reader.usage(&trainer("t7"), &asked).await.unwrap();
    assert_eq!(sums[0].used, 5);
    reader.finish().await.unwrap();

    let plans = plans(&world.database);
    for (table, columns) in PROMISED {
        let (_, name) = table.split_once('.').unwrap();
        let promised = indexes_on(&world, table, columns);
        assert_eq!(promised.len(), 1, "{table} has an index on {columns:?}");
        let reads = |plan: &&String| {
            let is_read = [table, name].iter().any(|it| plan.contains(&format!("FROM {it}")));
            is_read && !plan.contains("INSERT")
        };
        let read: Vec<&String> = plans.iter().filter(reads).collect();
        assert!(!read.is_empty(), "{table} was read: {plans:#?}");
        for plan in read {
            assert!(!plan.contains("Seq Scan"), "{plan}");
            let mut lines = plan.lines().map(str::trim);
            lines.find(|line| line.contains("Index") && line.contains(&promised[0]));
            let condition = lines.next().unwrap_or_default();
            let is_looked_up = condition.starts_with("Index Cond:")
                && columns[..2].iter().all(|column| condition.contains(column));
            assert!(is_looked_up, "{} is looked into: {plan}", promised[0]);
        }
    }
}

#[tokio::test]
async fn an_index_is_known_by_its_columns_in_their_order() {
    let world = World::new();
    let table = "rm_subscriptions.trainer_subscriptions";
    assert_eq!(indexes_on(&world, table, &["trainer_id", "tenant"]), [""; 0]);
    world.sql(&format!("DROP INDEX {table}_by_trainer"));
    assert_eq!(indexes_on(&world, table, PROMISED[0].1), [""; 0]);
}
