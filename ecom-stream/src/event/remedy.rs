//! What can be done about records that were refused.

use crate::contract::Reason;

impl Reason {
    /// How a record that was refused for it is mended, in a few words; `None` for a reason that this library doesn't give.
    ///
    /// ```
    /// assert_eq!(ecom_stream::Reason::PRICE_MISSING.remedy(), Some("give the purchase its price"));
    /// ```
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self.as_str() {
            "field_count" => "give the record as many fields as the header has: quote fields with commas in them",
            "text_after_quote" => "double the quotes inside of a quoted field",
            "field_too_large" => "shorten the field; the original is in the file",
            "invalid_utf8" => "write the record in UTF-8",
            "nul_byte" => "take the NUL bytes out",
            "event_time_missing" => "give the event its time",
            "event_time_malformed" => "write the time in RFC 3339, such as 2026-11-01T12:00:00Z",
            "event_time_out_of_range" => "correct the time; it must be between the year 2000 and tomorrow",
            "event_type_missing" => "say what happened",
            "event_type_unknown" => "write view, add_to_cart, remove_from_cart or purchase",
            "user_id_missing" | "session_id_missing" | "product_id_missing" => "give the event that id",
            "user_id_too_long" | "session_id_too_long" | "product_id_too_long" => "shorten the id to 64 bytes",
            "product_name_too_long" | "category_too_long" | "brand_too_long" => "shorten the text to 256 bytes",
            "price_missing" => "give the purchase its price",
            "price_malformed" => "write the price as a decimal number, such as 10.50",
            "price_negative" => "correct the price: a return is no event of this kind",
            "price_inexact" => "round the price to two decimals",
            "price_out_of_range" => "correct the price: at most 9999999999.99",
            "quantity_malformed" => "write the quantity as a whole number",
            "quantity_out_of_range" => "correct the quantity: from 1 to 2147483647",
            "late" => "retry it as it is if it shall count after all",
            "value_refused" => "change the column of the table, or what is made for it",
            "column_missing" | "column_twice" | "wrong_delimiter" | "wrong_encoding" => {
                "write the file again with another header or encoding, or run with a mapping for it"
            }
            // Under another name what was read of it would be read again.
            "unterminated_quote" | "record_too_large" | "truncated" => {
                "put the file, mended and whole, in its place: it is read on from there"
            }
            "grew_mid_record" => "put the rest of the file, from the record that was cut, under a new name",
            "compressed_truncated" => "write the whole of it: the file is read on from where it ended",
            "compressed_damaged" => "put the file, compressed again, in its place: it is read on from there",
            code if code.starts_with("sqlstate_") => {
                "see what the server said; where a rule there has changed, retry as it is"
            }
            _ => return None,
        })
    }

    /// The [`remedy`](Self::remedy) for a record of a file that is read by a mapping: it has its own formats and delimiter.
    ///
    /// ```
    /// use ecom_stream::Reason;
    ///
    /// assert_eq!(Reason::EVENT_TIME_MALFORMED.remedy_by_mapping(), Some("write it as its mapping says"));
    /// assert_eq!(Reason::PRICE_MISSING.remedy_by_mapping(), Reason::PRICE_MISSING.remedy());
    /// ```
    pub fn remedy_by_mapping(&self) -> Option<&'static str> {
        match self.as_str() {
            "event_time_malformed" | "event_type_unknown" | "price_malformed" | "quantity_malformed" => {
                Some("write it as its mapping says")
            }
            "field_count" => Some("give the record as many fields as the header has"),
            _ => self.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_every_reason() {
        for reason in Reason::ALL {
            assert!(reason.remedy().is_some(), "{reason}");
        }
        assert_eq!(Reason::from("of_the_user").remedy(), None);
    }
}
