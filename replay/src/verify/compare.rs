//! Comparing what was built with what is live: first in short, then row by row where the short
//! forms differ.

use futures::TryStreamExt;
use ledger_log::EventLog;
use ledger_projections::{ReadModel, Version};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::build::comparing;
use super::layout::{Pair, Table, pair};
use super::meaning::{Bytes, in_bytes, shown};
use super::progress::Progress;
use super::report::{Difference, ModelReport, Report, TableReport};
use super::store::Snapshot;
use super::{VerifyConfig, VerifyError, counters};

/// Compares everything within one snapshot.
pub(super) async fn compare(
    mut snapshot: Snapshot,
    attempts: u32,
    log: &dyn EventLog,
    config: &VerifyConfig,
    progress: &watch::Sender<Progress>,
) -> Result<Report, VerifyError> {
    let mut read_models = Vec::new();
    for model in &config.models {
        read_models.push(compare_model(&mut snapshot, *model, config, progress).await?);
    }
    let counters = match config.models.contains(&ReadModel::Usage) {
        true => Some(counters::check(&mut snapshot, log, config, progress).await?),
        false => None,
    };
    let sides = [config.schemas(Version::Live), config.schemas(Version::Next)].concat();
    let parked = snapshot.parked(&sides).await?;
    let (tenant, position) = (snapshot.tenant.clone(), snapshot.position);
    snapshot.finish().await?;
    let tables = read_models.iter().flat_map(|model| &model.tables);
    let mut tables = tables.chain(counters.iter().map(|counters| &counters.table));
    let equal = tables.all(TableReport::is_equal);
    Ok(Report { tenant, position, equal, attempts, read_models, counters, parked })
}

async fn compare_model(
    snapshot: &mut Snapshot,
    model: ReadModel,
    config: &VerifyConfig,
    progress: &watch::Sender<Progress>,
) -> Result<ModelReport, VerifyError> {
    let (live, next) = (model.schema(Version::Live), model.schema(Version::Next));
    let layouts = (snapshot.layout(&live).await?, snapshot.layout(&next).await?);
    let mut tables = Vec::new();
    for pair in pair(&live, &layouts.0, &layouts.1)? {
        tables.push(match pair {
            Pair::Both(table) => {
                comparing(progress, format!("{live}.{}", table.name));
                compare_table(snapshot, (&live, &next), table, config.differences_max).await?
            }
            Pair::LiveOnly(table) => of_one_side(table, "there should be no such table"),
            Pair::RebuiltOnly(table) => of_one_side(table, "there is no such live table"),
        });
    }
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(ModelReport { read_model: model, tables })
}

fn of_one_side(table: String, what: &str) -> TableReport {
    TableReport {
        table,
        live: None,
        rebuilt: None,
        shape: vec![what.to_owned()],
        differences: Vec::new(),
        more: 0,
        same_meaning: 0,
    }
}

async fn compare_table(
    snapshot: &mut Snapshot,
    (live, next): (&str, &str),
    table: Table,
    differences_max: usize,
) -> Result<TableReport, VerifyError> {
    let digests = (snapshot.digest(live, &table).await?, snapshot.digest(next, &table).await?);
    let (mut differences, mut more, mut same_meaning) = (Vec::new(), 0, 0);
    if digests.0 != digests.1 {
        let mut rows = snapshot.differing(live, next, &table);
        while let Some((live, rebuilt)) = rows.try_next().await? {
            match difference(&table, row(live), row(rebuilt)) {
                None => same_meaning += 1,
                Some(found) if differences.len() < differences_max => differences.push(found),
                Some(_) => more += 1,
            }
        }
    }
    Ok(TableReport {
        table: table.name,
        live: Some(digests.0),
        rebuilt: Some(digests.1),
        shape: table.shape,
        differences,
        more,
        same_meaning,
    })
}

pub(super) type Row = Map<String, Value>;

