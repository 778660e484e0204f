//! Writes the keys of a proposal that say how prices are written: separators, currency words, rounding.

use std::collections::BTreeSet;

use super::column::{Column, shortened};
use super::prices::{Reading, currency_words, is_noise};
use super::toml_text::text;
use crate::event::mapping::TO_BE_FILLED_IN;
use crate::event::{NumberFormat, PriceFormat, Rounding};

/// Writes how prices are written, where it is not the default. Returns whether a person must decide.
pub(super) fn separators(column: &Column, reading: &Reading, line: &mut impl FnMut(String)) -> bool {
    let keys = |format: PriceFormat| {
        let decimal = (format.decimal != '.').then(|| format!("decimal = {}", text(&format.decimal.to_string())));
        let thousands = format
            .thousands
            .map(|of| format!("thousands = {}", text(&of.to_string())));
        decimal.into_iter().chain(thousands).collect::<Vec<_>>()
    };
    let Some((value, first, second)) = reading.example(column) else {
        keys(reading.format).into_iter().for_each(line);
        return false;
    };
    let name = text(&column.name);
    line(format!(
        "# {TO_BE_FILLED_IN}: is the sign in {value:?} of {name} in front of the decimals, or between thousands? Nothing in the file"
    ));
    line("# tells. Remove the line below that says so, and the # of the lines of the reading that is right.".into());
    for (format, number) in [(Some(reading.format), first), (reading.rival, second)] {
        line(format!("# {value:?} is {number:.3}:"));
        let keys = format.map(keys).unwrap_or_default();
        if keys.is_empty() {
            line("# (no line)".into());
        }
        keys.into_iter().for_each(|key| line(format!("# {key}")));
    }
    line(format!("decimal = {}", text(TO_BE_FILLED_IN)));
    true
}

/// Writes the currency words of a column and the rounding that it needs. Returns the format of numbers that the keys make.
pub(super) fn others(column: &Column, reading: &Reading, line: &mut impl FnMut(String)) -> NumberFormat {
    let mut numbers = NumberFormat {
        separators: reading.format,
        names_decimal: reading.format.decimal != '.',
        ..NumberFormat::default()
    };
    let words = currency_words(column, reading.format);
    let listed = |words: &BTreeSet<&str>| {
        let words: Vec<String> = words.iter().map(|word| text(word)).collect();
        format!("currency_words = [{}]", words.join(", "))
    };
    let mut kinds = words.iter();
    match (kinds.next(), kinds.next()) {
        (None, _) => {}
        (Some(words), None) => {
            line(listed(words));
            numbers.add_currency_words(words.iter().map(|word| (*word).to_owned()));
        }
        _ => {
            line(format!(
                "# {TO_BE_FILLED_IN}: prices are in several currencies, and their sums mean nothing. Remove the # of one line; prices with"
            ));
            line("# other words are rejected.".into());
            words.iter().for_each(|words| line(format!("# {}", listed(words))));
        }
    }
    let mut long = column
        .values
        .iter()
        .filter(|value| reading.decimals(value) > 2)
        .peekable();
    if let Some(first) = long.peek().copied()
        && reading.rival.is_none()
        && long.all(|value| is_noise(reading.format, value))
    {
        line(format!(
            "# {} has more decimals than a price, as programs write it that calculate.",
            shortened(first)
        ));
        line("rounding = \"half_up\"".into());
        numbers.rounding = Some(Rounding::HalfUp);
    }
    numbers
}
