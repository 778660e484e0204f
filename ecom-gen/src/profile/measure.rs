//! Collects events and measures them.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::duplicates::Fingerprint;
use super::event_ref::EventRef;
use super::events::{Events, NONE, Row};
use super::interner::Interner;
use super::sections::Profile;
use crate::zone::Zone;

/// The options of a measurement.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MeasureOptions {
    /// The time zone of the hours and weekdays. The default is UTC.
    pub zone: Zone,
}

impl Default for MeasureOptions {
    /// Hours and weekdays in UTC.
    fn default() -> Self {
        Self { zone: Zone::UTC }
    }
}

impl MeasureOptions {
    /// Sets the time zone of the hours and weekdays.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }
}

/// Collects events and measures them. It takes about 100 bytes of memory per event. Events may come in any order, which
/// only [`Arrival`](crate::profile::Arrival) depends on.
///
/// ```
/// use ecom_gen::{Delivery, Shop};
/// use ecom_gen::profile::{Measure, MeasureOptions};
/// use time::macros::datetime;
///
/// let mut measure = Measure::new(MeasureOptions::default());
/// let shop = Shop::builder(42, datetime!(2026-11-23 09:00 UTC)).delivery(Delivery::exact());
/// for event in shop.build().take(10_000) {
///     measure.add(&(&event).into());
/// }
/// let profile = measure.finish();
/// assert_eq!(profile.volume.events, 10_000);
/// println!("{}", profile.report());
/// ```
#[derive(Debug, Default)]
pub struct Measure {
    options: MeasureOptions,
    users: Interner,
    sessions: Interner,
    products: Interner,
    brands: Interner,
    categories: Interner,
    category_names: Vec<String>,
    rows: Vec<Row>,
    fingerprints: Vec<Fingerprint>,
    unusable_rows: u64,
    unusable_files: u64,
}

impl Measure {
    /// A measurement without events.
    pub fn new(options: MeasureOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Adds an event.
    pub fn add(&mut self, seen: &EventRef<'_>) {
        let row = Row {
            micros: seen.micros,
            cents: seen.cents.unwrap_or(-1),
            user: self.users.number(seen.user_id).number,
            session: self.sessions.number(seen.session_id).number,
            product: self.products.number(seen.product_id).number,
            category: self.category(seen.category),
            brand: seen.brand.map_or(NONE, |brand| self.brands.number(brand).number),
            quantity: seen.quantity,
            event_type: seen.event_type,
        };
        let content = content(&row);
        self.fingerprints.push(Fingerprint {
            id: seen.event_id.map_or(content, |id| hash(&id)),
            content,
            index: self.rows.len() as u32,
        });
        self.rows.push(row);
    }

    /// Counts a row that is not an event.
    pub fn add_unusable_row(&mut self) {
        self.unusable_rows += 1;
    }

    /// Counts a file that cannot be used.
    pub fn add_unusable_file(&mut self) {
        self.unusable_files += 1;
    }

    /// The number of events so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no events so far.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Measures the events.
    pub fn finish(mut self) -> Profile {
        let repeats = Fingerprint::drop_duplicates(self.fingerprints, &mut self.rows);
        let times = self.rows.iter().map(|row| row.micros);
        let events = Events {
            first: times.clone().min().unwrap_or_default(),
            last: times.max().unwrap_or_default(),
            rows: self.rows,
            users: self.users.len(),
            sessions: self.sessions.len(),
            products: self.products.len(),
            brands: self.brands.len(),
            categories: self.category_names,
            zone: self.options.zone,
        };
        Profile::of(&events, repeats, self.unusable_rows, self.unusable_files)
    }

    fn category(&mut self, category: Option<&str>) -> u32 {
        let Some(category) = category else { return NONE };
        let interned = self.categories.number(category);
        if interned.is_new {
            self.category_names.push(category.to_owned());
        }
        interned.number
    }
}

/// A hash of everything except the id.
fn content(row: &Row) -> u64 {
    let numbers = [
        row.user,
        row.session,
        row.product,
        row.category,
        row.brand,
        row.quantity,
    ];
    hash(&(row.micros, row.cents, numbers, row.event_type))
}

/// A hash that is the same on every run.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