/// A row as the database spelled it.
pub(super) fn row(text: Option<String>) -> Option<Row> {
    let parsed = serde_json::from_str(&text?).ok();
    Some(parsed.expect("the database spells rows as JSON objects"))
}

/// What is to be said of two rows with one key; none if they say the same.
pub(super) fn difference(
    table: &Table,
    live: Option<Row>,
    rebuilt: Option<Row>,
) -> Option<Difference> {
    let columns: Vec<String> = match (&live, &rebuilt) {
        (Some(live), Some(rebuilt)) => {
            let differs = |column: &&String| !same(table, column, live, rebuilt);
            let columns: Vec<_> = table.compared.iter().filter(differs).cloned().collect();
            if columns.is_empty() {
                return None;
            }
            columns
        }
        _ => Vec::new(),
    };
    let (mut key, mut event_ids) = (Map::new(), Vec::new());
    for row in [&live, &rebuilt].into_iter().flatten() {
        key.extend(table.key.iter().map(|column| (column.clone(), row[column].clone())));
        event_ids.extend(events(row));
    }
    event_ids.sort();
    event_ids.dedup();
    let readable = |row: Option<Row>| row.map(|row| readable(table, row));
    let (live, rebuilt) = (readable(live), readable(rebuilt));
    Some(Difference { key: Value::Object(key), columns, live, rebuilt, event_ids })
}

fn same(table: &Table, column: &str, live: &Row, rebuilt: &Row) -> bool {
    let (live, rebuilt) = (&live[column], &rebuilt[column]);
    live == rebuilt || (table.bytes.iter().any(|it| it == column) && in_bytes(live, rebuilt))
}

/// A row with its bytes as a person can read them.
fn readable(table: &Table, mut row: Row) -> Value {
    for column in &table.bytes {
        if let Some(value) = row.get_mut(column) {
            *value = shown(Bytes::of(value), value);
        }
    }
    Value::Object(row)
}

/// The events that a row names.
fn events(row: &Row) -> Vec<String> {
    let mut ids = Vec::new();
    for (column, value) in row {
        match value {
            Value::String(id) if column.ends_with("event_id") => ids.push(id.clone()),
            Value::Array(of) if column.ends_with("event_ids") => {
                ids.extend(of.iter().filter_map(|id| id.as_str().map(str::to_owned)));
            }
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Table {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Table {
            name: "t".into(),
            key: names(&["tenant", "id"]),
            compared: names(&["tenant", "id", "n", "last_event_id"]),
            shown: names(&["tenant", "id", "n", "last_event_id", "event_ids", "position"]),
            bytes: Vec::new(),
            shape: Vec::new(),
        }
    }

    fn a_row(n: i64, event: &str, position: i64) -> Option<Row> {
        let value = json!({"tenant": "default", "id": "a", "n": n, "last_event_id": event,
            "event_ids": ["evt_0", event], "position": position});
        value.as_object().cloned()
    }

    #[test]
    fn a_difference_names_key_columns_and_events() {
        let found = difference(&table(), a_row(1, "evt_1", 5), a_row(2, "evt_2", 6)).unwrap();
        assert_eq!(found.key, json!({"tenant": "default", "id": "a"}));
        assert_eq!(found.columns, ["n", "last_event_id"]);
        assert_eq!(found.event_ids, ["evt_0", "evt_1", "evt_2"]);
        assert_eq!(found.live.unwrap()["n"], 1);
        assert_eq!(found.rebuilt.unwrap()["n"], 2);
    }

    #[test]
    fn a_row_of_one_side_names_what_it_holds() {
        let found = difference(&table(), None, a_row(2, "evt_2", 6)).unwrap();
        assert_eq!((found.live, found.columns.len()), (None, 0));
        assert_eq!(found.key["id"], "a");
        assert_eq!(found.event_ids, ["evt_0", "evt_2"]);
    }
}
