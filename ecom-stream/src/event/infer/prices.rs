//! Reads the numbers of columns: which character is in front of the decimals, and which separates thousands.

use super::column::Column;
use crate::event::PriceFormat;

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
        let decimals = value.rsplit_once(decimal).map(|(_, decimals)| decimals.len());
        matches!(decimals, Some(1..=2))
    };
    (formats.iter().all(|format| format.decimal == decimal) && column.values.iter().any(is_shown)).then_some(decimal)
}

/// The number that a text stands for, to be compared with others; with any number of decimals.
pub(super) fn number(format: PriceFormat, text: &str) -> Option<f64> {
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
        with_decimals += usize::from(price.contains(format.decimal));
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
