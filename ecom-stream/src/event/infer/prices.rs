//! Guesses how the prices of a column are written.

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

/// The format in which most values of the column are prices.
pub(super) fn format(column: &Column) -> PriceFormat {
    let mut best = (0, PriceFormat::default());
    for (decimal, thousands) in FORMATS {
        let format = PriceFormat { decimal, thousands };
        let fits = column.values.iter().filter(|value| format.parse(value).is_ok()).count();
        if fits > best.0 {
            best = (fits, format);
        }
    }
    best.1
}

/// Whether most values are prices and at least a tenth of those have decimals. Whole numbers alone may be anything.
pub(super) fn look_like_prices(column: &Column) -> bool {
    let format = format(column);
    let prices = column.values.iter().filter(|value| format.parse(value).is_ok());
    let (mut all, mut with_decimals) = (0, 0);
    for price in prices {
        all += 1;
        with_decimals += usize::from(price.contains(format.decimal));
    }
    all * 2 > column.values.len() && with_decimals * 10 >= all
}
