//! A field of a mapping: where a column of an event comes from.

use std::collections::HashMap;

use super::when::When;

/// Where a column of an event comes from, and what is done to its values: first they are translated, then a default fills what is
/// absent.
///
/// ```
/// use ecom_stream::{Field, Mapping, Reason};
///
/// let mapping = Mapping::builder()
///     .field("event_time", Field::column("when"))
///     .field("event_type", Field::column("what").value("cart", "add_to_cart").value("buy", "purchase"))
///     .field("user_id", Field::column("who").default_value("guest"))
///     .field("session_id", Field::path("visit"))
///     .field("product_id", Field::column("item"))
///     .field("brand", Field::column("brand").optional(true))
///     .field("category", Field::constant("lamps"))
///     .build()?;
/// assert_eq!(mapping.notes().len(), 3);
/// # Ok::<(), ecom_stream::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a field does nothing until it is in a mapping"]
pub struct Field {
    pub(super) source: FieldSource,
    pub(super) values: HashMap<String, String>,
    pub(super) default: Option<String>,
    pub(super) optional: bool,
    /// Rules that are asked before the source; the first that holds decides.
    pub(super) when: Vec<When>,
}

/// Where the values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldSource {
    /// A column of the file, by its name.
    Column(String),
    /// The path of the file: the directory with this key in front of `=`, or the place of `{}` in this pattern.
    Path(String),
    /// Nowhere in the file: the value itself.
    Constant(String),
    /// Nowhere: only rules and the default give a value.
    Rules,
    /// The first of several columns that has a value.
    FirstOf(Vec<String>),
    /// The path if there is one, and several columns, joined by blanks.
    Joined { path: Option<String>, columns: Vec<String> },
}

