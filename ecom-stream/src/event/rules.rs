//! The rules: what makes a CSV record an event, and the reason code of each rule that it can break.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::amount::price_and_total;
use super::{
    Event, EventType, NumberFormat, PLAIN_NUMBERS, Price, PriceError, TimeFormat, id_of_origin, id_of_text,
    to_microseconds,
};
use crate::contract::{Origin, Reason, Refusal};
use crate::csv::{CsvRecord, Header};
use crate::event::long_values::{Kind, LongValues};
use crate::event::mapping::{BoundMapping, LeftOut, Mapping, Values};

/// The rules that make a CSV record an event. Each rule has a reason code of its own; the first one that a record breaks rejects it.
///
/// | field | rule |
/// |---|---|
/// | `event_time` | required; in the [time format](Self::time_format); from [`earliest`](Self::earliest) to [`latest`](Self::latest) |
/// | `event_type` | required; one of [`EventType::ALL`] |
/// | `user_id`, `session_id` | required; not blanks only; at most 64 bytes, unless a mapping [cuts or keeps](crate::LongValues) longer ones |
/// | `product_id` | required for a type that [needs one](EventType::needs_product); else likewise |
/// | `product_name`, `category`, `brand` | at most 256 bytes, likewise; blanks only are none |
/// | `price`, `line_total` | a [`Price`]; one of them is required for a purchase and a refund |
/// | `quantity` | a whole number from 1; 1 if it is absent |
/// | `order_id` | at most 64 bytes |
/// | `currency` | a [`Currency`](crate::Currency): three capital letters |
/// | `event_id` | a UUID; from another text a UUID is made, and without one it is made from the record's place |
///
/// ```
/// use std::sync::Arc;
/// use ecom_stream::{CsvRecord, Header, Reason, Rules, TimeFormat};
/// use time::macros::datetime;
///
/// let rules = Rules::default()
///     .time_format(TimeFormat::UnixMillis)
///     .earliest(datetime!(2020-01-01 00:00 UTC));
///
/// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
/// let record = CsvRecord::new(header.clone(), ["1764583200000", "view", "u", "s", "p"]).unwrap();
/// assert_eq!(rules.event(&record, None, "events").unwrap().user_id, "u");
///
/// let old = CsvRecord::new(header, ["0", "view", "u", "s", "p"]).unwrap();
/// assert_eq!(rules.event(&old, None, "events").unwrap_err().reason, Reason::EVENT_TIME_OUT_OF_RANGE);
/// ```
#[derive(Debug, Clone)]
pub struct Rules {
    /// The format of `event_time`.
    time_format: TimeFormat,
    earliest: OffsetDateTime,
    /// The latest time that is accepted; with `None`, it is `max_ahead` after the current time.
    latest: Option<OffsetDateTime>,
    max_ahead: Duration,
    /// Words for no value in files without a mapping.
    nulls: HashSet<String>,
    mapping: Option<Arc<Mapping>>,
}

impl Default for Rules {
    /// Times are in RFC 3339, from the year 2000 to one day after the current time.
    fn default() -> Self {
        Self {
            time_format: TimeFormat::default(),
            earliest: datetime!(2000-01-01 00:00 UTC),
            latest: None,
            max_ahead: Duration::from_secs(24 * 60 * 60),
            nulls: HashSet::new(),
            mapping: None,
        }
    }
}

impl Rules {
    /// Sets the format of `event_time`; RFC 3339 by default.
    #[must_use]
    pub fn time_format(mut self, format: TimeFormat) -> Self {
        self.time_format = format;
        self
    }

    /// Rejects events before `earliest`; the start of the year 2000 by default.
    #[must_use]
    pub fn earliest(mut self, earliest: OffsetDateTime) -> Self {
        self.earliest = earliest;
        self
    }

