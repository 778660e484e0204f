//! How much a directory with many finished files and a table with many rows slow the ingest down.

use std::fs;
use std::path::Path;

use ecom_gen::IdVersion;

use crate::data;
use crate::loaders::{Run, ingest};
use crate::memory::start_to_first_row;
use crate::stage::{Database, Stage};
use crate::table::Table;
use crate::{Outcome, Scale};

/// Rows of other days than those of the files, as full a table as one of that size is.
const FILL: &str = "
    SELECT ecom.ensure_partitions(ARRAY(SELECT date '2026-10-01' + n FROM generate_series(0, 9) AS n));
    INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id,
                             product_name, category, brand, price)
    SELECT '2026-10-01Z'::timestamptz + n * interval '86 milliseconds', now(), gen_random_uuid(), 1, 'view',
           (n % 100000)::text, (n % 1000000)::text, (n % 10000)::text, 'Mobile Phone, red', 'electronics.smartphone',
           'acme', 9.90
    FROM generate_series(1, $1::int8) AS n";

/// The same backlog and the same start, in an empty place and in a full one.
pub(crate) async fn growth(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    let (files, rows) = if scale.quick {
        (2_000, 100_000)
    } else {
        (200_000, 10_000_000)
    };
    let dir = tempfile::tempdir()?;
    let empty = load(stage, &stage.database().await?, dir.path(), scale, "empty").await?;
    fs::remove_dir_all(dir.path())?;
    fs::create_dir(dir.path())?;

    let database = stage.database().await?;
    for statement in FILL.split_inclusive(';') {
        let statement = statement.replace("$1", &rows.to_string());
        database.client.batch_execute(&statement).await?;
    }
    for file in 0..files {
        let text =
            format!("event_time,event_type,user_id,session_id,product_id\n2026-10-05T12:00:00Z,view,u{file:06},s,p\n");
        fs::write(dir.path().join(format!("finished-{file}.csv")), text)?;
    }
    data::rest(dir.path())?;
    let finishing = ingest(stage, &database, dir.path())?;
    table.line(
        format!("{files} files of one row"),
        format!("**{:.0} files/s**", files as f64 / finishing.seconds),
        format!("{:.0} MiB", finishing.peak_mib),
        "not a commit each",
    );
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        database.client.batch_execute(statement).await?;
    }
    let full = load(stage, &database, dir.path(), scale, "full").await?;

    let what = format!("{files} finished files, {} M rows in the table", rows / 1_000_000);
    table.line(
        format!("{what}: start → first row"),
        format!("**{:.0} ms**", full.start_s * 1_000.0),
        format!("empty {:.0} ms", empty.start_s * 1_000.0),
        "for comparison",
    );
    table.line(
        format!("{what}: backlog"),
        format!(
            "**{:.2} ×**: {:.1} s",
            empty.run.seconds / full.run.seconds,
            full.run.seconds
        ),
        format!("empty {:.1} s", empty.run.seconds),
        "for comparison",
    );
    table.line(
        format!("{what}: peak memory"),
        format!("**{:.0} MiB**", full.run.peak_mib),
        format!("empty {:.0} MiB", empty.run.peak_mib),
        "for comparison",
    );
    Ok(())
}

struct Load {
    start_s: f64,
    run: Run,
}

/// Starts with one new file in the directory, then loads a backlog there.
async fn load(stage: &Stage, database: &Database, dir: &Path, scale: Scale, name: &str) -> Outcome<Load> {
    let first = format!("first-{name}");
    let text = format!("event_time,event_type,user_id,session_id,product_id\n2026-11-01T12:00:00Z,view,{first},s,p\n");
    let path = dir.join(format!("{first}.csv"));
    fs::write(&path, text)?;
    data::rest_since(&path, 0)?;
    let start_s = start_to_first_row(
        database,
        dir,
        &format!("user_id = '{first}' AND event_time >= '2026-11-01'"),
    )
    .await?;
    let backlog = data::make(scale.rows, scale.rows / 100, IdVersion::V7).await?;
    for path in data::files(backlog.path())? {
        fs::rename(&path, dir.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(Load {
        start_s,
        run: ingest(stage, database, dir)?,
    })
}
