//! Everything that a database holds, as text.

use std::collections::BTreeMap;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, query_as, query_scalar};

/// A block that claims to be longer is no block.
const UNPACKED_BYTES_MAX: u32 = 16 << 20;

/// The rows of each table, as PostgreSQL writes them, sorted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dump(pub(crate) BTreeMap<String, Vec<String>>);

impl Dump {
    /// Of every table of the schemas whose name is LIKE `schemas`.
    pub(crate) async fn of(owner: &PgPool, schemas: &str) -> Self {
        let sql = "SELECT schemaname::text, tablename::text FROM pg_tables
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname LIKE $1
            ORDER BY 1, 2";
        let tables: Vec<(String, String)> =
            query_as(sql).bind(schemas).fetch_all(owner).await.unwrap();
        let mut dump = BTreeMap::new();
        for (schema, table) in tables {
            // Rows of a partition are seen in its table as well, and do no harm here.
            let sql = format!("SELECT t::text FROM \"{schema}\".\"{table}\" t ORDER BY 1");
            let rows = query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap();
            dump.insert(format!("{schema}.{table}"), rows);
        }
        Self(dump)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The first differences to another dump, for a person to read.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let none = Vec::new();
        let tables: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        for table in tables {
            let (mine, others) =
                (self.0.get(table).unwrap_or(&none), other.0.get(table).unwrap_or(&none));
            let only = |rows: &[String], in_rows: &[String], sign: &str| {
                let missing = rows.iter().filter(|row| in_rows.binary_search(row).is_err());
                missing.take(5).map(|row| format!("{sign} {table}: {row}")).collect::<Vec<_>>()
            };
            found.extend(only(mine, others, "-"));
            found.extend(only(others, mine, "+"));
        }
        found
    }
}

/// Where a text stands in a database: tables and their rows, also inside binary columns and packed
/// bodies.
pub(crate) async fn search(owner: &PgPool, needle: &str) -> Vec<String> {
    let dump = Dump::of(owner, "%").await;
    // PostgreSQL writes binary values in hexadecimal.
    let in_hex = hex::encode(needle);
    let mut found = Vec::new();
    for (table, rows) in &dump.0 {
        let hits = rows.iter().filter(|row| row.contains(needle) || row.contains(&in_hex));
        found.extend(hits.map(|row| format!("{table}: {row}")));
    }
    for (column, text) in unpacked(owner).await {
        if text.contains(needle) {
            found.push(format!("packed in {column}: {text}"));
        }
    }
    found
}

/// Every binary value that is an LZ4 block behind its length, with the column it is in.
async fn unpacked(owner: &PgPool) -> Vec<(String, String)> {
    let sql = "SELECT format('%I.%I', table_schema, table_name), quote_ident(column_name)
        FROM information_schema.columns
        WHERE data_type = 'bytea' AND table_schema NOT IN ('pg_catalog', 'information_schema')";
    let columns: Vec<(String, String)> = query_as(sql).fetch_all(owner).await.unwrap();
    let mut texts = Vec::new();
    for (table, column) in columns {
        let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
        let values: Vec<Vec<u8>> = query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap();
        let blocks = values.iter().filter_map(|value| unpack(value));
        texts.extend(blocks.map(|text| (format!("{table}.{column}"), text)));
    }
    texts
}

fn unpack(value: &[u8]) -> Option<String> {
    let (length, _) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*length) > UNPACKED_BYTES_MAX {
        return None;
    }
    let text = lz4_flex::block::decompress_size_prepended(value).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
