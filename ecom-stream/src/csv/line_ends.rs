//! Line ends: which of them end records, and those in front of a record, which the parser skips silently.

use super::Dialect;
use super::mask::is_comment;

/// Which line ends end the records of a file. Its first line says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// `\n`, `\r\n` or `\r`.
    Any,
    /// `\n` or `\r\n`: a `\r` that is none of these is part of a field.
    Newline,
}

impl LineEnds {
    /// Those of a file, given the text from the end of its first line on.
    pub(super) fn of(text: &[u8]) -> Self {
        match text {
            [b'\n', ..] => Self::Newline,
            [b'\r', after @ ..] if after.contains(&b'\n') && belongs_to_newline(after) => Self::Newline,
            _ => Self::Any,
        }
    }
}

/// How far behind a `\r` a `\n` may come that belongs to it: some programs write `\r\r\n`.
pub(super) const MAX_CR_RUN: usize = 4;

/// Whether a line ends with the `\r` that `after` is behind: a `\n` follows it, or nothing. `after` has more than [`MAX_CR_RUN`] bytes,
/// unless the text ends.
pub(super) fn belongs_to_newline(after: &[u8]) -> bool {
    let after = &after[..after.len().min(MAX_CR_RUN)];
    let run = after.iter().take_while(|byte| **byte == b'\r').count();
    match after.get(run) {
        Some(next) => *next == b'\n',
        None => run < MAX_CR_RUN,
    }
}

/// The lines in front of a record that are none: the number of bytes and of lines.
#[derive(Debug, Default)]
pub(super) struct Blank {
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

/// The blank lines in front of a record. `before` is the byte in front of them, so a `\n` that completes a `\r\n` is not counted.
pub(super) fn leading_terminators(raw: &[u8], before: Option<u8>) -> Blank {
    let bytes = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let mut previous = before;
    let mut lines = 0;
    for &byte in &raw[..bytes] {
        // The \n of a \r\n is not a line of its own; the parser may have left it over from the last record.
        lines += u64::from(!(byte == b'\n' && previous == Some(b'\r')));
        previous = Some(byte);
    }
    Blank {
        bytes: bytes as u64,
        lines,
    }
}

/// The blank lines and comments in front of a record, and at the start of a file (`is_start`) the lines that are skipped.
pub(super) fn leading_lines(raw: &[u8], before: Option<u8>, dialect: &Dialect, is_start: bool) -> Blank {
    let skip = dialect.skip_lines.filter(|_| is_start).unwrap_or(0);
    let mut bytes = 0;
    for _ in 0..skip {
        bytes += line_len(&raw[bytes..]);
    }
    let mut lines = u64::from(skip);
    loop {
        let before = bytes.checked_sub(1).map_or(before, |last| Some(raw[last]));
        let blank = leading_terminators(&raw[bytes..], before);
        bytes += blank.bytes as usize;
        lines += blank.lines;
        let rest = &raw[bytes..];
        if rest.is_empty() || is_comment(rest, &dialect.comments) != Some(true) {
            return Blank {
                bytes: bytes as u64,
                lines,
            };
        }
        // Its line end is counted as a blank line.
        bytes += rest.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
    }
}

/// The length of the first line with its line end.
fn line_len(text: &[u8]) -> usize {
    let len = text.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
    match text[len..] {
        [b'\r', b'\n', ..] => len + 2,
        [_, ..] => len + 1,
        [] => len,
    }
}
