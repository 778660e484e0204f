//! Reads the numbers of columns: which character is in front of the decimals, and which separates thousands.

use std::collections::BTreeSet;

use super::column::Column;
use crate::event::PriceFormat;

/// Signs and words of currencies that stand beside amounts. Of two that begin or end alike, the longer stands first.
const CURRENCIES: [&str; 62] = [
    "US$", "AU$", "CA$", "NT$", "HK$", "NZ$", "MX$", "A$", "C$", "R$", "S$", "$", "\u{20ac}", "\u{a3}", "\u{a5}",
    "\u{20b9}", "\u{20bd}", "\u{20ba}", "\u{20a9}", "\u{20ab}", "\u{20b4}", "\u{20aa}", "\u{e3f}", "USD", "EUR", "GBP",
    "JPY", "CNY", "RMB", "INR", "CHF", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BRL",
    "MXN", "TRY", "RUB", "UAH", "KRW", "IDR", "VND", "THB", "ZAR", "SGD", "HKD", "AED", "kr.", "kr", "z\u{142}",
    "K\u{10d}", "Ft", "Rs.", "Rs", "Rp",
];

/// Decimal and thousands separators, the most likely first.
const FORMATS: [(char, Option<char>); 8] = [
    ('.', None),
    (',', None),
    (',', Some('.')),
    ('.', Some(',')),
    (',', Some(' ')),
    (',', Some('\u{a0}')),
    (',', Some('\u{202f}')),
    ('.', Some('\'')),
];

/// How the numbers of a column are written.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// The format that fits most values.
    pub(super) format: PriceFormat,
    /// Another format that fits as many values but gives other numbers.
    pub(super) rival: Option<PriceFormat>,
}

impl Reading {
    /// The formats in which most values of the column are numbers. `money` are other columns of amounts: one of them may show which
    /// character is in front of the decimals.
    pub(super) fn of(column: &Column, money: &[&Column]) -> Self {
        let formats = best_formats(column);
        let first = formats.first().copied().unwrap_or_default();
        let differs = |format: &PriceFormat| {
            let mut values = column.values.iter();
            values.any(|value| match (number(first, value), number(*format, value)) {
                (Some(a), Some(b)) => a != b,
                _ => false,
            })
        };
        let Some(rival) = formats.iter().copied().find(differs) else {
            return Self {
                format: first,
                rival: None,
            };
        };
        let others = money.iter().filter(|other| other.name != column.name);
        let mut shown: Vec<char> = others.filter_map(|other| decimal_shown(other)).collect();
        shown.dedup();
        let decided = |format: PriceFormat| shown.as_slice() == [format.decimal];
        match (decided(first), decided(rival)) {
            (true, _) => Self {
                format: first,
                rival: None,
            },
            (_, true) => Self {
                format: rival,
                rival: None,
            },
            _ => Self {
                format: first,
                rival: Some(rival),
            },
        }
    }

    /// How many decimals a value has; 0 if it is no number.
    pub(super) fn decimals(&self, value: &str) -> usize {
        let decimals = bare(value).rsplit_once(self.format.decimal);
        match number(self.format, value) {
            Some(_) => decimals.map_or(0, |(_, decimals)| decimals.len()),
            None => 0,
        }
    }

    /// A value that the two formats read as different numbers, with both.
    pub(super) fn example(&self, column: &Column) -> Option<(String, f64, f64)> {
        let rival = self.rival?;
        column.values.iter().find_map(|value| {
            let (a, b) = (number(self.format, value)?, number(rival, value)?);
            (a != b).then(|| (value.clone(), a, b))
        })
    }
}

/// The formats that fit most values of the column; all of them fit equally many.
fn best_formats(column: &Column) -> Vec<PriceFormat> {
    let counted = FORMATS.map(|(decimal, thousands)| {
        let format = PriceFormat { decimal, thousands };
        let fits = column
            .values
            .iter()
            .filter(|value| number(format, value).is_some())
            .count();
        (fits, format)
    });
    let most = counted.iter().map(|(fits, _)| *fits).max().filter(|most| *most > 0);
    let best = counted.iter().filter(|(fits, _)| Some(*fits) == most);
    best.map(|(_, format)| *format).collect()
}

/// The decimal separator of a column whose amounts leave no doubt.
fn decimal_shown(column: &Column) -> Option<char> {
    let formats = best_formats(column);
    let decimal = formats.first()?.decimal;
    let is_shown = |value: &String| {
        let decimals = bare(value).rsplit_once(decimal).map(|(_, decimals)| decimals.len());
        matches!(decimals, Some(1..=2))
    };
    (formats.iter().all(|format| format.decimal == decimal) && column.values.iter().any(is_shown)).then_some(decimal)
}

/// The word of a currency in front of an amount, the amount, and the word behind it.
fn parts(text: &str) -> (Option<&'static str>, &str, Option<&'static str>) {
    let text = text.trim();
    let front = CURRENCIES.into_iter().find(|word| text.starts_with(word));
    let text = front.map_or(text, |word| text[word.len()..].trim_start());
    let behind = CURRENCIES.into_iter().find(|word| text.ends_with(word));
    (
        front,
        behind.map_or(text, |word| text[..text.len() - word.len()].trim_end()),
        behind,
    )
}

