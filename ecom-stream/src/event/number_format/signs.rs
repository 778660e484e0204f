//! The characters of a number that are no digits: signs, and separators of groups.

/// The characters that separate groups and look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeparatorKind {
    /// A blank of any width, breaking or not.
    Blank,
    /// An apostrophe, straight or curved.
    Apostrophe,
    Digit,
    Other(char),
}

impl SeparatorKind {
    pub(super) fn of(c: char) -> Self {
        match c {
            '\'' | '\u{2019}' | '\u{2bc}' => Self::Apostrophe,
            '0'..='9' => Self::Digit,
            c if c.is_whitespace() => Self::Blank,
            c => Self::Other(c),
        }
    }
}

/// The separator of thousands that goes with a sign in front of the decimals.
pub(super) fn other_separator(decimal: char) -> Option<char> {
    Some(if decimal == '.' { ',' } else { '.' })
}

/// The sign, if there was none before.
pub(super) fn once(sign: Option<bool>, found: bool) -> Option<Option<bool>> {
    sign.is_none().then_some(Some(found))
}

/// Whether a sign is negative, by its character: the hyphen, the minus sign, the plus sign.
pub(super) fn is_negative(sign: char) -> Option<bool> {
    match sign {
        '-' | '\u{2212}' | '\u{ff0d}' => Some(true),
        '+' => Some(false),
        _ => None,
    }
}

/// The sign at the start, and what follows.
pub(super) fn sign_in_front(text: &str) -> Option<(bool, &str)> {
    let sign = text.chars().next()?;
    Some((is_negative(sign)?, &text[sign.len_utf8()..]))
}

/// The sign at the end, and what is in front.
pub(super) fn sign_behind(text: &str) -> Option<(bool, &str)> {
    let sign = text.chars().next_back()?;
    Some((is_negative(sign)?, &text[..text.len() - sign.len_utf8()]))
}
