//! The database that the console and the maintenance connect to.

use std::time::Duration;

use ecom_stream::Result;
use tokio_postgres::Config;

use super::connection::Connector;
use super::hosts::Hosts;
use super::params::of_process;
use crate::failure::Deadline;

/// The database that the console or the maintenance works on, and how long to wait for a server
/// that cannot be reached.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    hosts: Hosts,
    pub(crate) wait_for_server: Duration,
}

impl Database {
    pub(crate) fn of_url(url: &str) -> Result<Self> {
        Ok(Self::of(Hosts::of_url(url, &of_process)?))
    }

    pub(crate) fn of_config(config: Config) -> Result<Self> {
        Ok(Self::of(Hosts::of_config(config)?))
    }

    fn of(hosts: Hosts) -> Self {
        Self {
            hosts,
            wait_for_server: Duration::from_secs(30),
        }
    }

    /// A connector whose sessions have that name, besides a random number, in the server's list
    /// of sessions.
    pub(crate) fn connector(&self, name: &str, deadline: Deadline) -> Connector {
        let name = format!("ecom {:08x} {name}", rand::random::<u32>());
        Connector::new(self.hosts.clone(), name, deadline)
    }
}

/// Implements the constructors of a type with a field `database`. [`Database`] must be in scope.
macro_rules! made_of_database {
    ($made:ident) => {
        impl $made {
            /// Of the database of a URL, which is read as [`PgSink::from_url`](crate::PgSink::from_url) does.
            ///
            /// # Errors
            ///
            /// Those of [`PgSink::from_url`](crate::PgSink::from_url).
            pub fn from_url(url: &str) -> ecom_stream::Result<Self> {
                let database = Database::of_url(url)?;
                Ok(Self { database })
            }

            /// Of the database that the environment names (`PGHOST`, `PGDATABASE` …).
            ///
            /// # Errors
            ///
            /// Those of [`PgSink::from_url`](crate::PgSink::from_url).
            pub fn from_env() -> ecom_stream::Result<Self> {
                Self::from_url("")
            }

            /// Of the database that `config` names, without regard to the environment.
            ///
            /// # Errors
            ///
            /// Those of [`PgSink::with_config`](crate::PgSink::with_config).
            pub fn with_config(config: tokio_postgres::Config) -> ecom_stream::Result<Self> {
                let database = Database::of_config(config)?;
                Ok(Self { database })
            }

            /// How long to wait for a server that cannot be reached, 30 seconds.
            #[must_use]
            pub fn wait_for_server(mut self, wait: std::time::Duration) -> Self {
                self.database.wait_for_server = wait;
                self
            }
        }
    };
}

pub(crate) use made_of_database;
