//! Refunds that a file writes as purchases with a negative quantity or amount.

use crate::event::{Event, EventType};

/// Makes a refund of a purchase that has a negative quantity, price or line total, and takes the signs away. The values of a refund may
/// have signs too. There is a value for each of [`Event::COLUMNS`].
///
/// If the quantity and the price of one piece are both negative, nothing is changed, and the rules reject the record: the file may mean a
/// refund, or what was paid.
pub(super) fn from_negatives(values: &mut [Option<&str>; Event::COLUMNS.len()]) {
    let [_, _, kind, .., price, quantity, _, _, line_total] = values;
    let (purchase, refund) = (EventType::Purchase.as_str(), EventType::Refund.as_str());
    if !kind.is_some_and(|word| word == purchase || word == refund) {
        return;
    }
    let [of_piece, pieces, total] = [&*price, quantity, line_total].map(|value| value.and_then(without_sign));
    if of_piece.is_some() && pieces.is_some() {
        return;
    }
    for (value, positive) in [(price, of_piece), (quantity, pieces), (line_total, total)] {
        if positive.is_some() {
            *kind = Some(refund);
            *value = positive;
        }
    }
}

/// A negative number without its sign: `-12.50`, `12.50-` and `(12.50)` are all `12.50`. `None` for a number that is not below zero.
fn without_sign(text: &str) -> Option<&str> {
    const SIGNS: [char; 2] = ['-', '\u{2212}'];
    let text = text.trim();
    let in_brackets = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let positive = in_brackets
        .or_else(|| text.strip_prefix(SIGNS))
        .or_else(|| text.strip_suffix(SIGNS))?;
    positive
        .contains(|c: char| c.is_numeric() && c != '0')
        .then(|| positive.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_in_front_behind_and_in_brackets() {
        for text in ["-12.50", "12.50-", "(12.50)", "\u{2212}12.50", " - 12.50", "12.50 -"] {
            assert_eq!(without_sign(text), Some("12.50"), "{text}");
        }
        for text in ["12.50", "0", "-0.00", "(0)", "", "-", "+1"] {
            assert_eq!(without_sign(text), None, "{text}");
        }
    }

    #[test]
    fn a_negative_purchase_is_a_refund() {
        let made = |kind, price, quantity, total| {
            let mut values = [None; Event::COLUMNS.len()];
            [values[2], values[9], values[10], values[13]] = [kind, price, quantity, total].map(Some);
            from_negatives(&mut values);
            [values[2], values[9], values[10], values[13]].map(Option::unwrap)
        };
        for (given, expected) in [
            (["purchase", "9.90", "-2", "-19.80"], ["refund", "9.90", "2", "19.80"]),
            (["purchase", "9.90", "-2", ""], ["refund", "9.90", "2", ""]),
            (["purchase", "-9.90", "2", ""], ["refund", "9.90", "2", ""]),
            (["purchase", "", "2", "(19.80)"], ["refund", "", "2", "19.80"]),
            (["refund", "9.90", "-2", "19.80-"], ["refund", "9.90", "2", "19.80"]),
            (["purchase", "9.90", "2", "19.80"], ["purchase", "9.90", "2", "19.80"]),
            // Either could be meant.
            (["purchase", "-9.90", "-2", ""], ["purchase", "-9.90", "-2", ""]),
            (["add_to_cart", "9.90", "-2", ""], ["add_to_cart", "9.90", "-2", ""]),
        ] {
            let [kind, price, quantity, total] = given;
            assert_eq!(made(kind, price, quantity, total), expected);
        }
    }
}
