//! How long each view and function takes on ten million rows: `cargo bench -p ecom-sink-pg --bench views`.
//!
//! A private server with its default settings, ten days of a simulated shop up to now. First as the partitions are while
//! they receive rows, then settled. Prints a table for PERFORMANCE.md: medians, with all rows fetched by the client.

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
use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use ecom_stream::SourceExt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::{Client, NoTls};

const DAYS: u32 = 10;
const RUNS: usize = 5;

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
    if std::env::var_os("ECOM_BENCH_URL").is_some() {
        eprintln!("psql '{}'", server.url());
    }
    load(&server, rows).await;
    let client = connect(server.url()).await;
    // What autovacuum does within minutes.
    client.batch_execute("VACUUM (ANALYZE) ecom.events").await.unwrap();
    let questions = questions(&client).await;
    let hot = measure(&client, &questions).await;
    settle(&client).await;
    let settled = measure(&client, &questions).await;

    println!("| view or function | over | rows | hot, ms | settled, ms |\n|---|---|---:|---:|---:|");
    for ((question, (count, hot)), (_, settled)) in questions.iter().zip(hot).zip(settled) {
        let Question { name, over, .. } = question;
        println!("| `{name}` | {over} | {count} | {} | {} |", in_ms(hot), in_ms(settled));
    }
    if std::env::var_os("ECOM_BENCH_URL").is_some() {
        tokio::signal::ctrl_c().await.unwrap();
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

async fn settle(client: &Client) {
    let began = Instant::now();
    let builds = client
        .query("SELECT build FROM ecom.partition_indexes", &[])
        .await
        .unwrap();
    for row in builds {
        client.batch_execute(row.get(0)).await.unwrap();
    }
    client.batch_execute("VACUUM (ANALYZE) ecom.events").await.unwrap();
    eprintln!("settled in {:?}", began.elapsed());
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
            let all = call.replace("SINCE, UNTIL", "'-infinity'");
            let sql = format!("SELECT * FROM {}", values.put_into(&all));
            questions.push(Question {
                name: format!("{name}()"),
                over: "all",
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

/// Rows and median time of each.
async fn measure(client: &Client, questions: &[Question]) -> Vec<(usize, Duration)> {
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
        let median = times[RUNS / 2];
        eprintln!("{} over {}: {}", question.name, question.over, in_ms(median));
        measured.push((rows, median));
    }
    measured
}

fn in_ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.0}")
    }
}
