use std::fmt;

use serde::{Deserialize, Serialize};

/// What a shopper did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventType {
    /// Looked at a product.
    View,
    /// Put it into the cart.
    AddToCart,
    /// Took it out again.
    RemoveFromCart,
    /// Bought it.
    Purchase,
}

impl EventType {
    /// Every type, in the order of a purchase.
    pub const ALL: [Self; 4] = [Self::View, Self::AddToCart, Self::RemoveFromCart, Self::Purchase];

    /// The name in CSV and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
        }
    }

    /// The type of that name, if there is one.
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
