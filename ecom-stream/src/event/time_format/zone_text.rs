//! Zones in the literal text of a time format, such as the `UTC` of `%Y-%m-%d %H:%M UTC` or the `MEZ` of `%d.%m.%Y %H:%M MEZ`.
//!
//! Literal text is compared, not understood. Only the word UTC or GMT, and a Z right behind digits, say themselves which zone is meant.

/// What the literal texts of a format say about the zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ZoneText {
    /// Whether they say UTC.
    pub(super) is_utc: bool,
    /// The first text that names another zone, or one that has several meanings.
    pub(super) unread: Option<String>,
}

impl ZoneText {
    /// Looks at a literal text. `behind_digits` says whether the part in front of it ends with a digit, `behind_time` whether the hour
    /// stands somewhere in front of it.
    pub(super) fn add(&mut self, text: &str, behind_digits: bool, behind_time: bool) {
        let is_inside = |c: char| c.is_alphanumeric() || "+-:/_\u{2212}".contains(c);
        let mut at = 0;
        for run in text.split(|c| !is_inside(c)) {
            let is_first = at == 0;
            at += run.len() + 1;
            let word = run.trim_matches([':', '/', '_']).trim_end_matches(['-', '+']);
            let unsigned = word.trim_start_matches(['-', '+', '\u{2212}']);
            let word = if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
                word
            } else {
                unsigned
            };
            if word.is_empty() {
                continue;
            }
            if is_utc(word) || (word == "Z" && is_first && run.starts_with('Z') && behind_digits) {
                self.is_utc = true;
            } else if is_zone(word, behind_time) || (behind_time && is_named_time(word, text)) {
                let shown = if is_named_time(word, text) { text.trim() } else { word };
                self.unread.get_or_insert_with(|| shown.to_owned());
            }
        }
    }
}

/// Whether a word is UTC or GMT, alone or with an offset of zero.
fn is_utc(word: &str) -> bool {
    match without_utc(word) {
        Some("") => true,
        Some(offset) => is_offset(offset) && !offset.contains(|c: char| ('1'..='9').contains(&c)),
        None => false,
    }
}

/// What stands behind UTC or GMT.
fn without_utc(word: &str) -> Option<&str> {
    let (first, rest) = word.split_at_checked(3)?;
    (first.eq_ignore_ascii_case("utc") || first.eq_ignore_ascii_case("gmt")).then_some(rest)
}

/// Whether a text is a sign and digits: `+2`, `-03:00`.
fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-', '\u{2212}']);
    digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == ':'))
}

/// Whether a word is a zone that is not UTC: an offset, an abbreviation, or a name of the IANA database.
fn is_zone(word: &str, behind_time: bool) -> bool {
    // Words for the hour, and the letter between date and time.
    const NOT_ZONES: [&str; 5] = ["UHR", "HRS", "HR", "AM", "PM"];
    let is_abbreviation = || (2..=5).contains(&word.len()) && word.chars().all(|c| c.is_ascii_uppercase());
    if without_utc(word).is_some_and(is_offset) {
        return true;
    }
    behind_time
        && (is_offset(word)
            || word == "Z"
            || (is_abbreviation() && !NOT_ZONES.contains(&word))
            || word.split_once('/').is_some_and(|(area, place)| {
                let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
                is_name(area) && is_name(place)
            }))
}

/// Whether the word ends a name such as `Pacific Standard Time`.
fn is_named_time(word: &str, text: &str) -> bool {
    word == "Time" && text.split_whitespace().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ZoneText {
        let mut zone = ZoneText::default();
        zone.add(text, true, true);
        zone
    }

    #[test]
    fn only_utc_itself_is_utc() {
        for text in [
            " UTC",
            "UTC",
            " (UTC)",
            "Z",
            "Z ",
            " GMT",
            "-UTC",
            " utc",
            " UTC+0",
            " (GMT+00:00)",
        ] {
            assert_eq!(
                of(text),
                ZoneText {
                    is_utc: true,
                    unread: None
                },
                "{text}"
            );
        }
        for (text, unread) in [
            (" UTC+2", "UTC+2"),
            (" (UTC+01:00)", "UTC+01:00"),
            (" GMT-3", "GMT-3"),
            (" MEZ", "MEZ"),
            (" (PST)", "PST"),
            (" Z", "Z"),
            ("+01:00", "+01:00"),
            (" -03:00", "-03:00"),
            (" Europe/Berlin", "Europe/Berlin"),
            (" Pacific Standard Time", "Pacific Standard Time"),
        ] {
            let unread = Some(unread.to_owned());
            assert_eq!(of(text), ZoneText { is_utc: false, unread }, "{text}");
        }
        for text in [" Uhr", "h", ":", ".", "T", " - ", " de ", "/", " o'clock", " UHR"] {
            let found = of(text);
            assert!(!found.is_utc && found.unread.is_none(), "{text}: {found:?}");
        }
        let mut before = ZoneText::default();
        before.add("ZIEL 2026-", false, false);
        assert_eq!(before, ZoneText::default());
    }
}
