//! Conversion of Rust values into binary values of PostgreSQL columns.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use bytes::BytesMut;
use ecom_stream::{Currency, EventType, Price, Timestamp};
use postgres_types::{IsNull, Kind, ToSql, Type};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::numeric;

/// A value that can be stored in a column.
///
/// | Rust | columns |
/// |---|---|
/// | integers of any size | `smallint`, `integer`, `bigint`, `numeric` |
/// | `f32`, `f64`, `bool`, `Vec<u8>` | `real`, `double precision`, `boolean`, `bytea` |
/// | [`Decimal`](super::Decimal), [`Price`] | `numeric` |
/// | `String`, `&'static str`, [`EventType`], [`Currency`] | text types, `citext`, enums |
/// | `OffsetDateTime`, [`Timestamp`], `Date` | `timestamptz`, `timestamptz`, `date` |
/// | `Uuid` | `uuid` |
/// | `Vec<String>`, `Vec<i32>`, `Vec<i64>`, `Vec<f64>` | arrays |
/// | `Option<V>` | as `V`, or null |
///
/// An integer that the column cannot hold is never truncated: its row is rejected.
///
/// # Examples
///
/// For a type of your own, delegate to one of these:
///
/// ```
/// use std::error::Error;
///
/// use bytes::BytesMut;
/// use ecom_sink_pg::ToColumn;
/// use postgres_types::{IsNull, Type};
///
/// #[derive(Debug)]
/// struct Sku(u32);
///
/// impl ToColumn for Sku {
///     const SQL_TYPE: &'static str = "text";
///
///     fn accepts(column: &Type) -> bool {
///         String::accepts(column)
///     }
///
///     fn encode(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Send + Sync>> {
///         format!("SKU-{:06}", self.0).encode(column, to)
///     }
/// }
///
/// let mut bytes = BytesMut::new();
/// Sku(42).encode(&Type::TEXT, &mut bytes).unwrap();
/// assert_eq!(&bytes[..], b"SKU-000042");
/// ```
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` can't be stored in a column",
    label = "not a `ToColumn`",
    note = "the closure of a column gives a number, text, `bool`, `Uuid`, a time, a `Price`, bytes, a list, or `Option` of one of these; `ToColumn` can be implemented for your own type"
)]
pub trait ToColumn: fmt::Debug {
    /// The type of the column in a table that is [created](super::Table::create_if_missing).
    const SQL_TYPE: &'static str;

    /// Whether the value may be null.
    const IS_NULLABLE: bool = false;

    /// Whether a column of that type can hold the value.
    fn accepts(column: &Type) -> bool;

    /// Appends the value in the binary format of that type, or nothing if it is null.
    ///
    /// # Errors
    ///
    /// When the column cannot hold this value. Its row is then rejected.
    fn encode(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>>;
}

/// Types that `postgres-types` encodes.
macro_rules! by_to_sql {
    ($($rust:ty => $sql:literal),* $(,)?) => {$(
        impl ToColumn for $rust {
            const SQL_TYPE: &'static str = $sql;

            fn accepts(column: &Type) -> bool {
                <Self as ToSql>::accepts(base(column))
            }

            fn encode(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
                self.to_sql(base(column), to)
            }
        }
    )*};
}

by_to_sql! {
    bool => "boolean",
    f32 => "real",
    f64 => "double precision",
    Vec<u8> => "bytea",
    OffsetDateTime => "timestamptz",
    Date => "date",
    Uuid => "uuid",
    Vec<String> => "text[]",
    Vec<i32> => "integer[]",
    Vec<i64> => "bigint[]",
    Vec<f64> => "double precision[]",
}

/// Integers, for each type of column that can hold numbers.
macro_rules! integers {
    ($($rust:ty => $sql:literal),* $(,)?) => {$(
        impl ToColumn for $rust {
            const SQL_TYPE: &'static str = $sql;

            fn accepts(column: &Type) -> bool {
                matches!(*base(column), Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC)
            }

            fn encode(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
                match *base(column) {
                    Type::INT2 => i16::try_from(*self)?.to_sql(&Type::INT2, to),
                    Type::INT4 => i32::try_from(*self)?.to_sql(&Type::INT4, to),
                    Type::INT8 => i64::try_from(*self)?.to_sql(&Type::INT8, to),
                    _ => {
                        numeric::put(i128::try_from(*self)?, 0, to);
                        Ok(IsNull::No)
                    }
                }
            }
        }
    )*};
}

integers! {
    i8 => "smallint",
    i16 => "smallint",
    i32 => "integer",
    i64 => "bigint",
    i128 => "numeric",
    u8 => "smallint",
    u16 => "integer",
    u32 => "bigint",
    u64 => "bigint",
    u128 => "numeric",
    usize => "bigint",
}

/// Texts, for each type of column that is one.
macro_rules! texts {
    ($($rust:ty => $as_str:ident),* $(,)?) => {$(
        impl ToColumn for $rust {
            const SQL_TYPE: &'static str = "text";

            fn accepts(column: &Type) -> bool {
                let column = base(column);
                matches!(*column, Type::TEXT | Type::VARCHAR | Type::BPCHAR)
                    || column.name() == "citext"
                    || matches!(column.kind(), Kind::Enum(_))
            }

            fn encode(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
                let text: &str = self.$as_str();
                if text.contains('\0') {
                    return Err("PostgreSQL cannot store a text with a NUL character".into());
                }
                to.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    )*};
}

texts! {
    String => as_str,
    &'static str => as_ref,
    Cow<'static, str> => as_ref,
    EventType => as_str,
    Currency => as_str,
}

impl ToColumn for Timestamp {
    const SQL_TYPE: &'static str = "timestamptz";

    fn accepts(column: &Type) -> bool {
        *base(column) == Type::TIMESTAMPTZ
    }

    fn encode(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
        const FROM_1970_TO_2000: i64 = 946_684_800_000_000;
        let micros = self.as_micros().checked_sub(FROM_1970_TO_2000);
        let micros = micros.ok_or("the time is before the first one that a timestamptz can hold")?;
        // The ends of what a timestamptz can be mean minus infinity and infinity.
        match micros {
            i64::MIN | i64::MAX => Err("the time is out of the range of timestamptz".into()),
            _ => micros.to_sql(&Type::INT8, to),
        }
    }
}

impl ToColumn for Price {
    const SQL_TYPE: &'static str = "numeric(12,2)";

    fn accepts(column: &Type) -> bool {
        *base(column) == Type::NUMERIC
    }

    fn encode(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
        numeric::put(self.cents().into(), 2, to);
        Ok(IsNull::No)
    }
}

/// Null for `None`.
impl<V: ToColumn> ToColumn for Option<V> {
    const SQL_TYPE: &'static str = V::SQL_TYPE;
    const IS_NULLABLE: bool = true;

    fn accepts(column: &Type) -> bool {
        V::accepts(column)
    }

    fn encode(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
        match self {
            Some(value) => value.encode(column, to),
            None => Ok(IsNull::Yes),
        }
    }
}

/// The type below a domain, which is the one that is sent.
pub(super) fn base(column: &Type) -> &Type {
    match column.kind() {
        Kind::Domain(of) => base(of),
        _ => column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: impl ToColumn, column: &Type) -> Option<Vec<u8>> {
        let mut to = BytesMut::new();
        value.encode(column, &mut to).ok().map(|_| to.to_vec())
    }

    #[test]
    fn values_that_a_column_cannot_hold_are_refused() {
        assert_eq!(encoded(40_000_u64, &Type::INT2), None);
        assert_eq!(encoded(-1_i64, &Type::INT2), Some((-1_i16).to_be_bytes().to_vec()));
        assert_eq!(encoded(u128::MAX, &Type::NUMERIC), None);
        assert_eq!(encoded("a\0b", &Type::TEXT), None);
    }

    fn takes<V: ToColumn>(column: &Type) -> bool {
        V::accepts(column)
    }

    #[test]
    fn a_column_accepts_values_of_compatible_types() {
        assert!(takes::<u64>(&Type::NUMERIC));
        assert!(!takes::<u64>(&Type::FLOAT8));
        assert!(!takes::<String>(&Type::INT4));
        assert!(takes::<Option<Timestamp>>(&Type::TIMESTAMPTZ));
        assert!(!takes::<Timestamp>(&Type::TIMESTAMP));
        const { assert!(Option::<Timestamp>::IS_NULLABLE) }
    }
}
