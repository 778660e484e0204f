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
use super::writes::Writes;

/// A table of the user's own, and which columns the rows of a type `T` have in it.
///
/// Rows are added. With a [key](Self::key) a row takes the place of the one that has its key, or is
/// [merged](Self::merge) with it; in one epoch the last row of a key counts. All in the transaction of the epoch, so that
/// a sum has each row once, whatever crashes.
///
/// ```
/// use ecom_sink_pg::{Merge, Table};
/// use ecom_stream::Event;
///
/// // The table that `CREATE TABLE visitors (user_id text PRIMARY KEY, events bigint, last_seen timestamptz)` makes.
/// let visitors = Table::new("visitors")
///     .column("user_id", |event: &Event| event.user_id.clone())
///     .merge("events", Merge::Add, |_| 1)
///     .merge("last_seen", Merge::Greatest, |event| event.event_time)
///     .key(["user_id"]);
/// ```
///
/// Triggers and functions of the table run with `search_path = pg_catalog`: names in them need their schema. One that leaves rows
/// out stops the loading.
///
/// A row that the server refuses (a constraint of the table, a number that is too large) becomes a dead letter. A null for a
/// column that takes none does too.
#[must_use = "a table is written by the sink that it is given to"]
pub struct Table<T> {
    spec: TableSpec,
    encoders: Vec<Encoder<T>>,
    /// The values in words.
    shown: Vec<Shown<T>>,
    found: Option<CheckedTable>,
    value: BytesMut,
}

type Encoded = Result<IsNull, Box<dyn StdError + Send + Sync>>;
type Encoder<T> = Box<dyn Fn(&T, &Type, &mut BytesMut) -> Encoded + Send>;

type Shown<T> = Box<dyn Fn(&T) -> String + Send>;

impl<T: 'static> Table<T> {
    /// The table of that name, `schema.table` or `table` in the schema `public`. Names are taken as they are written, case
    /// and all; one with a dot in it needs its schema in front.
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

    /// The column of that name gets what `value` makes of a row. Columns that are not named get their defaults.
    pub fn column<V: ToColumn>(self, name: &str, value: impl Fn(&T) -> V + Send + Sync + 'static) -> Self {
        self.add(name, None, value)
    }

    /// The column of that name is merged from what it has and what `value` makes of a row, when a row comes whose key the
    /// table has. Needs a [key](Self::key).
    pub fn merge<V: ToColumn>(self, name: &str, merge: Merge, value: impl Fn(&T) -> V + Send + Sync + 'static) -> Self {
        self.add(name, Some(merge), value)
    }

    /// The columns that tell rows apart: a later row replaces the one before it. The table needs a primary key or a unique
    /// index of just these columns, none of which may be null.
    pub fn key<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.spec.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Whether to create the table at the start if it does not exist, with columns of the types that go with the values, and
    /// the key as its primary key; `false` unless it is set. A table that exists is never changed.
    pub fn create_if_missing(mut self, create_if_missing: bool) -> Self {
        self.spec.create_if_missing = create_if_missing;
        self
    }

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

    /// Appends a row of COPY, with its number in the epoch in front of it where it will be staged.
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

impl<T: Send + 'static> Writes<T> for Table<T> {
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
