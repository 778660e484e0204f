//! What the encoding of a database can hold, and how the ledger keeps texts that it cannot hold.
//!
//! Rows are not concerned: a row with a character that the database lacks is rejected by the
//! server, and becomes a dead letter with its bytes. But the ledger must be able to name every file.
//! So in its texts each character that the database may lack becomes `%u{…}`, with its number in
//! hexadecimal digits, and is a character again when it is read:
//!
//! | encoding | kept as they are |
//! |---|---|
//! | UTF8, SQL_ASCII | all characters |
//! | LATIN1 | those up to U+00FF |
//! | any other | those of ASCII |

use std::borrow::Cow;

/// The encoding of a database, as far as the ledger needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    /// It holds every character.
    Unicode,
    /// It holds the characters up to U+00FF.
    Latin1,
    /// It holds ASCII, and what else is not known here.
    Other,
}

/// The beginning of an escape.
const ESCAPE: &str = "%u{";

impl TextEncoding {
    /// Of the setting `server_encoding`.
    pub(super) fn of_server(name: &str) -> Self {
        match name {
            // SQL_ASCII keeps the bytes of UTF-8 as they are.
            "UTF8" | "SQL_ASCII" => Self::Unicode,
            "LATIN1" => Self::Latin1,
            _ => Self::Other,
        }
    }

    /// The text as the ledger has it. Two texts never become the same. A text in JSON stays valid.
    pub(crate) fn store(self, text: &str) -> Cow<'_, str> {
        if self == Self::Unicode || (!text.contains(ESCAPE) && text.chars().all(|c| self.has(c))) {
            return Cow::Borrowed(text);
        }
        let mut stored = String::with_capacity(text.len() * 2);
        for (at, c) in text.char_indices() {
            match c {
                '%' if text[at..].starts_with(ESCAPE) => stored.push_str("%u{25}"),
                c if self.has(c) => stored.push(c),
                c => stored.push_str(&format!("{ESCAPE}{:x}}}", u32::from(c))),
            }
        }
        Cow::Owned(stored)
    }

    /// The text that [`store`](Self::store) was given.
    pub(crate) fn load(self, stored: String) -> String {
        if self == Self::Unicode || !stored.contains(ESCAPE) {
            return stored;
        }
        let mut text = String::with_capacity(stored.len());
        let mut rest = stored.as_str();
        while let Some(at) = rest.find(ESCAPE) {
            let (before, escape) = rest.split_at(at);
            text.push_str(before);
            let character = escape[ESCAPE.len()..].split_once('}').and_then(|(digits, after)| {
                let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
                Some((c, after))
            });
            rest = match character {
                Some((c, after)) => {
                    text.push(c);
                    after
                }
                // Not one of ours.
                None => {
                    text.push_str(ESCAPE);
                    &escape[ESCAPE.len()..]
                }
            };
        }
        text.push_str(rest);
        text
    }

    /// Whether the database certainly has a character.
    fn has(self, c: char) -> bool {
        match self {
            Self::Unicode => true,
            Self::Latin1 => c <= '\u{ff}',
            Self::Other => c.is_ascii(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_the_database_may_lack_is_escaped() {
        use TextEncoding::{Latin1, Other, Unicode};
        for (encoding, text, stored) in [
            (Unicode, "茶 %u{8336}", "茶 %u{8336}"),
            (Latin1, "März 100%.csv", "März 100%.csv"),
            (Latin1, "茶€.csv", "%u{8336}%u{20ac}.csv"),
            (Latin1, "%u{8336}", "%u{25}u{8336}"),
            (Other, "März", "M%u{e4}rz"),
            (Other, r#"{"columns":["naïve"]}"#, r#"{"columns":["na%u{ef}ve"]}"#),
        ] {
            assert_eq!(encoding.store(text), stored);
            assert_eq!(encoding.load(stored.to_owned()), text);
        }
        assert_eq!(Latin1.load("%u{ %u{x} %u{110000}".to_owned()), "%u{ %u{x} %u{110000}");
        assert_eq!(TextEncoding::of_server("UTF8"), Unicode);
        assert_eq!(TextEncoding::of_server("SQL_ASCII"), Unicode);
        assert_eq!(TextEncoding::of_server("LATIN1"), Latin1);
        assert_eq!(TextEncoding::of_server("EUC_JP"), Other);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(%|u|\\{|\\}|[0-9a-f]|\\PC){0,20}") {
            for encoding in [TextEncoding::Latin1, TextEncoding::Other] {
                let stored = encoding.store(&text).into_owned();
                prop_assert!(stored.chars().all(|c| encoding.has(c)));
                prop_assert_eq!(encoding.load(stored), text.clone());
            }
        }
    }
}
