//! Refunds that a file writes as purchases with a negative quantity or amount.

use crate::event::{Event, EventType, NumberFormat};

/// Makes a refund of a purchase that has a negative quantity, price or line total, and takes the signs away. The values of a refund may
/// have signs too. There is a value for each of [`Event::COLUMNS`].
///
/// If the quantity and the price of one piece are both negative, nothing is changed, and the rules reject the record: the file may mean a
/// refund, or what was paid.
pub(super) fn from_negatives(values: &mut [Option<&str>; Event::COLUMNS.len()], numbers: &NumberFormat) {
    let [_, _, kind, .., price, quantity, _, _, line_total] = values;
    let (purchase, refund) = (EventType::Purchase.as_str(), EventType::Refund.as_str());
    if !kind.is_some_and(|word| word == purchase || word == refund) {
        return;
    }
    let [of_piece, pieces, total] =
        [&*price, quantity, line_total].map(|value| value.and_then(|text| numbers.without_negative_sign(text)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_purchase_is_a_refund() {
        let made = |kind, price, quantity, total| {
            let numbers = NumberFormat {
                currency_words: vec!["$".into()],
                ..NumberFormat::default()
            };
            let mut values = [None; Event::COLUMNS.len()];
            [values[2], values[9], values[10], values[13]] = [kind, price, quantity, total].map(Some);
            from_negatives(&mut values, &numbers);
            [values[2], values[9], values[10], values[13]].map(Option::unwrap)
        };
        for (given, expected) in [
            (["purchase", "9.90", "-2", "-19.80"], ["refund", "9.90", "2", "19.80"]),
            (["purchase", "9.90", "-2", ""], ["refund", "9.90", "2", ""]),
            (["purchase", "-9.90", "2", ""], ["refund", "9.90", "2", ""]),
            (["purchase", "", "2", "(19.80)"], ["refund", "", "2", "19.80"]),
            (["refund", "9.90", "-2", "19.80-"], ["refund", "9.90", "2", "19.80"]),
            (["purchase", "9.90", "2", "19.80"], ["purchase", "9.90", "2", "19.80"]),
            (
                ["purchase", "-$9.90", "2", "$(19.80)"],
                ["refund", "9.90", "2", "19.80"],
            ),
            // Either could be meant.
            (["purchase", "-9.90", "-2", ""], ["purchase", "-9.90", "-2", ""]),
            (["add_to_cart", "9.90", "-2", ""], ["add_to_cart", "9.90", "-2", ""]),
        ] {
            let [kind, price, quantity, total] = given;
            assert_eq!(made(kind, price, quantity, total), expected);
        }
    }
}
