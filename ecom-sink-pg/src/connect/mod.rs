//! Connecting to the server: URL and environment, hosts, TLS, and checks at the start.
//!
//! ```text
//! URL or keyword=value ──► connection_string ──┐
//! environment, ~/.pgpass ──► passfile ─────────┴──► params ──► hosts (tls_mode, tls) ──► Connector ──► Connection
//! ```
//!
//! Settings mean what they mean to libpq. A setting that is not supported is an error, never
//! ignored, since ignoring it could make a connection less safe than was asked for.

mod connection;
mod connection_string;
mod database;
mod hosts;
mod params;
mod passfile;
pub(crate) mod preflight;
mod text_encoding;
mod tls;
mod tls_mode;
mod without_password;

pub(crate) use connection::{BY_KEY, Connection, Connector};
pub(crate) use database::{Database, made_of_database};
pub(crate) use hosts::Hosts;
pub(crate) use params::of_process;
pub(crate) use text_encoding::TextEncoding;
pub use without_password::without_password;
