//! Names that columns and event types often have.
//!
//! Names are compared without case, spaces and signs: `Customer ID`, `customer_id` and `customerId` are all `customerid`. A field has
//! names that are sure, and others that are likely: a column called `name` may have the name of a product, or of a person.

use crate::event::EventType;

/// How sure it is that a column with that name is the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It is the name that the field has in an event.
    Own,
    Sure,
    Likely,
}

/// For each field of an event the names that are sure, and those that are likely; the surest first, in lower case, without anything
/// but letters and digits.
const NAMES: [(&str, &[&str], &[&str]); 14] = [
    (
        "event_id",
        &["eventid", "eventuuid", "messageid", "insertid"],
        &["uuid", "guid", "hitid"],
    ),
    (
        "event_time",
        &[
            "eventtime",
            "eventtimestamp",
            "timestamp",
            "occurredat",
            "happenedat",
            "orderpurchasetimestamp",
            "purchasetimestamp",
            "purchasedat",
            "purchasedate",
            "orderedat",
            "orderdate",
            "ordertime",
            "orderdatetime",
            "invoicedate",
            "transactiondate",
            "transactiontime",
            "eventdate",
            "eventdatetime",
            "ts",
        ],
        &[
            "createdat",
            "time",
            "datetime",
            "date",
            "when",
            "createdon",
            "datecreated",
            "paidat",
            "day",
            "saledate",
        ],
    ),
    (
        "event_type",
        &[
            "eventtype",
            "event",
            "action",
            "eventname",
            "behavior",
            "behaviour",
            "behaviortype",
            "actiontype",
        ],
        &["type", "kind", "activity", "interaction"],
    ),
    (
        "user_id",
        &[
            "userid",
            "visitorid",
            "customerid",
            "customeruniqueid",
            "shopperid",
            "memberid",
        ],
        &[
            "user",
            "visitor",
            "customer",
            "clientid",
            "shopper",
            "uid",
            "accountid",
            "userpseudoid",
            "anonymousid",
            "distinctid",
            "deviceid",
            "fullvisitorid",
            "cookieid",
            "customeremail",
            "email",
            "buyerid",
            "buyer",
            "amplitudeid",
            "personid",
        ],
    ),
    (
        "session_id",
        &["sessionid", "usersession", "gasessionid", "visitid"],
        &[
            "session",
            "visit",
            "invoiceno",
            "invoice",
            "orderid",
            "ordernumber",
            "orderno",
            "order",
            "basketid",
            "cartid",
            "receiptid",
            "receiptno",
            "receiptnumber",
            "invoiceid",
        ],
    ),
    (
        "product_id",
        &[
            "productid",
            "itemid",
            "sku",
            "stockcode",
            "lineitemsku",
            "productsku",
            "itemsku",
            "articleid",
            "asin",
            "variantid",
        ],
        &[
            "product",
            "item",
            "article",
            "productcode",
            "itemcode",
            "itemnumber",
            "articlenumber",
            "ean",
            "upc",
            "gtin",
            "barcode",
            "styleid",
        ],
    ),
    (
        "product_name",
        &["productname", "itemname", "lineitemname", "producttitle", "itemtitle"],
        &["title", "description", "name"],
    ),
    (
        "category",
        &[
            "categorycode",
            "category",
            "categoryname",
            "categorypath",
            "itemcategory",
            "productcategory",
        ],
        &["categoryid"],
    ),
    (
        "brand",
        &["brand", "brandname", "itembrand", "manufacturer"],
        &["vendor"],
    ),
    (
        "price",
        &[
            "price",
            "unitprice",
            "itemprice",
            "lineitemprice",
            "sellingprice",
            "productprice",
        ],
        &["cost", "amount"],
    ),
    (
        "quantity",
        &[
            "quantity",
            "qty",
            "itemquantity",
            "lineitemquantity",
            "qtyordered",
            "quantityordered",
            "productquantity",
            "orderquantity",
        ],
        &["units", "pieces", "unitssold", "itemcount", "count"],
    ),
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
        &[],
    ),
    ("currency", &["currency", "currencycode", "ordercurrency"], &[]),
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
        &[],
    ),
];

