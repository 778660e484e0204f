//! The functions about operation: lag and data quality.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::fixture::schema::database_with_schema;
use crate::text::{interval, share, stamp};
use crate::world::{check, check_set, world};

#[tokio::test]
async fn lag() {
    let (world, client) = world().await;
    for span in world.spans() {
        for (bucket, in_sql, late_after_s) in [(3_600, "1 hour", 60), (86_400, "1 day", 100)] {
            let bucket = Duration::from_secs(bucket);
            let starts = span.buckets(bucket);
            let mut lags = vec![Vec::new(); starts.len()];
            for event in &span.events {
                let lag = (event.processed_at.unwrap() - event.event_time).max(time::Duration::ZERO);
                lags[span.bucket_of(event.event_time, bucket)].push(lag);
            }
            let lines = starts.iter().zip(&mut lags).map(|(start, lags)| {
                lags.sort();
                let late = lags
                    .iter()
                    .filter(|lag| lag.whole_microseconds() > late_after_s * 1_000_000)
                    .count();
                // The first that so many are not above.
                let up_to = |percent: usize| match lags.len() {
                    0 => String::new(),
                    all => interval(lags[(all * percent).div_ceil(100).max(1) - 1]),
                };
                let quantiles = [up_to(50), up_to(99), up_to(100)].join("|");
                format!(
                    "{}|{}|{late}|{}|{quantiles}",
                    stamp(*start),
                    lags.len(),
                    share(late, lags.len())
                )
            });
            let sql = format!(
                "SELECT * FROM ecom.lag_over_time({}, '{in_sql}', '{late_after_s} seconds')",
                span.sql()
            );
            check(&client, &sql, lines.collect()).await;
        }
    }
}

#[tokio::test]
async fn identifiers_at_several_times() {
    let (world, client) = world().await;
    let mut several = Vec::new();
    for span in world.spans() {
        let mut ids: BTreeMap<Uuid, Vec<OffsetDateTime>> = BTreeMap::new();
        for event in &span.events {
            ids.entry(event.event_id).or_default().push(event.event_time);
        }
        let twins: Vec<_> = ids.iter().filter(|(_, times)| times.len() > 1).collect();
        several.push(twins.len());
        let lines = twins.iter().map(|(id, times)| {
            let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            format!("{id}|{}|{}|{}", times.len(), stamp(*first), stamp(*last))
        });
        let sql = format!("SELECT * FROM ecom.ids_at_several_times({})", span.sql());
        check_set(&client, &sql, lines.clone().collect()).await;
        if span.events.len() == world.events.len() {
            check_set(&client, "SELECT * FROM ecom.ids_at_several_times", lines.collect()).await;
        }
    }
    assert_eq!(several, [3, 1, 1]);
}

