//! Ids and names that are longer than an event usually has: rejected, cut or kept.

use crate::contract::{Reason, Refusal};

/// What becomes of ids of more than 64 bytes, and of product names, categories and brands of more than 256 bytes.
///
/// ```
/// # use std::sync::Arc;
/// # use ecom_stream::{CsvRecord, Field, Header, Mapping, Rules};
/// use ecom_stream::LongValues;
///
/// # fn main() -> ecom_stream::Result<()> {
/// let names = ["event_time", "event_type", "user_id", "session_id", "product_id", "product_name"];
/// let mapping = names
///     .into_iter()
///     .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
///     .long_names(LongValues::Cut)
///     .build()?;
/// let title = "very ".repeat(80);
/// let record = CsvRecord::new(Arc::new(Header::new(names)), ["2026-11-01T12:00:00Z", "view", "u", "s", "p", &title]).unwrap();
/// let event = Rules::default().mapping(mapping).event(&record, None, "events").unwrap();
/// assert_eq!(event.product_name.unwrap().len(), 256);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LongValues {
    /// The record is rejected.
    #[default]
    Reject,
    /// The value is cut to the limit, at the end of a character. The last 17 bytes of an id that is cut are `~` and a hash of the whole
    /// id, so that ids with the same beginning stay different; the same id is always cut to the same.
    Cut,
    /// The value is stored as it is: ids of up to 1,024 bytes, which an index of the table can have, and names of up to 2,048 bytes.
    /// Longer ones are rejected.
    Keep,
}

/// Which values a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Name,
}

/// The hash at the end of an id that was cut, in bytes, with the sign in front of it.
const HASH_BYTES: usize = 17;

impl Kind {
    /// The usual limit in bytes.
    const fn limit(self) -> usize {
        match self {
            Self::Id => 64,
            Self::Name => 256,
        }
    }

    /// The most that is kept on request, in bytes.
    const fn most(self) -> usize {
        match self {
            Self::Id => 1_024,
            Self::Name => 2_048,
        }
    }
}

impl LongValues {
    /// The text as it is stored, or the refusal with the reason `too_long`.
    #[inline]
    pub(super) fn fit(self, kind: Kind, text: &str, too_long: Reason) -> Result<String, Refusal> {
        match text.len() <= kind.limit() {
            true => Ok(text.to_owned()),
            false => self.fit_long(kind, text, too_long),
        }
    }

    #[cold]
    fn fit_long(self, kind: Kind, text: &str, too_long: Reason) -> Result<String, Refusal> {
        let len = text.len();
        let refused = |limit| Err(Refusal::new(too_long, format!("{len} bytes; the limit is {limit}")));
        match (self, kind) {
            (Self::Reject, _) => refused(kind.limit()),
            (Self::Keep, _) if len <= kind.most() => Ok(text.to_owned()),
            (Self::Keep, _) => refused(kind.most()),
            (Self::Cut, Kind::Name) => Ok(cut(text, kind.limit()).to_owned()),
            (Self::Cut, Kind::Id) => {
                let hash = blake3::hash(text.as_bytes()).to_hex();
                let begin = cut(text, kind.limit() - HASH_BYTES);
                Ok(format!("{begin}~{}", &hash[..HASH_BYTES - 1]))
            }
        }
    }

    /// What is done, in a sentence; `None` if such values are rejected.
    pub(super) fn note(self, kind: Kind) -> Option<String> {
        let (what, limit, most) = match kind {
            Kind::Id => ("ids", kind.limit(), kind.most()),
            Kind::Name => ("product names, categories and brands", kind.limit(), kind.most()),
        };
        match (self, kind) {
            (Self::Reject, _) => None,
            (Self::Cut, Kind::Id) => Some(format!(
                "{what} of more than {limit} bytes are cut; they end with a hash of the whole id"
            )),
            (Self::Cut, Kind::Name) => Some(format!("{what} of more than {limit} bytes are cut")),
            (Self::Keep, _) => Some(format!(
                "{what} of more than {limit} bytes are kept, up to {most} bytes"
            )),
        }
    }
}

/// The longest beginning of `text` of at most `limit` bytes, at the end of a character.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(how: LongValues, kind: Kind, text: &str) -> Result<String, String> {
        let fitted = how.fit(kind, text, Reason::USER_ID_TOO_LONG);
        fitted.map_err(|refusal| refusal.detail)
    }

    #[test]
    fn long_values_are_rejected_cut_or_kept() {
        let (id, name) = ("i".repeat(65), "n".repeat(257));
        assert_eq!(
            fit(LongValues::Reject, Kind::Id, &id),
            Err("65 bytes; the limit is 64".into())
        );
        assert_eq!(
            fit(LongValues::Reject, Kind::Name, &name),
            Err("257 bytes; the limit is 256".into())
        );
        assert_eq!(fit(LongValues::Keep, Kind::Id, &id), Ok(id.clone()));
        assert_eq!(fit(LongValues::Cut, Kind::Name, &name), Ok("n".repeat(256)));
        for how in [LongValues::Reject, LongValues::Cut, LongValues::Keep] {
            assert_eq!(fit(how, Kind::Id, &id[..64]), Ok("i".repeat(64)));
            assert_eq!(fit(how, Kind::Name, &name[..256]), Ok("n".repeat(256)));
        }
        let most = "i".repeat(1_025);
        assert_eq!(fit(LongValues::Keep, Kind::Id, &most[..1_024]), Ok("i".repeat(1_024)));
        assert_eq!(
            fit(LongValues::Keep, Kind::Id, &most),
            Err("1025 bytes; the limit is 1024".into())
        );
    }

    #[test]
    fn ids_that_are_cut_stay_different_and_end_with_a_character() {
        let cut = |text: &str| fit(LongValues::Cut, Kind::Id, text).unwrap();
        let (one, two) = (
            cut(&format!("{}1", "x".repeat(70))),
            cut(&format!("{}2", "x".repeat(70))),
        );
        assert_ne!(one, two);
        assert_eq!((one.len(), &one[..48]), (64, format!("{}~", "x".repeat(47)).as_str()));
        assert_eq!(one, cut(&format!("{}1", "x".repeat(70))));
        // 47 bytes are not a whole number of these characters.
        assert_eq!(cut(&"客".repeat(30)).chars().take_while(|c| *c == '客').count(), 15);
        let names = fit(LongValues::Cut, Kind::Name, &"客".repeat(86)).unwrap();
        assert_eq!(names, "客".repeat(85));
    }
}
