//! Encodes events as rows of binary COPY.
//!
//! A row is the number of its columns as an `i16`, and for each column its length as an `i32`, or
//! -1 for null, and its bytes. All numbers are big-endian. See "Binary Format" in the PostgreSQL
//! documentation of COPY.

use bytes::BufMut;
use ecom_stream::{Currency, Event, Price};
use time::OffsetDateTime;

/// The columns of `ecom.events`, in the order in which [`encode`] writes them. [`FURTHER_COLUMNS`]
/// follow for events that have one of them.
pub(crate) const COLUMNS: [&str; 14] = [
    "event_time",
    "processed_at",
    "split_id",
    "record_no",
    "event_id",
    "quantity",
    "event_type",
    "user_id",
    "session_id",
    "product_id",
    "product_name",
    "category",
    "brand",
    "price",
];

/// The columns that few events have. Epochs without such an event are copied without them.
pub(crate) const FURTHER_COLUMNS: [&str; 4] = ["order_id", "currency", "line_total", "extra"];

/// Whether an event has one of [`FURTHER_COLUMNS`].
pub(crate) fn has_further(event: &Event) -> bool {
    event.extra.is_some() || event.order_id.is_some() || event.currency.is_some() || event.line_total.is_some()
}

/// The bytes before the first row: a signature, no flags, no extension.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The bytes after the last row: a column count of -1.
pub(crate) const TRAILER: &[u8] = b"\xff\xff";

/// Where a row comes from, as the table stores it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowOrigin {
    pub(crate) split_id: i64,
    pub(crate) record_no: i64,
}

/// Appends one row. An event without a processing time gets `now`.
pub(crate) fn encode(event: &Event, origin: Option<RowOrigin>, now: OffsetDateTime, to: &mut Vec<u8>) {
    let further = has_further(event);
    let columns = COLUMNS.len() + if further { FURTHER_COLUMNS.len() } else { 0 };
    to.put_i16(columns as i16);
    put_fixed(to, &microseconds(event.event_time).to_be_bytes());
    put_fixed(to, &microseconds(event.processed_at.unwrap_or(now)).to_be_bytes());
    match origin {
        Some(origin) => {
            put_fixed(to, &origin.split_id.to_be_bytes());
            put_fixed(to, &origin.record_no.to_be_bytes());
        }
        None => {
            put_null(to);
            put_null(to);
        }
    }
    put_fixed(to, event.event_id.as_bytes());
    put_fixed(to, &event.quantity.to_be_bytes());
    put_fixed(to, event.event_type.as_str().as_bytes());
    for id in [&event.user_id, &event.session_id] {
        put_fixed(to, id.as_bytes());
    }
    match event.product_id.as_str() {
        "" => put_null(to),
        product => put_fixed(to, product.as_bytes()),
    }
    for text in [&event.product_name, &event.category, &event.brand] {
        put_text(to, text.as_deref());
    }
    put_price(to, event.price);
    if further {
        put_text(to, event.order_id.as_deref());
        put_text(to, event.currency.as_ref().map(Currency::as_str));
        put_price(to, event.line_total);
        match &event.extra {
            Some(extra) => {
                // The version of jsonb's binary form, and text.
                to.put_i32(extra.len() as i32 + 1);
                to.put_u8(1);
                to.put_slice(extra.as_bytes());
            }
            None => put_null(to),
        }
    }
}

/// Appends an encoded row, with nulls for [`FURTHER_COLUMNS`] if it has none of them: all rows of a
/// COPY must have the same number of columns.
pub(crate) fn append_with_further(row: &[u8], to: &mut Vec<u8>) {
    let has_further = !row.starts_with(&(COLUMNS.len() as i16).to_be_bytes());
    if has_further {
        return to.put_slice(row);
    }
    to.put_i16((COLUMNS.len() + FURTHER_COLUMNS.len()) as i16);
    to.put_slice(&row[2..]);
    for _ in FURTHER_COLUMNS {
        put_null(to);
    }
}

/// Microseconds since 2000, which is how `timestamptz` is stored.
pub(crate) fn microseconds(time: OffsetDateTime) -> i64 {
    const FROM_1970_TO_2000: i64 = 946_684_800_000_000;
    // Years up to 9999 are far inside of what an i64 holds.
    time.unix_timestamp() * 1_000_000 + i64::from(time.microsecond()) - FROM_1970_TO_2000
}

/// Appends a value that is not null.
fn put_fixed(to: &mut Vec<u8>, bytes: &[u8]) {
    to.put_i32(bytes.len() as i32);
    to.put_slice(bytes);
}

/// Appends a text, or a null.
fn put_text(to: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_fixed(to, text.as_bytes()),
        None => put_null(to),
    }
}

/// Appends a null.
fn put_null(to: &mut Vec<u8>) {
    to.put_i32(-1);
}

/// Appends a `numeric`, or a null: groups of four decimal digits, the last of which holds the two
/// decimals.
fn put_price(to: &mut Vec<u8>, price: Option<Price>) {
    const BASE: i64 = 10_000;
    let Some(price) = price else {
        return put_null(to);
    };
    let units = price.cents() / 100;
    let groups = [
        units / (BASE * BASE) % BASE,
        units / BASE % BASE,
        units % BASE,
        price.cents() % 100 * 100,
    ];
    let first = groups.iter().position(|&group| group != 0).unwrap_or(3);
    let digits = &groups[first..];
    to.put_i32(8 + 2 * digits.len() as i32);
    to.put_i16(digits.len() as i16);
    // The power of the base that the first group counts.
    to.put_i16(2 - first as i16);
    to.put_u16(0);
    to.put_i16(2);
    for &digit in digits {
        to.put_i16(digit as i16);
    }
}
