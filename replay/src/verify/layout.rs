//! Which tables and columns there are, on either side, and what of them is compared.

use std::collections::BTreeMap;

use super::VerifyError;

/// Columns that aren't compared, unless they are part of the key, with the reason.
const LEFT_OUT: [(&str, &str); 2] = [
    ("position", "which event touched the row last: the fold's bookkeeping, not what the row says"),
    ("recorded_at", "the log's own time of the event, which the log alone vouches for"),
];

/// A column as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// With its modifier, as SQL spells it.
    pub(super) type_name: String,
    /// Its place in the primary key.
    pub(super) key_ordinal: Option<i32>,
}

/// The columns of each table of a schema.
pub(super) type Layout = BTreeMap<String, Vec<Column>>;

/// A table on both sides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// The columns of the primary key, in its order.
    pub(super) key: Vec<String>,
    /// The columns that are compared, in the order of the table; the key's are among them.
    pub(super) compared: Vec<String>,
    /// The columns that both sides have.
    pub(super) shown: Vec<String>,
    /// Those of them that hold bytes.
    pub(super) bytes: Vec<String>,
    /// Where the sides differ in shape.
    pub(super) shape: Vec<String>,
}

/// A table of a read model.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// Both sides have it.
    Both(Table),
    /// Only the live side has it.
    LiveOnly(String),
    /// Only the side built anew has it.
    RebuiltOnly(String),
}

/// Puts the tables of both sides together.
pub(super) fn pair(
    schema: &str,
    live: &Layout,
    rebuilt: &Layout,
) -> Result<Vec<Pair>, VerifyError> {
    let mut pairs = Vec::new();
    for (name, columns) in live {
        pairs.push(match rebuilt.get(name) {
            Some(other) => Pair::Both(both(schema, name, columns, other)?),
            None => Pair::LiveOnly(name.clone()),
        });
    }
    let new = rebuilt.keys().filter(|name| !live.contains_key(*name));
    pairs.extend(new.map(|name| Pair::RebuiltOnly(name.clone())));
    Ok(pairs)
}

fn both(
    schema: &str,
    name: &str,
    live: &[Column],
    rebuilt: &[Column],
) -> Result<Table, VerifyError> {
    let lacks =
        |lacks| VerifyError::Table { schema: schema.to_owned(), table: name.to_owned(), lacks };
    let mut shape = Vec::new();
    let (mut shown, mut compared, mut bytes, mut key) = (vec![], vec![], vec![], vec![]);
    for column in live {
        let Some(other) = rebuilt.iter().find(|other| other.name == column.name) else {
            shape.push(format!("only the live table has {} {}", column.name, column.type_name));
            continue;
        };
        if other != column {
            shape.push(format!(
                "{} is {} in the live table and should be {}",
                column.name,
                spelled(column),
                spelled(other)
            ));
        }
        shown.push(column.name.clone());
        if other.type_name == "bytea" && column.type_name == "bytea" {
            bytes.push(column.name.clone());
        }
        if let (Some(_), Some(ordinal)) = (column.key_ordinal, other.key_ordinal) {
            key.push((ordinal, column.name.clone()));
        } else if LEFT_OUT.iter().any(|(left_out, _)| *left_out == column.name) {
            continue;
        }
        compared.push(column.name.clone());
    }
    for column in rebuilt.iter().filter(|column| live.iter().all(|it| it.name != column.name)) {
        shape.push(format!("the live table lacks {} {}", column.name, column.type_name));
    }
    if key.is_empty() {
        return Err(lacks("primary key on both sides"));
    }
    if shown.iter().all(|column| column != "tenant") {
        return Err(lacks("column tenant"));
    }
    key.sort();
    let key = key.into_iter().map(|(_, column)| column).collect();
    Ok(Table { name: name.to_owned(), key, compared, shown, bytes, shape })
}

fn spelled(column: &Column) -> String {
    let part = if column.key_ordinal.is_some() { ", part of the key" } else { "" };
    format!("{}{part}", column.type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, type_name: &str, key_ordinal: Option<i32>) -> Column {
        Column { name: name.into(), type_name: type_name.into(), key_ordinal }
    }

    fn catalog() -> Vec<Column> {
        vec![
            column("position", "bigint", Some(1)),
            column("tenant", "text", Some(0)),
            column("recorded_at", "timestamp with time zone", None),
            column("toml", "text", None),
            column("state", "bytea", None),
        ]
    }

    fn table(live: &[Column], rebuilt: &[Column]) -> Table {
        both("rm_x", "t", live, rebuilt).unwrap()
    }

    #[test]
    fn a_position_is_compared_where_it_is_part_of_the_key() {
        let table = table(&catalog(), &catalog());
        assert_eq!(table.key, ["tenant", "position"]);
        assert_eq!(table.compared, ["position", "tenant", "toml", "state"]);
        assert_eq!(table.shown.len(), 5);
        assert_eq!(table.bytes, ["state"]);
        assert!(table.shape.is_empty());
    }

    #[test]
    fn another_shape_is_named_and_common_columns_are_compared() {
        let mut live = catalog();
        live[3].type_name = "integer".into();
        live.push(column("old", "text", None));
        let mut rebuilt = catalog();
        rebuilt.push(column("new", "text", None));
        let table = table(&live, &rebuilt);
        assert_eq!(
            table.shape,
            [
                "toml is integer in the live table and should be text",
                "only the live table has old text",
                "the live table lacks new text",
            ]
        );
        assert_eq!(table.compared, ["position", "tenant", "toml", "state"]);
    }

    #[test]
    fn a_table_without_a_key_or_a_tenant_is_refused() {
        let keyless = vec![column("tenant", "text", None)];
        assert!(both("rm_x", "t", &keyless, &keyless).is_err());
        let tenantless = vec![column("id", "text", Some(0))];
        assert!(both("rm_x", "t", &tenantless, &tenantless).is_err());
    }

    #[test]
    fn tables_of_one_side_are_kept() {
        let live = Layout::from([("a".to_owned(), catalog()), ("b".to_owned(), catalog())]);
        let rebuilt = Layout::from([("b".to_owned(), catalog()), ("c".to_owned(), catalog())]);
        let pairs = pair("rm_x", &live, &rebuilt).unwrap();
        assert_eq!(pairs[0], Pair::LiveOnly("a".into()));
        assert!(matches!(&pairs[1], Pair::Both(table) if table.name == "b"));
        assert_eq!(pairs[2], Pair::RebuiltOnly("c".into()));
    }
}
