//! Masks what the parser can't read, without changing the place of any other byte.
//!
//! | in the file | what the parser gets |
//! |---|---|
//! | lines above the header, comments | line ends, which it skips |
//! | `, "b, c"`: a quote behind blanks | `," b, c"`: the quote in front of them |
//!
//! So the offsets of the parser are those of the file.

use super::Dialect;
use super::quotes::is_blank;

/// The longest run of blanks that is looked through for a quote.
const MAX_BLANKS: usize = 4 << 10;

/// Masks a text that comes in pieces. Only for dialects that [need it](Dialect::needs_mask).
#[derive(Debug)]
pub(super) struct Mask {
    dialect: Dialect,
    /// How many lines are still to be skipped.
    skip: u32,
    state: State,
}

/// Where in the text the next byte is; the same as in the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Comment,
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind an escape inside quotes.
    Escaped,
    /// Behind a quote that closes a field, unless another one follows.
    Closed,
}

impl Mask {
    /// A mask for a text that begins at the start of a line. `is_start`: it is that of a file, so lines are skipped.
    pub(super) fn new(dialect: &Dialect, is_start: bool) -> Self {
        Self {
            skip: dialect.skip_lines.filter(|_| is_start).unwrap_or(0),
            dialect: dialect.clone(),
            state: State::LineStart,
        }
    }

    /// Masks the text that comes next, and returns how much of it is done. The rest must be given again, with more behind it, unless
    /// `is_end`: then all is done.
    pub(super) fn apply(&mut self, text: &mut [u8], is_end: bool) -> usize {
        let Dialect {
            delimiter,
            quote,
            escape,
            trim,
            ..
        } = self.dialect;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let is_line_end = matches!(byte, b'\r' | b'\n');
            if self.skip > 0 {
                let is_first_of_two = byte == b'\r' && text.get(at + 1) == Some(&b'\n');
                self.skip -= u32::from(is_line_end && !is_first_of_two);
                text[at] = b'\n';
                at += 1;
                continue;
            }
            self.state = match self.state {
                State::LineStart if is_line_end => State::LineStart,
                State::LineStart => match self.begins_with_comment(&text[at..]) {
                    Some(true) => {
                        self.state = State::Comment;
                        continue;
                    }
                    None if !is_end => return at,
                    Some(false) | None => {
                        self.state = State::FieldStart;
                        continue;
                    }
                },
                State::Comment if is_line_end => State::LineStart,
                State::Comment => {
                    text[at] = b'\n';
                    State::Comment
                }
                State::FieldStart if trim && is_blank(byte, delimiter) => {
                    let blanks = text[at..].iter().take_while(|byte| is_blank(**byte, delimiter)).count();
                    let behind = at + blanks;
                    if behind == text.len() && !is_end && blanks < MAX_BLANKS {
                        return at;
                    }
                    if quote.is_some() && text.get(behind).copied() == quote {
                        text.swap(at, behind);
                        at = behind;
                        State::Quoted
                    } else {
                        at = behind - 1;
                        State::Unquoted
                    }
                }
                State::FieldStart if Some(byte) == quote => State::Quoted,
                State::Closed if Some(byte) == quote => State::Quoted,
                State::FieldStart | State::Unquoted | State::Closed if byte == delimiter => State::FieldStart,
                State::FieldStart | State::Unquoted | State::Closed if is_line_end => State::LineStart,
                State::FieldStart | State::Unquoted | State::Closed => State::Unquoted,
                State::Quoted if Some(byte) == quote => State::Closed,
                State::Quoted if Some(byte) == escape => State::Escaped,
                State::Quoted | State::Escaped => State::Quoted,
            };
            at += 1;
        }
        at
    }

    /// Whether a line that begins with `text` is a comment; `None` if more of it must be known.
    fn begins_with_comment(&self, text: &[u8]) -> Option<bool> {
        is_comment(text, &self.dialect.comments)
    }
}

/// Whether a line that begins with `text` is a comment; `None` if that depends on what follows.
pub(super) fn is_comment(text: &[u8], comments: &[String]) -> Option<bool> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if comments.iter().any(|comment| text.starts_with(comment.as_bytes())) {
        return Some(true);
    }
    let may_be = comments.iter().any(|comment| comment.as_bytes().starts_with(text));
    (!may_be).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as the parser gets it, when it comes in pieces of `piece` bytes.
    fn masked(dialect: &Dialect, text: &str, piece: usize) -> String {
        let mut mask = Mask::new(dialect, true);
        let (mut out, mut waiting, mut rest) = (Vec::new(), Vec::new(), text.as_bytes());
        while !rest.is_empty() || !waiting.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            waiting.extend_from_slice(now);
            rest = later;
            let done = mask.apply(&mut waiting, rest.is_empty());
            out.extend(waiting.drain(..done));
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_no_record_becomes_line_ends_and_quotes_move_in_front_of_blanks() {
        let dialect = Dialect::default()
            .skip_lines(2)
            .comment("#")
            .comment("Total,")
            .trim(true)
            .escape(Some(b'\\'));
        let text = "a \"b\r\n\nx,y\n#,\"c\r\nTotal,\"7\nTot,\"#\n#\"\n \"1, \\\"2\"  ,\t\"#3\",  4,\"5\" \n";
        let expected =
            "\n\n\n\n\n\n\nx,y\n\n\n\n\n\r\n\n\n\n\n\n\n\n\n\nTot,\"#\n#\"\n\" 1, \\\"2\"  ,\"\t#3\",  4,\"5\" \n";
        for piece in 1..text.len() {
            assert_eq!(masked(&dialect, text, piece), expected, "{piece}");
        }
    }

    #[test]
    fn no_byte_moves_where_nothing_is_masked() {
        let dialect = Dialect::default().comment("--").delimiter(b'\t').trim(true);
        let text = "a\t b\t\" c\"\n-\t\"\n--\"\t\"\"\n";
        assert_eq!(masked(&dialect, text, 1), text);
    }
}
