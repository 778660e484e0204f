//! The types of events: what a shopper did.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a shopper did.
///
/// ```
/// use ecom_stream::EventType;
///
/// assert_eq!(EventType::AddToCart.as_str(), "add_to_cart");
/// assert_eq!(EventType::from_name("purchase"), Some(EventType::Purchase));
/// assert_eq!(EventType::from_name("Purchase"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventType {
    /// The shopper looked at a product.
    View,
    /// The shopper put a product into the cart.
    AddToCart,
    /// The shopper took a product out of the cart.
    RemoveFromCart,
    /// The shopper bought a product.
    Purchase,
}

impl EventType {
    /// Every type, in the order in which a purchase comes about.
    ///
    /// ```
    /// use ecom_stream::EventType;
    ///
    /// assert_eq!(EventType::ALL.map(EventType::as_str), ["view", "add_to_cart", "remove_from_cart", "purchase"]);
    /// ```
    pub const ALL: [Self; 4] = [Self::View, Self::AddToCart, Self::RemoveFromCart, Self::Purchase];

    /// The name in CSV files and in tables, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
        }
    }

    /// The type with that name, compared exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event_type| event_type.as_str() == name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for event_type in EventType::ALL {
            assert_eq!(EventType::from_name(event_type.as_str()), Some(event_type));
        }
        assert_eq!(EventType::from_name("View"), None);
    }
}