impl Field {
    /// The values of the column with that name. A file without it is set aside, unless the field is [optional](Self::optional).
    pub fn column(name: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Column(name.into()))
    }

    /// The value of the first of these columns that has one. Empty fields, words for no value, and words that are translated to no value
    /// are passed over. A file without one of the columns is set aside, unless the field is [optional](Self::optional).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, Rules};
    /// # fn main() -> ecom_stream::Result<()> {
    /// let names = ["event_time", "event_type", "session_id", "product_id"];
    /// let mapping = names
    ///     .into_iter()
    ///     .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    ///     .field("user_id", Field::first_of(["customer", "visitor"]))
    ///     .build()?;
    /// let header = Header::new(names.into_iter().chain(["customer", "visitor"]));
    /// let record = CsvRecord::new(Arc::new(header), ["2026-11-01T12:00:00Z", "view", "s", "p", "", "v7"]).unwrap();
    /// assert_eq!(Rules::default().mapping(mapping).event(&record, None, "events").unwrap().user_id, "v7");
    /// # Ok(()) }
    /// ```
    pub fn first_of<N: Into<String>>(columns: impl IntoIterator<Item = N>) -> Self {
        Self::from_source(FieldSource::FirstOf(columns.into_iter().map(Into::into).collect()))
    }

    /// The value in the path of the file: `date` is `2026-11-01` in `date=2026-11-01/hour=09/a.csv`.
    ///
    /// A text with `{}` is a pattern for the end of the path: `{}` is the value, and `*` is anything; both stay within a name and take as
    /// little as they can. `orders_{}.csv` is `2026-11-01` in `north/orders_2026-11-01.csv`. Several values are joined by blanks:
    /// `{}/{}/*.csv` is `2026 11` in `2026/11/a.csv`.
    ///
    /// A file without the value is set aside, unless the field is [optional](Self::optional) or has a default.
    pub fn path(key: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Path(key.into()))
    }

    /// The values of several columns, joined by one blank each; empty ones are left out. Only `event_time` can be joined: its date and
    /// time of day, and its zone, may stand in columns of their own.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, Field, Header, Mapping, Rules, TimeFormat};
    /// use time::macros::datetime;
    ///
    /// let mapping = Mapping::builder()
    ///     .field("event_time", Field::columns(["Date", "Time"]))
    ///     .time_format(TimeFormat::named("%d.%m.%Y %H:%M")?)
    ///     .field("event_type", Field::constant("view"))
    ///     .field("user_id", Field::column("User"))
    ///     .field("session_id", Field::column("User"))
    ///     .field("product_id", Field::column("SKU"))
    ///     .build()?;
    /// let header = Arc::new(Header::new(["Date", "Time", "User", "SKU"]));
    /// let record = CsvRecord::new(header, ["01.11.2026", "09:30", "u", "p"]).unwrap();
    /// let event = Rules::default().mapping(mapping).event(&record, None, "events").unwrap();
    /// assert_eq!(event.event_time, datetime!(2026-11-01 9:30 UTC));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn columns<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::from_source(FieldSource::Joined {
            path: None,
            columns: names.into_iter().map(Into::into).collect(),
        })
    }

    /// The value in the [path](Self::path) of the file, and those of columns behind it: for a date in the name of the file and the time
    /// of day in a column. They are joined as [`columns`](Self::columns) are.
    pub fn path_and_columns<N: Into<String>>(path: impl Into<String>, columns: impl IntoIterator<Item = N>) -> Self {
        Self::from_source(FieldSource::Joined {
            path: Some(path.into()),
            columns: columns.into_iter().map(Into::into).collect(),
        })
    }

    /// The same value in every event, for what the files don't have.
    pub fn constant(value: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Constant(value.into()))
    }

    /// Only the values of the rules that [`when`](Self::when) adds; the [default](Self::default_value) is the value for all other rows.
    /// A field without a rule is refused when the mapping is built.
    pub fn rules() -> Self {
        Self::from_source(FieldSource::Rules)
    }

    fn from_source(source: FieldSource) -> Self {
        Self {
            source,
            values: HashMap::new(),
            default: None,
            optional: false,
            when: Vec::new(),
        }
    }

    /// Translates the word `theirs` to `ours`. Other words stay as they are.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("brand", Field::column("make").value("ACME Inc.", "acme")).build()?;
    /// assert_eq!(event(mapping.clone(), "make", "ACME Inc.").brand.as_deref(), Some("acme"));
    /// assert_eq!(event(mapping, "make", "other").brand.as_deref(), Some("other"));
    /// # Ok(()) }
    /// ```
    pub fn value(mut self, theirs: impl Into<String>, ours: impl Into<String>) -> Self {
        self.values.insert(theirs.into(), ours.into());
        self
    }

    /// Adds a rule: a row that has one of the words in each of these columns of the file gets `value`. The first rule that holds decides;
    /// where none does, the value comes from the source of the field.
    ///
    /// The words are compared as they are in the file; `""` stands for a field without a value. `value` is one of our own words, and isn't
    /// translated. A file without one of the columns is set aside, unless the field is [optional](Self::optional): then a column that is
    /// not there has no value.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, EventType, Field, Header, Mapping, Rules};
    /// # fn main() -> ecom_stream::Result<()> {
    /// let event_type = Field::rules()
    ///     .when([("action", ["click"]), ("target", ["buy"])], "add_to_cart")
    ///     .when([("action", ["order", "pay"])], "purchase")
    ///     .default_value("view");
    /// let names = ["event_time", "user_id", "session_id", "product_id"];
    /// let mapping = names
    ///     .into_iter()
    ///     .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    ///     .field("event_type", event_type)
    ///     .build()?;
    /// let header = Arc::new(Header::new(names.into_iter().chain(["action", "target"])));
    /// let rules = Rules::default().mapping(mapping);
    /// let type_of = |action, target| {
    ///     let fields = ["2026-11-01T12:00:00Z", "u", "s", "p", action, target];
    ///     let record = CsvRecord::new(header.clone(), fields).unwrap();
    ///     rules.event(&record, None, "events").unwrap().event_type
    /// };
    /// assert_eq!(type_of("click", "buy"), EventType::AddToCart);
    /// assert_eq!(type_of("click", "image"), EventType::View);
    /// # Ok(()) }
    /// ```
    pub fn when<C: Into<String>, W: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = (C, impl IntoIterator<Item = W>)>,
        value: impl Into<String>,
    ) -> Self {
        let columns = columns.into_iter();
        let columns = columns.map(|(column, words)| (column.into(), words.into_iter().map(Into::into).collect()));
        self.when.push(When {
            columns: columns.collect(),
            value: value.into(),
        });
        self
    }

    /// The columns of the file that the value depends on: those of its source and of its rules.
    pub(super) fn read_columns(&self) -> impl Iterator<Item = &str> {
        let of_rules = self.when.iter().flat_map(|rule| rule.columns.keys());
        self.source.columns().iter().chain(of_rules).map(String::as_str)
    }

    /// The value where the file has none. Each default is listed in the [notes](crate::Mapping::notes).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("brand", Field::column("make").default_value("none")).build()?;
    /// assert_eq!(event(mapping, "make", "").brand.as_deref(), Some("none"));
    /// # Ok(()) }
    /// ```
    pub fn default_value(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Whether files without this column are read too, with the default or no value; `false` by default.
    pub fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }
}

impl FieldSource {
    /// The names of the columns that the values come from.
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Self::Column(name) => std::slice::from_ref(name),
            Self::FirstOf(columns) | Self::Joined { columns, .. } => columns,
            Self::Path(_) | Self::Constant(_) | Self::Rules => &[],
        }
    }

    /// The key or the pattern, if a value comes from the path.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Path(key) => Some(key),
            Self::Joined { path, .. } => path.as_deref(),
            Self::Column(_) | Self::FirstOf(_) | Self::Constant(_) | Self::Rules => None,
        }
    }

    /// The value, if it is a constant.
    pub(super) fn constant(&self) -> Option<&str> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Column(_) | Self::FirstOf(_) | Self::Path(_) | Self::Joined { .. } | Self::Rules => None,
        }
    }
}
