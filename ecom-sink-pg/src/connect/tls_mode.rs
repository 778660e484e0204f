//! The encryption of a connection, as `sslmode` and related settings define it.

use ecom_stream::{Error, ErrorKind, Result};
use tokio_postgres::config::SslMode;

use super::params::Params;
use super::tls::{Check, Roots, Tls};

/// The modes of `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Their names.
const MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("allow", TlsMode::Allow),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];

impl TlsMode {
    /// The default: a connection that leaves the machine is encrypted, to a server that has
    /// proved its identity.
    pub(super) fn default_for(is_local: bool) -> Self {
        if is_local { Self::Prefer } else { Self::VerifyFull }
    }

    /// What is checked of the server's certificate.
    pub(super) fn check(self, has_roots: bool) -> Check {
        match self {
            Self::VerifyFull => Check::ChainAndName,
            Self::VerifyCa => Check::Chain,
            // As in libpq.
            _ if has_roots => Check::Chain,
            _ => Check::Nothing,
        }
    }

    /// The ways to connect, tried in this order.
    pub(super) fn tries(self, check: Check) -> &'static [SslMode] {
        match self {
            Self::Disable => &[SslMode::Disable],
            Self::Allow => &[SslMode::Disable, SslMode::Require],
            // A certificate that was to be checked and is found wrong is no reason to go on without.
            Self::Prefer if check == Check::Nothing => &[SslMode::Prefer, SslMode::Disable],
            Self::Prefer => &[SslMode::Prefer],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[SslMode::Require],
        }
    }
}

/// The mode that is asked for, or the default, and the TLS settings for it. No file is read yet.
///
/// # Errors
///
/// `Configuration` when settings contradict each other.
pub(super) fn encryption(params: &Params, is_socket: bool, is_local: bool, direct: bool) -> Result<(TlsMode, Tls)> {
    let system = params.get("sslrootcert") == Some("system");
    let default = match system {
        true => TlsMode::VerifyFull,
        false => TlsMode::default_for(is_local),
    };
    let asked = params.choice("sslmode", MODES, default)?;
    let weak = |with: &str, than: &str| {
        let message = format!("{with} needs {than}");
        Err(Error::new(ErrorKind::Configuration, message).hint("leave sslmode out, or set it to verify-full"))
    };
    // Servers do not encrypt what goes through a socket of the machine.
    let mode = match asked {
        _ if is_socket => TlsMode::Disable,
        TlsMode::VerifyFull => asked,
        _ if system => return weak("sslrootcert=system", "sslmode=verify-full"),
        TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer if direct => {
            return weak("sslnegotiation=direct", "sslmode=require or more");
        }
        _ => asked,
    };
    let file = |keyword, default| {
        let given = params.get(keyword).map(Into::into);
        given.or_else(|| params.default_file(default))
    };
    let encrypted = mode != TlsMode::Disable;
    let root = file("sslrootcert", "root.crt").filter(|_| encrypted && !system);
    let client = match (file("sslcert", "postgresql.crt"), file("sslkey", "postgresql.key")) {
        (Some(certificate), Some(key)) if encrypted => Some((certificate, key)),
        (Some(_), None) | (None, Some(_)) if encrypted && params.get("sslcert").or(params.get("sslkey")).is_some() => {
            let message = "only one of sslcert and sslkey is given, but both are needed";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        _ => None,
    };
    let tls = Tls {
        check: mode.check(root.is_some()),
        roots: root.map_or(Roots::System, Roots::File),
        client,
        sni: params.choice("sslsni", &[("1", true), ("0", false)], true)?,
        direct,
    };
    Ok((mode, tls))
}
