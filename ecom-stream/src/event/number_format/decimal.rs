//! A number taken apart: shifted by an exponent or a scale, and rounded to a price.

use super::super::{Price, PriceError};
use super::signs::sign_in_front;

/// How an amount with more than two decimals is rounded.
///
/// An amount that would become zero is never rounded: a unit price of 0.001 for 500 pieces would lose the sale.
///
/// ```
/// use ecom_stream::Rounding;
///
/// assert_ne!(Rounding::HalfUp, Rounding::HalfEven);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest hundredth; the half away from zero: 7.255 becomes 7.26.
    HalfUp,
    /// To the nearest hundredth; the half to the even one: 7.255 becomes 7.26, and 7.245 becomes 7.24.
    HalfEven,
}

/// A number that was read, or why it can't be.
pub(super) type Read<T> = Result<T, PriceError>;
/// A larger exponent gives no number that a column can hold.
const MAX_EXPONENT: i32 = 30;

/// A number taken apart: digits in front of the decimals and behind.
pub(super) struct Decimal {
    pub(super) negative: bool,
    pub(super) whole: String,
    pub(super) decimals: String,
}

/// The exponent behind `e`.
pub(super) fn exponent_of(text: &str) -> Read<i32> {
    let (negative, digits) = sign_in_front(text).unwrap_or((false, text));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PriceError::Malformed);
    }
    match digits.parse::<i32>() {
        Ok(exponent) if exponent <= MAX_EXPONENT => Ok(if negative { -exponent } else { exponent }),
        _ => Err(PriceError::OutOfRange),
    }
}

impl Decimal {
    /// The number times ten to the power of `exponent`.
    pub(super) fn shifted(mut self, exponent: i32) -> Self {
        for _ in 0..exponent.unsigned_abs() {
            if exponent > 0 {
                let digit = if self.decimals.is_empty() {
                    '0'
                } else {
                    self.decimals.remove(0)
                };
                self.whole.push(digit);
            } else {
                let digit = self.whole.pop().unwrap_or('0');
                self.decimals.insert(0, digit);
            }
        }
        self
    }

    /// A whole number as an amount of which `scale` digits are decimals. A number that has decimals itself is not exact: it is probably
    /// no number of cents.
    pub(super) fn scaled(self, scale: u32) -> Read<Self> {
        let has_decimals = self.decimals.bytes().any(|digit| digit != b'0');
        match scale {
            0 => Ok(self),
            _ if has_decimals => Err(PriceError::Inexact),
            _ => Ok(Self {
                decimals: String::new(),
                ..self
            }
            .shifted(-(scale as i32))),
        }
    }

    /// The number as Rust writes it.
    pub(super) fn to_plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}.{}", self.whole, self.decimals)
    }

    /// The price with two decimals that is nearest to the number.
    pub(super) fn rounded(&self, rounding: Rounding) -> Read<Price> {
        let (kept, rest) = self.decimals.split_at(self.decimals.len().min(2));
        let whole = self.whole.trim_start_matches('0');
        if whole.len() > 10 {
            return Err(if self.negative {
                PriceError::Negative
            } else {
                PriceError::OutOfRange
            });
        }
        let exact: i64 = format!("0{whole}{kept:0<2}")
            .parse()
            .map_err(|_| PriceError::OutOfRange)?;
        let is_zero = rest.bytes().all(|digit| digit == b'0');
        let is_half = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
        let up = match rounding {
            Rounding::HalfEven if is_half => exact % 2 == 1,
            Rounding::HalfUp | Rounding::HalfEven => rest.as_bytes().first().is_some_and(|digit| *digit >= b'5'),
        };
        let cents = exact + i64::from(up);
        match Price::from_cents(cents) {
            _ if self.negative && (exact > 0 || !is_zero) => Err(PriceError::Negative),
            Some(_) if cents == 0 && !is_zero => Err(PriceError::Inexact),
            Some(price) => Ok(price),
            None => Err(PriceError::OutOfRange),
        }
    }
}
