//! How fast the ingest is, compared with `psql \copy` of the same files on the same server: PERFORMANCE.md has the table.
//!
//! ```sh
//! cargo bench -p ecom-ingest --bench ingest                                  # all of it, some 15 minutes
//! cargo bench -p ecom-ingest --bench ingest -- backlog small --runs 5        # some of it
//! cargo bench -p ecom-ingest --bench ingest -- --quick                       # small figures, to see that it works
//! ```
//!
//! Runs that are compared are interleaved, so that what else the machine does hits all of them. The server has its default
//! settings: a commit waits for the disk.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it measures")]

mod data;
mod growth;
mod latency;
mod loaders;
mod memory;
mod stage;
mod table;
mod throughput;

use std::error::Error;

use clap::{Parser, ValueEnum};
use stage::Stage;
use table::Table;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the ingest and compares it with psql.
#[derive(Debug, Parser)]
struct Args {
    /// What is measured; everything unless something is named
    cases: Vec<Case>,

    /// Rows of a backlog
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,

    /// Runs of which the median is taken
    #[arg(long, default_value_t = 3)]
    runs: usize,

    /// Small figures, to see that it works
    #[arg(long)]
    quick: bool,

    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Case {
    /// Files of 10,000 rows
    Backlog,
    /// Files of 200 rows
    Small,
    /// One file
    Big,
    /// From rename to commit
    Latency,
    /// One row of a hundred comes twice
    Duplicates,
    /// Memory, and the time from the start to the first row
    Memory,
    /// Many finished files, and a table that is full already
    Growth,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) rows: u64,
    pub(crate) runs: usize,
    pub(crate) quick: bool,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.rows, args.runs) = (args.rows.min(50_000), 1);
    }
    let scale = Scale {
        rows: args.rows,
        runs: args.runs.max(1),
        quick: args.quick,
    };
    let mut cases = args.cases;
    if cases.is_empty() {
        cases = Case::value_variants().to_vec();
    }
    let stage = Stage::set().await?;
    let mut table = Table::default();
    for case in cases {
        eprintln!("{case:?} …");
        match case {
            Case::Backlog => throughput::backlog(&stage, scale, &mut table).await?,
            Case::Small => throughput::small(&stage, scale, &mut table).await?,
            Case::Big => throughput::big(&stage, scale, &mut table).await?,
            Case::Duplicates => throughput::duplicates(&stage, scale, &mut table).await?,
            Case::Latency => latency::latency(&stage, scale, &mut table).await?,
            Case::Memory => memory::memory(&stage, scale, &mut table).await?,
            Case::Growth => growth::growth(&stage, scale, &mut table).await?,
        }
    }
    println!("{table}");
    Ok(())
}
