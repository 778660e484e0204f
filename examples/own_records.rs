//! Records of another business, from files to a table: the deliveries of a courier, with their own columns and their own table. A record
//! that cannot be used becomes a dead letter with its own reason code. If a parcel appears again, its row is replaced.
//!
//! ```sql
//! INSERT INTO deliveries SELECT parcel, depot, cast(grams AS bigint), cast(delivered_at AS timestamptz) FROM files
//! ON CONFLICT (parcel) DO UPDATE SET …
//! ```
//!
//! `cargo run --example own_records` needs only PostgreSQL's server programs.

#![allow(clippy::print_stdout, reason = "this is a program")]

mod shop_database;
mod text_table;

use std::error::Error;
use std::fs;
use std::time::Duration;

use ecom_sink_pg::{Decimal, Table};
use ecom_stream::time::{OffsetDateTime, format_description::well_known::Rfc3339};
use ecom_stream::{Columns, CsvDirSource, CsvRecord, Refusal, SourceExt};
use shop_database::ShopDatabase;
use text_table::print_query;

/// A delivery, as it is read from a file and stored.
struct Delivery {
    parcel: String,
    depot: Option<String>,
    grams: u32,
    delivered_at: OffsetDateTime,
}

/// The maximum weight that a van carries.
const MAX_GRAMS: u32 = 31_500;

impl Delivery {
    fn columns() -> Columns {
        Columns::new(
            ["parcel", "depot", "grams", "delivered_at"],
            ["parcel", "grams", "delivered_at"],
        )
    }

    fn from_csv(record: CsvRecord) -> Result<Self, Refusal> {
        let grams = record.parse("grams")?;
        if grams > MAX_GRAMS {
            return Err(Refusal::new(
                "too_heavy",
                format!("{grams} g; a van carries {MAX_GRAMS} g"),
            ));
        }
        Ok(Self {
            parcel: record.parse("parcel")?,
            depot: record.parse_optional("depot")?,
            grams,
            delivered_at: record.parse_with("delivered_at", |text| OffsetDateTime::parse(text, &Rfc3339))?,
        })
    }
}

const MONDAY: &str = "\
parcel,grams,delivered_at,depot,driver
P1,1250,2026-11-02T09:30:00Z,north,ann
P2,800,2026-11-02T10:00:00+01:00,,bob
P3,90000,2026-11-02T10:15:00Z,north,ann
P4,heavy,2026-11-02T10:20:00Z,south,bob
,300,2026-11-02T10:30:00Z,south,bob
";
/// P1 is delivered again: its row is replaced.
const TUESDAY: &str = "\
depot,parcel,delivered_at,grams
south,P5,2026-11-03T08:00:00Z,31500
north,P1,2026-11-03T08:10:00Z,1250
south,P6,yesterday,10
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = tempfile::tempdir()?;
    fs::write(files.path().join("1-monday.csv"), MONDAY)?;
    fs::write(files.path().join("2-tuesday.csv"), TUESDAY)?;

    let database = ShopDatabase::start("own_records").await?;
    let deliveries = Table::new("deliveries")
        .create_if_missing(true)
        .column("parcel", |delivery: &Delivery| delivery.parcel.clone())
        .column("depot", |delivery| delivery.depot.clone())
        .column("kilograms", |delivery| Decimal::new(delivery.grams.into(), 3))
        .column("delivered_at", |delivery| delivery.delivered_at)
        .key(["parcel"]);
    CsvDirSource::new(files.path())
        .columns(Delivery::columns())
        .settle_for(Duration::ZERO) // nobody writes to these files any more
        .available_now(true)
        .try_map(Delivery::from_csv)
        .to(database.sink()?.pipeline("deliveries").into_tables(deliveries))
        .run()
        .await?;

    print_query(&database.client, "SELECT * FROM deliveries ORDER BY parcel").await?;
    println!("\nRejected:\n");
    print_query(
        &database.client,
        "SELECT path, record_no, reason, detail, raw_text FROM ecom.dead_letters ORDER BY path, record_no",
    )
    .await?;
    let rows = database.same_rows("TABLE deliveries", DELIVERIES).await?;
    let refused = database
        .same_rows(
            "SELECT path, record_no, reason, raw_text FROM ecom.dead_letters",
            REFUSED,
        )
        .await?;
    println!("\n{rows} parcels and {refused} dead letters, as expected");
    Ok(())
}

const DELIVERIES: &str = "
    VALUES ('P1', 'north', 1.250, timestamptz '2026-11-03 08:10Z'),
           ('P2', NULL, 0.800, timestamptz '2026-11-02 09:00Z'),
           ('P5', 'south', 31.500, timestamptz '2026-11-03 08:00Z')";

const REFUSED: &str = "
    VALUES ('1-monday.csv', 3::bigint, 'too_heavy', 'P3,90000,2026-11-02T10:15:00Z,north,ann'),
           ('1-monday.csv', 4, 'grams_malformed', 'P4,heavy,2026-11-02T10:20:00Z,south,bob'),
           ('1-monday.csv', 5, 'parcel_missing', ',300,2026-11-02T10:30:00Z,south,bob'),
           ('2-tuesday.csv', 3, 'delivered_at_malformed', 'south,P6,yesterday,10')";
