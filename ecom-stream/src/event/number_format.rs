//! The format of numbers in a file: signs, groups of digits, words of a currency, exponents, rounding, and amounts in cents.
//!
//! A number that is written plainly, such as `1234.50`, is parsed at once. Only a text that is none is taken apart:
//!
//! ```text
//!  ( $ 1,234.50 )   blanks, brackets, signs and words at both ends
//!      1,234.50     groups of digits, decimals, exponent
//!     -1234.50      the plain number
//! ```
//!
//! What can only mean one thing is read without being asked for. What could mean another number, or another currency, needs a key of the
//! mapping; without it, the text is malformed.

use std::borrow::Cow;

use super::{Price, PriceError, PriceFormat};
use crate::contract::{Error, ErrorKind, Result};

/// How the numbers of a file are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NumberFormat {
    /// The characters in front of the decimals and between groups of digits.
    pub(crate) separators: PriceFormat,
    /// Whether the mapping names the character in front of the decimals. Then `1.000` can't be a thousand.
    pub(crate) names_decimal: bool,
    /// The words that may stand beside an amount, such as `$` or `USD`, the longest first.
    pub(crate) currency_words: Vec<String>,
    /// How amounts with more than two decimals are rounded; with `None` they are refused.
    pub(crate) rounding: Option<Rounding>,
    /// How many digits of a whole number are decimals of the amount: 2 for cents.
    pub(crate) scale: u32,
}

/// The format of files without a mapping.
pub(crate) static PLAIN_NUMBERS: NumberFormat = NumberFormat {
    separators: PriceFormat {
        decimal: '.',
        thousands: None,
    },
    names_decimal: false,
    currency_words: Vec::new(),
    rounding: None,
    scale: 0,
};

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

/// The largest scale: with it, a price has at least three digits in front of the decimals.
const MAX_SCALE: u32 = 9;
/// A larger exponent gives no number that a column can hold.
const MAX_EXPONENT: i32 = 30;

/// A number that was read, or why it can't be.
type Read<T> = std::result::Result<T, PriceError>;

/// A number taken apart: digits in front of the decimals and behind.
struct Decimal {
    negative: bool,
    whole: String,
    decimals: String,
}

impl NumberFormat {
    /// Adds words that may stand beside an amount.
    pub(crate) fn add_currency_words(&mut self, words: impl Iterator<Item = String>) {
        self.currency_words.extend(words);
        // `US$` is found before `$`.
        self.currency_words
            .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.currency_words.dedup();
    }