    /// Rejects events after `latest`. It replaces the limit of [`max_ahead`](Self::max_ahead), so the result no longer depends on the
    /// clock.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, Header, Reason, Rules};
    /// use time::macros::datetime;
    ///
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let record = CsvRecord::new(header, ["2026-11-01T12:00:00Z", "view", "u", "s", "p"]).unwrap();
    /// let rules = Rules::default().latest(datetime!(2026-10-31 23:59 UTC));
    /// assert_eq!(rules.event(&record, None, "events").unwrap_err().reason, Reason::EVENT_TIME_OUT_OF_RANGE);
    /// ```
    #[must_use]
    pub fn latest(mut self, latest: OffsetDateTime) -> Self {
        self.latest = Some(latest);
        self
    }

    /// Rejects events that are further in the future than this; one day by default. It replaces the limit of [`latest`](Self::latest).
    #[must_use]
    pub fn max_ahead(mut self, max_ahead: Duration) -> Self {
        self.latest = None;
        self.max_ahead = max_ahead;
        self
    }

    /// Adds words that mean no value, in any column of files that are read without a mapping. A [mapping](Self::mapping) has
    /// [its own](crate::MappingBuilder::nulls) instead.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, Header, Reason, Rules};
    ///
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", "brand"]));
    /// let record = |user, brand| {
    ///     CsvRecord::new(header.clone(), ["2026-11-01T12:00:00Z", "view", user, "s", "p", brand]).unwrap()
    /// };
    /// let rules = Rules::default().nulls(["NULL", "(not set)"]);
    /// assert_eq!(rules.event(&record("u", "NULL"), None, "events").unwrap().brand, None);
    /// let refusal = rules.event(&record("(not set)", "acme"), None, "events").unwrap_err();
    /// assert_eq!(refusal.reason, Reason::USER_ID_MISSING);
    /// ```
    #[must_use]
    pub fn nulls<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.nulls.extend(words.into_iter().map(Into::into));
        self
    }

    /// Makes events from files of another layout. The source must read the files by the same mapping. The time format becomes that of
    /// the mapping.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, EventType, Header, Mapping, Rules};
    ///
    /// let rules = Rules::default().mapping(Mapping::named("retailrocket")?);
    /// let header = Arc::new(Header::new(["timestamp", "visitorid", "event", "itemid", "transactionid"]));
    /// let record = CsvRecord::new(header, ["1433224214164", "992329", "addtocart", "248676", ""]).unwrap();
    /// let event = rules.event(&record, None, "events").unwrap();
    /// assert_eq!((event.event_type, event.user_id.as_str()), (EventType::AddToCart, "992329"));
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    #[must_use]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.time_format = mapping.time_format().clone();
        self.mapping = Some(Arc::new(mapping));
        self
    }

    /// What the mapping adds to the events that is not in the files, as [`Mapping::notes`] says it; without a mapping, the words for no
    /// value.
    pub(crate) fn notes(&self) -> Vec<String> {
        if let Some(mapping) = &self.mapping {
            return mapping.notes();
        }
        let mut words: Vec<String> = self.nulls.iter().map(|word| format!("{word:?}")).collect();
        words.sort();
        match words.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "these words mean no value, in any column: {}",
                words.join(", ")
            )],
        }
    }

    /// The values without those that are words for no value.
    fn without_nulls<'a>(&self, mut values: Values<'a>) -> Values<'a> {
        if !self.nulls.is_empty() {
            for value in &mut values {
                *value = value.filter(|text| !self.nulls.contains(*text));
            }
        }
        values
    }

    /// How numbers are written: as the mapping says, or plainly.
    fn numbers(&self) -> &NumberFormat {
        self.mapping
            .as_ref()
            .map_or(&PLAIN_NUMBERS, |mapping| mapping.numbers())
    }

    /// The price in the format of the mapping, or the refusal.
    fn price(&self, text: &str, reason: fn(PriceError) -> Reason) -> Result<Price, Refusal> {
        let price = self.numbers().price(text);
        price.map_err(|err| self.no_number(reason(err), text))
    }

    /// The quantity in the format of the mapping, or the refusal.
    fn quantity(&self, text: &str) -> Result<i32, Refusal> {
        whole_number(text).or_else(|reason| {
            let plain = match reason == Reason::QUANTITY_MALFORMED {
                true => self.numbers().whole_number(text),
                false => None,
            };
            let quantity = plain.map_or(Err(reason), |plain| whole_number(&plain));
            quantity.map_err(|reason| self.no_number(reason, text))
        })
    }

    /// The refusal of a text as a number. If the mapping could make one of it, the detail says how.
    fn no_number(&self, reason: Reason, text: &str) -> Refusal {
        let numbers = self.numbers();
        let is_amount = [Reason::PRICE_MALFORMED, Reason::LINE_TOTAL_MALFORMED].contains(&reason);
        let hint = match reason == Reason::QUANTITY_MALFORMED {
            // Half a piece is none, however it is read.
            true => numbers.hint(text, NumberFormat::is_whole_number),
            false if is_amount => numbers.hint(text, NumberFormat::is_number),
            false => None,
        };
        let mut refusal = Refusal::found(reason, text);
        if let Some(hint) = hint {
            refusal.detail.push_str(&format!("; {hint}"));
        }
        refusal
    }

    /// What becomes of long ids, and of long names.
    fn long_values(&self) -> (LongValues, LongValues) {
        let mapping = self.mapping.as_ref();
        mapping.map_or_else(Default::default, |mapping| mapping.long_values())
    }

    fn price_optional(&self) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| mapping.price_optional())
    }

    /// Makes an event from a record, or says which rule the record breaks. If the record has no id, the id is made from its place: the
    /// name of the pipeline and the `origin`. A record that is left out on purpose is refused with [`Reason::FILTERED`].
    ///
    /// This is for single records: [`SourceExt::validate`](crate::SourceExt::validate) looks the columns up only once for each file.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, Header, Rules};
    ///
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let record = CsvRecord::new(header, ["2026-11-01T12:00:00Z", "wish", "u", "s", "p"]).unwrap();
    /// let refusal = Rules::default().event(&record, None, "events").unwrap_err();
    /// assert_eq!(refusal.to_string(), r#"event_type_unknown: found "wish""#);
    /// ```
    ///
    /// # Errors
    ///
    /// The refusal, with the reason code of the rule.
    pub fn event(&self, record: &CsvRecord, origin: Option<&Origin>, pipeline: &str) -> Result<Event, Refusal> {
        let mut bound = BoundRules::new(self, record.header());
        match bound.event(self, record, origin, pipeline, OffsetDateTime::now_utc())? {
            Some(event) => Ok(event),
            None => {
                let detail = bound.left_out(record).map(|left_out| left_out.detail());
                Err(Refusal::new(Reason::FILTERED, detail.unwrap_or_default()))
            }
        }
    }

    /// The latest time that is accepted at the time `now`.
    fn latest_at(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.latest.unwrap_or_else(|| {
            now.checked_add(self.max_ahead.try_into().unwrap_or(time::Duration::MAX))
                .unwrap_or(now)
        })
    }
}

