//! What isn't as the log says is named.

use ledger_replay::VerifyConfig;
use ledger_replay::verify::{Report, TableReport};

use crate::given::webhook;
use crate::world::{World, config};

/// The columns of a table: name, type, and whether the primary key holds it, its last one first.
pub(crate) fn columns(world: &World, schema: &str, table: &str) -> Vec<(String, String, bool)> {
    let listed = world.sql(&format!(
        "SELECT attname, format_type(atttypid, atttypmod), array_position(indkey::int2[], attnum)
         FROM pg_attribute JOIN pg_index ON indrelid = attrelid AND indisprimary
         WHERE attrelid = '{schema}.{table}'::regclass AND attnum > 0
         ORDER BY 3 DESC NULLS LAST, attnum"
    ));
    let column = |line: &str| {
        let mut parts = line.split('|').map(str::to_owned);
        let (name, type_name) = (parts.next().unwrap(), parts.next().unwrap());
        (format!("\"{name}\""), type_name, parts.next().is_some_and(|key| !key.is_empty()))
    };
    listed.lines().map(column).collect()
}

/// Another value of a column.
pub(crate) fn other(column: &str, type_name: &str) -> String {
    match type_name {
        "text" => format!("coalesce({column}, '') || '~'"),
        "boolean" => format!("NOT {column}"),
        "bigint" | "integer" => format!("coalesce({column}, 0) + 1000"),
        "timestamp with time zone" => format!("coalesce({column}, 'epoch') + interval '1 s'"),
        "uuid" => "'00000000-0000-0000-0000-00000000ffff'".to_owned(),
        "jsonb" => "'{\"changed\": true}'".to_owned(),
        "text[]" => format!("array_append(coalesce({column}, '{{}}'), '~')"),
        // The state stays readable and says something else.
        "bytea" => format!(
            r#"convert_to(regexp_replace(convert_from({column}, 'UTF8'), '"(\w+)":', '"\1~":'), 'UTF8')"#
        ),
        other => panic!("{column} is of a new type: {other}"),
    }
}

fn table<'a>(report: &'a Report, name: &str) -> &'a TableReport {
    let mut tables = report.read_models.iter().flat_map(|model| &model.tables);
    tables.find(|table| table.table == name).unwrap()
}

/// What identifies one row of a table.
fn a_row(world: &World, schema: &str, table: &str) -> String {
    let row = world.sql(&format!("SELECT ctid FROM {schema}.{table} ORDER BY ctid LIMIT 1"));
    format!("ctid = '{row}'")
}

/// The tables that are nothing but a key.
const KEYS_ALONE: [&str; 2] = ["trainer_event", "waiting_fact"];

