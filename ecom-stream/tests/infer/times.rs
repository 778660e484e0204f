//! The forms of times that exports have: each is inferred, and read as the moment that it is.

use ecom_stream::Mapping;
use ecom_stream::check::check_file;
use time::macros::datetime;
use time::{OffsetDateTime, Time};

use super::infer;

const FIRST: OffsetDateTime = datetime!(2024-11-13 14:05:09 UTC);

/// A file with these times.
fn file(times: [&str; 2]) -> String {
    let [first, second] = times;
    format!(
        "event_time\tevent_type\tuser_id\tsession_id\tproduct_id\n\
         {first}\tview\tu1\ts1\tp1\n{second}\tview\tu2\ts2\tp2\n"
    )
}

#[tokio::test]
async fn every_form_of_times_is_inferred() {
    // What is cut from the moment: nothing, the seconds, or the time of day.
    let (whole, minute, day) = (
        FIRST,
        FIRST.replace_second(0).unwrap(),
        FIRST.replace_time(Time::MIDNIGHT),
    );
    let mut wrong = Vec::new();
    let quarter = FIRST.replace_millisecond(250).unwrap();
    for (first, second, format, moment) in [
        ("2024-11-13T14:05:09Z", "2024-11-14T00:00:00Z", "rfc3339", whole),
        (
            "2024-11-13T15:05:09.25+01:00",
            "2024-11-14T00:00:00+01:00",
            "rfc3339",
            quarter,
        ),
        (
            "2024-11-13T15:05:09+0100",
            "2024-11-14T00:00:00+0100",
            "%Y-%m-%dT%H:%M:%S%.f%z",
            whole,
        ),
        (
            "2024-11-13T15:05:09+01",
            "2024-11-14T00:00:00+01",
            "%Y-%m-%dT%H:%M:%S%.f%:::z",
            whole,
        ),
        (
            "2024-11-13T14:05:09",
            "2024-11-14T00:00:00",
            "%Y-%m-%dT%H:%M:%S%.f",
            whole,
        ),
        ("2024-11-13T14:05", "2024-11-14T00:00", "%Y-%m-%dT%H:%M", minute),
        ("2024-11-13T14:05Z", "2024-11-14T00:00Z", "%Y-%m-%dT%H:%MZ", minute),
        ("2024-11-13 14:05:09", "2024-11-14 00:00:00", "%Y-%m-%d %H:%M:%S", whole),
        (
            "2024-11-13 14:05:09.25",
            "2024-11-14 00:00:00",
            "%Y-%m-%d %H:%M:%S%.f",
            quarter,
        ),
        (
            "2024-11-13 14:05:09,250",
            "2024-11-14 00:00:00,000",
            "%Y-%m-%d %H:%M:%S,%f",
            quarter,
        ),
        (
            "2024-11-13 14:05:09 UTC",
            "2024-11-14 00:00:00 UTC",
            "%Y-%m-%d %H:%M:%S UTC",
            whole,
        ),
        (
            "2024-11-13 14:05:09.25 UTC",
            "2024-11-14 00:00:00 UTC",
            "%Y-%m-%d %H:%M:%S%.f UTC",
            quarter,
        ),
        ("2024-11-13 14:05:09Z", "2024-11-14 00:00:00Z", "rfc3339", whole),
        (
            "2024-11-13 15:05:09+01",
            "2024-11-14 00:00:00+01",
            "%Y-%m-%d %H:%M:%S%.f%:::z",
            whole,
        ),
        (
            "2024-11-13 15:05:09+0100",
            "2024-11-14 00:00:00+0100",
            "%Y-%m-%d %H:%M:%S%.f%z",
            whole,
        ),
        (
            "2024-11-13 15:05:09 +0100",
            "2024-11-14 00:00:00 +0100",
            "%Y-%m-%d %H:%M:%S%.f %z",
            whole,
        ),
        (
            "2024-11-13 15:05:09 +01:00",
            "2024-11-14 00:00:00 +01:00",
            "%Y-%m-%d %H:%M:%S%.f %:z",
            whole,
        ),
        (
            "2024-11-13 15:05:09 Europe/Berlin",
            "2024-11-14 00:00:00 Asia/Tokyo",
            "%Y-%m-%d %H:%M:%S%.f %Q",
            whole,
        ),
        ("2024-11-13 14:05", "2024-11-14 00:00", "%Y-%m-%d %H:%M", minute),
        (
            "2024-11-13 02:05:09 PM",
            "2024-11-14 12:00:00 AM",
            "%Y-%m-%d %I:%M:%S %p",
            whole,
        ),
        ("2024-11-13", "2024-11-14", "%Y-%m-%d", day),
        (
            "2024/11/13 14:05:09",
            "2024/11/14 00:00:00",
            "%Y/%m/%d %H:%M:%S%.f",
            whole,
        ),
        ("2024/11/13 14:05", "2024/11/14 00:00", "%Y/%m/%d %H:%M", minute),
        ("2024/11/13", "2024/11/14", "%Y/%m/%d", day),
        ("2024.11.13 14:05:09", "2024.11.14 00:00:00", "%Y.%m.%d %H:%M:%S", whole),
        ("20241113 140509", "20241114 000000", "%Y%m%d%H%M%S", whole),
        ("20241113T140509Z", "20241114T000000Z", "%Y%m%dT%H%M%SZ", whole),
        ("20241113140509", "20241114000000", "%Y%m%d%H%M%S", whole),
        ("202411131405", "202411140000", "%Y%m%d%H%M", minute),
        ("20241113", "20241114", "%Y%m%d", day),
        ("11/13/2024 2:05 PM", "11/14/2024 12:00 AM", "%m/%d/%Y %I:%M %p", minute),
        (
            "11/13/2024 2:05:09 PM",
            "11/14/2024 12:00:00 AM",
            "%m/%d/%Y %I:%M:%S %p",
            whole,
        ),
        ("11/13/2024 02:05PM", "11/14/2024 12:00AM", "%m/%d/%Y %I:%M%p", minute),
        (
            "11/13/2024, 2:05:09 PM",
            "11/14/2024, 12:00:00 AM",
            "%m/%d/%Y, %I:%M:%S %p",
            whole,
        ),
        ("11/13/24 14:05", "11/14/24 0:00", "%m/%d/%y %H:%M", minute),
        ("13/11/2024 14:05:09", "14/11/2024 00:00:00", "%d/%m/%Y %H:%M:%S", whole),
        (
            "13/11/2024, 14:05:09",
            "14/11/2024, 00:00:00",
            "%d/%m/%Y, %H:%M:%S",
            whole,
        ),
        ("13-11-2024 14:05", "14-11-2024 00:00", "%d-%m-%Y %H:%M", minute),
        ("13.11.2024 14:05:09", "1.2.2024 00:00:00", "%d.%m.%Y %H:%M:%S", whole),
        ("13.11.2024 14:05", "1.2.2024 0:00", "%d.%m.%Y %H:%M", minute),
        ("13.11.2024", "1.2.2024", "%d.%m.%Y", day),
        ("13.11.24", "01.02.24", "%d.%m.%y", day),
        (
            "13-Nov-2024 14:05:09",
            "1-Feb-2024 00:00:00",
            "%d-%b-%Y %H:%M:%S%.f",
            whole,
        ),
        ("13-NOV-24", "01-FEB-24", "%d-%b-%y", day),
        ("13 Nov 2024 14:05", "1 Feb 2024 00:00", "%d %b %Y %H:%M", minute),
        ("13 November 2024", "1 February 2024", "%d %B %Y", day),
        ("Nov 13, 2024", "Feb 1, 2024", "%b %d, %Y", day),
        (
            "Nov 13, 2024, 2:05:09 PM",
            "Feb 1, 2024, 12:00:00 AM",
            "%b %d, %Y, %I:%M:%S %p",
            whole,
        ),
        ("November 13, 2024", "February 1, 2024", "%B %d, %Y", day),
        (
            "Wednesday, November 13, 2024",
            "Thursday, February 1, 2024",
            "%A, %B %d, %Y",
            day,
        ),
        (
            "Wed, 13 Nov 2024 15:05:09 +0100",
            "Thu, 01 Feb 2024 00:00:00 +0100",
            "%a, %d %b %Y %H:%M:%S %z",
            whole,
        ),
        (
            "Wed, 13 Nov 2024 14:05:09 GMT",
            "Thu, 01 Feb 2024 00:00:00 GMT",
            "%a, %d %b %Y %H:%M:%S GMT",
            whole,
        ),
        (
            "Wed Nov 13 14:05:09 2024",
            "Thu Feb  1 00:00:00 2024",
            "%a %b %d %H:%M:%S %Y",
            whole,
        ),
        (
            "13/Nov/2024:15:05:09 +0100",
            "01/Feb/2024:00:00:00 +0100",
            "%d/%b/%Y:%H:%M:%S %z",
            whole,
        ),
        (
            "[13/Nov/2024:15:05:09 +0100]",
            "[01/Feb/2024:00:00:00 +0100]",
            "[%d/%b/%Y:%H:%M:%S %z]",
            whole,
        ),
        ("1731506709", "1706745600", "epoch_s", whole),
        ("1731506709.25", "1706745600.0", "epoch_s", quarter),
        ("1731506709250", "1706745600000", "epoch_ms", quarter),
        ("1731506709250000", "1706745600000000", "epoch_us", quarter),
        ("1731506709250000000", "1706745600000000000", "epoch_ns", quarter),
        ("45609.586805555556", "45323", "excel", minute),
    ] {
        let (proposal, checked) = infer("a.csv", file([first, second])).await;
        let toml = &proposal.toml;
        let line = format!("event_time = {{ column = \"event_time\", format = \"{format}\" }}\n");
        let times = checked.iter().flat_map(|checked| &checked.events);
        let times: Vec<_> = times.map(|event| event.value.event_time).collect();
        if !toml.contains(&line) || times.len() != 2 || times[0] != moment {
            wrong.push(format!("{first}: not {format}, {moment}, but {times:?}\n{toml}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn day_and_month_are_left_to_a_person_if_no_value_tells() {
    for (first, second, readings) in [
        (
            "03/05/2024 14:05",
            "04/06/2024 00:00",
            &["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"][..],
        ),
        ("3-5-2024", "4-6-2024", &["%d-%m-%Y", "%m-%d-%Y"]),
        (
            "03/05/24 2:05 PM",
            "04/06/24 2:05 AM",
            &["%d/%m/%y %I:%M %p", "%m/%d/%y %I:%M %p"],
        ),
        ("03-05-04", "04-06-05", &["%y-%m-%d", "%d-%m-%y", "%m-%d-%y"]),
        // Each order is proved by a value.
        ("13/05/2024", "05/13/2024", &[]),
    ] {
        let mut text = file([first, second]);
        if readings.is_empty() {
            text += "01/02/2024\tview\tu3\ts3\tp3\n13/02/2024\tview\tu3\ts3\tp3\n";
        }
        let (proposal, _) = infer("a.csv", text).await;
        assert_eq!(proposal.missing, ["event_time"], "{first}\n{}", proposal.toml);
        for format in readings {
            let line = format!("# event_time = {{ column = \"event_time\", format = \"{format}\" }}\n");
            assert!(proposal.toml.contains(&line), "{format}\n{}", proposal.toml);
        }
    }
}

#[tokio::test]
async fn the_abbreviation_of_a_zone_is_left_to_a_person() {
    let text = file(["2024-11-13 15:05:09 CET", "2024-07-14 16:05:09 CEST"]);
    let (proposal, _) = infer("a.csv", &text).await;
    assert_eq!(proposal.missing, ["event_time"]);
    let line = "event_time = { column = \"event_time\", format = \"%Y-%m-%d %H:%M:%S %Z\", \
                zones = { \"CEST\" = \"TO BE FILLED IN\", \"CET\" = \"TO BE FILLED IN\" } }\n";
    assert!(proposal.toml.contains(&format!("# {line}")), "{}", proposal.toml);
    let active = proposal.toml.replace(&format!("# {line}"), line);
    assert!(Mapping::from_toml(&active).is_err());
    let filled = active
        .replacen("TO BE FILLED IN\", \"CET", "+02:00\", \"CET", 1)
        .replacen("\"CET\" = \"TO BE FILLED IN\"", "\"CET\" = \"+01:00\"", 1);
    let mapping = Mapping::from_toml(&filled).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    let checked = check_file(&path, Some(&mapping), Default::default(), 9).await.unwrap();
    let times: Vec<_> = checked.events.iter().map(|event| event.value.event_time).collect();
    assert_eq!(times, [FIRST, datetime!(2024-07-14 14:05:09 UTC)]);
}
