//! Classifies errors of connections that could not be opened, and says what to do about them.
//!
//! The driver has no public error kinds, so its messages are matched by their text.

use std::error::Error as StdError;
use std::io;
use std::iter;

use ecom_stream::ErrorKind;
use rustls::CertificateError;
use tokio_postgres::error::SqlState;

use super::sqlstate::MORE_CONNECTIONS;

/// The kind of an error and a hint, if neither follows from its SQLSTATE; `None` otherwise.
pub(crate) fn classify(err: &tokio_postgres::Error) -> Option<(ErrorKind, Option<&'static str>)> {
    if let Some(state) = err.code() {
        if is_of_full_pooler(state, err) {
            return Some((ErrorKind::Unavailable, Some(MORE_CONNECTIONS)));
        }
        return is_of_pooler(state, err).then_some((ErrorKind::Configuration, Some(POOLER)));
    }
    if let Some(tls) = tls_error(err) {
        return Some((ErrorKind::Configuration, certificate_hint(tls)));
    }
    let text = err.to_string();
    if text.starts_with("error performing TLS handshake") {
        // Broken off, as by a server that is being stopped.
        let broke = causes(err).any(|cause| cause.is::<io::Error>());
        return (!broke).then_some((ErrorKind::Configuration, Some(NO_TLS)));
    }
    let settings = text.starts_with("invalid configuration");
    let hint = settings.then_some(PASSWORD);
    (settings || text.starts_with("authentication error")).then_some((ErrorKind::Configuration, hint))
}

/// Whether the TLS handshake failed, so that `sslmode=prefer` continues without encryption.
pub(crate) fn is_of_tls(err: &tokio_postgres::Error) -> bool {
    tls_error(err).is_some() || err.to_string().starts_with("error performing TLS handshake")
}

/// Whether the server accepts no writes.
pub(crate) fn is_of_read_only(err: &tokio_postgres::Error) -> bool {
    causes(err).any(|cause| cause.to_string() == "database does not allow writes")
}

/// The hint for a pooler that does not keep one session per connection.
pub(crate) const POOLER: &str = "connect to the server directly, or set the pooler to session pooling: locks and \
 settings must last from one statement to the next";
/// The hint for a server without TLS.
const NO_TLS: &str = "enable TLS on the server (ssl = on); or, only on a trusted network, connect without \
 encryption: sslmode=disable";
/// The hint for a missing password.
const PASSWORD: &str = "give the password in the database URL, in PGPASSWORD or in ~/.pgpass";

/// What to do about a certificate that was not accepted.
fn certificate_hint(err: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Wrong;
    let rustls::Error::InvalidCertificate(wrong) = err else {
        return None;
    };
    match wrong {
        Wrong::UnknownIssuer => Some(
            "set sslrootcert to the file with the server's CA certificate, which database providers publish; \
             sslmode=require encrypts without verifying the server",
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Some(
            "connect with a host name that the certificate contains, or verify only its CA: sslmode=verify-ca with \
             sslrootcert",
        ),
        Wrong::Expired | Wrong::ExpiredContext { .. } | Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            Some("renew the server's certificate, or correct the clock of this machine")
        }
        Wrong::Other(_) => Some(
            "the certificate is not valid for a server: a self-signed one must not be marked as a CA, and \
             sslrootcert cannot make it trusted; sslmode=require encrypts without verifying the server",
        ),
        _ => None,
    }
}

/// Whether the message is that of a pooler whose connections are all in use, such as PgBouncer.
fn is_of_full_pooler(state: &SqlState, err: &tokio_postgres::Error) -> bool {
    let message = err.as_db_error().map_or("", |db| db.message());
    let is_full = message.contains("no more connections") || message.contains("query_wait_timeout");
    *state == SqlState::PROTOCOL_VIOLATION && is_full
}

/// Whether the message is that of a pooler which refuses settings at the start or transactions, or
/// which mixes up the sessions of its clients.
fn is_of_pooler(state: &SqlState, err: &tokio_postgres::Error) -> bool {
    let message = err.as_db_error().map_or("", |db| db.message());
    // PgBouncer, and the proxy of RDS. By statement, there are no transactions.
    (*state == SqlState::PROTOCOL_VIOLATION
        && (message.contains("startup parameter") || message.contains("statement pooling")))
        // A prepared statement that is gone, or that another client has prepared under that name.
        || matches!(
            *state,
            SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT
        )
        || (*state == SqlState::FEATURE_NOT_SUPPORTED && message.contains("command-line options"))
}

/// The error of rustls behind an error of the driver.
fn tls_error(err: &tokio_postgres::Error) -> Option<&rustls::Error> {
    causes(err).find_map(|cause| match cause.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref()?.downcast_ref(),
        None => cause.downcast_ref(),
    })
}

/// The causes of an error, from the nearest one.
fn causes(err: &tokio_postgres::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    iter::successors(err.source(), |&cause| cause.source())
}
