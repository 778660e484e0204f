//! Remedies: what to do about a record or a file that can't be used.

use crate::contract::Reason;

impl Reason {
    /// What to do about a record or a split with this reason, in a few words; `None` for a reason that is not from this library.
    ///
    /// ```
    /// assert_eq!(ecom_stream::Reason::PRICE_MISSING.remedy(), Some("give the purchase its price"));
    /// assert_eq!(ecom_stream::Reason::from("my_own").remedy(), None);
    /// ```
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self.as_str() {
            "field_count" => "give the record as many fields as the header has; quote a field that contains a comma",
            "text_after_quote" => "double each quote inside a quoted field",
            "lone_carriage_return" => "remove the carriage return, or quote the field that has it",
            "field_too_large" => "shorten the field; the original is in the file",
            "invalid_utf8" => "write the record in UTF-8",
            "nul_byte" => "remove the NUL bytes",
            "event_time_missing" => "fill in the event_time",
            "event_time_malformed" => "write the time in RFC 3339, such as 2026-11-01T12:00:00Z",
            "event_time_out_of_range" => "correct the time: it must be between the year 2000 and tomorrow",
            "event_type_missing" => "fill in the event_type",
            "event_type_unknown" => "write one of the event types, such as view, add_to_cart, purchase or refund",
            "user_id_missing" | "session_id_missing" | "product_id_missing" => "fill in the id",
            "user_id_too_long" | "session_id_too_long" | "product_id_too_long" | "order_id_too_long" => {
                "shorten the id to 64 bytes, or let a mapping cut or keep it (long_ids)"
            }
            "product_name_too_long" | "category_too_long" | "brand_too_long" => {
                "shorten the text to 256 bytes, or let a mapping cut or keep it (long_names)"
            }
            "price_missing" => "give the purchase its price",
            "price_malformed" => "write the price as a decimal number, such as 10.50",
            "price_negative" | "line_total_negative" => {
                "correct it; what was given back is a refund with an amount above zero, or by a mapping negative = \"refund\""
            }
            "price_inexact" | "line_total_inexact" => "round the price to two decimals",
            "price_out_of_range" | "line_total_out_of_range" => "correct the price: at most 9999999999.99",
            "line_total_malformed" => "write the total as a decimal number, such as 10.50",
            "currency_malformed" => "write the code of the currency in three capital letters, such as EUR",
            "quantity_malformed" => "write the quantity as a whole number",
            "quantity_out_of_range" => {
                "correct the quantity: from 1 to 2147483647; below zero, by a mapping with negative = \"refund\""
            }
            "filtered" => "nothing: its mapping leaves it out, or it is empty",
            "late" => "retry it unchanged if it should count after all",
            "value_refused" => "change the column of the table, or the value that the pipeline makes for it",
            "column_missing" | "column_twice" | "wrong_delimiter" | "wrong_encoding" => {
                "run with a mapping for it, or write the file again with another header or encoding: if it was read in part, reading goes on where it stopped"
            }
            "header_changed" => {
                "move the lines from the other header on to a file of their own, or write them in the order of the first header"
            }
            "path_value_missing" => {
                "move or rename the file so that its path has the value, or run with a mapping that takes the value from elsewhere"
            }
            // Under another name, the part that was read would be read again.
            "unterminated_quote" | "record_too_large" | "truncated" => {
                "replace the file with the whole, corrected file: reading goes on where it stopped"
            }
            "replaced" => {
                "if the rest of the old content is needed, write it under this name again: reading goes on where it stopped"
            }
            "grew_mid_record" => "correct the record before it in the table: this is the rest of its line",
            "compressed_truncated" => "write the whole file: reading goes on where it stopped",
            "compressed_damaged" => {
                "replace the file with one that is compressed again: reading goes on where it stopped"
            }
            code if code.starts_with("sqlstate_") => {
                "read the message of the server; if its rule has changed, retry the record unchanged"
            }
            _ => return None,
        })
    }

    /// The [`remedy`](Self::remedy) for a record of a file that is read by a mapping, which has its own formats and delimiter.
    ///
    /// ```
    /// use ecom_stream::Reason;
    ///
    /// assert_eq!(Reason::EVENT_TIME_MALFORMED.remedy_by_mapping(), Some("write it as its mapping says"));
    /// assert_eq!(Reason::PRICE_MISSING.remedy_by_mapping(), Reason::PRICE_MISSING.remedy());
    /// ```
    pub fn remedy_by_mapping(&self) -> Option<&'static str> {
        match self.as_str() {
            "event_time_malformed"
            | "event_type_unknown"
            | "price_malformed"
            | "quantity_malformed"
            | "line_total_malformed" => Some("write it as its mapping says"),
            "field_count" => Some("give the record as many fields as the header has"),
            _ => self.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_remedy() {
        for reason in Reason::ALL {
            assert!(reason.remedy().is_some(), "{reason}");
        }
        assert_eq!(Reason::from("of_the_user").remedy(), None);
    }
}