/// The rules bound to one header: its columns are looked up once, so a record's values are found by index.
#[derive(Debug)]
pub(crate) enum BoundRules {
    /// For files with the columns of an event: the index of each of them in the header.
    Plain(Box<[Option<usize>; Event::COLUMNS.len()]>),
    /// For files of another layout: their mapping, bound to the header.
    Mapped(Arc<Mapping>, Box<BoundMapping>),
}

impl BoundRules {
    /// Looks up the columns of `header`.
    pub(crate) fn new(rules: &Rules, header: &Header) -> Self {
        match &rules.mapping {
            None => Self::Plain(Box::new(Event::COLUMNS.map(|name| header.index_of(name)))),
            Some(mapping) => Self::Mapped(mapping.clone(), Box::new(BoundMapping::new(mapping, header))),
        }
    }

    /// Why a record with this header is left out on purpose; `None` if it is to become an event.
    pub(crate) fn left_out<'a>(&'a self, record: &'a CsvRecord) -> Option<LeftOut<'a>> {
        match self {
            Self::Plain(_) => record.is_blank().then_some(LeftOut::Empty),
            Self::Mapped(mapping, bound) => bound.left_out(mapping, record),
        }
    }

    /// Makes an event from a record with this header, or says which rule it breaks; `None` if the record is
    /// [left out](Self::left_out). `now` is the time that [`max_ahead`](Rules::max_ahead) is counted from.
    pub(crate) fn event(
        &mut self,
        rules: &Rules,
        record: &CsvRecord,
        origin: Option<&Origin>,
        pipeline: &str,
        now: OffsetDateTime,
    ) -> Result<Option<Event>, Refusal> {
        match self {
            Self::Plain(columns) => {
                // An empty field and a column that the file doesn't have are both absent.
                let value = |column: usize| {
                    let index = columns[column]?;
                    record.field(index).filter(|text| !text.is_empty())
                };
                let id_of_origin = || origin.map_or_else(|| id_of_text(""), |origin| id_of_origin(pipeline, origin));
                let values = rules.without_nulls(std::array::from_fn(value));
                match rules.validate(values, id_of_origin, now) {
                    Ok(event) => Ok(Some(event)),
                    // An empty row lacks the required values, so only rows that break a rule are looked at.
                    Err(_) if record.is_blank() => Ok(None),
                    Err(refusal) => Err(refusal),
                }
            }
            Self::Mapped(mapping, bound) => {
                if bound.left_out(mapping, record).is_some() {
                    return Ok(None);
                }
                bound.begin_record(mapping, record, origin);
                let id_of_origin = || bound.id_of_origin(mapping, record, origin, pipeline);
                let mut event = rules.validate(bound.values(mapping, record), id_of_origin, now)?;
                event.extra = bound.extra(mapping, record);
                Ok(Some(event))
            }
        }
    }
}

