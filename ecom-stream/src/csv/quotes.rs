use memchr::memchr;

/// How the quotes of a record stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// As they should.
    Sound,
    /// Text follows a closing quote; the parser would join both without a word.
    TextAfter,
    /// The last quoted field is not closed; the parser would take what follows into it without a word.
    Open,
}

/// Checks the quotes of one record, given without its terminator.
pub(super) fn check(raw: &[u8], delimiter: u8, quote: u8) -> Quotes {
    let mut rest = raw;
    loop {
        // At the start of a field.
        if let [first, quoted @ ..] = rest
            && *first == quote
        {
            match after_quoted(quoted, quote) {
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

/// What follows the closing quote of a field that begins behind its opening one; `None` if it is not closed.
fn after_quoted(mut rest: &[u8], quote: u8) -> Option<&[u8]> {
    loop {
        let closing = memchr(quote, rest)?;
        rest = &rest[closing + 1..];
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

    fn check(raw: &[u8]) -> Quotes {
        super::check(raw, b',', b'"')
    }

    #[test]
    fn quotes() {
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
        assert_eq!(super::check(b"'a;''\"';\"", b';', b'\''), Quotes::Sound);
        assert_eq!(super::check(b"'a,b' ;", b';', b'\''), Quotes::TextAfter);
    }
}
