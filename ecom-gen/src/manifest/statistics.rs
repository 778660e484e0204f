//! Statistics of one file or of all files: counts by outcome and by event type, and the revenue.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

/// Statistics of one file or of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileStatistics {
    /// The counts of a correct ingest. A file that is set aside adds nothing.
    pub expected: ExpectedCounts,
    /// The rows in the file, with or without faults, by their actual or original event type.
    pub in_file: CountByType,
    /// The rows that must be stored.
    pub in_table: CountByType,
    /// The revenue of the rows that must be stored: price times quantity of the purchases.
    pub revenue: Amount,
    /// The number of rows that are exact copies of events sent before.
    pub exact_copies: u64,
    /// The number of rows that have the id and time of an event sent before, but other content.
    pub altered_copies: u64,
    /// The number of rows of late events, without copies.
    pub late: u64,
    /// The number of rows of events out of order, without copies.
    pub out_of_order: u64,
}

/// The counts of a correct ingest: *read = stored + duplicates + rejected*.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedCounts {
    /// The number of records read.
    pub read: u64,
    /// The number of new events.
    pub stored: u64,
    /// The number of events that were stored before, from this file or an earlier one.
    pub duplicates: u64,
    /// The number of records that cannot be used.
    pub rejected: u64,
}

/// A number of rows of each event type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named after the event types")]
#[non_exhaustive]
pub struct CountByType {
    pub view: u64,
    pub add_to_cart: u64,
    pub remove_from_cart: u64,
    pub purchase: u64,
}

/// An exact amount of money, written with two decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Amount {
    /// The amount in cents.
    pub cents: u64,
}

impl AddAssign<&Self> for FileStatistics {
    fn add_assign(&mut self, other: &Self) {
        self.expected.read += other.expected.read;
        self.expected.stored += other.expected.stored;
        self.expected.duplicates += other.expected.duplicates;
        self.expected.rejected += other.expected.rejected;
        self.in_file += other.in_file;
        self.in_table += other.in_table;
        self.revenue.cents += other.revenue.cents;
        self.exact_copies += other.exact_copies;
        self.altered_copies += other.altered_copies;
        self.late += other.late;
        self.out_of_order += other.out_of_order;
    }
}

impl CountByType {
    /// The number of rows of this event type.
    pub fn of(&self, event_type: EventType) -> u64 {
        match event_type {
            EventType::View => self.view,
            EventType::AddToCart => self.add_to_cart,
            EventType::RemoveFromCart => self.remove_from_cart,
            EventType::Purchase => self.purchase,
            // The simulated shop has no other types.
            _ => 0,
        }
    }

    /// The number of rows of all event types.
    pub fn sum(&self) -> u64 {
        EventType::ALL.iter().map(|event_type| self.of(*event_type)).sum()
    }

    pub(super) fn count(&mut self, event_type: EventType) {
        let count = match event_type {
            EventType::View => &mut self.view,
            EventType::AddToCart => &mut self.add_to_cart,
            EventType::RemoveFromCart => &mut self.remove_from_cart,
            EventType::Purchase => &mut self.purchase,
            _ => return,
        };
        *count += 1;
    }
}

impl AddAssign for CountByType {
    fn add_assign(&mut self, other: Self) {
        self.view += other.view;
        self.add_to_cart += other.add_to_cart;
        self.remove_from_cart += other.remove_from_cart;
        self.purchase += other.purchase;
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

/// A text that is not an [`Amount`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount: write it with two decimals, such as 12.50")]
pub struct AmountError(String);

impl TryFrom<String> for Amount {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse()
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let cents = || {
            let (whole, cents) = text.split_once('.')?;
            let fits = is_number(whole) && is_number(cents) && cents.len() == 2;
            let whole: u64 = fits.then(|| whole.parse().ok())??;
            whole.checked_mul(100)?.checked_add(cents.parse().ok()?)
        };
        match cents() {
            Some(cents) => Ok(Self { cents }),
            None => Err(AmountError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_trip() {
        for cents in [0, 5, 1_250, u64::MAX] {
            let amount = Amount { cents };
            assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }
        assert_eq!(Amount { cents: 1_205 }.to_string(), "12.05");
        for text in ["", "1", "1.5", "-1.00", "1.000", "+1.00", "99999999999999999999.00"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
