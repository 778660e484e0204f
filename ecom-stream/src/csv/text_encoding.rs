//! Finds out from the first block of a file whether it is UTF-8, and in which encoding it may be instead.

use crate::contract::{Reason, Refusal};

/// How much of the start of a file is looked at.
pub(super) const FIRST_BLOCK_BYTES: usize = 64 << 10;
/// How many bytes are looked through for the NULs of UTF-16.
const MAX_LOOKED_AT_BYTES: usize = 1 << 10;

/// What is in the first block of a file that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// ASCII only. The rest may be in another encoding: that shows at the first record that is not UTF-8.
    Ascii,
    /// UTF-8. A record that is not is damaged.
    Utf8,
}

/// What the first block of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Ascii,
    Utf8,
    /// With the name for the key `encoding`.
    Utf16(&'static str),
    Utf32,
    /// One byte or more for a character, such as Latin-1. Has the first byte that is not UTF-8, and its place.
    Other(u8, usize),
    /// Compressed under the name of a file that is not: by what, and the ending that its name should have.
    Compressed(&'static str, &'static str),
    /// NULs only, at least at its start.
    Zeros,
    /// A zip archive, as Excel workbooks are too.
    Zip,
}

impl Encoding {
    /// The encoding of a file that begins with `block`. A character that is cut at the end of the block doesn't count.
    pub(crate) fn of(block: &[u8]) -> Self {
        match block {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Self::Utf32,
            [0xff, 0xfe, ..] => return Self::Utf16("utf-16le"),
            [0xfe, 0xff, ..] => return Self::Utf16("utf-16be"),
            [0, 0, 0, 0, ..] => return Self::Zeros,
            [b'P', b'K', 3, 4, ..] => return Self::Zip,
            [0x1f, 0x8b, ..] => return Self::Compressed("gzip", ".csv.gz"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Self::Compressed("zstd", ".csv.zst"),
            _ => {}
        }
        let start = &block[..block.len().min(MAX_LOOKED_AT_BYTES)];
        if let Some(name) = utf16_by_its_nuls(start) {
            return Self::Utf16(name);
        }
        if block.is_ascii() {
            return Self::Ascii;
        }
        let text = match std::str::from_utf8(block) {
            // The last character is cut.
            Err(err) if err.error_len().is_none() => &block[..err.valid_up_to()],
            _ => block,
        };
        match first_byte_of_other_encoding(text) {
            Some((byte, at)) => Self::Other(byte, at),
            None if text.utf8_chunks().all(|chunk| chunk.valid().is_ascii()) => Self::Ascii,
            None => Self::Utf8,
        }
    }

    /// What a file in this encoding is if it is read as UTF-8, or why it can't be.
    pub(crate) fn as_utf8(self) -> Result<Text, Refusal> {
        let detail = match self {
            Self::Ascii => return Ok(Text::Ascii),
            Self::Utf8 => return Ok(Text::Utf8),
            Self::Utf16(name) => {
                format!("the file is in UTF-16: convert it to UTF-8, or read it by a mapping with encoding = {name:?}")
            }
            Self::Utf32 => "the file is in UTF-32: convert it to UTF-8".into(),
            Self::Other(byte, at) => format!("the file has the byte 0x{byte:02x} at byte {at}: {ADVICE}"),
            Self::Zeros => {
                "the file begins with zeros: its space was allocated and not written yet, or it was truncated \
                            while its writer went on behind the old end"
                    .into()
            }
            Self::Compressed(name, ending) => format!("the file is compressed with {name}: name it {ending}"),
            Self::Zip => "the file is a zip archive, or a workbook of Excel: save it as CSV, or name it .zip".into(),
        };
        Err(Refusal::new(Reason::WRONG_ENCODING, detail))
    }
}

/// What to do about a file that is not UTF-8.
const ADVICE: &str = "it is not in UTF-8, but in an encoding such as Latin-1: convert it, or read it by a mapping with \
                      encoding = \"windows-1252\", or whichever it is in";

/// The refusal of a record that shows that its file is in another encoding; `None` if the record may be damaged UTF-8.
pub(super) fn other_encoding(raw: &[u8], at: u64) -> Option<Refusal> {
    let (byte, within) = first_byte_of_other_encoding(raw)?;
    let at = at + within as u64;
    Some(Refusal::new(
        Reason::WRONG_ENCODING,
        format!("there is the byte 0x{byte:02x} at byte {at}, and all before is ASCII: {ADVICE}"),
    ))
}

/// The first byte that tells of another encoding than UTF-8, with its place. Where there is a character in UTF-8, what is not
/// is damage. The bytes fe and ff alone are in no text either.
fn first_byte_of_other_encoding(text: &[u8]) -> Option<(u8, usize)> {
    let (mut at, mut first) = (0, None);
    for chunk in text.utf8_chunks() {
        if !chunk.valid().is_ascii() {
            return None;
        }
        at += chunk.valid().len();
        let telling = chunk.invalid().iter().find(|byte| **byte < 0xfe);
        first = first.or(telling.map(|byte| (*byte, at)));
        at += chunk.invalid().len();
    }
    first
}

/// UTF-16 without a mark has a NUL in every other byte, where it is of a language that uses Latin letters.
fn utf16_by_its_nuls(start: &[u8]) -> Option<&'static str> {
    let nuls = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let half = start.len() / 2;
    match (nuls(0), nuls(1)) {
        (0, odd) if odd > 0 && odd * 2 > half => Some("utf-16le"),
        (even, 0) if even > 0 && even * 2 > half => Some("utf-16be"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn encodings_are_told_apart() {
        for (block, encoding) in [
            (b"a,b\n1,2\n".to_vec(), Encoding::Ascii),
            ("a,b\n1,é\n".into(), Encoding::Utf8),
            // Cut within a character.
            (b"a,b\n\xc3\xa9,\xc3".to_vec(), Encoding::Utf8),
            (b"a,b\n1,\xe9\n".to_vec(), Encoding::Other(0xe9, 6)),
            // One damaged record among others in UTF-8, and bytes that are in no text.
            (b"\xc3\xa9,b\n1,\xe9\n".to_vec(), Encoding::Utf8),
            (b"a,b\n1,\xff\xfe\n".to_vec(), Encoding::Ascii),
            (utf16("\u{feff}a,b\n", u16::to_le_bytes), Encoding::Utf16("utf-16le")),
            (utf16("a,b\né,2\n", u16::to_le_bytes), Encoding::Utf16("utf-16le")),
            (utf16("a,b\n1,2\n", u16::to_be_bytes), Encoding::Utf16("utf-16be")),
            (b"\0\0\0\0\0\0a,b\n".to_vec(), Encoding::Zeros),
            (b"PK\x03\x04\x14".to_vec(), Encoding::Zip),
            (b"\x1f\x8b\x08".to_vec(), Encoding::Compressed("gzip", ".csv.gz")),
            (b"a,b\n1,\0\n2,x\n".to_vec(), Encoding::Ascii),
        ] {
            assert_eq!(Encoding::of(&block), encoding, "{block:?}");
        }
    }

    #[test]
    fn a_refusal_names_what_to_do() {
        let detail = |block: &[u8]| Encoding::of(block).as_utf8().unwrap_err().detail;
        assert!(detail(b"a,\xe9\n").contains("encoding = \"windows-1252\""));
        assert!(detail(b"\xff\xfea\0").contains("encoding = \"utf-16le\""));
        let zeros = detail(&[0; 9]);
        assert!(zeros.contains("zeros") && !zeros.contains("UTF-16"), "{zeros}");
    }
}
