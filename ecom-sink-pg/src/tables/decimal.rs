//! An exact decimal number for `numeric` columns.

use std::error::Error as StdError;
use std::fmt;

use bytes::BytesMut;
use postgres_types::{IsNull, Type};

use super::numeric;
use super::to_column::{ToColumn, base};

/// An exact decimal number for a `numeric` column, such as an amount of money: an integer whose
/// last digits are decimals.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::{Decimal, Table};
/// use ecom_stream::operators::Windowed;
///
/// assert_eq!(Decimal::new(1_250, 2).to_string(), "12.50");
///
/// // Revenue that was summed in cents.
/// let revenue = Table::new("revenue")
///     .column("minute", |minute: &Windowed<String, i128>| minute.window.start)
///     .column("category", |minute| minute.key.clone())
///     .column("revenue", |minute| Decimal::new(minute.value, 2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: i128,
    decimals: u8,
}

/// Nine groups of four digits, which a `u128` can hold.
const MAX_DECIMALS: u8 = 36;

impl Decimal {
    /// The number with these digits, the last `decimals` of which are decimals: `new(1_250, 2)`
    /// is 12.50. A row with more than 36 decimals is rejected.
    #[must_use]
    pub const fn new(digits: i128, decimals: u8) -> Self {
        Self { digits, decimals }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::from(self.decimals);
        let digits = format!("{:0>1$}", self.digits.unsigned_abs(), decimals + 1);
        let (units, behind) = digits.split_at(digits.len() - decimals);
        let point = if behind.is_empty() { "" } else { "." };
        f.pad_integral(self.digits >= 0, "", &format!("{units}{point}{behind}"))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

impl ToColumn for Decimal {
    const SQL_TYPE: &'static str = "numeric";

    fn accepts(column: &Type) -> bool {
        *base(column) == Type::NUMERIC
    }

    fn encode(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
        if self.decimals > MAX_DECIMALS {
            return Err(format!("{} decimals are more than the limit of {MAX_DECIMALS}", self.decimals).into());
        }
        numeric::put(self.digits, self.decimals.into(), to);
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_displayed_as_a_number() {
        for (digits, decimals, text) in [(1_250, 2, "12.50"), (-7, 3, "-0.007"), (0, 1, "0.0"), (-30, 0, "-30")] {
            assert_eq!(Decimal::new(digits, decimals).to_string(), text);
        }
    }

    #[test]
    fn any_number_of_decimals_is_written_or_refused() {
        for decimals in 0..=u8::MAX {
            let written = Decimal::new(i128::MIN, decimals).encode(&Type::NUMERIC, &mut BytesMut::new());
            assert_eq!(written.is_ok(), decimals <= MAX_DECIMALS, "{decimals}");
        }
    }
}
