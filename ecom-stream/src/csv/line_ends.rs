//! Line ends, which the parser skips silently where lines are blank.

/// The blank lines in front of a record: the number of bytes and of lines.
pub(super) struct Blank {
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

/// The line ends in front of a record. `before` is the byte in front of them, so a `\n` that completes a `\r\n` is not counted.
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
