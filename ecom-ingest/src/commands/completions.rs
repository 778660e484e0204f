//! The command `completions`: prints completions for a shell.

use clap::{Args, Command};
use clap_complete::Shell;
use ecom_ingest::output;
use ecom_stream::Result;

/// Prints completions of this program's options for a shell.
///
/// Bash: ecom-ingest completions bash > ~/.local/share/bash-completion/completions/ecom-ingest
/// Zsh:  ecom-ingest completions zsh > a file _ecom-ingest in a directory of $fpath
/// Fish: ecom-ingest completions fish > ~/.config/fish/completions/ecom-ingest.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, mut command: Command) -> Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "ecom-ingest", &mut text);
        // For a program name with a hyphen, the bash script of clap_complete sets one label when it enters a command, and
        // compares with another one afterwards.
        let text = String::from_utf8_lossy(&text).replace("ecom__subcmd__ingest", "ecom__ingest");
        output::text(&text)
    }
}
