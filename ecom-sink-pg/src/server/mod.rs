//! A private PostgreSQL server, started from installed programs, or with the feature `download`
//! from programs that are fetched once.
//!
//! It is for trying things out, where the data stay, and for tests, where they
//! are deleted. By default it listens only on a unix socket, in a directory
//! that only its user (and root) can enter. It ends with its owner, however
//! that ends: `kill -9` included.
//!
//! ```no_run
//! # use ecom_sink_pg::server::PrivateServer;
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = PrivateServer::builder()
//!     .temporary()
//!     .setting("fsync", "off")
//!     .start()
//!     .await?;
//! let url = server.create_database("first_test").await?;
//! let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
//! # drop((client, connection));
//! # Ok(())
//! # }
//! ```

mod binaries;
mod builder;
mod child;
mod cleaner;
mod cluster;
mod connection;
#[cfg(feature = "download")]
mod download;
mod error;
mod launch;
mod log;
mod paths;
mod private_server;
mod shutdown;
#[cfg(test)]
mod tests;
mod user;
mod watchdog;

pub use builder::Builder;
#[cfg(feature = "download")]
pub use download::download;
pub use error::{ServerError, ServerErrorKind};
pub use private_server::PrivateServer;
pub use shutdown::Shutdown;
