//! Blanks that browsers and spreadsheets write in times.

use std::borrow::Cow;

/// The text with plain blanks in place of the narrow and unbreakable ones that browsers and spreadsheets write, and without marks of the
/// direction of writing.
pub(super) fn with_plain_blanks(text: &str) -> Cow<'_, str> {
    let is_blank = |c: char| matches!(c, '\u{a0}' | '\u{2009}' | '\u{202f}');
    let is_mark = |c: char| matches!(c, '\u{200e}' | '\u{200f}');
    if text.is_ascii() || !text.contains(|c| is_blank(c) || is_mark(c)) {
        return text.into();
    }
    let kept = text.chars().filter(|c| !is_mark(*c));
    kept.map(|c| if is_blank(c) { ' ' } else { c }).collect()
}
