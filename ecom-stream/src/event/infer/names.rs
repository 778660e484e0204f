//! The words in the name of a column, and those that say that a column is something else than it looks like.

/// The words of a name in lower case: `orderPurchase_Timestamp` is `order`, `purchase`, `timestamp`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first word of the name that is in the list.
pub(super) fn word_of(name: &str, list: &[&'static str]) -> Option<&'static str> {
    let words = words(name);
    list.iter().find(|word| words.iter().any(|of| of == *word)).copied()
}

/// Moments that are not the one at which a shopper did something.
pub(super) const OTHER_MOMENTS: &[&str] = &[
    "delivered",
    "delivery",
    "deliver",
    "shipping",
    "shipped",
    "ship",
    "shipment",
    "dispatch",
    "dispatched",
    "arrival",
    "arrived",
    "pickup",
    "limit",
    "deadline",
    "due",
    "expires",
    "expired",
    "expiry",
    "expiration",
    "expected",
    "estimated",
    "eta",
    "promised",
    "promise",
    "until",
    "valid",
    "validity",
    "end",
    "ended",
    "ends",
    "birthday",
    "birth",
    "birthdate",
    "born",
    "dob",
    "updated",
    "update",
    "modified",
    "changed",
    "edited",
    "received",
    "sent",
    "upload",
    "uploaded",
    "processed",
    "processing",
    "ingested",
    "ingestion",
    "loaded",
    "loading",
    "load",
    "exported",
    "export",
    "extracted",
    "synced",
    "sync",
    "inserted",
    "partition",
    "approved",
    "refunded",
    "refund",
    "returned",
    "return",
    "cancelled",
    "canceled",
    "cancel",
    "fulfilled",
    "fulfillment",
    "fulfilment",
    "completed",
    "closed",
    "registered",
    "registration",
    "signup",
    "signed",
    "joined",
    "join",
    "login",
    "last",
    "first",
    "next",
    "previous",
    "renewal",
    "subscription",
    "subscribed",
    "trial",
    "review",
    "reviewed",
    "printed",
    "scheduled",
    "settled",
    "settlement",
    "payout",
    "posted",
    "cleared",
    "released",
    "release",
    "published",
    "launch",
    "launched",
    "start",
    "started",
    "begin",
    "original",
    "available",
    "restock",
    "restocked",
    "deleted",
    "archived",
    "verified",
    "installed",
    "install",
    "activated",
    "anniversary",
    "visitstarttime",
    "dateofbirth",
    "sendtime",
    "creation",
];

/// The words of which the names of columns of times of day are made.
pub(super) const TIME_OF_DAY: &[&str] = &[
    "time",
    "hour",
    "clock",
    "tod",
    "uhrzeit",
    "hora",
    "heure",
    "ora",
    "hhmm",
    "hhmmss",
    "order",
    "sale",
    "sales",
    "event",
    "transaction",
    "purchase",
    "invoice",
    "local",
    "of",
    "day",
    "created",
    "receipt",
    "ordertime",
    "saletime",
    "eventtime",
    "date",
    "stamp",
];

/// Columns that say in which zone a time is.
pub(super) const ZONES: &[&str] = &["timezone", "zone", "tz", "utcoffset", "offset", "tzoffset"];

/// Columns of words that are no actions of a shopper, though some of the words are the same.
pub(super) const STATES: &[&str] = &[
    "status",
    "state",
    "stage",
    "step",
    "page",
    "channel",
    "source",
    "medium",
    "payment",
    "category",
    "section",
    "screen",
    "department",
    "financial",
    "fulfillment",
    "label",
    "group",
];

/// What a shop paid for a product.
pub(super) const COSTS: &[&str] = &["cost", "costs", "cogs", "wholesale", "buying", "landed", "supplier"];

/// What a product would have cost without a discount.
pub(super) const BEFORE_DISCOUNT: &[&str] = &[
    "list", "regular", "original", "msrp", "rrp", "uvp", "compare", "retail", "base", "full", "before", "old",
    "catalog",
];

/// Amounts that are no price of a product.
pub(super) const OTHER_AMOUNTS: &[&str] = &[
    "discount",
    "discounts",
    "tax",
    "taxes",
    "vat",
    "gst",
    "shipping",
    "freight",
    "delivery",
    "fee",
    "fees",
    "tip",
    "tips",
    "refund",
    "refunded",
    "refunds",
    "balance",
    "coupon",
    "deposit",
    "budget",
    "income",
    "margin",
    "profit",
    "credit",
    "commission",
    "surcharge",
    "tendered",
    "change",
    "rounding",
    "points",
    "weight",
    "stock",
    "rate",
];

/// Amounts of a whole line or order.
pub(super) const TOTALS: &[&str] = &[
    "total",
    "totals",
    "amount",
    "revenue",
    "value",
    "sales",
    "subtotal",
    "sum",
    "spend",
    "spent",
    "turnover",
    "extended",
    "paid",
    "ltv",
    "gmv",
    "line",
    "linetotal",
    "totalprice",
    "ordertotal",
    "grandtotal",
];

/// Prices of one piece.
pub(super) const UNIT_PRICES: &[&str] = &["price", "prices", "unitprice", "itemprice", "productprice", "saleprice"];

/// Prices that are written in hundredths or millionths.
pub(super) const SMALL_UNITS: &[&str] = &[
    "cents",
    "cent",
    "pence",
    "minor",
    "micros",
    "micro",
    "microunits",
    "kopecks",
    "paise",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_signs_and_capitals() {
        assert_eq!(words("orderPurchase_Timestamp"), ["order", "purchase", "timestamp"]);
        assert_eq!(words("Lineitem price"), ["lineitem", "price"]);
        assert_eq!(words("$insert_id"), ["insert", "id"]);
        assert_eq!(words("SKU"), ["sku"]);
        assert_eq!(word_of("shipping_limit_date", OTHER_MOMENTS), Some("shipping"));
        assert_eq!(word_of("order_date", OTHER_MOMENTS), None);
    }
}
