//! The parts of a pattern of `strptime`: directives such as `%d`, and the literal text between them.

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive<'a> {
    /// A directive with its flags, such as `%-d`, `%.3f` or `%:z`.
    Value(&'a str),
    /// Text that stands for itself.
    Text(&'a str),
}

impl<'a> Directive<'a> {
    /// The letter that says what the directive stands for; `None` for text.
    pub(super) fn letter(self) -> Option<char> {
        match self {
            Self::Value(directive) => directive.chars().next_back(),
            Self::Text(_) => None,
        }
    }

    /// The text of the part in the pattern.
    pub(super) fn as_str(self) -> &'a str {
        match self {
            Self::Value(text) | Self::Text(text) => text,
        }
    }
}

/// The parts of a pattern, in order. A `%` at the end is a directive without a letter.
pub(super) fn directives(pattern: &str) -> Vec<Directive<'_>> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let (part, after) = match rest.find('%') {
            Some(0) => {
                let is_flag = |c: char| c.is_ascii_digit() || "-_0^#:.".contains(c);
                let flags = rest[1..].find(|c| !is_flag(c)).unwrap_or(rest.len() - 1);
                let letter = rest[1 + flags..].chars().next().map_or(0, char::len_utf8);
                let (directive, after) = rest.split_at(1 + flags + letter);
                (Directive::Value(directive), after)
            }
            Some(at) => {
                let (text, after) = rest.split_at(at);
                (Directive::Text(text), after)
            }
            None => (Directive::Text(rest), ""),
        };
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_taken_apart() {
        use Directive::{Text, Value};
        assert_eq!(
            directives("%-d.%m. %H:%M:%S%.3f%:::z%%é%"),
            [
                Value("%-d"),
                Text("."),
                Value("%m"),
                Text(". "),
                Value("%H"),
                Text(":"),
                Value("%M"),
                Text(":"),
                Value("%S"),
                Value("%.3f"),
                Value("%:::z"),
                Value("%%"),
                Text("é"),
                Value("%"),
            ]
        );
        assert_eq!(directives("%:z")[0].letter(), Some('z'));
    }
}
