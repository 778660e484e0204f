//! Reason codes: stable words that say why a record or a split can't be used.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A reason code: a short word in snake case that says why a record or a split can't be used. Codes are stable across versions,
/// so they can be counted and grouped by.
///
/// The constants are the codes that this library uses. A code of your own is made from a text:
///
/// ```
/// use ecom_stream::Reason;
///
/// assert_eq!(Reason::PRICE_NEGATIVE.as_str(), "price_negative");
/// assert_eq!(Reason::from("unknown_sensor").to_string(), "unknown_sensor");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Reason {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($code));)*

            /// Every code that this library gives.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

reasons! {
    /// The record does not have as many fields as the header.
    FIELD_COUNT = "field_count";
    /// Text stands between a closing quote and the next delimiter.
    TEXT_AFTER_QUOTE = "text_after_quote";
    /// A field that is not quoted has a carriage return, in a file whose lines end with a line feed.
    LONE_CARRIAGE_RETURN = "lone_carriage_return";
    /// A field is longer than the limit.
    FIELD_TOO_LARGE = "field_too_large";
    /// A field is not valid UTF-8.
    INVALID_UTF8 = "invalid_utf8";
    /// A field has a NUL byte, which PostgreSQL can't store in text.
    NUL_BYTE = "nul_byte";
    /// `event_time` is absent.
    EVENT_TIME_MISSING = "event_time_missing";
    /// `event_time` is not in the agreed format.
    EVENT_TIME_MALFORMED = "event_time_malformed";
    /// `event_time` is outside the accepted range.
    EVENT_TIME_OUT_OF_RANGE = "event_time_out_of_range";
    /// `event_type` is absent.
    EVENT_TYPE_MISSING = "event_type_missing";
    /// `event_type` is none of the known types.
    EVENT_TYPE_UNKNOWN = "event_type_unknown";
    /// `user_id` is absent.
    USER_ID_MISSING = "user_id_missing";
    /// `user_id` is longer than 64 bytes.
    USER_ID_TOO_LONG = "user_id_too_long";
    /// `session_id` is absent.
    SESSION_ID_MISSING = "session_id_missing";
    /// `session_id` is longer than 64 bytes.
    SESSION_ID_TOO_LONG = "session_id_too_long";
    /// `product_id` is absent.
    PRODUCT_ID_MISSING = "product_id_missing";
    /// `product_id` is longer than 64 bytes.
    PRODUCT_ID_TOO_LONG = "product_id_too_long";
    /// `product_name` is longer than 256 bytes.
    PRODUCT_NAME_TOO_LONG = "product_name_too_long";
    /// `category` is longer than 256 bytes.
    CATEGORY_TOO_LONG = "category_too_long";
    /// `brand` is longer than 256 bytes.
    BRAND_TOO_LONG = "brand_too_long";
    /// A purchase or a refund has neither `price` nor `line_total`.
    PRICE_MISSING = "price_missing";
    /// `price` is not a decimal number.
    PRICE_MALFORMED = "price_malformed";
    /// `price` is below zero.
    PRICE_NEGATIVE = "price_negative";
    /// `price` has more than two decimals, so storing it would round it.
    PRICE_INEXACT = "price_inexact";
    /// `price` is more than `numeric(12,2)` holds.
    PRICE_OUT_OF_RANGE = "price_out_of_range";
    /// `quantity` is not a whole number.
    QUANTITY_MALFORMED = "quantity_malformed";
    /// `quantity` is below 1 or more than an `int` holds.
    QUANTITY_OUT_OF_RANGE = "quantity_out_of_range";
    /// `order_id` is longer than 64 bytes.
    ORDER_ID_TOO_LONG = "order_id_too_long";
    /// `currency` is not three capital letters.
    CURRENCY_MALFORMED = "currency_malformed";
    /// `line_total` is not a decimal number.
    LINE_TOTAL_MALFORMED = "line_total_malformed";
    /// `line_total` is below zero.
    LINE_TOTAL_NEGATIVE = "line_total_negative";
    /// `line_total` has more than two decimals, so storing it would round it.
    LINE_TOTAL_INEXACT = "line_total_inexact";
    /// `line_total` is more than `numeric(12,2)` holds.
    LINE_TOTAL_OUT_OF_RANGE = "line_total_out_of_range";
    /// The record is left out on purpose: by the row filter of a mapping, or because all its fields are empty. A pipeline counts such a
    /// record as filtered, and makes no reject of it.
    FILTERED = "filtered";
    /// The record is older than the watermark.
    LATE = "late";
    /// A column of the sink's table can't hold a value.
    VALUE_REFUSED = "value_refused";

    /// The split's header lacks a required column.
    COLUMN_MISSING = "column_missing";
    /// The split's path lacks a value that is taken from it.
    PATH_VALUE_MISSING = "path_value_missing";
    /// The split's header has the same column name twice.
    COLUMN_TWICE = "column_twice";
    /// The split's header is a single field that looks like several with another delimiter.
    WRONG_DELIMITER = "wrong_delimiter";
    /// The split is not UTF-8 or ASCII text.
    WRONG_ENCODING = "wrong_encoding";
    /// Among the records is another header, with other columns or in another order.
    HEADER_CHANGED = "header_changed";
    /// The split ends inside a quoted field, so the field may have swallowed records.
    UNTERMINATED_QUOTE = "unterminated_quote";
    /// A record is longer than the limit; most often a quote was not closed.
    RECORD_TOO_LARGE = "record_too_large";
    /// The split is now shorter than what was already read of it.
    TRUNCATED = "truncated";
    /// The split got other content before all of it was read.
    REPLACED = "replaced";
    /// The compressed data of the split end too early.
    COMPRESSED_TRUNCATED = "compressed_truncated";
    /// The compressed data of the split can't be decompressed.
    COMPRESSED_DAMAGED = "compressed_damaged";
    /// The rest of a line whose beginning had been read as a complete record, before its terminator was there.
    GREW_MID_RECORD = "grew_mid_record";
}

impl Reason {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Reason {
    fn from(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }
}

impl From<String> for Reason {
    fn from(code: String) -> Self {
        Self(Cow::Owned(code))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({})", self.0)
    }
}
