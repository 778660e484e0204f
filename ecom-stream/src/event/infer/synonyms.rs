//! Names that columns and event types often have.
//!
//! Names are compared without case, spaces and signs: `Customer ID`, `customer_id` and `customerId` are all `customerid`. The lists are
//! ordered: if two columns have names for the same field, the one whose name comes first is taken.

use crate::event::EventType;

/// The names of columns for each field of an event, the surest first; in lower case, without anything but letters and digits.
const NAMES: [(&str, &[&str]); 14] = [
    ("event_id", &["eventid", "eventuuid", "uuid", "messageid"]),
    (
        "event_time",
        &[
            "eventtime",
            "eventtimestamp",
            "timestamp",
            "occurredat",
            "createdat",
            "time",
            "ts",
            "datetime",
            "invoicedate",
            "date",
            "when",
            "orderdate",
        ],
    ),
    (
        "event_type",
        &[
            "eventtype",
            "event",
            "type",
            "action",
            "eventname",
            "behavior",
            "behaviour",
            "behaviortype",
            "kind",
        ],
    ),
    (
        "user_id",
        &[
            "userid",
            "visitorid",
            "customerid",
            "user",
            "visitor",
            "customer",
            "clientid",
            "shopper",
            "shopperid",
            "uid",
            "memberid",
            "accountid",
        ],
    ),
    (
        "session_id",
        &[
            "sessionid",
            "usersession",
            "session",
            "visitid",
            "visit",
            "invoiceno",
            "invoice",
            "orderid",
        ],
    ),
    (
        "product_id",
        &[
            "productid",
            "itemid",
            "sku",
            "stockcode",
            "product",
            "item",
            "articleid",
            "article",
        ],
    ),
    (
        "product_name",
        &["productname", "itemname", "title", "description", "name"],
    ),
    (
        "category",
        &["categorycode", "category", "categoryname", "categorypath", "categoryid"],
    ),
    ("brand", &["brand", "brandname", "manufacturer", "vendor"]),
    ("price", &["price", "unitprice", "itemprice", "cost", "amount"]),
    ("quantity", &["quantity", "qty", "count", "units"]),
    (
        "order_id",
        &[
            "orderid",
            "ordernumber",
            "orderno",
            "transactionid",
            "orderref",
            "ordername",
        ],
    ),
    ("currency", &["currency", "currencycode", "ordercurrency"]),
    (
        "line_total",
        &[
            "linetotal",
            "lineamount",
            "linerevenue",
            "linevalue",
            "itemrevenue",
            "linesubtotal",
        ],
    ),
];

/// The words for each event type, written in the same way.
const TYPES: [(EventType, &[&str]); 11] = [
    (
        EventType::View,
        &[
            "view",
            "views",
            "viewed",
            "productview",
            "viewitem",
            "viewproduct",
            "detail",
            "click",
            "clicks",
            "pv",
        ],
    ),
    (
        EventType::AddToCart,
        &["addtocart", "cart", "add", "addcart", "carted", "basket", "addtobasket"],
    ),
    (
        EventType::RemoveFromCart,
        &["removefromcart", "remove", "removecart", "removed", "removefrombasket"],
    ),
    (
        EventType::Purchase,
        &[
            "purchase",
            "purchased",
            "transaction",
            "buy",
            "bought",
            "order",
            "ordered",
            "sale",
            "checkoutcompleted",
        ],
    ),
    (
        EventType::Refund,
        &[
            "refund",
            "refunded",
            "orderrefunded",
            "return",
            "returned",
            "creditnote",
        ],
    ),
    (
        EventType::SessionStart,
        &["sessionstart", "sessionstarted", "startsession", "visitstart"],
    ),
    (EventType::PageView, &["pageview", "pageviewed"]),
    (
        EventType::Search,
        &[
            "search",
            "searched",
            "viewsearchresults",
            "productssearched",
            "searchsubmitted",
        ],
    ),
    (EventType::ViewCart, &["viewcart", "cartviewed"]),
    (
        EventType::Checkout,
        &["checkout", "begincheckout", "checkoutstarted", "startcheckout"],
    ),
    (
        EventType::PaymentInfo,
        &[
            "paymentinfo",
            "addpaymentinfo",
            "paymentinfoentered",
            "paymentinfosubmitted",
        ],
    ),
];

/// The rank of a name among those for a field, 0 for the surest; `None` if it is not one of them.
pub(super) fn rank(column: &str, name: &str) -> Option<usize> {
    let (_, names) = NAMES.iter().find(|(of, _)| *of == column)?;
    let plain = plain(name);
    names.iter().position(|known| *known == plain)
}

/// The event type that a word probably means.
pub(super) fn event_type(word: &str) -> Option<EventType> {
    let plain = plain(word);
    let of = TYPES.iter().find(|(_, words)| words.contains(&plain.as_str()));
    of.map(|(event_type, _)| *event_type)
}

/// The letters and digits of a text, in lower case.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The event type that a word probably means, and whether the word is exactly its name, so that no translation is needed.
pub(super) fn meaning(word: &str) -> Option<(EventType, bool)> {
    let event_type = event_type(word)?;
    Some((event_type, event_type.as_str() == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn own_names_and_common_words_are_known() {
        for column in Event::COLUMNS {
            assert!(rank(column, column).is_some(), "{column}");
        }
        for of in EventType::ALL {
            assert_eq!(event_type(of.as_str()), Some(of));
        }
        assert_eq!(event_type("Add to cart"), Some(EventType::AddToCart));
        assert_eq!(event_type("wish"), None);
    }
}