    /// Checks that every word can be told from a number, and that the scale leaves a number.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |message: String| Error::new(ErrorKind::Configuration, message);
        let is_of_number = |c: char| {
            c.is_numeric()
                || c.is_whitespace()
                || is_negative(c).is_some()
                || matches!(c, '(' | ')' | '.' | ',' | 'e' | 'E')
        };
        // A word may have a point or a minus sign, as `Rs.` and `,-` have, but no digit.
        let can_be_number = |word: &str| word.chars().all(is_of_number) && word != ",-" && word != ".-";
        let wrong =
            |word: &&String| word.trim() != word.as_str() || can_be_number(word) || word.chars().any(char::is_numeric);
        if let Some(word) = self.currency_words.iter().find(wrong) {
            return Err(
                refused(format!("{word:?} can't be a currency word: it may be part of a number"))
                    .hint("a currency word is a sign or a word without digits and blanks, such as \"$\" or \"USD\""),
            );
        }
        match self.scale {
            0..=MAX_SCALE => Ok(()),
            scale => Err(refused(format!("a scale of {scale} leaves no price")).hint(format!(
                "it is the number of decimals, at most {MAX_SCALE}: 2 for cents"
            ))),
        }
    }

    /// What is done to amounts, one sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.scale > 0 {
            let price = Decimal {
                negative: false,
                whole: "1990".into(),
                decimals: String::new(),
            };
            let price = price.shifted(-(self.scale as i32)).to_plain();
            notes.push(format!(
                "a price has {} decimals that are not marked: 1990 is {price}",
                self.scale
            ));
        }
        if let Some(rounding) = self.rounding {
            let half = match rounding {
                Rounding::HalfUp => "up",
                Rounding::HalfEven => "to the even one",
            };
            notes.push(format!(
                "a price with more than two decimals is rounded, the half {half}"
            ));
        }
        if !self.currency_words.is_empty() {
            let words = self.currency_words.join(", ");
            notes.push(format!(
                "a price is stored without its currency word, whichever it is: {words}"
            ));
        }
        notes
    }

    /// The exact price that the text stands for, rounded if that is asked for.
    pub(crate) fn price(&self, text: &str) -> Read<Price> {
        if self.rounding.is_none() && self.scale == 0 {
            return match self.separators.parse(text) {
                Err(PriceError::Malformed) => self.decimal(text)?.to_plain().parse(),
                parsed => parsed,
            };
        }
        let amount = self.decimal(text)?.scaled(self.scale)?;
        match self.rounding {
            None => amount.to_plain().parse(),
            Some(rounding) => amount.rounded(rounding),
        }
    }

    /// The whole number that the text stands for, without separators and decimals that are zero; `None` if it is none.
    ///
    /// `1.000` may be one or a thousand, so it is only read if the mapping names the character in front of the decimals.
    pub(crate) fn whole_number(&self, text: &str) -> Option<String> {
        let number = self.decimal(text).ok()?;
        let may_be_thousands = number.decimals.len() == 3 && (1..=3).contains(&number.whole.len());
        if number.decimals.bytes().any(|digit| digit != b'0') || (may_be_thousands && !self.names_decimal) {
            return None;
        }
        let sign = if number.negative { "-" } else { "" };
        Some(format!("{sign}{}", number.whole))
    }

    /// A number below zero without its sign, brackets and words: `-12.50`, `$12.50-` and `(12.50)` are all `12.50`. `None` for a number that
    /// is not below zero.
    pub(crate) fn without_negative_sign<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (negative, number) = self.without_sign_and_word(text)?;
        let is_zero = !number.contains(|c: char| c.is_numeric() && c != '0');
        (negative && !is_zero).then_some(number)
    }

    /// What to write into a mapping so that a text becomes a number, if that can be said.
    pub(crate) fn hint(&self, text: &str) -> Option<String> {
        let is_word =
            |c: char| !c.is_ascii_digit() && !c.is_whitespace() && !matches!(c, '+' | '-' | '(' | ')' | '.' | ',');
        let word = text.split(|c| !is_word(c)).find(|word| !word.is_empty());
        let known = |format: &Self| format.decimal(text).is_ok();
        if let Some(word) = word {
            let mut with_word = self.clone();
            with_word.currency_words.push(word.to_owned());
            with_word.separators.thousands = with_word
                .separators
                .thousands
                .or(other_separator(self.separators.decimal));
            return known(&with_word)
                .then(|| format!("an amount in a currency needs currency_words = [{word:?}] in a mapping"));
        }
        let separators = [(',', '.'), ('.', ',')].into_iter().find(|(decimal, thousands)| {
            let separators = PriceFormat {
                decimal: *decimal,
                thousands: Some(*thousands),
            };
            known(&Self {
                separators,
                ..self.clone()
            })
        });
        separators
            .map(|_| "which sign is in front of the decimals? A mapping says it by decimal and thousands".to_owned())
    }

    /// Takes a text apart.
    fn decimal(&self, text: &str) -> Read<Decimal> {
        let (negative, number) = self.without_sign_and_word(text).ok_or(PriceError::Malformed)?;
        let (number, exponent) = match number.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent_of(exponent)?),
            None => (number, 0),
        };
        let (whole, decimals) = match number.rsplit_once(self.separators.decimal) {
            Some((whole, decimals)) => (whole, decimals),
            None => (number, ""),
        };
        let whole = self.joined(whole).ok_or(PriceError::Malformed)?;
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(&whole) || !are_digits(decimals) || (whole.is_empty() && decimals.is_empty()) {
            return Err(PriceError::Malformed);
        }
        let decimal = Decimal {
            negative,
            whole: whole.into_owned(),
            decimals: decimals.to_owned(),
        };
        Ok(decimal.shifted(exponent))
    }

    /// What is left of a text without blanks, brackets, sign and words at its ends, and whether it is negative. Each may be there once;
    /// a word may be in front and behind.
    fn without_sign_and_word<'a>(&self, text: &'a str) -> Option<(bool, &'a str)> {
        let mut rest = text.trim();
        let (mut sign, mut in_front, mut behind) = (None, false, false);
        loop {
            let before = rest;
            let word = |begins: &dyn Fn(&str) -> bool| self.currency_words.iter().find(|word| begins(word));
            if let Some(word) = word(&|word| !in_front && rest.starts_with(word)) {
                (in_front, rest) = (true, &rest[word.len()..]);
            } else if let Some(word) = word(&|word| !behind && rest.ends_with(word)) {
                (behind, rest) = (true, &rest[..rest.len() - word.len()]);
            } else if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
                // An amount in brackets is negative in accounts.
                (sign, rest) = (once(sign, true)?, inner);
            } else if let Some((found, inner)) = sign_in_front(rest).or_else(|| sign_behind(rest)) {
                (sign, rest) = (once(sign, found)?, inner);
            }
            rest = rest.trim();
            if rest == before {
                return Some((sign.unwrap_or(false), rest));
            }
        }
    }

    /// The digits in front of the decimals without the separators of their groups; `None` if the groups are wrong.
    ///
    /// Blanks and apostrophes between groups can't mean anything else. Points and commas can, so the mapping must name them.
    fn joined<'a>(&self, whole: &'a str) -> Option<Cow<'a, str>> {
        let Some(separator) = whole.chars().find(|c| !c.is_ascii_digit()) else {
            return Some(whole.into());
        };
        let kind = SeparatorKind::of(separator);
        let is_known = match self.separators.thousands {
            Some(named) => SeparatorKind::of(named) == kind,
            None => matches!(kind, SeparatorKind::Blank | SeparatorKind::Apostrophe),
        };
        let groups: Vec<&str> = whole.split(|c| SeparatorKind::of(c) == kind).collect();
        let (first, others) = groups.split_first()?;
        let [middle @ .., last] = others else { return None };
        // A number that begins with 0 has decimals, and no groups.
        let is_number = !first.starts_with('0') || whole.bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0');
        let by_three = (1..=3).contains(&first.len()) && middle.iter().all(|group| group.len() == 3);
        // 12,34,567 in India.
        let by_two = kind == SeparatorKind::Other(',')
            && !middle.is_empty()
            && (1..=2).contains(&first.len())
            && middle.iter().all(|group| group.len() == 2);
        (is_known && is_number && last.len() == 3 && (by_three || by_two)).then(|| groups.concat().into())
    }
}

