//! Guesses which column of a sample is which field of an event.

use super::column::Column;
use super::event_times::{self, EventTimes};
use super::prices::{self, Reading, are_numbers};
use super::time_reading::TimeReading;
use super::verdict::Verdict;
use super::{event_types, identifiers, price_columns};
use crate::event::{Currency, Event, PriceFormat};

/// Which column may be which field of an event.
///
/// Values decide before names: the columns of times are those whose values are times, the column of types the one that has the most
/// words for event types. The other fields are found by the names of the columns, and their values are asked what speaks against them.
/// Each field has a verdict: one column, or several among which a person must choose.
pub(super) struct Guesses {
    /// The verdict for each of [`Event::COLUMNS`].
    verdicts: [Verdict; Event::COLUMNS.len()],
    /// How the time is read, and all columns of times.
    pub(super) times: EventTimes,
    /// How the prices are written.
    pub(super) price_reading: Reading,
    /// A column that may hold event types by its values, though no word is known. A person must decide; so it is with `likely_price`.
    pub(super) likely_type: Option<usize>,
    pub(super) likely_price: Option<usize>,
}

impl Guesses {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut times = event_times::find(columns);
        let mut guesses = Self {
            verdicts: Default::default(),
            price_reading: Reading {
                format: PriceFormat::default(),
                rival: None,
            },
            likely_type: None,
            likely_price: None,
            times: EventTimes {
                verdict: Verdict::Unknown,
                reading: times.reading.take(),
                columns: std::mem::take(&mut times.columns),
            },
        };
        guesses.set("event_time", times.verdict);
        guesses.set("event_type", event_types::find(columns, |at| !guesses.is_free(at)));
        let ids = guesses.by_name("event_id", columns, |column| {
            identifiers::against_event_id(columns, column)
        });
        guesses.set("event_id", ids);
        let users = guesses.by_name("user_id", columns, |_| None);
        guesses.set("user_id", users);
        let users = guesses.of("user_id").map(|at| &columns[at]);
        let sessions = guesses.by_name("session_id", columns, |column| {
            identifiers::against_session(users, column)
        });
        guesses.set("session_id", sessions);
        let products = guesses.by_name("product_id", columns, identifiers::against_product);
        guesses.set("product_id", products);
        // An order may stand for the session as well.
        let session = guesses.of("session_id");
        let is_free = |at| guesses.is_free(at) || session == Some(at);
        let orders = identifiers::by_name("order_id", columns, is_free, |_| None);
        guesses.set("order_id", orders);
        let currency = guesses.by_name("currency", columns, against_currency);
        guesses.set("currency", currency);
        let line_total = own_name("line_total", columns);
        guesses.set("line_total", line_total);
        let quantity = guesses.by_name("quantity", columns, against_quantity);
        guesses.set("quantity", quantity);
        let quantity = guesses.likeliest("quantity").map(|at| &columns[at]);
        let order = guesses.likeliest("session_id").map(|at| &columns[at]);
        let price = price_columns::find(columns, |at| guesses.is_free(at), quantity, order);
        guesses.set("price", price);
        let products = guesses.likeliest("product_id").map(|at| &columns[at]);
        let names = guesses.by_name("product_name", columns, |column| {
            identifiers::against_product_name(products, column)
        });
        guesses.set("product_name", names);
        for field in ["category", "brand"] {
            let verdict = guesses.by_name(field, columns, |_| None);
            guesses.set(field, verdict);
        }
        let unused = |guesses: &Self, is_like: fn(&Column) -> bool| {
            (0..columns.len()).find(|at| guesses.is_free(*at) && is_like(&columns[*at]))
        };
        if matches!(guesses.verdict("event_type"), Verdict::Unknown) {
            guesses.likely_type = unused(&guesses, event_types::has_few_words);
        }
        if matches!(guesses.verdict("price"), Verdict::Unknown) {
            guesses.likely_price = unused(&guesses, prices::look_like_prices);
        }
        if let Some(at) = guesses.likeliest("price").or(guesses.likely_price) {
            guesses.price_reading = Reading::of(&columns[at], &price_columns::money(columns));
        }
        guesses
    }

    /// The verdict on a field that is found by the names of the columns.
    fn by_name(&self, field: &str, columns: &[Column], against: impl Fn(&Column) -> Option<String>) -> Verdict {
        identifiers::by_name(field, columns, |at| self.is_free(at), against)
    }

    /// The index of a field in [`Event::COLUMNS`].
    fn place(name: &str) -> Option<usize> {
        Event::COLUMNS.iter().position(|column| *column == name)
    }

    fn set(&mut self, name: &str, verdict: Verdict) {
        if let Some(at) = Self::place(name) {
            self.verdicts[at] = verdict;
        }
    }

    /// What is known of the field with that name.
    pub(super) fn verdict(&self, name: &str) -> &Verdict {
        const UNKNOWN: &Verdict = &Verdict::Unknown;
        Self::place(name).map_or(UNKNOWN, |at| &self.verdicts[at])
    }

    /// The column for the field with that name, if it is clear.
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.verdict(name).column()
    }

    /// The column for the field, or the likeliest of those among which a person must choose.
    pub(super) fn likeliest(&self, name: &str) -> Option<usize> {
        self.verdict(name).columns().first().copied()
    }

    /// Whether no field is taken from the column, and it has no times.
    fn is_free(&self, column: usize) -> bool {
        let is_used = self.verdicts.iter().any(|verdict| verdict.column() == Some(column));
        !is_used && !self.times.columns.contains(&column)
    }

    /// Whether the column is used for some field, or may be.
    pub(super) fn has(&self, column: usize) -> bool {
        let reads = |reading: &TimeReading| reading.columns.contains(&column);
        self.times.reading.as_ref().is_some_and(reads) || self.verdicts.iter().any(|verdict| verdict.has(column))
    }
}

/// The column that has just the name of the field. The total of a line has many other names, and so have other totals.
fn own_name(field: &str, columns: &[Column]) -> Verdict {
    let column = columns.iter().position(|column| column.name == field);
    column.map_or(Verdict::Unknown, Verdict::clear)
}

/// What speaks against a column of currencies.
fn against_currency(column: &Column) -> Option<String> {
    let other = column.values.iter().find(|value| value.parse::<Currency>().is_err())?;
    Some(format!("{other:?} is not the code of a currency, such as EUR"))
}

/// What speaks against a column of quantities.
fn against_quantity(column: &Column) -> Option<String> {
    if super::synonyms::plain(&column.name) == "count" {
        return Some("it may count something else than pieces".to_owned());
    }
    let is_other = !column.values.is_empty() && !are_numbers(column, PriceFormat::default());
    is_other.then(|| "most of its values are not numbers".to_owned())
}
