//! The options that name the database, shared by most commands.

use std::time::Duration;

use clap::Args;
use ecom_sink_pg::{Console, Maintenance, PgSink};
use ecom_stream::Result;

/// Which database.
#[derive(Debug, Args)]
pub(super) struct Database {
    /// The database, as postgresql://user:password@host:5432/database; better set in the environment, where other users
    /// of the machine cannot see it. Parts that it leaves out are taken from PGHOST, PGUSER, PGPASSWORD and so on
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,

    /// How long to wait at the start if the database cannot be reached
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

impl Database {
    /// A sink into this database.
    pub(super) fn sink(&self) -> Result<PgSink> {
        let sink = match &self.database_url {
            Some(url) => PgSink::from_url(url)?,
            None => PgSink::from_env()?,
        };
        Ok(sink.wait_for_server(self.wait))
    }

    /// A console for this database.
    pub(super) fn console(&self) -> Result<Console> {
        let console = match &self.database_url {
            Some(url) => Console::from_url(url)?,
            None => Console::from_env()?,
        };
        Ok(console.wait_for_server(self.wait))
    }

    /// Maintenance of this database.
    pub(super) fn maintenance(&self) -> Result<Maintenance> {
        let maintenance = match &self.database_url {
            Some(url) => Maintenance::from_url(url)?,
            None => Maintenance::from_env()?,
        };
        Ok(maintenance.wait_for_server(self.wait))
    }
}
