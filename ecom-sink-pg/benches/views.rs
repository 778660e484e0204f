//! How long each view and function takes on ten million rows: `cargo bench -p ecom-sink-pg --bench views`.
//!
//! A private server with its default settings, ten days of a simulated shop up to now, and a
//! ledger of a hundred thousand files. First as the partitions are while
//! they receive rows, then settled. Prints a table for PERFORMANCE.md: the median of
//! five runs and the quickest, with all rows fetched by the client.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking"
)]

#[path = "../tests/fixture/calls.rs"]
mod calls;

use std::time::{Duration, Instant};

use calls::{CALLS, VIEWS, Values};
use ecom_gen::{Pace, Rate, Shop, ShopSource};
use ecom_sink_pg::server::PrivateServer;
use ecom_sink_pg::{Maintenance, PgSink};
use ecom_stream::SourceExt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::{Client, NoTls};

const DAYS: u32 = 10;
const RUNS: usize = 5;

/// As after a hundred thousand files, one in ten of which had bad records.
const LEDGER: &str = "
    INSERT INTO ecom.ingest_split
        (split_id, pipeline, source, path, state, read_offset, record_no, read, stored, rejected, finished_at, mark)
    SELECT 10000000000000 + n, 'files', 'csv', 'events-' || n || '.csv', 'finished', 1000, 10, 10,
        CASE n % 10 WHEN 0 THEN 0 ELSE 10 END, CASE n % 10 WHEN 0 THEN 10 ELSE 0 END, now(), '{\"size\": 1000}'
    FROM generate_series(1, 100000) n;
    INSERT INTO ecom.dead_letters (epoch, pipeline, path, split_id, record_no, reason, detail, raw_text, rejected_at)
    SELECT n, 'files', 'events-' || n || '.csv', 10000000000000 + n / 10 * 10, n % 10 + 1, 'reason_' || n % 7, 'wrong',
        'a,b,c,d', now() - (100000 - n) * interval '8 s'
    FROM generate_series(1, 100000) n";

/// What is asked, and over what.
struct Question {
    name: String,
    over: &'static str,
    sql: String,
}

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::var("ECOM_BENCH_ROWS").map_or(10_000_000, |rows| rows.parse().expect("a number of rows"));
    let server = PrivateServer::builder().temporary().start().await;
    let server = server.expect("the benchmark needs PostgreSQL's server programs");
    load(&server, rows).await;
    let client = connect(server.url()).await;
    client.batch_execute(LEDGER).await.unwrap();
    // What autovacuum does within minutes.
    client.batch_execute("VACUUM (ANALYZE)").await.unwrap();
    let questions = questions(&client).await;
    let hot = measure(&client, &questions).await;
    settle(&server, &client).await;
    let settled = measure(&client, &questions).await;

    println!("| view or function | over | rows | hot, ms | settled, ms |\n|---|---|---:|---:|---:|");
    for ((question, (count, hot)), (_, settled)) in questions.iter().zip(hot).zip(settled) {
        let Question { name, over, .. } = question;
        println!(
            "| `{name}` | {over} | {count} | {} | {} |",
            in_ms(&hot),
            in_ms(&settled)
        );
    }
}

async fn load(server: &PrivateServer, rows: u64) {
    let began = Instant::now();
    let span = Duration::from_secs(u64::from(DAYS) * 86_400);
    let rate = Rate::per_second(rows as f64 / span.as_secs_f64()).unwrap();
    let shop = Shop::builder(5, OffsetDateTime::now_utc() - span).rate(rate);
    let summary = ShopSource::new(shop)
        .pace(Pace::AsFastAsPossible)
        .events(rows)
        .stamp()
        .to(PgSink::from_url(server.url()).unwrap())
        .run()
        .await
        .unwrap();
    eprintln!("{} rows in {:?}", summary.counts.stored, began.elapsed());
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// All days but today, as anybody would.
async fn settle(server: &PrivateServer, client: &Client) {
    let began = Instant::now();
    let maintenance = Maintenance::from_url(server.url()).unwrap();
    let settled = maintenance.settle(Duration::ZERO).await.unwrap();
    eprintln!("{} indexes in {:?}", settled.built.len(), began.elapsed());
    client.batch_execute("VACUUM (ANALYZE) ecom.events").await.unwrap();
}

async fn questions(client: &Client) -> Vec<Question> {
    let now = OffsetDateTime::now_utc();
    let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap();
    let until = text(now.replace_time(time::Time::MIDNIGHT));
    let since = text(now.replace_time(time::Time::MIDNIGHT) - Duration::from_secs(86_400));
    let most = async |column: &str| -> String {
        let sql = format!(
            "SELECT {column} FROM ecom.events WHERE event_time >= '{since}' AND event_time < '{until}'
             GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        );
        client.query_one(&sql, &[]).await.unwrap().get(0)
    };
    let values = Values {
        since: &since,
        until: &until,
        user: &most("user_id").await,
        product: &most("product_id").await,
        category: &most("split_part(category, '.', 1)").await,
    };
    let mut questions = Vec::new();
    for (name, call) in CALLS {
        let over = match *name {
            "active_users" => "30 days",
            _ => "1 day",
        };
        let sql = format!("SELECT * FROM {}", values.put_into(call));
        questions.push(Question {
            name: format!("{name}()"),
            over,
            sql,
        });
        if name.ends_with("_timeline") {
            let all = call.replace("SINCE", "'-infinity'");
            let sql = format!("SELECT * FROM {}", values.put_into(&all));
            questions.push(Question {
                name: format!("{name}()"),
                over: "10 days",
                sql,
            });
        }
    }
    for name in VIEWS {
        let over = match *name {
            "pulse" => "1 hour",
            _ => "all",
        };
        questions.push(Question {
            name: (*name).into(),
            over,
            sql: format!("SELECT * FROM ecom.{name}"),
        });
    }
    questions
}

/// Rows, and the times of each, the quickest first.
async fn measure(client: &Client, questions: &[Question]) -> Vec<(usize, Vec<Duration>)> {
    let mut measured = Vec::new();
    for question in questions {
        let mut times = Vec::new();
        let mut rows = 0;
        for _ in 0..RUNS {
            let began = Instant::now();
            rows = client.query(&question.sql, &[]).await.unwrap().len();
            times.push(began.elapsed());
        }
        times.sort();
        eprintln!("{} over {}: {}", question.name, question.over, in_ms(&times));
        measured.push((rows, times));
    }
    measured
}

/// The median, and the quickest in brackets.
fn in_ms(times: &[Duration]) -> String {
    let in_ms = |time: Duration| match time.as_secs_f64() * 1e3 {
        ms if ms < 10.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    };
    format!("{} ({})", in_ms(times[times.len() / 2]), in_ms(times[0]))
}
