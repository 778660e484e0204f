//! Converts errors of the server during a migration or a check into errors for the user.

use std::error::Error as StdError;
use std::iter;

use ecom_stream::{Error, ErrorKind};
use tokio_postgres::error::DbError;

use crate::failure::error_kind_and_hint;

/// The error of the server behind an error of the driver or of refinery, which wraps it more than
/// once.
pub(super) fn server_error<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a DbError> {
    iter::successors(Some(err), |&err| err.source()).find_map(|err| err.downcast_ref())
}

/// The error for the user: `doing` failed, and what the server said.
pub(super) fn failed(doing: &str, err: impl StdError + Send + Sync + 'static) -> Error {
    let Some(db) = server_error(&err) else {
        return Error::new(ErrorKind::Unavailable, format!("{doing} failed")).caused_by(err);
    };
    let code = db.code().code();
    let kind = match error_kind_and_hint(Some(db.code())).0 {
        ErrorKind::Unavailable => ErrorKind::Unavailable,
        _ => ErrorKind::Schema,
    };
    Error::new(kind, format!("{doing} failed: {} (SQLSTATE {code})", db.message()))
}
