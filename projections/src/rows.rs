//! What rows of all read models have in common: how a row becomes columns for one UNNEST
//! statement, and how names, keys and instants are spelled in them.

use chrono::{DateTime, Utc};
use ledger_domain::event::Code;
use ledger_domain::id::{EventId, EventKey, InvalidName, Namespace, StripeId};
use ledger_domain::money::Currency;
use ledger_domain::time::{Interval, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};

/// A statement with its arguments.
pub(crate) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// A row that doesn't hold what this program writes.
#[derive(Debug, thiserror::Error)]
#[error("a row of {table} holds what this program can't have written: {what}")]
pub struct InvalidRow {
    /// The row's table.
    pub table: &'static str,
    /// What is wrong with it.
    pub what: String,
}

impl InvalidRow {
    pub(crate) fn new(table: &'static str, what: impl std::fmt::Display) -> Self {
        Self { table, what: what.to_string() }
    }
}

/// Rows as a gathering statement brings them.
macro_rules! gathered_rows {
    ($(#[$doc:meta])* $row:ident { $($column:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
        pub(crate) struct $row {
            $(pub(crate) $column: $type,)+
        }

        impl crate::rows::Gathered for $row {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),+];

            fn gathered(row: &sqlx::postgres::PgRow, prefix: &str) -> sqlx::Result<Vec<Self>> {
                use sqlx::Row;
                $(
                    let name = format!("{prefix}_{}", stringify!($column));
                    let values: Vec<$type> = row.try_get(name.as_str())?;
                    let mut $column = values.into_iter();
                )+
                let mut rows = Vec::new();
                while let ($(Some($column),)+) = ($($column.next(),)+) {
                    rows.push(Self { $($column),+ });
                }
                Ok(rows)
            }
        }
    };
}
pub(crate) use gathered_rows;

/// Rows of one table on their way into one statement. The statement takes the tenant as `$1` and
/// then one array for each column, in the order in which the fields stand.
macro_rules! table_rows {
    ($(#[$doc:meta])* $row:ident, $columns:ident { $($column:ident: $type:ty),+ $(,)? }) => {
        crate::rows::gathered_rows! {
            $(#[$doc])*
            $row { $($column: $type),+ }
        }

        #[doc = concat!("Rows as [`", stringify!($row), "`], column by column.")]
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $columns {
            rows: usize,
            $($column: Vec<$type>,)+
        }

        impl $columns {
            /// Adds a row.
            pub(crate) fn push(&mut self, row: $row) {
                self.rows += 1;
                $(self.$column.push(row.$column);)+
            }

            /// How many rows there are.
            pub(crate) const fn len(&self) -> usize {
                self.rows
            }

            /// Runs a statement over all rows; none = no round trip.
            pub(crate) async fn run(
                self,
                conn: &mut sqlx::PgConnection,
                tenant: &ledger_domain::id::Tenant,
                sql: &'static str,
            ) -> sqlx::Result<u64> {
                if self.len() == 0 {
                    return Ok(0);
                }
                let query = sqlx::query(sql).bind(tenant.as_str())$(.bind(self.$column))+;
                crate::rows::run(conn, query).await
            }
        }

        impl FromIterator<$row> for $columns {
            fn from_iter<I: IntoIterator<Item = $row>>(rows: I) -> Self {
                let mut columns = Self::default();
                for row in rows {
                    columns.push(row);
                }
                columns
            }
        }
    };
}
pub(crate) use table_rows;

/// Rows that one row brings, an array for each of their columns: many tables in one statement.
pub(crate) trait Gathered: Sized {
    /// The columns, as the fields are named.
    const COLUMNS: &'static [&'static str];

    /// Reads rows from the columns that [`gathering`] made.
    fn gathered(row: &PgRow, prefix: &str) -> sqlx::Result<Vec<Self>>;
}

/// One row of arrays from the rows of a `SELECT`, which gives every column of `R` by its name.
/// Their order stays.
pub(crate) fn gathering<R: Gathered>(prefix: &str, select: &str) -> String {
    let array =
        |name: &&str| format!("coalesce(array_agg(r.\"{name}\"), '{{}}') AS {prefix}_{name}");
    let arrays: Vec<String> = R::COLUMNS.iter().map(array).collect();
    format!("(SELECT {} FROM ({select}) AS r) AS {prefix}", arrays.join(", "))
}

table_rows! {
    /// A part of a unit's state.
    PartRow, PartColumns {
        unit: String,
        part: String,
        state: Vec<u8>,
    }
}

/// Runs a statement and tells how many rows it touched.
pub(crate) async fn run(conn: &mut PgConnection, query: PgQuery<'_>) -> sqlx::Result<u64> {
    query.execute(conn).await.map(|done| done.rows_affected())
}

/// An event's key as columns spell it: the id alone if Stripe issued it, else `namespace/id`. No
/// id contains a slash.
#[must_use]
pub fn key_text(key: &EventKey) -> String {
    if key.namespace.as_str() == "stripe" {
        key.id.as_str().to_owned()
    } else {
        format!("{}/{}", key.namespace, key.id)
    }
}

/// Reads what [`key_text`] wrote.
pub(crate) fn parse_key(text: &str) -> Result<EventKey, InvalidName> {
    match text.split_once('/') {
        None => Ok(EventKey::new(Namespace::stripe(), EventId::try_new(text)?)),
        Some((namespace, id)) => {
            Ok(EventKey::new(Namespace::try_new(namespace)?, EventId::try_new(id)?))
        }
    }
}

/// Several names in one text, for `string_to_array(_, ' ')`: arrays of arrays can't be ragged, and
/// no name contains a space.
pub(crate) fn words<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&name.to_string());
    }
    text
}