/// The text without blanks and words of a currency at its ends.
fn bare(text: &str) -> &str {
    parts(text).1
}

/// The words of currencies beside the amounts of a column: a set for each currency. Words that stand beside one amount are one currency.
pub(super) fn currency_words(column: &Column, format: PriceFormat) -> Vec<BTreeSet<&'static str>> {
    let mut currencies: Vec<BTreeSet<&str>> = Vec::new();
    for value in column.values.iter().filter(|value| number(format, value).is_some()) {
        let (front, _, behind) = parts(value);
        let words: BTreeSet<&str> = front.into_iter().chain(behind).collect();
        let (mut same, others): (Vec<_>, Vec<_>) = currencies.into_iter().partition(|of| !of.is_disjoint(&words));
        currencies = others;
        if !words.is_empty() {
            same.push(words);
            currencies.push(same.into_iter().flatten().collect());
        }
    }
    currencies
}

/// Whether the decimals behind the second come from calculating with binary numbers: `19.990000000000002`.
pub(super) fn is_noise(format: PriceFormat, value: &str) -> bool {
    const MIN_DECIMALS: usize = 8;
    let decimals = bare(value)
        .rsplit_once(format.decimal)
        .map_or(0, |(_, decimals)| decimals.len());
    let cents = number(format, value).map(|price| price * 100.0);
    decimals >= MIN_DECIMALS && cents.is_some_and(|cents| (cents - cents.round()).abs() < 1e-4)
}

/// The number that a text stands for, to be compared with others; with any number of decimals.
pub(super) fn number(format: PriceFormat, text: &str) -> Option<f64> {
    let text = bare(text);
    let (whole, decimals) = text.split_once(format.decimal).unwrap_or((text, "0"));
    let digits = whole.trim_start_matches(['-', '+']);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = digits.split(|c| Some(c) == format.thousands);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let is_grouped =
        rest.is_empty() || (first.len() <= 3 && !first.starts_with('0') && rest.iter().all(|group| group.len() == 3));
    if !is_grouped || whole.len() > digits.len() + 1 || !is_number(first) || !rest.iter().all(|group| is_number(group))
    {
        return None;
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    is_number(decimals).then(|| format!("{sign}{first}{}.{decimals}", rest.concat()).parse().ok())?
}

/// Whether most values are numbers in the format.
pub(super) fn are_numbers(column: &Column, format: PriceFormat) -> bool {
    column.mostly(|value| number(format, value).is_some())
}

/// Whether most values are prices and at least a tenth of those have decimals. Whole numbers alone may be anything.
pub(super) fn look_like_prices(column: &Column) -> bool {
    let format = Reading::of(column, &[]).format;
    let prices = column
        .values
        .iter()
        .filter(|value| number(format, value).is_some_and(|price| price >= 0.0));
    let (mut all, mut with_decimals) = (0, 0);
    for price in prices {
        all += 1;
        with_decimals += usize::from(bare(price).contains(format.decimal));
    }
    all * 2 > column.values.len() && with_decimals * 10 >= all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(values: &[&str]) -> Reading {
        Reading::of(&column("price", values), &[])
    }

    fn column(name: &str, values: &[&str]) -> Column {
        Column::new(name.into(), values.iter().map(|value| (*value).to_owned()))
    }

    #[test]
    fn groups_of_three_digits_alone_are_thousands_or_decimals() {
        for values in [
            &["1,980", "3,480", "12,800", "980"][..],
            &["150.000", "89.500"],
            &["12.990"],
            &["1,250", "2,500"],
            &["7.255", "1.125"],
        ] {
            assert!(reading(values).rival.is_some(), "{values:?}");
        }
        for (values, decimal, thousands) in [
            (&["1,980", "12,5"][..], ',', None),
            (&["1,980,000", "3,480"], '.', Some(',')),
            (&["1.234,50", "980"], ',', Some('.')),
            (&["0.125", "1.250"], '.', None),
            (&["1234.500", "1.250"], '.', None),
            (&["980", "12"], '.', None),
        ] {
            let found = reading(values);
            assert!(found.rival.is_none(), "{values:?}");
            assert_eq!(found.format, PriceFormat { decimal, thousands }, "{values:?}");
        }
    }

    #[test]
    fn another_column_of_amounts_may_show_the_decimal_separator() {
        let prices = column("price", &["1,980", "980"]);
        let tax = column("tax", &["12.50"]);
        let found = Reading::of(&prices, &[&prices, &tax]);
        assert!(found.rival.is_none() && found.format.thousands == Some(','));
        let both = Reading::of(&prices, &[&tax, &column("fee", &["12,50"])]);
        assert!(both.rival.is_some());
        let (value, decimal, thousands) = both.example(&prices).unwrap();
        assert_eq!((value.as_str(), decimal, thousands), ("1,980", 1.98, 1980.0));
    }
}
