//! File names as paths of splits, and back.
//!
//! A file name is any bytes, but the path of a split is text: it is stored in a database and shown to people. So what is not plain
//! text is escaped, and the file name can be found again from the path:
//!
//! | file name | path |
//! |---|---|
//! | `März 1.csv` | `März 1.csv` |
//! | `a\b.csv` | `a\\b.csv` |
//! | `a`, a line end, `b.csv` | `a\x0ab.csv` |
//! | the byte ff, `.csv` | `\xff.csv` |

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The path of the split for a file name, which may be any bytes. UTF-8 stays as it is; control characters and invalid bytes
/// become `\xNN`, and a backslash becomes `\\`. Two different names never give the same path.
pub(crate) fn to_path(name: &OsStr) -> String {
    let mut path = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => path.push_str("\\\\"),
                c if c.is_control() => {
                    let mut utf8 = [0; 4];
                    escape(c.encode_utf8(&mut utf8).as_bytes(), &mut path);
                }
                c => path.push(c),
            }
        }
        escape(chunk.invalid(), &mut path);
    }
    path
}

/// Appends each byte as `\xNN`.
fn escape(bytes: &[u8], path: &mut String) {
    for byte in bytes {
        path.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The file name from which [`to_path`] made `path`.
pub(crate) fn from_path(path: &str) -> OsString {
    let mut name = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    loop {
        match rest {
            [b'\\', b'x', high, low, after @ ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
                name.push(digit(high) << 4 | digit(low));
                rest = after;
            }
            [b'\\', b'\\', after @ ..] => {
                name.push(b'\\');
                rest = after;
            }
            [byte, after @ ..] => {
                name.push(*byte);
                rest = after;
            }
            [] => return OsString::from_vec(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_not_escaped() {
        assert_eq!(to_path(OsStr::new("März 1.csv")), "März 1.csv");
        assert_eq!(
            to_path(OsStr::from_bytes(b"a\n\x1b\xff\\.csv")),
            "a\\x0a\\x1b\\xff\\\\.csv"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(name: Vec<u8>) {
            let name = OsString::from_vec(name);
            prop_assert_eq!(from_path(&to_path(&name)), name);
        }

        #[test]
        fn names_that_look_escaped_round_trip(name in "[\\\\x0-9a-f\u{1}é]{0,12}") {
            let name = OsString::from(name);
            prop_assert_eq!(from_path(&to_path(&name)), name);
        }
    }
}