impl Rules {
    /// Applies the rules to the values of one record, in the order of the table above. `id_of_origin` is called only if the record has no
    /// id.
    fn validate(
        &self,
        values: Values<'_>,
        id_of_origin: impl FnOnce() -> Uuid,
        now: OffsetDateTime,
    ) -> Result<Event, Refusal> {
        let [
            id,
            time,
            kind,
            user,
            session,
            product,
            name,
            category,
            brand,
            price,
            quantity,
            order,
            currency,
            line_total,
        ] = values;

        let event_time = time.ok_or_else(|| absent(Reason::EVENT_TIME_MISSING))?;
        let event_time = match self.time_format.parse(event_time) {
            Some(parsed) => to_microseconds(parsed),
            None => return Err(Refusal::found(Reason::EVENT_TIME_MALFORMED, event_time)),
        };
        if event_time < self.earliest || event_time > self.latest_at(now) {
            return Err(Refusal::found(Reason::EVENT_TIME_OUT_OF_RANGE, &event_time.to_string()));
        }
        let event_type = kind.ok_or_else(|| absent(Reason::EVENT_TYPE_MISSING))?;
        let event_type =
            EventType::from_name(event_type).ok_or_else(|| Refusal::found(Reason::EVENT_TYPE_UNKNOWN, event_type))?;
        let (long_ids, long_names) = self.long_values();
        let id_of = |field, missing, too_long| identifier(field, missing, too_long, long_ids);
        let user_id = id_of(user, Reason::USER_ID_MISSING, Reason::USER_ID_TOO_LONG)?;
        let session_id = id_of(session, Reason::SESSION_ID_MISSING, Reason::SESSION_ID_TOO_LONG)?;
        let product_id = match product {
            None if !event_type.needs_product() => String::new(),
            _ => id_of(product, Reason::PRODUCT_ID_MISSING, Reason::PRODUCT_ID_TOO_LONG)?,
        };
        let product_name = text(name, Reason::PRODUCT_NAME_TOO_LONG, long_names)?;
        let category = text(category, Reason::CATEGORY_TOO_LONG, long_names)?;
        let brand = text(brand, Reason::BRAND_TOO_LONG, long_names)?;
        let price = match price {
            Some(price) => Some(self.price(price, price_reason)?),
            None if event_type.is_sale() && line_total.is_none() && !self.price_optional() => {
                return Err(absent(Reason::PRICE_MISSING));
            }
            None => None,
        };
        let quantity = quantity.map_or(Ok(1), |text| self.quantity(text))?;
        let line_total = line_total
            .map(|total| self.price(total, line_total_reason))
            .transpose()?;
        let (price, line_total) = price_and_total(price, line_total, quantity);
        let order_id = order.map(|order| long_ids.fit(Kind::Id, order, Reason::ORDER_ID_TOO_LONG));
        let currency = currency.map(|code| {
            code.parse()
                .map_err(|_| Refusal::found(Reason::CURRENCY_MALFORMED, code))
        });
        let event_id = match id {
            Some(id) => id.parse().unwrap_or_else(|_| id_of_text(id)),
            None => id_of_origin(),
        };
        Ok(Event {
            event_id,
            event_time,
            event_type,
            user_id,
            session_id,
            product_id,
            product_name,
            category,
            brand,
            price,
            quantity,
            order_id: order_id.transpose()?,
            currency: currency.transpose()?,
            line_total,
            processed_at: None,
            extra: None,
        })
    }
}

