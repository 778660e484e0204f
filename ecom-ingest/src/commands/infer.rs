//! The command `infer`: proposes a mapping for a file.

use std::path::PathBuf;

use clap::Args;
use ecom_ingest::output;
use ecom_stream::Result;
use ecom_stream::infer::infer_mapping;

#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// An example of the files to load, compressed or not; only its first MiB is read
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Infer {
    pub(crate) async fn run(self) -> Result<()> {
        let proposal = infer_mapping(&self.file).await?;
        output::text(&proposal.toml)?;
        if !proposal.missing.is_empty() {
            tracing::warn!("fill in before you use it: {}", proposal.missing.join(", "));
        }
        Ok(())
    }
}
