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

mod decimal;
mod signs;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use decimal::Rounding;
use decimal::{Decimal, Read, exponent_of};
use signs::{SeparatorKind, is_negative, once, other_separator, sign_behind, sign_in_front};

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

/// The largest scale: with it, a price has at least three digits in front of the decimals.
const MAX_SCALE: u32 = 9;
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

    /// Whether the text is a number of any kind.
    pub(crate) fn is_number(&self, text: &str) -> bool {
        self.decimal(text).is_ok()
    }

    /// Whether the text is a whole number.
    pub(crate) fn is_whole_number(&self, text: &str) -> bool {
        self.whole_number(text).is_some()
    }

    /// What to write into a mapping so that a text becomes a number, if that can be said.
    pub(crate) fn hint(&self, text: &str, fits: fn(&Self, &str) -> bool) -> Option<String> {
        let is_word =
            |c: char| !c.is_ascii_digit() && !c.is_whitespace() && !matches!(c, '+' | '-' | '(' | ')' | '.' | ',');
        let word = text.split(|c| !is_word(c)).find(|word| !word.is_empty());
        let known = |format: &Self| fits(format, text);
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
