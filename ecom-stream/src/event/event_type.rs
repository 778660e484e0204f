//! The types of events: what a shopper did, or the shop for one.

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
    /// The shop took something back, or gave money back. Quantity and amount are above zero, as those of a purchase.
    Refund,
    /// A visit began.
    SessionStart,
    /// The shopper looked at a page.
    PageView,
    /// The shopper searched.
    Search,
    /// The shopper looked at the cart.
    ViewCart,
    /// The shopper began to check out.
    Checkout,
    /// The shopper said how to pay.
    PaymentInfo,
}

impl EventType {
    /// Every type: those that need a product first.
    ///
    /// ```
    /// use ecom_stream::EventType;
    ///
    /// let (with_product, others) = EventType::ALL.split_at(4);
    /// assert!(with_product.iter().all(|of| of.needs_product()) && !others.iter().any(|of| of.needs_product()));
    /// assert_eq!(with_product.iter().map(|of| of.as_str()).collect::<Vec<_>>(), ["view", "add_to_cart", "remove_from_cart", "purchase"]);
    /// ```
    pub const ALL: [Self; 11] = [
        Self::View,
        Self::AddToCart,
        Self::RemoveFromCart,
        Self::Purchase,
        Self::Refund,
        Self::SessionStart,
        Self::PageView,
        Self::Search,
        Self::ViewCart,
        Self::Checkout,
        Self::PaymentInfo,
    ];

    /// The name in CSV files and in tables, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::SessionStart => "session_start",
            Self::PageView => "page_view",
            Self::Search => "search",
            Self::ViewCart => "view_cart",
            Self::Checkout => "checkout",
            Self::PaymentInfo => "payment_info",
        }
    }

    /// Whether every event of this type has a product. Others may have one. A refund without a product is one of a whole order, or of
    /// its shipping.
    pub const fn needs_product(self) -> bool {
        matches!(
            self,
            Self::View | Self::AddToCart | Self::RemoveFromCart | Self::Purchase
        )
    }

    /// Whether an event of this type changes the revenue: a purchase adds to it, a refund takes from it.
    ///
    /// ```
    /// use ecom_stream::EventType;
    ///
    /// assert!(EventType::Refund.is_sale() && !EventType::AddToCart.is_sale());
    /// ```
    pub const fn is_sale(self) -> bool {
        matches!(self, Self::Purchase | Self::Refund)
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