/// The characters that separate groups and look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SeparatorKind {
    /// A blank of any width, breaking or not.
    Blank,
    /// An apostrophe, straight or curved.
    Apostrophe,
    Digit,
    Other(char),
}

impl SeparatorKind {
    fn of(c: char) -> Self {
        match c {
            '\'' | '\u{2019}' | '\u{2bc}' => Self::Apostrophe,
            '0'..='9' => Self::Digit,
            c if c.is_whitespace() => Self::Blank,
            c => Self::Other(c),
        }
    }
}

/// The separator of thousands that goes with a sign in front of the decimals.
fn other_separator(decimal: char) -> Option<char> {
    Some(if decimal == '.' { ',' } else { '.' })
}

/// The sign, if there was none before.
fn once(sign: Option<bool>, found: bool) -> Option<Option<bool>> {
    sign.is_none().then_some(Some(found))
}

/// Whether a sign is negative, by its character: the hyphen, the minus sign, the plus sign.
fn is_negative(sign: char) -> Option<bool> {
    match sign {
        '-' | '\u{2212}' | '\u{ff0d}' => Some(true),
        '+' => Some(false),
        _ => None,
    }
}

/// The sign at the start, and what follows.
fn sign_in_front(text: &str) -> Option<(bool, &str)> {
    let sign = text.chars().next()?;
    Some((is_negative(sign)?, &text[sign.len_utf8()..]))
}

/// The sign at the end, and what is in front.
fn sign_behind(text: &str) -> Option<(bool, &str)> {
    let sign = text.chars().next_back()?;
    Some((is_negative(sign)?, &text[..text.len() - sign.len_utf8()]))
}