#[tokio::test]
async fn quality_of_each_day() {
    let (world, client) = world().await;
    // Letters of the days of the events, and of one that has none.
    let refused = [(2026, 11, 4, 7), (2026, 11, 5, 2), (2026, 11, 6, 1), (2026, 11, 8, 3)];
    client.batch_execute("BEGIN").await.unwrap();
    for (year, month, day, records) in refused {
        let letters = format!(
            "INSERT INTO ecom.dead_letters (epoch, rejected_at, pipeline, reason, detail)
             SELECT 1, '{year}-{month}-{day} 02:00+00', 'p', 'late', '' FROM generate_series(1, {records})"
        );
        client.batch_execute(&letters).await.unwrap();
    }
    for span in world.spans() {
        let mut days: BTreeMap<String, [usize; 7]> = BTreeMap::new();
        for event in &span.events {
            let counts = days.entry(event.event_time.date().to_string()).or_default();
            let found = [
                true,
                event.product_name.is_none(),
                event.category.is_none(),
                event.brand.is_none(),
                event.price.is_none(),
                event.event_time > event.processed_at.unwrap(),
            ];
            for (count, found) in counts.iter_mut().zip(found) {
                *count += usize::from(found);
            }
        }
        for (year, month, day, records) in refused {
            let date = format!("{year}-{month:02}-{day:02}");
            let at = stamp(span.since).as_str() <= format!("{date} 02:00:00+00").as_str()
                && format!("{date} 02:00:00+00").as_str() < stamp(span.until).as_str();
            if at {
                days.entry(date).or_default()[6] += records;
            }
        }
        let lines = days
            .iter()
            .map(|(day, counts)| format!("{day}|{}", counts.map(|count| count.to_string()).join("|")));
        let sql = format!("SELECT * FROM ecom.quality_by_day({})", span.sql());
        check(&client, &sql, lines.collect()).await;
    }
    client.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn quality_of_each_file() {
    let db = database_with_schema().await;
    db.execute(
        "INSERT INTO ecom.ingest_split
             (split_id, pipeline, source, path, generation, state, read, stored, duplicates, rejected, filtered, mark)
         VALUES (1, 'p', 's', 'a.csv', 0, 'finished', 9, 4, 1, 3, 1, '{\"ignored_columns\": [\"x\"]}'),
                (2, 'p', 's', 'b.csv', 1, 'open', 0, 0, 0, 0, 0, NULL),
                (3, 'p', 's', 'c.csv', 0, 'finished', 3, 2, 0, 1, 0, NULL);
         INSERT INTO ecom.dead_letters (epoch, pipeline, reason, detail, split_id)
         VALUES (1, 'p', 'late', '', 1), (1, 'p', 'no_price', '', 1), (2, 'p', 'late', '', 1), (1, 'p', 'late', '', NULL)",
    )
    .await;
    let lines = db.ask("SELECT * FROM ecom.quality_by_file ORDER BY split_id").await;
    assert_eq!(
        lines,
        [
            "1|p|a.csv|0|finished|9|4|1|3|1|0.4444|0.1111|0.3333|{\"late\": 2, \"no_price\": 1}|[\"x\"]",
            "2|p|b.csv|1|open|0|0|0|0|0|||||",
            // Its letter was deleted.
            "3|p|c.csv|0|finished|3|2|0|1|0|0.6667|0.0000|0.3333||",
        ]
    );
}

#[tokio::test]
async fn the_pulse() {
    let db = database_with_schema().await;
    let quiet = "SELECT events_last_minute, users_last_minute, newest_event, event_lag, orders_last_hour,
                        revenue_last_hour, epochs, since_commit, files_open, files_damaged, rejected_last_hour
                 FROM ecom.pulse";
    assert_eq!(db.ask(quiet).await, ["0|0|||0|0|0||0|0|0"]);

    // In one transaction, in which now() stands still.
    db.execute(
        "SET timezone = 'UTC';
         SELECT ecom.ensure_partitions(ARRAY[now() - interval '2 hours', now()]::date[]);
         BEGIN;
         INSERT INTO ecom.events
         SELECT now() - ago::interval, now(), NULL, NULL, gen_random_uuid(), quantity, type, u, s, 'p', NULL, NULL, NULL, price
         FROM (VALUES
             ('10 s', 1, 'view', 'u1', 's1', NULL), ('60 s', 1, 'view', 'u2', 's2', NULL),
             ('30 s', 2, 'purchase', 'u1', 's1', 1.50), ('30 s', 1, 'purchase', 'u1', 's1', 2.00),
             ('61 s', 1, 'view', 'u3', 's3', NULL), ('1 hour', 1, 'purchase', 'u3', 's3', 10.00),
             ('1 hour 1 s', 1, 'purchase', 'u3', 's3', 100.00)
         ) AS e (ago, quantity, type, u, s, price);
         INSERT INTO ecom.ingest_pipeline (pipeline, epoch, committed_at)
         VALUES ('a', 7, now() - interval '3 s'), ('b', 5, now() - interval '3 h'), ('c', 0, NULL);
         INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state)
         VALUES (1, 'a', 's', '1', 'open'), (2, 'a', 's', '2', 'open'), (3, 'a', 's', '3', 'damaged'),
                (4, 'a', 's', '4', 'finished'), (5, 'a', 's', '5', 'set_aside');
         INSERT INTO ecom.dead_letters (epoch, pipeline, reason, detail, rejected_at)
         VALUES (1, 'a', 'late', '', now()), (1, 'a', 'late', '', now() - interval '1 hour'),
                (1, 'a', 'late', '', now() - interval '2 hours')",
    )
    .await;
    let beating = quiet.replace(
        "newest_event, event_lag",
        "newest_event = now() - interval '10 s', event_lag",
    );
    let expected = "4|2|t|00:00:10|2|15.00|12|00:00:03|2|1|2";
    assert_eq!(db.ask(&beating).await, [expected]);
    assert_eq!(db.ask("SELECT at = now() FROM ecom.pulse").await, ["t"]);
}
