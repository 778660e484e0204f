//! A second check of a record's quotes, because the parser accepts misplaced ones silently.
//!
//! | text in the file | what the parser makes of it | what it probably means |
//! |---|---|---|
//! | `"a"b,c` | `ab` and `c` | a quote that was not doubled |
//! | `a,"b` and more lines | `a` and all that follows, as one field | a quote that was not closed |
//!
//! So the first is rejected, and the second is damage: it hides records.

use memchr::{memchr, memchr2};

use super::Dialect;

/// The result of checking the quotes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Every quoted field is closed, and a delimiter or the end of the record follows it.
    Sound,
    /// Text follows a closing quote: `"a"b`. The parser would silently join both parts.
    TextAfter,
    /// The last quoted field is not closed. The parser would silently take what follows as part of it.
    Open,
}

/// Checks the quotes of one record, given without its terminator. `quote` is that of the dialect. Where values are trimmed, blanks may
/// be around the quotes.
///
/// | record | result |
/// |---|---|
/// | `a,"b,""c"""` | `Sound` |
/// | `a"b,c` | `Sound`: a quote inside an unquoted field is text |
/// | `"a"b,c` | `TextAfter` |
/// | `a,"b` | `Open` |
pub(super) fn check(raw: &[u8], quote: u8, dialect: &Dialect) -> Quotes {
    let Dialect {
        delimiter,
        escape,
        trim,
        ..
    } = *dialect;
    let mut rest = raw;
    loop {
        if trim {
            rest = without_blanks(rest, delimiter);
        }
        // At the start of a field.
        if let [first, quoted @ ..] = rest
            && *first == quote
        {
            let after = after_quoted(quoted, quote, escape);
            match after.map(|after| if trim { without_blanks(after, delimiter) } else { after }) {
                None => return Quotes::Open,
                Some([]) => return Quotes::Sound,
                Some([after, next @ ..]) if *after == delimiter => rest = next,
                Some(_) => return Quotes::TextAfter,
            }
        } else {
            match memchr(delimiter, rest) {
                None => return Quotes::Sound,
                Some(at) => rest = &rest[at + 1..],
            }
        }
    }
}

/// The text without the blanks that it begins with.
fn without_blanks(text: &[u8], delimiter: u8) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte, delimiter)).count();
    &text[blanks..]
}

/// Whether the byte is a blank that may be in front of a quote.
pub(super) fn is_blank(byte: u8, delimiter: u8) -> bool {
    matches!(byte, b' ' | b'\t') && byte != delimiter
}

/// What follows the closing quote of a field, given what follows its opening quote; `None` if the field is not closed.
fn after_quoted(mut rest: &[u8], quote: u8, escape: Option<u8>) -> Option<&[u8]> {
    loop {
        let at = memchr2(quote, escape.unwrap_or(quote), rest)?;
        if escape == Some(rest[at]) {
            rest = rest.get(at + 2..)?;
            continue;
        }
        rest = &rest[at + 1..];
        match rest {
            // A doubled quote stands for one.
            [first, next @ ..] if *first == quote => rest = next,
            _ => return Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks with commas and double quotes.
    fn check(raw: &[u8]) -> Quotes {
        super::check(raw, b'"', &Dialect::default())
    }

    #[test]
    fn sound_misplaced_and_open_quotes_are_told_apart() {
        for sound in [
            "",
            "a,b",
            "\"a\"",
            "\"a,\"\"b\"\"\n\",c",
            ",\"\",",
            "a\"b,c\"",
            "\"\"\"\"",
        ] {
            assert_eq!(check(sound.as_bytes()), Quotes::Sound, "{sound}");
        }
        for text_after in ["\"p\"q", "a,\"p\" ,b", "\"a\"b\"", "\"a\nb\"c"] {
            assert_eq!(check(text_after.as_bytes()), Quotes::TextAfter, "{text_after}");
        }
        for open in ["\"", "a,\"b", "\"a\"\"", "a,\"b\nc,d\n"] {
            assert_eq!(check(open.as_bytes()), Quotes::Open, "{open}");
        }
        let semicolons = Dialect::default().delimiter(b';').quote(Some(b'\''));
        assert_eq!(super::check(b"'a;''\"';\"", b'\'', &semicolons), Quotes::Sound);
        assert_eq!(super::check(b"'a,b' ;", b'\'', &semicolons), Quotes::TextAfter);
    }

    #[test]
    fn escapes_and_blanks_are_heeded() {
        let escaped = Dialect::default().escape(Some(b'\\'));
        for (raw, quotes) in [
            (r#""27\"",b"#, Quotes::Sound),
            (r#""a\\",b"#, Quotes::Sound),
            (r#""a\",b"#, Quotes::Open),
            (r#""a\"b"c"#, Quotes::TextAfter),
            (r#""a\"#, Quotes::Open),
        ] {
            assert_eq!(super::check(raw.as_bytes(), b'"', &escaped), quotes, "{raw}");
        }
        let trimmed = Dialect::default().trim(true);
        for (raw, quotes) in [
            (r#"a, "b, c" , d"#, Quotes::Sound),
            (r#" "a,""b"" c" "#, Quotes::Sound),
            (r#"a, "b" c"#, Quotes::TextAfter),
            (r#"a, "b"#, Quotes::Open),
            ("a,  ", Quotes::Sound),
        ] {
            assert_eq!(super::check(raw.as_bytes(), b'"', &trimmed), quotes, "{raw}");
        }
    }
}
