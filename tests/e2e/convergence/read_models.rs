//! Everything that two ledgers' read models hold, but for where in the log it came from and when it
//! was recorded.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, query_as, query_scalar};

use super::positions::without_positions;

/// What each ledger says by itself and no delivery decides: its own identity and catalogue.
const OWN: [&str; 3] =
    ["rm_catalog.stripe_account", "rm_catalog.catalog", "rm_catalog.enforcement"];

/// The rows of each table, sorted.
pub(crate) async fn read_models(owner: &PgPool) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT schemaname::text, tablename::text FROM pg_tables
        WHERE schemaname LIKE 'rm\\_%' ORDER BY 1, 2";
    let tables: Vec<(String, String)> = query_as(sql).fetch_all(owner).await.unwrap();
    let mut all = BTreeMap::new();
    for (schema, table) in tables {
        let name = format!("{schema}.{table}");
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let columns = "to_jsonb(t) - 'position' - 'recorded_at'";
        let sql = format!("SELECT ({columns})::text FROM \"{schema}\".\"{table}\" t");
        let rows: Vec<String> = query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap();
        let mut rows: Vec<String> = rows.iter().map(|row| canonical(row)).collect();
        rows.sort();
        all.insert(name, rows);
    }
    assert!(all.values().any(|rows| !rows.is_empty()), "the read models hold something");
    all
}

/// The first differences, for a person to read.
pub(crate) fn differences(
    straight: &BTreeMap<String, Vec<String>>,
    other: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    assert_eq!(straight.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let mut found = Vec::new();
    for (table, rows) in straight {
        let others = &other[table];
        let only = |rows: &[String], others: &[String], sign: &str| {
            let missing = rows.iter().filter(|row| others.binary_search(row).is_err());
            missing.take(3).map(|row| format!("{sign} {table}: {row}")).collect::<Vec<_>>()
        };
        found.extend(only(rows, others, "-"));
        found.extend(only(others, rows, "+"));
        if found.is_empty() && rows != others {
            found.push(format!("{table}: {} rows and {}", rows.len(), others.len()));
        }
    }
    found
}

/// A row, with the positions inside a stored state taken out of it.
fn canonical(row: &str) -> String {
    let mut row: Value = serde_json::from_str(row).expect("PostgreSQL writes JSON");
    if let Some(hex) = row["state"].as_str().and_then(|state| state.strip_prefix("\\x")) {
        let bytes = hex::decode(hex).expect("PostgreSQL writes hexadecimal digits");
        row["state"] = without_positions(&bytes);
    }
    row.to_string()
}