/// Reads what [`words`] wrote, from `array_to_string(_, ' ')`.
pub(crate) fn parse_words<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, InvalidName>,
) -> Result<Vec<T>, InvalidName> {
    text.split(' ').filter(|word| !word.is_empty()).map(parse).collect()
}

pub(crate) fn instant(at: Option<Timestamp>) -> Option<DateTime<Utc>> {
    at.map(Timestamp::to_datetime)
}

pub(crate) fn id_text(id: Option<&StripeId>) -> Option<String> {
    id.map(|id| id.as_str().to_owned())
}

pub(crate) fn code_text(code: Option<&Code>) -> Option<String> {
    code.map(|code| code.as_str().to_owned())
}

pub(crate) fn parse_id(text: Option<String>) -> Result<Option<StripeId>, InvalidName> {
    text.map(StripeId::try_from).transpose()
}

pub(crate) fn parse_code(text: Option<&str>) -> Option<Code> {
    text.map(Code::new)
}

pub(crate) fn parse_currency(text: Option<String>) -> Result<Option<Currency>, InvalidName> {
    text.map(Currency::try_from).transpose()
}

/// An interval from its two ends; both or none.
pub(crate) fn interval(
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Option<Interval> {
    Some(Interval { from: from?.into(), until: until?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_as_it_was_written() {
        for (namespace, id) in [("stripe", "evt_1"), ("api", "0190"), ("reconcile", "evt_1")] {
            let key = EventKey::new(
                Namespace::try_new(namespace).unwrap(),
                EventId::try_new(id).unwrap(),
            );
            assert_eq!(parse_key(&key_text(&key)).unwrap(), key);
        }
        assert_eq!(parse_key("evt_1").unwrap().namespace, Namespace::stripe());
    }

    #[test]
    fn no_names_are_no_words() {
        assert_eq!(words::<&str>([]), "");
        assert_eq!(parse_words("", StripeId::try_new).unwrap(), Vec::new());
        assert_eq!(parse_words("a b", StripeId::try_new).unwrap().len(), 2);
    }
}
