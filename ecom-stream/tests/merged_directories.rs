//! Two merged directories of files that are read as fast as possible: neither makes the events of the other late.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Event, Rules, SourceExt};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

const MINUTES: u64 = 40;

/// A file for each minute, with an event each second.
fn write_files(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
    for minute in 0..MINUTES {
        let mut text = "event_time,event_type,user_id,session_id,product_id\n".to_owned();
        for second in 0..60 {
            let time = datetime!(2026-11-01 12:00 UTC) + Duration::from_secs(minute * 60 + second);
            text += &format!("{},view,u,s,p\n", time.format(&Rfc3339).unwrap());
        }
        let path = dir.join(format!("{minute:02}.csv"));
        fs::write(&path, text).unwrap();
        let time = an_hour_ago + Duration::from_secs(minute);
        File::open(path).unwrap().set_modified(time).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_merged_directories_do_not_make_each_other_late() {
    let root = tempfile::tempdir().unwrap();
    let events = |name: &str| {
        let dir = root.path().join(name);
        write_files(&dir);
        let source = CsvDirSource::new(dir).name(name).available_now(true);
        source.validate(Rules::default())
    };
    let sink = MemorySink::new("test");
    events("views")
        .merge(events("purchases"))
        .event_time(|event: &Event| event.event_time, Duration::from_secs(20))
        .map(|timed| timed.is_late())
        .to(sink.clone())
        .run()
        .await
        .unwrap();
    let late = sink.records().into_iter().filter(|record| record.value);
    let late: Vec<_> = late.map(|record| record.origin.unwrap().split).collect();
    assert!(late.is_empty(), "{} of {late:?}", late.len());
    assert_eq!(sink.values().len() as u64, 2 * MINUTES * 60);
}
