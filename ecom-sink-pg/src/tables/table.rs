//! A user's own table: its columns, its key, and how rows are encoded for it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use ecom_stream::{Reason, Record, Refusal};
use postgres_types::{IsNull, Type};
use time::Date;

use super::add_rows::AddRows;
use super::merge::Merge;
use super::spec::{CheckedTable, ColumnSpec, TableSpec};
use super::to_column::ToColumn;
use super::writes::Tables;

/// A table of your own, and the values that its columns get from a row of type `T`.
///
/// Without a key, rows are appended. With a [key](Self::key), a row replaces the one with the
/// same key, or is [merged](Self::merge) with it; of several rows of one key in an epoch the last
/// one counts. All of this happens in the transaction of the epoch, so that a sum contains each
/// row once, whatever crashes.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::{Merge, Table};
/// use ecom_stream::Event;
///
/// // CREATE TABLE visitors (user_id text PRIMARY KEY, events bigint, last_seen timestamptz)
/// let visitors = Table::new("visitors")
///     .column("user_id", |event: &Event| event.user_id.clone())
///     .merge("events", Merge::Add, |_| 1)
///     .merge("last_seen", Merge::Greatest, |event| event.event_time)
///     .key(["user_id"]);
/// ```
///
/// # Privileges
///
/// An append-only table needs only the INSERT privilege. A table with a key needs INSERT, SELECT
/// and UPDATE, and the TEMPORARY privilege on the database.
///
/// # Rejected rows
///
/// A row that the server rejects (by a constraint of the table, or because a number is too large)
/// becomes a dead letter. So does a null for a column that is NOT NULL.
///
/// # Triggers
///
/// Triggers and functions of the table run with `search_path = pg_catalog`: names in them need
/// their schema. A trigger that suppresses rows stops the loading, since then the counts would be
/// wrong.
#[must_use = "a table is written by the sink that it is given to"]
pub struct Table<T> {
    spec: TableSpec,
    encoders: Vec<Encoder<T>>,
    /// Functions that show the values in messages.
    shown: Vec<Shown<T>>,
    /// The table in the database; `None` until the sink was asked for its ledger.
    found: Option<CheckedTable>,
    /// A buffer for one value.
    value: BytesMut,
}

/// Whether a value is null, or why it cannot be encoded.
type Encoded = Result<IsNull, Box<dyn StdError + Send + Sync>>;
/// Encodes the value of one column for a type of the database.
type Encoder<T> = Box<dyn Fn(&T, &Type, &mut BytesMut) -> Encoded + Send>;

/// Shows the value of one column.
type Shown<T> = Box<dyn Fn(&T) -> String + Send>;

impl<T: 'static> Table<T> {
    /// The table with that name: `schema.table`, or `table` in the schema `public`. Names are
    /// case-sensitive, as if they were quoted in SQL. A table whose name contains a dot needs its
    /// schema in front.
    pub fn new(name: &str) -> Self {
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        Self {
            spec: TableSpec {
                schema: schema.to_owned(),
                name: name.to_owned(),
                columns: Vec::new(),
                key: Vec::new(),
                create_if_missing: false,
            },
            encoders: Vec::new(),
            shown: Vec::new(),
            found: None,
            value: BytesMut::new(),
        }
    }

    /// Sets the column with that name to what `value` returns for a row. Columns that are not
    /// named get their defaults.
    pub fn column<V: ToColumn>(self, name: &str, value: impl Fn(&T) -> V + Send + Sync + 'static) -> Self {
        self.add(name, None, value)
    }

    /// Like [`column`](Self::column), but when a row arrives whose key is in the table already,
    /// the column is merged from its old value and the new one. Needs a [key](Self::key).
    pub fn merge<V: ToColumn>(self, name: &str, merge: Merge, value: impl Fn(&T) -> V + Send + Sync + 'static) -> Self {
        self.add(name, Some(merge), value)
    }

    /// The columns that identify a row: a later row with the same values replaces the one before
    /// it. The table needs a primary key or a unique index on exactly these columns, none of
    /// which may be nullable.
    pub fn key<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.spec.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Whether to create the table at the start if it does not exist, with column types that fit
    /// the values, and the key as its primary key; `false` by default. An existing table is never
    /// changed.
    pub fn create_if_missing(mut self, create_if_missing: bool) -> Self {
        self.spec.create_if_missing = create_if_missing;
        self
    }

    /// Adds a column with its encoder.
    fn add<V: ToColumn>(
        mut self,
        name: &str,
        merge: Option<Merge>,
        value: impl Fn(&T) -> V + Send + Sync + 'static,
    ) -> Self {
        self.spec.columns.push(ColumnSpec {
            name: name.to_owned(),
            merge,
            rust_type: std::any::type_name::<V>(),
            sql_type: V::SQL_TYPE,
            is_nullable: V::IS_NULLABLE,
            accepts: V::accepts,
        });
        let value = Arc::new(value);
        let shown = value.clone();
        let encode = move |row: &T, column: &Type, to: &mut BytesMut| value(row).encode(column, to);
        self.encoders.push(Box::new(encode));
        self.shown.push(Box::new(move |row| format!("{:?}", shown(row))));
        self
    }

    /// Appends a row of COPY, preceded by its index in the epoch if the table is staged.
    fn encode(&mut self, row: &T, number: usize, to: &mut Vec<u8>) -> Result<(), Refusal> {
        let Some(found) = &self.found else {
            debug_assert!(false, "rows come after the ledger was asked for");
            return Err(Refusal::new(
                Reason::VALUE_REFUSED,
                "the table was not checked before the first row",
            ));
        };
        let is_staged = self.spec.is_keyed();
        to.put_i16(self.encoders.len() as i16 + i16::from(is_staged));
        if is_staged {
            to.put_i32(8);
            to.put_i64(number as i64);
        }
        let columns = self.spec.columns.iter().zip(&found.columns);
        for ((column, found), encode) in columns.zip(&self.encoders) {
            let refused = |why: &dyn fmt::Display| {
                // A row that was computed stands in no file.
                let values = self.spec.columns.iter().zip(&self.shown);
                let values: Vec<_> = values
                    .map(|(column, show)| format!("{} = {}", column.name, show(row)))
                    .collect();
                let detail = format!("{}.{}: {why}, in {}", self.spec.name, column.name, values.join(", "));
                Refusal::new(Reason::VALUE_REFUSED, detail)
            };
            self.value.clear();
            match encode(row, &found.column_type, &mut self.value) {
                Ok(IsNull::No) => {
                    let length = i32::try_from(self.value.len());
                    to.put_i32(length.map_err(|_| refused(&"more than 2 GiB"))?);
                    to.put_slice(&self.value);
                }
                Ok(IsNull::Yes) if found.is_nullable => to.put_i32(-1),
                Ok(IsNull::Yes) => return Err(refused(&"may not be null")),
                Err(err) => return Err(refused(&err)),
            }
        }
        Ok(())
    }
}

impl<T: Send + 'static> Tables<T> for Table<T> {
    const TABLES: usize = 1;

    fn specs<'a>(&'a self, to: &mut Vec<&'a TableSpec>) {
        to.push(&self.spec);
    }

    fn set_tables(&mut self, tables: &[CheckedTable]) {
        self.found = tables.first().cloned();
    }

    fn day(&self, _: &T) -> Option<Date> {
        None
    }

    fn add(&mut self, record: Record<T>, table: usize, to: &mut impl AddRows) {
        to.add_row(table, record.origin, |number, to| {
            self.encode(&record.value, number, to)
        });
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