/// A required id.
fn identifier(field: Option<&str>, missing: Reason, too_long: Reason, long: LongValues) -> Result<String, Refusal> {
    let field = field.filter(|field| !is_blank(field)).ok_or_else(|| absent(missing))?;
    long.fit(Kind::Id, field, too_long)
}

/// An optional text.
fn text(field: Option<&str>, too_long: Reason, long: LongValues) -> Result<Option<String>, Refusal> {
    let field = field.filter(|field| !is_blank(field));
    field.map(|field| long.fit(Kind::Name, field, too_long)).transpose()
}

/// Whether the text has only blanks, so that it says nothing.
fn is_blank(text: &str) -> bool {
    text.starts_with(char::is_whitespace) && text.trim_start().is_empty()
}

/// A whole number from 1 to the largest `int` of PostgreSQL. A number outside has another reason than a text that is none.
fn whole_number(field: &str) -> Result<i32, Reason> {
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::QUANTITY_MALFORMED);
    }
    match field.parse() {
        Ok(quantity) if quantity >= 1 => Ok(quantity),
        _ => Err(Reason::QUANTITY_OUT_OF_RANGE),
    }
}

/// The reason code for each way in which a price can be wrong.
fn price_reason(err: PriceError) -> Reason {
    match err {
        PriceError::Malformed => Reason::PRICE_MALFORMED,
        PriceError::Negative => Reason::PRICE_NEGATIVE,
        PriceError::Inexact => Reason::PRICE_INEXACT,
        PriceError::OutOfRange => Reason::PRICE_OUT_OF_RANGE,
    }
}

/// The same for the total of a line.
fn line_total_reason(err: PriceError) -> Reason {
    match err {
        PriceError::Malformed => Reason::LINE_TOTAL_MALFORMED,
        PriceError::Negative => Reason::LINE_TOTAL_NEGATIVE,
        PriceError::Inexact => Reason::LINE_TOTAL_INEXACT,
        PriceError::OutOfRange => Reason::LINE_TOTAL_OUT_OF_RANGE,
    }
}

/// The refusal for a required field that is absent. An empty field is absent too.
fn absent(reason: Reason) -> Refusal {
    Refusal::new(reason, "absent or empty")
}

#[cfg(test)]
mod tests;
