//! Writes events as lines of CSV.

use csv_async::ByteRecord;
use time::UtcOffset;
use uuid::fmt::Hyphenated;

use super::{Currency, Event, Price};
use crate::csv::ToCsv;

/// Writes the [`BASE_COLUMNS`](Event::BASE_COLUMNS), and all [`COLUMNS`](Event::COLUMNS) for an event that has an order, a currency or a
/// line total. `processed_at` is not written, because the pipeline that reads the file sets it. `extra` is not written either, because
/// its columns differ from event to event.
///
/// ```
/// use ecom_stream::{Event, EventType, ToCsv};
/// use time::macros::datetime;
/// use uuid::Uuid;
///
/// let event = Event::new(Uuid::nil(), datetime!(2026-11-01 12:00 UTC), EventType::View, "u1", "s1", "p1");
/// let mut record = csv_async::ByteRecord::new();
/// event.to_csv(&mut record);
/// assert_eq!(&record[1], b"2026-11-01T12:00:00.000000Z");
/// ```
impl ToCsv for Event {
    const COLUMNS: &'static [&'static str] = &Event::BASE_COLUMNS;

    fn columns(&self) -> &'static [&'static str] {
        match self.order_id.is_some() || self.currency.is_some() || self.line_total.is_some() {
            true => &Event::COLUMNS,
            false => &Event::BASE_COLUMNS,
        }
    }

    fn to_csv(&self, record: &mut ByteRecord) {
        let id = self.event_id.hyphenated();
        record.push_field(id.encode_lower(&mut [0; Hyphenated::LENGTH]).as_bytes());
        record.push_field(&self.time_as_text());
        record.push_field(self.event_type.as_str().as_bytes());
        for id in [&self.user_id, &self.session_id, &self.product_id] {
            record.push_field(id.as_bytes());
        }
        for text in [&self.product_name, &self.category, &self.brand] {
            record.push_field(text.as_deref().unwrap_or_default().as_bytes());
        }
        let mut digits = [0; 24];
        record.push_field(price_as_text(self.price, &mut digits));
        let start = right_align(&mut digits, u64::from(self.quantity.unsigned_abs()));
        if self.quantity < 0 {
            digits[start - 1] = b'-';
        }
        record.push_field(&digits[start - usize::from(self.quantity < 0)..]);
        if self.columns().len() > Self::BASE_COLUMNS.len() {
            record.push_field(self.order_id.as_deref().unwrap_or_default().as_bytes());
            record.push_field(self.currency.as_ref().map_or("", Currency::as_str).as_bytes());
            record.push_field(price_as_text(self.line_total, &mut digits));
        }
    }
}

/// The price with two decimals; nothing if it is absent.
fn price_as_text(price: Option<Price>, digits: &mut [u8; 24]) -> &[u8] {
    let Some(cents) = price.map(|price| price.cents().unsigned_abs()) else {
        return b"";
    };
    let (whole, decimals) = digits.split_at_mut(21);
    decimals[0] = b'.';
    pad(&mut decimals[1..], cents % 100);
    let start = right_align(whole, cents / 100);
    &digits[start..]
}

impl Event {
    /// The time in RFC 3339 with microseconds. It is written digit by digit: formatting with a description takes ten times as long.
    fn time_as_text(&self) -> [u8; 27] {
        let time = self
            .event_time
            .checked_to_offset(UtcOffset::UTC)
            .unwrap_or(self.event_time);
        let (date, clock) = (time.date(), time.time());
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        // Years before 0 would need five characters; the rules reject them.
        pad(&mut text[0..4], u64::from(date.year().unsigned_abs()));
        pad(&mut text[5..7], u64::from(u8::from(date.month())));
        pad(&mut text[8..10], u64::from(date.day()));
        pad(&mut text[11..13], u64::from(clock.hour()));
        pad(&mut text[14..16], u64::from(clock.minute()));
        pad(&mut text[17..19], u64::from(clock.second()));
        pad(&mut text[20..26], u64::from(clock.microsecond()));
        text
    }
}

/// Fills `text` with the lowest digits of `number`.
fn pad(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Writes `number` at the end of `text` and returns the index of its first digit.
fn right_align(text: &mut [u8], mut number: u64) -> usize {
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return start;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    use uuid::Uuid;

    use super::*;
    use crate::event::EventType;

    proptest! {
        #[test]
        fn written_numbers_and_times_read_back_equal(
            id in any::<u128>(),
            micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
            cents in 0..=Price::MAX.cents(),
            quantity in any::<i32>(),
        ) {
            let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
            let mut event = Event::new(Uuid::from_u128(id), time, EventType::View, "u", "s", "p");
            event.price = Price::from_cents(cents);
            event.quantity = quantity;
            let mut record = ByteRecord::new();
            event.to_csv(&mut record);
            let field = |at: usize| std::str::from_utf8(&record[at]).unwrap();
            prop_assert_eq!(field(0), event.event_id.to_string());
            prop_assert_eq!(OffsetDateTime::parse(field(1), &Rfc3339).unwrap(), time);
            prop_assert_eq!(field(9), event.price.unwrap().to_string());
            prop_assert_eq!(field(10), quantity.to_string());
        }
    }
}
