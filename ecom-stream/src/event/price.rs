//! Prices: exact amounts with two decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An exact amount with two decimals, as PostgreSQL's `numeric(12,2)` holds it; never below zero. It has no currency.
///
/// ```
/// use ecom_stream::{Price, PriceError};
///
/// let price: Price = "12.5".parse().unwrap();
/// assert_eq!(price.cents(), 1_250);
/// assert_eq!(price.to_string(), "12.50");
///
/// assert_eq!("12.345".parse::<Price>(), Err(PriceError::Inexact));
/// assert_eq!("-1".parse::<Price>(), Err(PriceError::Negative));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "Cents", into = "Cents")]
pub struct Price(i64);

/// Why a text is not a [`Price`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PriceError {
    /// It is not a decimal number: `1e3`, `1,5` and `NaN` are not.
    #[error("not a decimal number")]
    Malformed,
    /// It is below zero.
    #[error("below zero")]
    Negative,
    /// It has more than two decimals that are not zero, so keeping it would round it.
    #[error("more than two decimals")]
    Inexact,
    /// It is more than `numeric(12,2)` can hold.
    #[error("more than 9999999999.99")]
    OutOfRange,
}

impl Price {
    /// The highest price: 9,999,999,999.99.
    pub const MAX: Self = Self(999_999_999_999);

    /// A price from hundredths; `None` outside of 0 to [`MAX`](Self::MAX).
    ///
    /// ```
    /// use ecom_stream::Price;
    ///
    /// assert_eq!(Price::from_cents(999_999_999_999), Some(Price::MAX));
    /// assert_eq!(Price::from_cents(-1), None);
    /// ```
    pub const fn from_cents(cents: i64) -> Option<Self> {
        if cents < 0 || cents > Self::MAX.0 {
            None
        } else {
            Some(Self(cents))
        }
    }

    /// The price in hundredths, for exact sums.
    ///
    /// ```
    /// use ecom_stream::Price;
    ///
    /// let total: i64 = ["0.10", "0.20"].iter().filter_map(|text| text.parse().ok()).map(Price::cents).sum();
    /// assert_eq!(total, 30);
    /// ```
    pub const fn cents(self) -> i64 {
        self.0
    }
}

/// The encoding of a price: hundredths, checked when they are decoded.
#[derive(Serialize, Deserialize)]
struct Cents(i64);

impl From<Price> for Cents {
    fn from(price: Price) -> Self {
        Self(price.0)
    }
}

impl TryFrom<Cents> for Price {
    type Error = PriceError;

    fn try_from(Cents(cents): Cents) -> Result<Self, PriceError> {
        let outside = if cents < 0 {
            PriceError::Negative
        } else {
            PriceError::OutOfRange
        };
        Self::from_cents(cents).ok_or(outside)
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let mut cents: i64 = 0;
        let mut seen_digit = false;
        let mut decimals: Option<u32> = None;
        let mut inexact = false;
        let mut too_large = false;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    let digit = i64::from(byte - b'0');
                    if let Some(decimals) = &mut decimals {
                        *decimals = decimals.saturating_add(1);
                        if *decimals > 2 {
                            inexact |= digit != 0;
                            continue;
                        }
                    }
                    // Saturates when it is too large; the rest is still checked for being digits.
                    cents = cents.saturating_mul(10).saturating_add(digit);
                    too_large |= cents > Self::MAX.0;
                }
                b'.' if decimals.is_none() => decimals = Some(0),
                _ => return Err(PriceError::Malformed),
            }
        }
        if !seen_digit {
            return Err(PriceError::Malformed);
        }
        for _ in decimals.unwrap_or(0)..2 {
            cents = cents.saturating_mul(10);
        }
        if negative && (cents > 0 || inexact) {
            return Err(PriceError::Negative);
        }
        if too_large || cents > Self::MAX.0 {
            return Err(PriceError::OutOfRange);
        }
        if inexact {
            return Err(PriceError::Inexact);
        }
        Ok(Self(cents))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Price({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_prices_and_texts_that_are_not() {
        for (text, cents) in [
            ("0", 0),
            ("12", 1_200),
            ("12.3", 1_230),
            ("12.34", 1_234),
            ("12.3400", 1_234),
            ("+1.5", 150),
            (".5", 50),
            ("5.", 500),
            ("-0.00", 0),
            ("0000000000000000000001.00", 100),
            ("9999999999.99", 999_999_999_999),
        ] {
            assert_eq!(text.parse::<Price>().map(Price::cents), Ok(cents), "{text}");
        }
        for (text, err) in [
            ("", PriceError::Malformed),
            (".", PriceError::Malformed),
            ("-", PriceError::Malformed),
            ("1.2.3", PriceError::Malformed),
            ("1e3", PriceError::Malformed),
            ("NaN", PriceError::Malformed),
            ("1,5", PriceError::Malformed),
            (" 1", PriceError::Malformed),
            ("99999999999999999999999x", PriceError::Malformed),
            ("-0.01", PriceError::Negative),
            ("-0.001", PriceError::Negative),
            ("12.345", PriceError::Inexact),
            ("10000000000", PriceError::OutOfRange),
            ("99999999999999999999999999", PriceError::OutOfRange),
        ] {
            assert_eq!(text.parse::<Price>(), Err(err), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(cents in 0..=Price::MAX.cents()) {
            let price = Price::from_cents(cents).unwrap();
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in any::<String>()) {
            let _ = text.parse::<Price>();
        }
    }
}