/// The exponent behind `e`.
fn exponent_of(text: &str) -> Read<i32> {
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
    fn shifted(mut self, exponent: i32) -> Self {
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
    fn scaled(self, scale: u32) -> Read<Self> {
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
    fn to_plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}.{}", self.whole, self.decimals)
    }

    /// The price with two decimals that is nearest to the number.
    fn rounded(&self, rounding: Rounding) -> Read<Price> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cents(format: &NumberFormat, text: &str) -> Read<i64> {
        format.price(text).map(Price::cents)
    }

    fn german() -> NumberFormat {
        NumberFormat {
            separators: PriceFormat {
                decimal: ',',
                thousands: Some('.'),
            },
            names_decimal: true,
            ..NumberFormat::default()
        }
    }

    fn with_commas() -> NumberFormat {
        NumberFormat {
            separators: PriceFormat {
                thousands: Some(','),
                ..PriceFormat::default()
            },
            ..NumberFormat::default()
        }
    }

    #[test]
    fn what_can_only_mean_one_number_is_read() {
        let plain = NumberFormat::default();
        for (text, expected) in [
            (" 10.00", 1_000),
            ("10.00\u{a0}", 1_000),
            ("1 234.50", 123_450),
            ("1\u{a0}234\u{202f}567.50", 123_456_750),
            ("1'234.50", 123_450),
            ("1\u{2019}234.50", 123_450),
            ("1.5e3", 150_000),
            ("1E+2", 10_000),
            ("1250e-2", 1_250),
            ("1.99E0", 199),
            ("+ 7", 700),
            ("7+", 700),
            ("(0.00)", 0),
            ("0-", 0),
            ("\u{2212}0", 0),
        ] {
            assert_eq!(cents(&plain, text), Ok(expected), "{text}");
        }
        for text in [
            "12.50-",
            "- 12.50",
            "(12.50)",
            "( 12.50 )",
            "\u{2212}12.50",
            "12.50 -",
            "-1e1",
            "(0.001)",
        ] {
            assert_eq!(cents(&plain, text), Err(PriceError::Negative), "{text}");
        }
        assert_eq!(cents(&plain, "1e31"), Err(PriceError::OutOfRange));
        assert_eq!(cents(&plain, "1e10"), Err(PriceError::OutOfRange));
        assert_eq!(cents(&plain, "1e-3"), Err(PriceError::Inexact));
        assert_eq!(cents(&german(), "1.234,50-"), Err(PriceError::Negative));
        assert_eq!(cents(&german(), " 1.234,50"), Ok(123_450));
    }

    #[test]
    fn what_could_mean_another_number_is_malformed() {
        for (format, texts) in [
            (
                NumberFormat::default(),
                &[
                    "1,980",
                    "1,234.50",
                    "12,50",
                    "1.234.567",
                    "$10",
                    "10 USD",
                    "1 23",
                    "1 2345",
                    "12 34.5",
                    "--1",
                    "-(1)",
                    "1-2",
                    "- -1",
                    "(1",
                    "1)",
                    "()",
                    "-",
                    "e5",
                    "1e",
                    "1e1.5",
                    "0x10",
                    "NaN",
                    "1_000",
                    "\u{663}",
                    "1 234'567",
                    ".",
                    " ",
                ][..],
            ),
            (
                with_commas(),
                &[
                    "1,23",
                    "12,50",
                    "0,500",
                    "1,2345",
                    "1.234,5",
                    "1 234",
                    "1,234,56",
                    "123,45,678",
                    "1,,000",
                ],
            ),
            (german(), &["12.50", "1.23.456", "1,234.5", "1 234,5", "0.500"]),
        ] {
            for text in texts {
                assert_eq!(cents(&format, text), Err(PriceError::Malformed), "{text}");
            }
        }
    }

    #[test]
    fn groups_are_of_three_digits_or_as_in_india() {
        for (text, expected) in [
            ("1,00,000.00", 10_000_000),
            ("12,34,567.5", 123_456_750),
            ("1,23,45,678", 1_234_567_800),
            ("1,234,567.50", 123_456_750),
            ("0,000.00", 0),
        ] {
            assert_eq!(cents(&with_commas(), text), Ok(expected), "{text}");
        }
        let with_blanks = NumberFormat {
            separators: PriceFormat {
                decimal: ',',
                thousands: Some(' '),
            },
            ..NumberFormat::default()
        };
        for text in ["1 234,50", "1\u{a0}234,50", "1\u{202f}234,50", "1\u{2009}234,50"] {
            assert_eq!(cents(&with_blanks, text), Ok(123_450), "{text}");
        }
    }

    #[test]
    fn words_of_a_currency_are_read_if_they_are_named() {
        let mut format = with_commas();
        format.currency_words = ["US$", "USD", "Rs.", "kr", "$", ",-"].map(str::to_owned).into();
        for text in [
            "$1,234.50",
            "1,234.50 USD",
            "USD 1,234.50",
            "$1,234.50 USD",
            "US$\u{a0}1,234.50",
            "Rs.1,234.50",
            "1,234.50kr",
        ] {
            assert_eq!(cents(&format, text), Ok(123_450), "{text}");
        }
        assert_eq!(cents(&format, "12,-"), Ok(1_200));
        for text in ["-$12.50", "$-12.50", "$12.50-", "($12.50)", "$(12.50)", "12.50- USD"] {
            assert_eq!(cents(&format, text), Err(PriceError::Negative), "{text}");
        }
        for text in ["€12.50", "12.50 usd", "$$12.50", "$", "12 $ 50", "12.50 EUR"] {
            assert_eq!(cents(&format, text), Err(PriceError::Malformed), "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_on_request_but_never_to_nothing() {
        let with = |rounding| NumberFormat {
            rounding: Some(rounding),
            ..NumberFormat::default()
        };
        let (up, even) = (with(Rounding::HalfUp), with(Rounding::HalfEven));
        for (text, half_up, half_even) in [
            ("19.990000000000002", 1_999, 1_999),
            ("19.989999999999998", 1_999, 1_999),
            ("7.255", 726, 726),
            ("7.245", 725, 724),
            ("7.2450001", 725, 725),
            ("7.2449", 724, 724),
            ("17.125", 1_713, 1_712),
            ("0.999", 100, 100),
            ("9.995", 1_000, 1_000),
            ("12", 1_200, 1_200),
            ("1.999e1", 1_999, 1_999),
            ("0.00000", 0, 0),
            ("0000000000000009.5", 950, 950),
        ] {
            assert_eq!(
                (cents(&up, text), cents(&even, text)),
                (Ok(half_up), Ok(half_even)),
                "{text}"
            );
        }
        for (text, err) in [
            ("0.001", PriceError::Inexact),
            ("0.004999", PriceError::Inexact),
            ("-0.001", PriceError::Negative),
            ("-7.255", PriceError::Negative),
            ("9999999999.995", PriceError::OutOfRange),
            ("10000000000", PriceError::OutOfRange),
            ("99999999999999999999999", PriceError::OutOfRange),
            ("7.25x", PriceError::Malformed),
        ] {
            assert_eq!(cents(&up, text), Err(err), "{text}");
        }
        assert_eq!(cents(&NumberFormat::default(), "7.255"), Err(PriceError::Inexact));
    }

    #[test]
    fn amounts_in_cents_are_whole_numbers() {
        let in_units = |scale, rounding| NumberFormat {
            scale,
            rounding,
            ..NumberFormat::default()
        };
        let cents_of = in_units(2, None);
        for (text, expected) in [
            ("1990", 1_990),
            ("5", 5),
            ("0", 0),
            ("1990.0", 1_990),
            (" 12 345", 12_345),
            ("1.99e3", 1_990),
        ] {
            assert_eq!(cents(&cents_of, text), Ok(expected), "{text}");
        }
        assert_eq!(cents(&cents_of, "-1990"), Err(PriceError::Negative));
        for scaled in [&cents_of, &in_units(2, Some(Rounding::HalfUp))] {
            assert_eq!(cents(scaled, "19.90"), Err(PriceError::Inexact));
        }
        assert_eq!(cents(&in_units(6, None), "19990000"), Ok(1_999));
        assert_eq!(cents(&in_units(6, None), "19990001"), Err(PriceError::Inexact));
        assert_eq!(cents(&in_units(3, Some(Rounding::HalfUp)), "7255"), Ok(726));
        assert_eq!(cents(&in_units(9, None), "10000000"), Ok(1));
    }

    #[test]
    fn whole_numbers_may_have_decimals_that_are_zero() {
        let plain = NumberFormat::default();
        for (text, expected) in [
            ("2.0", Some("2")),
            ("2.00", Some("2")),
            ("3 ", Some("3")),
            ("3.", Some("3")),
            ("1 200", Some("1200")),
            ("1e2", Some("100")),
            ("2.0-", Some("-2")),
            ("1200.000", Some("1200")),
            ("0.5", None),
            ("1.000", None),
            ("1,200", None),
            ("two", None),
            ("$2", None),
        ] {
            assert_eq!(plain.whole_number(text).as_deref(), expected, "{text}");
        }
        assert_eq!(with_commas().whole_number("1,200").as_deref(), Some("1200"));
        assert_eq!(german().whole_number("1.000").as_deref(), Some("1000"));
        assert_eq!(german().whole_number("1,000").as_deref(), Some("1"));
        let named = NumberFormat {
            names_decimal: true,
            ..plain
        };
        assert_eq!(named.whole_number("1.000").as_deref(), Some("1"));
    }

    #[test]
    fn a_number_below_zero_loses_its_sign_and_what_stands_with_it() {
        let format = NumberFormat {
            currency_words: vec!["$".into()],
            ..NumberFormat::default()
        };
        for text in [
            "-12.50",
            "12.50-",
            "(12.50)",
            "\u{2212}12.50",
            " - 12.50",
            "12.50 -",
            "-$12.50",
            "$-12.50",
            "($ 12.50)",
        ] {
            assert_eq!(format.without_negative_sign(text), Some("12.50"), "{text}");
        }
        for text in ["12.50", "0", "-0.00", "(0)", "", "-", "+1", "$12.50", "--1"] {
            assert_eq!(format.without_negative_sign(text), None, "{text}");
        }
    }

    #[test]
    fn a_malformed_number_says_what_the_mapping_needs() {
        let plain = NumberFormat::default();
        let hint = |text: &str| plain.hint(text).unwrap_or_default();
        assert!(
            hint("$1,234.50").contains("currency_words = [\"$\"]"),
            "{}",
            hint("$1,234.50")
        );
        assert!(hint("12.50 zł").contains("currency_words = [\"zł\"]"));
        assert!(hint("1,980").contains("decimal and thousands"));
        assert!(hint("12,50").contains("decimal and thousands"));
        for text in ["NaN", "free", "one", "1-2", ""] {
            assert_eq!(plain.hint(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_way_of_writing_does_not_change_the_price(cents in 0..=Price::MAX.cents(), way in 0..6_usize) {
            let price = Price::from_cents(cents).unwrap();
            let mut whole = (cents / 100).to_string();
            for at in (1..whole.len()).rev().filter(|at| (whole.len() - at).is_multiple_of(3)).collect::<Vec<_>>() {
                whole.insert(at, ',');
            }
            let grouped = format!("{whole}.{:02}", cents % 100);
            let text = match way {
                0 => format!(" {price}\u{a0}"),
                1 => grouped.clone(),
                2 => grouped.replace(',', "\u{202f}"),
                3 => grouped.replace(',', "'"),
                4 => format!("{cents}e-2"),
                _ => format!("{price}0000000001"),
            };
            let mut format = if way == 1 { with_commas() } else { NumberFormat::default() };
            if way == 5 {
                format.rounding = Some(Rounding::HalfUp);
                prop_assume!(cents > 0);
            }
            prop_assert_eq!(format.price(&text), Ok(price), "{}", text);
        }

        #[test]
        fn no_text_panics(text in "\\PC*|[-0-9.,'e() $\u{2212}]{0,12}", scale in 0..3_u32, rounds in any::<bool>()) {
            let format = NumberFormat {
                scale,
                rounding: rounds.then_some(Rounding::HalfEven),
                currency_words: vec!["$".into()],
                ..with_commas()
            };
            let _ = (format.price(&text), format.whole_number(&text), format.hint(&text));
        }
    }
}
