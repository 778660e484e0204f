//! The command `schema`: applies, checks or prints the migrations.

use clap::{Args, Subcommand};
use ecom_ingest::output;
use ecom_sink_pg::schema::texts;
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
    /// Prints the migrations as SQL, to review them before they are applied
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
            SchemaCommand::Print => {
                texts().try_for_each(|(name, text)| output::text(&format!("-- {name}.sql\n\n{text}\n")))
            }
        }
    }
}
