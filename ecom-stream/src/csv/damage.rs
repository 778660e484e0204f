//! Damage: errors of the input that will not pass, and the refusals that they become.

use std::io;

use super::CsvLimits;
use super::tee::RecordTooLarge;
use crate::contract::{Reason, Refusal};

/// An error of the input that is damage and will not pass: the compressed data can't be decompressed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unreadable(pub(crate) Refusal);

/// The refusal for an error that is damage: a record without an end, or compressed data that can't be decompressed. Any other
/// error is returned as it is.
pub(super) fn damage(err: csv_async::Error, limits: &CsvLimits) -> io::Result<Refusal> {
    match err.into_kind() {
        csv_async::ErrorKind::Io(err) if err.get_ref().is_some_and(|inner| inner.is::<RecordTooLarge>()) => {
            Ok(record_too_large(limits))
        }
        csv_async::ErrorKind::Io(err) => match err.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Unreadable(refusal)) => Ok(refusal.clone()),
            None => Err(err),
        },
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// The refusal of a record that is longer than the limit.
pub(super) fn record_too_large(limits: &CsvLimits) -> Refusal {
    let detail = format!(
        "the record does not end within {} bytes: the usual cause is a quote that is never closed",
        limits.max_record_bytes
    );
    Refusal::new(Reason::RECORD_TOO_LARGE, detail)
}
