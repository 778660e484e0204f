//! The fingerprint of a mapping, which the ledger stores with each file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::field::FieldSource;
use super::{Field, Ids, Mapping};
use crate::csv::{Charset, Dialect};
use crate::event::NumberFormat;

impl Mapping {
    /// A hash of everything that the mapping says: 16 hexadecimal digits. It is the same in every run, and for the same mapping written in
    /// another order.
    ///
    /// The ledger stores it with each file, so that correcting a reject by another mapping is noticed.
    ///
    /// ```
    /// use ecom_stream::Mapping;
    ///
    /// assert_eq!(Mapping::named("rees46")?.fingerprint(), Mapping::named("rees46")?.fingerprint());
    /// assert_ne!(Mapping::named("rees46")?.fingerprint(), Mapping::named("retailrocket")?.fingerprint());
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    pub fn fingerprint(&self) -> String {
        let fields: BTreeMap<_, _> = self.fields().map(|(name, field)| (name, field.as_given())).collect();
        let nulls: BTreeSet<_> = self.nulls.iter().collect();
        let Self { dialect, .. } = self;
        let by_content = self.ids == Ids::Content;
        // Arrays, because their order is fixed.
        let mut as_given = vec![
            json!([dialect.delimiter, dialect.quote, dialect.columns]),
            json!(fields),
            json!(self.time_format.as_given()),
            json!(nulls),
            json!([by_content, self.keeps_extra, self.price_optional]),
            json!([Some(self.numbers.separators.decimal), self.numbers.separators.thousands]),
        ];
        // What came later is only there if it is used, so that older mappings keep their hash.
        if !self.rows.is_empty() {
            as_given.push(json!(["rows", self.rows.only, self.rows.leave_out]));
        }
        if self.long_values != Default::default() {
            as_given.push(json!(["long", format!("{:?}", self.long_values)]));
        }
        let NumberFormat {
            currency_words,
            rounding,
            scale,
            ..
        } = &self.numbers;
        if !currency_words.is_empty() || rounding.is_some() || *scale > 0 {
            as_given.push(json!([
                "numbers",
                currency_words,
                rounding.map(|rounding| format!("{rounding:?}")),
                scale
            ]));
        }
        if let Some(text) = dialect.text_keys() {
            as_given.push(text);
        }
        if self.negative_is_refund {
            as_given.push("negative is refund".into());
        }
        blake3::hash(json!(as_given).to_string().as_bytes()).to_hex()[..16].to_owned()
    }
}

impl Dialect {
    /// Every setting but delimiter, quote and columns, as JSON; `None` if they have their defaults.
    fn text_keys(&self) -> Option<serde_json::Value> {
        let keys = |of: &Self| {
            json!([
                of.escape,
                of.comments,
                of.skip_lines,
                [of.trim, of.fill_short_rows, of.cut_long_rows],
                of.charset.map(Charset::name),
            ])
        };
        let given = keys(self);
        (given != keys(&Self::default())).then_some(given)
    }
}

impl Field {
    /// The field as JSON, with its translations in order.
    fn as_given(&self) -> serde_json::Value {
        let (kind, name) = match &self.source {
            FieldSource::Column(name) => ("column", json!(name)),
            FieldSource::Path(key) => ("path", json!(key)),
            FieldSource::Constant(value) => ("constant", json!(value)),
            FieldSource::Rules => ("rules", json!(null)),
            FieldSource::FirstOf(columns) => ("first_of", json!(columns)),
            FieldSource::Joined { path, columns } => ("joined", json!([path, columns])),
        };
        let values: BTreeMap<_, _> = self.values.iter().collect();
        let mut as_given = vec![
            json!(kind),
            name,
            json!(values),
            json!(self.default),
            json!(self.optional),
        ];
        if !self.when.is_empty() {
            let rules = self.when.iter().map(|rule| json!([rule.columns, rule.value]));
            as_given.push(rules.collect());
        }
        json!(as_given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = r#"
        nulls = ["-", "null", "none"]
        [event]
        event_time = { column = "When", format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }
        event_type = { column = "What", values = { cart = "add_to_cart", buy = "purchase", look = "view" } }
        user_id = "Who"
        session_id = "Who"
        product_id = "Item"
    "#;

    fn of(text: &str) -> String {
        Mapping::from_toml(text).unwrap().fingerprint()
    }

    #[test]
    fn the_fingerprint_is_stable_and_changes_with_every_setting() {
        // It is stored in ledgers, so it must never change.
        assert_eq!(of(SHOP), "778cbb1e69a32b47");
        let reordered = SHOP.replace(r#""-", "null""#, r#""null", "-""#);
        assert_eq!(of(&reordered), of(SHOP));
        for (from, to) in [
            ("Europe/Berlin", "UTC"),
            ("Europe/Berlin", "+01:00"),
            ("%H:%M", "%H.%M"),
            ("%d.%m.%Y %H:%M", "[day].[month].[year] [hour]:[minute]"),
            ("\"add_to_cart\"", "\"view\""),
            ("\"Who\"", "\"Client\""),
            ("\"none\"", "\"nil\""),
            ("[event]", "delimiter = ';'\n[event]"),
            ("[event]", "extra = true\n[event]"),
            ("[event]", "decimal = ','\n[event]"),
            ("[event]", "thousands = ' '\n[event]"),
            (r#"column = "When""#, r#"columns = ["Day", "Hour"]"#),
            (r#"column = "When""#, r#"path = "orders_{}.csv", column = "When""#),
            (r#""%d.%m.%Y %H:%M""#, r#"["%d.%m.%Y %H:%M", "%d.%m.%Y"]"#),
            (r#"%H:%M", zone"#, r#"%I:%M %p", am_pm = ["vorm.", "nachm."], zone"#),
            (r#"user_id = "Who""#, r#"user_id = ["Who", "Client"]"#),
            (r#"buy = "purchase""#, r#"buy = "view""#),
            (
                r#"column = "What", "#,
                r#"column = "What", when = [{ if = { Who = "x" }, then = "view" }], "#,
            ),
            ("[event]", "long_ids = 'cut'\n[event]"),
            ("[event]", "long_ids = 'keep'\n[event]"),
            ("[event]", "long_names = 'keep'\n[event]"),
            ("[event]", "scale = 2\n[event]"),
            ("[event]", "rounding = 'half_up'\n[event]"),
            ("[event]", "rounding = 'half_even'\n[event]"),
            ("[event]", "currency_words = ['$']\n[event]"),
            ("[event]", "only = { What = ['buy'] }\n[event]"),
            ("[event]", "leave_out = { What = ['buy'] }\n[event]"),
            ("[event]", "escape = '\\'\n[event]"),
            ("[event]", "comment = '#'\n[event]"),
            ("[event]", "skip = 2\n[event]"),
            ("[event]", "encoding = 'latin1'\n[event]"),
            ("[event]", "trim = true\n[event]"),
            ("[event]", "short_rows = 'fill'\n[event]"),
            ("[event]", "long_rows = 'cut'\n[event]"),
            ("[event]", "negative = 'refund'\n[event]"),
            ("[event]", "[event]\norder_id = 'Order'"),
        ] {
            let other = SHOP.replacen(from, to, 1);
            assert_ne!(of(&other), of(SHOP), "{other}");
        }
    }
}
