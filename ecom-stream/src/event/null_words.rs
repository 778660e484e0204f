//! Words that programs write where there is no value.

use super::Event;

/// The words, in lower case.
const NULL_WORDS: [&str; 18] = [
    "null",
    "(null)",
    "<null>",
    "nan",
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "nat",
    "nil",
    "none",
    "(none)",
    "(not set)",
    "(not provided)",
    "undefined",
    "\\n",
    "-",
    "--",
];

/// Whether the text looks like a word for no value. It may be a real value too: somebody can be called Na.
pub(crate) fn is_null_word(text: &str) -> bool {
    NULL_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// The fields of an event that have a text which looks like a word for no value, with that text.
pub(crate) fn null_words_in(event: &Event) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = [
        ("user_id", Some(event.user_id.as_str())),
        ("session_id", Some(event.session_id.as_str())),
        ("product_id", Some(event.product_id.as_str())),
        ("product_name", event.product_name.as_deref()),
        ("category", event.category.as_deref()),
        ("brand", event.brand.as_deref()),
        // All purchases with it would be one order.
        ("order_id", event.order_id.as_deref()),
    ];
    let texts = fields.into_iter().filter_map(|(name, text)| Some((name, text?)));
    texts.filter(|(_, text)| is_null_word(text))
}
