//! The encodings other than UTF-8 in which files may be, and their conversion.

#[cfg(feature = "mapping")]
use encoding_rs::Encoding as Known;

/// Without the feature `mapping` no encoding can be chosen.
#[cfg(not(feature = "mapping"))]
type Known = std::convert::Infallible;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charset(
    #[cfg(feature = "mapping")] &'static Known,
    #[cfg(not(feature = "mapping"))] Known,
);

#[cfg(feature = "mapping")]
mod conversion {
    use encoding_rs::{DecoderResult, Encoding};

    use super::Charset;

    impl Charset {
        /// The encoding with that name, in any case: one of those that browsers know. `None` if there is none.
        pub(crate) fn named(name: &str) -> Option<Self> {
            let known = Encoding::for_label(name.trim().as_bytes())?;
            // Browsers replace texts in some encodings as a whole.
            (known != encoding_rs::REPLACEMENT).then_some(Self(known))
        }

        /// Its name.
        pub(crate) fn name(self) -> &'static str {
            self.0.name()
        }

        pub(crate) fn is_utf8(self) -> bool {
            self.0 == encoding_rs::UTF_8
        }
    }

    /// What is in place of bytes that are no text in the encoding. No record that has it is UTF-8, so it is rejected.
    const NO_TEXT: u8 = 0xff;

    /// Converts a text to UTF-8, piece by piece. A byte order mark at its start is left out, and tells the encoding.
    pub(crate) struct Conversion(encoding_rs::Decoder);

    impl Conversion {
        pub(crate) fn new(from: Charset) -> Self {
            Self(from.0.new_decoder())
        }

        /// Appends the piece that comes next to `to`; the last one with `is_last`.
        pub(crate) fn convert(&mut self, mut piece: &[u8], is_last: bool, to: &mut Vec<u8>) {
            loop {
                let start = to.len();
                let room = self.0.max_utf8_buffer_length_without_replacement(piece.len());
                to.resize(start + room.unwrap_or(piece.len()).max(16), 0);
                let (result, read, written) =
                    self.0
                        .decode_to_utf8_without_replacement(piece, &mut to[start..], is_last);
                to.truncate(start + written);
                piece = &piece[read..];
                match result {
                    DecoderResult::InputEmpty => return,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(..) => to.push(NO_TEXT),
                }
            }
        }
    }

    impl std::fmt::Debug for Conversion {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Conversion({})", self.0.encoding().name())
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn any_pieces_give_the_same_text() {
            for (name, bytes, text) in [
                ("latin1", b"Caf\xe9 \x80".to_vec(), "Café €".as_bytes()),
                ("utf-16le", b"\xff\xfea\0\xac\x20".to_vec(), "a€".as_bytes()),
                ("utf-16le", b"a\0\xac\x20".to_vec(), "a€".as_bytes()),
                ("utf-16", b"\xfe\xff\0a\x20\xac".to_vec(), "a€".as_bytes()),
                ("UTF-16BE", b"\0a\xd8\x00\0b".to_vec(), b"a\xffb"),
                ("shift_jis", b"\x83\x89\x83\x93\x83v".to_vec(), "ランプ".as_bytes()),
                ("windows-1252", "\u{feff}é".into(), "é".as_bytes()),
                ("utf-16le", b"a\0b".to_vec(), b"a\xff"),
            ] {
                let charset = Charset::named(name).unwrap();
                for piece in 1..=bytes.len() {
                    let (mut conversion, mut out) = (Conversion::new(charset), Vec::new());
                    for piece in bytes.chunks(piece) {
                        conversion.convert(piece, false, &mut out);
                    }
                    conversion.convert(&[], true, &mut out);
                    assert_eq!(out, text, "{name} {piece}");
                }
            }
            assert_eq!(Charset::named("latin-9000"), None);
            assert_eq!(Charset::named("iso-2022-kr"), None);
        }
    }
}

#[cfg(not(feature = "mapping"))]
mod conversion {
    use super::Charset;

    impl Charset {
        pub(crate) fn name(self) -> &'static str {
            match self.0 {}
        }

        pub(crate) fn is_utf8(self) -> bool {
            match self.0 {}
        }
    }

    /// Converts a text to UTF-8. There is none.
    #[derive(Debug)]
    pub(crate) struct Conversion(std::convert::Infallible);

    impl Conversion {
        pub(crate) fn new(from: Charset) -> Self {
            match from.0 {}
        }

        pub(crate) fn convert(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) {
            match self.0 {}
        }
    }
}

pub(crate) use conversion::Conversion;
