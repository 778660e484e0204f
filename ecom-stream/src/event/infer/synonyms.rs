use crate::event::EventType;

/// What columns are called, for each column of an event; the surest first.
const NAMES: [(&str, &[&str]); 11] = [
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
];

/// What event types are called.
const TYPES: [(EventType, &[&str]); 4] = [
    (
        EventType::View,
        &[
            "view",
            "views",
            "viewed",
            "pageview",
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
];

/// How far down the list of names for a column of an event a name stands, if it does.
pub(super) fn rank(column: &str, name: &str) -> Option<usize> {
    let (_, names) = NAMES.iter().find(|(of, _)| *of == column)?;
    let plain = plain(name);
    names.iter().position(|known| *known == plain)
}

/// The type that a word may mean.
pub(super) fn event_type(word: &str) -> Option<EventType> {
    let plain = plain(word);
    let of = TYPES.iter().find(|(_, words)| words.contains(&plain.as_str()));
    of.map(|(event_type, _)| *event_type)
}

/// Without case, spaces and signs.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The type that a word means, and whether it is the type's own name.
pub(super) fn meaning(word: &str) -> Option<(EventType, bool)> {
    let event_type = event_type(word)?;
    Some((event_type, event_type.as_str() == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn an_event_is_called_what_it_is_called() {
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
