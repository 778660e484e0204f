//! Connecting to the server: URL and environment, hosts, TLS, and checks at the start.

mod connection;
mod database;
mod hosts;
mod mode;
mod params;
mod passfile;
pub(crate) mod preflight;
mod text;
mod tls;

pub(crate) use connection::{BY_KEY, Connection, Connector};
pub(crate) use database::{Database, made_of_database};
pub(crate) use hosts::Hosts;
pub(crate) use params::of_process;
pub use text::without_password;
