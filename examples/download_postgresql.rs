//! Fetches the programs of a PostgreSQL server of one major version, and prints their directory.

#![allow(clippy::print_stdout, reason = "it prints its result")]

use std::error::Error;

use ecom_sink_pg::server::download;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let major = std::env::args().nth(1).ok_or("name a major version, such as 17")?;
    println!("{}", download(&major).await?.display());
    Ok(())
}
