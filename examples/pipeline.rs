//! Everything in one program: a simulated shop writes CSV files, and a pipeline loads them into PostgreSQL at the same time.
//!
//! ```text
//! Shop ─► CsvDirSink ─► data/*.csv ─► CsvDirSource ─► validate ─► stamp ─► PgSink ─► ecom.events ─► views
//! ```
//!
//! `cargo run --release --example pipeline` needs only PostgreSQL's server programs: it starts a private server.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod text_table;

use std::error::Error;
use std::future::pending;
use std::io::{IsTerminal, stderr, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use ecom_gen::{ModelParameters, Rate, Shop, ShopSource};
use ecom_ingest::progress::{LiveLine, Total};
use ecom_ingest::terminal::has_colors;
use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use ecom_stream::{CsvDirSink, CsvDirSource, Rules, SourceExt, Summary, stop_signal};
use futures::FutureExt;
use text_table::print_query;
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls};

/// How long the shop has been open when the program starts, so that some sessions began before.
const OPEN_SINCE: Duration = Duration::from_secs(5 * 60);

/// Simulates a shop, loads its CSV files into PostgreSQL as they appear, and shows what it sold.
#[derive(Parser)]
struct Args {
    /// How long the shop stays open
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    open_for: Duration,
    /// Events per second, such as 500/s or 5k/s
    #[arg(long, value_name = "RATE", default_value = "500/s")]
    rate: Rate,
    /// Directory of the files and the database; they stay when the program ends
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pipeline"), hide_default_value = true)]
    dir: PathBuf,
    /// Delete what earlier runs left there
    #[arg(long)]
    fresh: bool,
    /// An existing database to use instead of a private server; the schema `ecom` is created there
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        conflicts_with = "fresh"
    )]
    database_url: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(stderr)
        .with_ansi(has_colors(&stderr()))
        .init();
    let args = Args::parse();
    if args.fresh && args.dir.exists() {
        std::fs::remove_dir_all(&args.dir)?;
    }
    let data = args.dir.join("data");
    std::fs::create_dir_all(&data)?;

    let (server, url) = match args.database_url {
        Some(url) => (None, url),
        None => {
            let server = PrivateServer::builder()
                .persistent(args.dir.join("postgres"))
                .start()
                .await?;
            let url = server.url().to_owned();
            (Some(server), url)
        }
    };
    if args.fresh {
        // If the program runs as root, the data of the server may be in another directory.
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("DROP SCHEMA IF EXISTS ecom CASCADE").await?;
    }

    // The shop is a source, and the sink writes its events to files.
    let opened = OffsetDateTime::now_utc() - OPEN_SINCE;
    let run = format!("shop-{}", opened.unix_timestamp());
    let shop = Shop::builder(opened.unix_timestamp() as u64, opened)
        .rate(args.rate)
        // The same rate at night as by day, because the example may run at any hour.
        .parameters(ModelParameters::default().steady())?;
    let signal = stop_signal()?.shared();
    let interrupted = signal.clone();
    let closing_time = async move {
        tokio::select! {
            () = tokio::time::sleep(args.open_for) => {}
            () = interrupted => {}
        }
    };
    let shop = ShopSource::new(shop)
        .to(CsvDirSink::new(&data).prefix(run.as_str()).max_rows(10_000))
        .run_until(closing_time);

    println!(
        "The shop opened {} ago and stays open for {}, at {}; its files are in {}",
        humantime::format_duration(OPEN_SINCE),
        humantime::format_duration(args.open_for),
        args.rate,
        data.display()
    );
    let (close, closed) = oneshot::channel::<()>();
    let shop = async {
        let sold = shop.await;
        let _ = close.send(());
        sold
    };
    let live = ingest(&url, CsvDirSource::new(&data), closed.map(|_| ()));
    let (sold, live) = tokio::try_join!(shop, live)?;
    // The last files of the shop are complete now.
    let rest = ingest(&url, CsvDirSource::new(&data).available_now(true), pending()).await?;

    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    let connection = tokio::spawn(connection);
    report(&client, opened).await?;
    check(&client, &run, sold, [live, rest]).await?;
    drop(client);
    connection.await??;

    if let Some(server) = &server {
        println!("\nConnect with:  {}", server.psql_command());
        if stdout().is_terminal() && signal.peek().is_none() {
            println!("The server runs until you press Ctrl-C.");
            signal.await;
        } else {
            println!("The server runs as long as this program. On a terminal that is until Ctrl-C; here it ends now.");
        }
    }
    Ok(())
}

/// Loads the files: the source reads them, and the sink stores the events exactly once.
async fn ingest(
    url: &str,
    source: CsvDirSource,
    stop: impl Future<Output = ()> + Send + 'static,
) -> ecom_stream::Result<Summary> {
    let sink = PgSink::from_url(url)?.pipeline("example");
    let pipeline = source.validate(Rules::default()).stamp().to(sink);
    let shown = tokio::spawn(LiveLine::new(Total::Endless).show(pipeline.subscribe()));
    let summary = pipeline.run_until(stop).await;
    // Waits until the line is removed from the screen.
    let _ = shown.await;
    summary
}

/// Prints what the shop sold since it opened, from the functions in sql/.
async fn report(client: &Client, since: OffsetDateTime) -> Result<(), tokio_postgres::Error> {
    println!(
        "\nSince {:02}:{:02} UTC, in this run and in others:",
        since.hour(),
        since.minute()
    );
    let since = since.unix_timestamp();
    for (title, sql) in [
        (
            "Events by type",
            "SELECT event_type, events, round(100 * share, 1) || ' %' AS share, revenue FROM ecom.events_by_type($)",
        ),
        (
            "Top products",
            "SELECT product_id, left(product_name, 40) AS product, units, revenue FROM ecom.top_products($) LIMIT 5",
        ),
        (
            "Funnel",
            "SELECT step, sessions, round(100 * share_of_first, 1) || ' %' AS share FROM ecom.conversion_funnel($)",
        ),
    ] {
        let sql = sql.replace('$', &format!("to_timestamp({since})"));
        println!("\n{title}");
        print_query(client, &sql).await?;
    }
    Ok(())
}

/// Checks that nothing was lost or stored twice: compares what this run generated with the ledger and the table.
async fn check(client: &Client, run: &str, sold: Summary, ingested: [Summary; 2]) -> Result<(), Box<dyn Error>> {
    const LEDGER: &str = "
        SELECT coalesce(sum(read), 0)::int8, coalesce(sum(stored), 0)::int8, coalesce(sum(duplicates), 0)::int8,
               coalesce(sum(rejected), 0)::int8
        FROM ecom.ingest_split WHERE starts_with(path, $1)";
    const TABLE: &str = "
        SELECT count(*) FROM ecom.events e JOIN ecom.ingest_split s USING (split_id) WHERE starts_with(s.path, $1)";
    let generated = sold.counts.stored as i64;
    let ledger = client.query_one(LEDGER, &[&run]).await?;
    let [read, stored, duplicates, rejected]: [i64; 4] = std::array::from_fn(|column| ledger.get(column));
    let in_table: i64 = client.query_one(TABLE, &[&run]).await?.get(0);
    println!("\n{generated} generated = {stored} stored + {duplicates} duplicates + {rejected} rejected");
    let epochs: u64 = ingested.iter().map(|summary| summary.epochs).sum();
    println!(
        "{} files, {epochs} epochs, {in_table} rows of this run in the table",
        sold.epochs
    );
    match generated == read && generated == stored + duplicates + rejected && in_table == stored {
        true => Ok(()),
        false => Err(format!("the counts do not balance: {read} events were read").into()),
    }
}
