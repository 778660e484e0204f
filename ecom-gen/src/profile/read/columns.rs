//! The columns of a file, and the event of each record.

use csv::StringRecord;
use ecom_stream::{Event, EventType, Price};

use super::rfc3339;
use crate::profile::event_ref::EventRef;

const MAX_ID_BYTES: usize = 64;
const MAX_TEXT_BYTES: usize = 256;
const MAX_QUANTITY: u32 = i32::MAX.unsigned_abs();
/// The year 2000, as in [`Rules`](ecom_stream::Rules).
const EARLIEST_MICROS: i64 = 946_684_800_000_000;

/// The positions of the columns in a file.
pub(super) struct Columns {
    at: [Option<usize>; Event::BASE_COLUMNS.len()],
    fields: usize,
}

impl Columns {
    /// The columns of a file with this header, or the name of a required column that is missing.
    pub(super) fn new(header: &StringRecord) -> Result<Self, &'static str> {
        let at = Event::BASE_COLUMNS.map(|name| header.iter().position(|field| field.trim() == name));
        let mut absent = Event::BASE_COLUMNS.into_iter().zip(at).filter(|(_, at)| at.is_none());
        match absent.find(|(name, _)| Event::REQUIRED_COLUMNS.contains(name)) {
            Some((name, _)) => Err(name),
            None => Ok(Self {
                at,
                fields: header.len(),
            }),
        }
    }

    /// The event of a record, if it has one. The rules are those of [`Rules`](ecom_stream::Rules), except that times in
    /// the future are accepted: a profile must not depend on when it is made.
    pub(super) fn event<'a>(&self, record: &'a StringRecord) -> Option<EventRef<'a>> {
        if record.len() != self.fields {
            return None;
        }
        let field = |column: usize| record.get(self.at[column]?).filter(|text| !text.is_empty());
        let [
            id,
            time,
            event_type,
            user,
            session,
            product,
            _,
            category,
            brand,
            price,
            quantity,
        ] = std::array::from_fn(field);
        let identifier = |text: Option<&'a str>| text.filter(|text| text.len() <= MAX_ID_BYTES);
        // A profile compares what shoppers do with products.
        let event_type = EventType::from_name(event_type?).filter(|of| of.needs_product())?;
        let price = price.map(str::parse::<Price>).transpose().ok()?;
        let quantity = quantity.map_or(Ok(1), str::parse).ok()?;
        let is_too_long = [category, brand]
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT_BYTES);
        let is_priceless = event_type == EventType::Purchase && price.is_none();
        if is_too_long || is_priceless || !(1..=MAX_QUANTITY).contains(&quantity) {
            return None;
        }
        Some(EventRef {
            event_id: id.map(event_id),
            micros: rfc3339::micros(time?).filter(|&micros| micros >= EARLIEST_MICROS)?,
            event_type,
            user_id: identifier(user)?,
            session_id: identifier(session)?,
            product_id: identifier(product)?,
            category,
            brand,
            cents: price.map(Price::cents),
            quantity,
        })
    }
}

fn event_id(text: &str) -> u128 {
    text.parse().unwrap_or_else(|_| ecom_stream::id_of_text(text)).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 11] = [
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "2026-11-23T09:30:00.5Z",
        "purchase",
        "u1",
        "s1",
        "SKU-1",
        "Phone, \"red\"",
        "electronics.smartphone",
        "acme",
        "129.90",
        "2",
    ];

    fn columns() -> Columns {
        Columns::new(&StringRecord::from(Event::BASE_COLUMNS.to_vec())).unwrap()
    }

    fn with(name: &str, value: &str) -> bool {
        let fields = Event::BASE_COLUMNS
            .iter()
            .zip(GOOD)
            .map(|(column, good)| match *column == name {
                true => value,
                false => good,
            });
        columns()
            .event(&StringRecord::from(fields.collect::<Vec<_>>()))
            .is_some()
    }

    #[test]
    fn a_valid_record_is_an_event() {
        let record = StringRecord::from(GOOD.to_vec());
        let expected = EventRef {
            event_id: Some(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057),
            micros: 1_795_426_200_500_000,
            event_type: EventType::Purchase,
            user_id: "u1",
            session_id: "s1",
            product_id: "SKU-1",
            category: Some("electronics.smartphone"),
            brand: Some("acme"),
            cents: Some(12_990),
            quantity: 2,
        };
        assert_eq!(columns().event(&record), Some(expected));
    }

    #[test]
    fn invalid_records_are_not_events() {
        let long = "x".repeat(257);
        let cases: [(&str, &str); 17] = [
            ("event_time", ""),
            ("event_time", "now"),
            ("event_time", "1999-12-31T23:59:59Z"),
            ("event_type", ""),
            ("event_type", "Purchase"),
            ("user_id", ""),
            ("user_id", &long[..65]),
            ("session_id", ""),
            ("product_id", &long[..65]),
            ("category", &long),
            ("brand", &long),
            ("price", ""),
            ("price", "-1"),
            ("price", "1.005"),
            ("quantity", "0"),
            ("quantity", "-1"),
            ("quantity", "2147483648"),
        ];
        for (name, value) in cases {
            assert!(!with(name, value), "{name} = {}", value);
        }
        let fewer = StringRecord::from(GOOD[..10].to_vec());
        assert_eq!(columns().event(&fewer), None);
    }

    #[test]
    fn optional_fields_may_be_missing() {
        for name in ["event_id", "product_name", "category", "brand", "quantity"] {
            assert!(with(name, ""), "{name}");
        }
        assert!(with("event_id", "order-1") && with("user_id", &"x".repeat(64)));
    }

    #[test]
    fn required_columns_are_named() {
        let header = ["product_id", " event_time ", "colour", "event_type", "user_id"];
        let absent = Columns::new(&StringRecord::from(header.to_vec())).err();
        assert_eq!(absent, Some("session_id"));
    }
}