/// The words for each event type: those that mean just that, and those that may mean something else beside one of the first, such as
/// `cart` for the page of the cart; written in the same way.
const TYPES: [(EventType, &[&str], &[&str]); 11] = [
    (
        EventType::View,
        &[
            "view",
            "viewitem",
            "viewproduct",
            "productview",
            "productviewed",
            "productdetailview",
            "viewcontent",
        ],
        &["views", "viewed", "detail", "click", "clicks", "pv"],
    ),
    (
        EventType::AddToCart,
        &[
            "addtocart",
            "addcart",
            "addtobasket",
            "addtobag",
            "productadded",
            "productaddedtocart",
        ],
        &["cart", "add", "added", "carted", "basket", "bag"],
    ),
    (
        EventType::RemoveFromCart,
        &[
            "removefromcart",
            "removecart",
            "removefrombasket",
            "productremoved",
            "removefrombag",
        ],
        &["remove", "removed"],
    ),
    (
        EventType::Purchase,
        &[
            "purchase",
            "purchased",
            "ordercompleted",
            "checkoutcompleted",
            "productpurchased",
        ],
        &[
            "transaction",
            "buy",
            "bought",
            "order",
            "ordered",
            "sale",
            "orderplaced",
        ],
    ),
    (
        EventType::Refund,
        &["refund", "refunded", "orderrefunded", "creditnote"],
        &["return", "returned"],
    ),
    (
        EventType::SessionStart,
        &["sessionstart", "sessionstarted", "startsession", "visitstart"],
        &[],
    ),
    (EventType::PageView, &["pageview", "pageviewed"], &[]),
    (
        EventType::Search,
        &["search", "viewsearchresults", "productssearched", "searchsubmitted"],
        &["searched"],
    ),
    (EventType::ViewCart, &["viewcart", "cartviewed"], &[]),
    (
        EventType::Checkout,
        &["checkout", "begincheckout", "checkoutstarted", "startcheckout"],
        &[],
    ),
    (
        EventType::PaymentInfo,
        &[
            "paymentinfo",
            "addpaymentinfo",
            "paymentinfoentered",
            "paymentinfosubmitted",
        ],
        &[],
    ),
];

/// What the name of a column says about a field, and its rank among those that say the same, 0 for the first; `None` if it is not one
/// of its names.
pub(super) fn standing(field: &str, name: &str) -> Option<(Standing, usize)> {
    let (_, sure, likely) = NAMES.iter().find(|(of, ..)| *of == field)?;
    let plain = plain(name);
    if plain == self::plain(field) {
        return Some((Standing::Own, 0));
    }
    let rank = |names: &[&str]| names.iter().position(|known| *known == plain);
    let sure = rank(sure).map(|rank| (Standing::Sure, rank));
    sure.or_else(|| rank(likely).map(|rank| (Standing::Likely, rank)))
}

/// The letters and digits of a text, in lower case.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The event type that a word probably means, and whether it can hardly mean anything else.
pub(super) fn event_type(word: &str) -> Option<(EventType, bool)> {
    let plain = plain(word);
    TYPES.iter().find_map(|(of, sure, likely)| {
        let is_sure = sure.contains(&plain.as_str());
        (is_sure || likely.contains(&plain.as_str())).then_some((*of, is_sure))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn own_names_and_common_words_are_known() {
        for column in Event::COLUMNS {
            assert_eq!(standing(column, column), Some((Standing::Own, 0)), "{column}");
        }
        for of in EventType::ALL {
            assert_eq!(event_type(of.as_str()), Some((of, true)));
        }
        assert_eq!(event_type("Add to cart"), Some((EventType::AddToCart, true)));
        assert_eq!(event_type("cart"), Some((EventType::AddToCart, false)));
        assert_eq!(event_type("wish"), None);
        assert!(standing("user_id", "userID") < standing("user_id", "user_pseudo_id"));
    }
}
