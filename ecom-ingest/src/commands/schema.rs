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
    /// Brings the schema ecom up to date, or makes it; the role must own it
    Apply(Database),
    /// Checks, changing nothing, that the schema is what this program writes to, and that the role may write
    Check(Database),
    /// Prints the migrations as SQL, to read before they are applied
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
