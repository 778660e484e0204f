//! The format of prices in a file: the decimal separator and the thousands separator.

use std::borrow::Cow;

use super::{Price, PriceError};

/// How prices are written: the character in front of the decimals, and the one between groups of thousands, if any.
///
/// | text | `.` and none | `,` and `.` |
/// |---|---|---|
/// | `1234.50` | 1234.50 | malformed |
/// | `1.234,50` | malformed | 1234.50 |
/// | `1.234` | inexact | 1234.00 |
/// | `12.50` | 12.50 | malformed: no group of three digits |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceFormat {
    /// The character in front of the decimals.
    pub(crate) decimal: char,
    /// The character between groups of three digits; with `None`, there is none.
    pub(crate) thousands: Option<char>,
}

impl Default for PriceFormat {
    fn default() -> Self {
        Self {
            decimal: '.',
            thousands: None,
        }
    }
}

impl PriceFormat {
    /// The exact price that the text stands for.
    ///
    /// Thousands are separated everywhere or nowhere, in groups of three digits. A text with other groups may be a number in another
    /// format, so it is malformed.
    pub(crate) fn parse(self, text: &str) -> Result<Price, PriceError> {
        if self == Self::default() {
            return text.parse();
        }
        let (whole, decimals) = match text.split_once(self.decimal) {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (text, None),
        };
        let whole = match self.thousands {
            Some(separator) if whole.contains(separator) => joined(whole, separator)?.into(),
            _ => Cow::Borrowed(whole),
        };
        // A point that is not a separator of thousands has no meaning here.
        if whole.contains('.') || decimals.is_some_and(|decimals| decimals.contains('.')) {
            return Err(PriceError::Malformed);
        }
        match decimals {
            Some(decimals) => format!("{whole}.{decimals}").parse(),
            None => whole.parse(),
        }
    }

    /// Whether a character can separate thousands: it has no other meaning in a number.
    pub(crate) fn can_part_thousands(self, separator: char) -> bool {
        separator != self.decimal && !separator.is_alphanumeric() && !['+', '-'].contains(&separator)
    }
}

/// A whole number such as `1.234.567` without its separators; malformed if the groups are wrong.
fn joined(whole: &str, separator: char) -> Result<String, PriceError> {
    let digits = whole.trim_start_matches(['+', '-']);
    let mut groups = digits.split(separator);
    let first = groups.next().unwrap_or_default();
    let is_number = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    // A number such as 0,500 has decimals, and no groups.
    let is_below_one = first.starts_with('0') && digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let begins = (1..=3).contains(&first.len()) && is_number(first) && !is_below_one;
    match begins && groups.all(|group| group.len() == 3 && is_number(group)) {
        true => Ok(whole.replace(separator, "")),
        false => Err(PriceError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GERMAN: PriceFormat = PriceFormat {
        decimal: ',',
        thousands: Some('.'),
    };

    #[test]
    fn thousands_are_separated_in_groups_of_three() {
        for (text, cents) in [
            ("1.418,63", 141_863),
            ("1.234.567", 123_456_700),
            ("+1.000,5", 100_050),
            ("1418,63", 141_863),
            ("9.999.999.999,99", 999_999_999_999),
            ("12", 1_200),
            ("-0.000,00", 0),
        ] {
            assert_eq!(GERMAN.parse(text).map(Price::cents), Ok(cents), "{text}");
        }
        for text in [
            "1.2345", "12.50", "1.23.456", ".123", "1234.567", "1..000", "1.000.", "1,234.5", "1,000,00", "--1.000",
            "0.500", "",
        ] {
            assert_eq!(GERMAN.parse(text), Err(PriceError::Malformed), "{text}");
        }
        assert_eq!(GERMAN.parse("1.000,005"), Err(PriceError::Inexact));
        assert_eq!(GERMAN.parse("-1.000"), Err(PriceError::Negative));
        let swiss = PriceFormat {
            decimal: '.',
            thousands: Some('\u{2019}'),
        };
        assert_eq!(swiss.parse("1\u{2019}234.50").map(Price::cents), Ok(123_450));
        assert!(!swiss.can_part_thousands('.') && !swiss.can_part_thousands('0') && swiss.can_part_thousands(' '));
    }

    proptest! {
        #[test]
        fn separators_do_not_change_the_price(cents in 0..=Price::MAX.cents()) {
            let mut whole = (cents / 100).to_string();
            for at in (1..whole.len()).rev().filter(|at| (whole.len() - at).is_multiple_of(3)).collect::<Vec<_>>() {
                whole.insert(at, '.');
            }
            let text = format!("{whole},{:02}", cents % 100);
            prop_assert_eq!(GERMAN.parse(&text).map(Price::cents), Ok(cents), "{}", text);
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in any::<String>()) {
            let _ = GERMAN.parse(&text);
        }
    }
}
