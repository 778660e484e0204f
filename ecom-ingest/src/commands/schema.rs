//! The command `schema`: applies, checks or prints the migrations.

use clap::{Args, Subcommand};
use ecom_ingest::output;
use ecom_sink_pg::schema::script;
use ecom_stream::Result;

use super::database::Database;

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
enum SchemaCommand {
    /// Creates the schema ecom, or brings it up to date; the role must own it
    Apply(Database),
    /// Checks that the schema fits this program and that the role may write to it; changes nothing
    Check(Database),
    /// Prints a script for psql, to review it before it is run; it does the same as apply
    Print,
}

impl Schema {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            SchemaCommand::Apply(database) => {
                database.console()?.apply_schema().await?;
                output::line("the schema ecom is up to date")
            }
            SchemaCommand::Check(database) => {
                database.console()?.check_schema().await?;
                output::line("the schema ecom fits this program")
            }
            SchemaCommand::Print => output::text(&script()),
        }
    }
}