#[tokio::test]
async fn a_row_changed_by_hand_is_named_with_both_values_in_every_table() {
    let world = World::busy(3, 1).await;
    let mut changed = Vec::new();
    for (schema, table) in world.tables() {
        let columns = columns(&world, &schema, &table);
        let compared = |name: &str| name != "\"position\"" && name != "\"recorded_at\"";
        let choice = columns.iter().find(|(name, _, is_key)| !is_key && compared(name));
        let Some((column, type_name, _)) = choice else {
            assert!(KEYS_ALONE.contains(&table.as_str()), "{table} is more than a key");
            continue;
        };
        let (row, value) = (a_row(&world, &schema, &table), other(column, type_name));
        world.sql(&format!("UPDATE {schema}.{table} SET {column} = {value} WHERE {row}"));
        changed.push((table, column.trim_matches('"').to_owned()));
    }
    assert!(changed.len() >= 19, "{changed:?}");
    let report = world.verify().await;
    assert!(!report.equal);
    for (name, column) in changed {
        let found = table(&report, &name);
        assert!(!found.is_equal() && found.live != found.rebuilt, "{name}");
        let [difference] = &found.differences[..] else { panic!("{name}: {found:#?}") };
        assert_eq!(difference.columns, [column.as_str()], "{name}");
        let (live, rebuilt) = (difference.live.as_ref(), difference.rebuilt.as_ref());
        let (live, rebuilt) = (live.unwrap(), rebuilt.unwrap());
        assert_ne!(live[&column], rebuilt[&column], "{name}");
        for (key, value) in difference.key.as_object().unwrap() {
            assert!(live[key] == *value && rebuilt[key] == *value, "{name}: {difference:?}");
        }
    }
    let payment = &table(&report, "payment_logs").differences[0];
    assert!(!payment.event_ids.is_empty(), "{payment:?}");
    assert!(KEYS_ALONE.iter().all(|name| table(&report, name).is_equal()));
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn a_row_deleted_by_hand_is_named_in_every_table() {
    let world = World::busy(3, 2).await;
    for (schema, table) in world.tables() {
        let row = a_row(&world, &schema, &table);
        world.sql(&format!("DELETE FROM {schema}.{table} WHERE {row}"));
    }
    let report = world.verify().await;
    for (_, name) in world.tables() {
        let [difference] = &table(&report, &name).differences[..] else { panic!("{name}") };
        assert_eq!(difference.live, None, "{name}");
        assert!(difference.rebuilt.is_some(), "{name}");
        assert_eq!(difference.key["tenant"], "default", "{name}");
    }
}

#[tokio::test]
async fn a_row_added_by_hand_is_named_in_every_table() {
    let world = World::busy(3, 3).await;
    for (schema, table) in world.tables() {
        let columns = columns(&world, &schema, &table);
        // The last column of the key, which is the tenant where there is one row for each.
        let (column, type_name, _) = &columns[0];
        let value = other(column, type_name);
        let list = |f: &dyn Fn(&str) -> String| {
            columns.iter().map(|(name, ..)| f(name)).collect::<Vec<_>>().join(", ")
        };
        let (into, row) = (list(&str::to_owned), a_row(&world, &schema, &table));
        let from = list(&|name| if name == column { value.clone() } else { name.to_owned() });
        world.sql(&format!(
            "INSERT INTO {schema}.{table} ({into}) SELECT {from} FROM {schema}.{table} WHERE {row}"
        ));
    }
    let report = world.verify().await;
    for (_, name) in world.tables() {
        let found = table(&report, &name);
        if name == "stripe_account" {
            assert!(found.is_equal(), "another tenant's row is none of ours");
            continue;
        }
        let [difference] = &found.differences[..] else { panic!("{name}: {found:#?}") };
        assert_eq!(difference.rebuilt, None, "{name}");
        assert!(difference.live.is_some(), "{name}");
    }
}

#[tokio::test]
async fn the_list_is_bounded_and_the_rest_is_counted() {
    let world = World::busy(5, 4).await;
    world.sql("UPDATE rm_grants.grant_history SET actor = 'somebody'");
    let rows: u64 = world.sql("SELECT count(*) FROM rm_grants.grant_history").parse().unwrap();
    let config = VerifyConfig { differences_max: 3, ..config() };
    let report = world.try_verify(config).await.unwrap();
    let found = table(&report, "grant_history");
    assert_eq!((found.differences.len(), found.more), (3, rows - 3));
    assert_eq!(found.differing_rows(), rows);
    let keys: Vec<_> = found.differences.iter().map(|it| it.key["ordinal"].clone()).collect();
    assert_eq!(keys, [0, 1, 2], "in the order of the key");
}

#[tokio::test]
async fn another_shape_is_named() {
    let world = World::busy(2, 5).await;
    world.sql(
        "ALTER TABLE rm_grants.trainer ADD COLUMN nickname text;
         ALTER TABLE rm_grants.trainer DROP COLUMN suspended_at;
         CREATE TABLE rm_usage.by_hand (tenant text PRIMARY KEY);
         DROP TABLE rm_catalog.product",
    );
    let report = world.verify().await;
    assert!(!report.equal);
    assert_eq!(
        table(&report, "trainer").shape,
        [
            "only the live table has nickname text",
            "the live table lacks suspended_at timestamp with time zone"
        ]
    );
    assert_eq!(table(&report, "trainer").differing_rows(), 0, "what both have is the same");
    assert_eq!(table(&report, "by_hand").shape, ["there should be no such table"]);
    assert_eq!(table(&report, "product").shape, ["there is no such live table"]);
}

#[tokio::test]
async fn a_state_that_is_spelled_otherwise_says_the_same() {
    let world = World::busy(2, 6).await;
    world.sql("UPDATE rm_grants.trainer_part SET state = state || convert_to(' ', 'UTF8')");
    let report = world.verify().await;
    let found = table(&report, "trainer_part");
    assert!(report.equal && found.live != found.rebuilt, "{found:?}");
    assert_eq!(found.same_meaning, 2);
}

#[tokio::test]
async fn a_fact_that_waited_says_the_same_however_pages_were_cut() {
    let world = World::new().await;
    let refund = |id: &str, data: &str| {
        let snapshot = format!(
            r#"{{"before":"absent","cause":"created","snapshot":{{"id":"re_1","currency":"usd",
                "amount":1,"status":"succeeded",{data}}}}}"#
        );
        webhook(id, 5, "RefundReported", &serde_json::from_str(&snapshot).unwrap())
    };
    let charge = r#"{"before":"absent","cause":"succeeded","snapshot":{"id":"ch_1","amount":1,
        "currency":"usd","status":"succeeded","customer":"cus_1"}}"#;
    let charge = webhook("evt_3", 5, "ChargeReported", &serde_json::from_str(charge).unwrap());
    // The first one waits for its charge while the second one is folded.
    let waits = refund("evt_1", r#""charge":"ch_1""#);
    let known = refund("evt_2", r#""customer":"cus_1","payment_intent":"pi_1""#);
    world.append(vec![waits, known, charge]).await;
    world.project(1).await;
    let report = world.verify().await;
    assert!(report.equal, "{report:#?}");
    let found = table(&report, "unit_part");
    assert_eq!(found.live, found.rebuilt, "the state doesn't show the order of arrival");
}

#[tokio::test]
async fn a_report_can_be_written_as_json() {
    let world = World::busy(2, 7).await;
    world.sql("UPDATE rm_usage.tier_usage_tracking SET used = used + 1");
    let json = serde_json::to_value(world.verify().await).unwrap();
    assert_eq!(json["equal"], false);
    let usage =
        json["read_models"].as_array().unwrap().iter().find(|it| it["read_model"] == "usage");
    let found = &usage.unwrap()["tables"][0]["differences"][0];
    assert_eq!(found["columns"], serde_json::json!(["used"]));
    assert_eq!(found["live"]["used"], found["rebuilt"]["used"].as_i64().unwrap() + 1);
}
