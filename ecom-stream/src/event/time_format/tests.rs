//! Tests of time formats: what each form reads, and which formats are refused.

use time::macros::datetime;

use super::*;

#[test]
fn every_kind_of_format_reads_its_times() {
    let noon = datetime!(2026-11-01 12:00 UTC);
    for (format, text) in [
        ("rfc3339", "2026-11-01T13:00:00+01:00"),
        ("epoch_s", "1793534400"),
        ("epoch_ms", "1793534400000"),
        ("epoch_us", "1793534400000000"),
        (
            "[year]-[month]-[day] [hour]:[minute]:[second] UTC",
            "2026-11-01 12:00:00 UTC",
        ),
        ("%Y-%m-%d %H:%M:%S UTC", "2026-11-01 12:00:00 UTC"),
        ("%d-%m-%Y %H:%M", "01-11-2026 12:00"),
        ("%m/%d/%y %I:%M %p", "11/01/26 12:00 pm"),
        ("%Y-%m-%d %H:%M:%S%.f%:z", "2026-11-01 13:00:00.0+01:00"),
        ("%s", "1793534400"),
    ] {
        assert_eq!(TimeFormat::named(format).unwrap().parse(text), Some(noon), "{format}");
    }
    let midnight = TimeFormat::named("%Y%m%d").unwrap().parse("20261101");
    assert_eq!(midnight, Some(datetime!(2026-11-01 00:00 UTC)));
    for text in [
        "",
        "now",
        "infinity",
        "2026-11-01",
        "2026-13-01T00:00:00Z",
        "2026-11-01 12:00:00",
    ] {
        assert_eq!(TimeFormat::Rfc3339.parse(text), None, "{text}");
    }
    for text in ["", "NaN", "1e9", "99999999999999999999", "9223372036854775807"] {
        assert_eq!(TimeFormat::UnixSeconds.parse(text), None, "{text}");
    }
    for text in ["", "2026-11-01 12:00", "2026-02-30 12:00:00", "2026-11-01 12:00:00 "] {
        assert_eq!(
            TimeFormat::strptime("%Y-%m-%d %H:%M:%S").unwrap().parse(text),
            None,
            "{text}"
        );
    }
}

#[test]
fn a_format_that_does_not_determine_the_time_is_an_error() {
    for format in [
        "[nonsense]",
        "%Y-%m",
        "%H:%M",
        "%!",
        "%d-%m-%Y %Z",
        "iso",
        "",
        // 12-hour clocks without am and pm: afternoons would be read as mornings.
        "%d/%m/%Y %I:%M",
        "[year]-[month]-[day] [hour repr:12]:[minute]",
        // Formats that do not determine the day.
        "[hour]:[minute]",
        "[year repr:last_two]-[month]-[day]",
        "[year]-[month]-[day] [offset_hour]",
    ] {
        assert!(TimeFormat::named(format).is_err(), "{format}");
    }
    assert!(TimeFormat::Rfc3339.in_zone(TimeZone::UTC).is_err());
    for format in ["%Y-%m-%d %H:%M UTC", "%Y-%m-%d %H:%M%z", "%Y-%m-%d %H:%M %Q"] {
        assert!(
            TimeFormat::named(format).unwrap().in_zone(TimeZone::UTC).is_err(),
            "{format}"
        );
    }
}

#[test]
fn a_zone_in_the_text_itself_is_used() {
    let format = TimeFormat::named("%Y-%m-%d %H:%M %Q").unwrap();
    for (text, time) in [
        ("2026-07-01 12:00 Europe/Berlin", Some(datetime!(2026-07-01 10:00 UTC))),
        ("2026-07-01 12:00 +0200", Some(datetime!(2026-07-01 10:00 UTC))),
        ("2026-03-29 02:30 Europe/Berlin", None),
        ("2026-07-01 12:00 Mars/Base", None),
    ] {
        assert_eq!(format.parse(text), time, "{text}");
    }
}

#[test]
fn a_date_is_midnight_in_its_zone() {
    for format in ["[day].[month].[year]", "%d.%m.%Y"] {
        let format = TimeFormat::named(format).unwrap();
        assert_eq!(format.parse("01.07.2026"), Some(datetime!(2026-07-01 0:00 UTC)));
        assert_eq!(format.parse("01.07.2026 12:00"), None);
        let there = format.in_zone(TimeZone::named("Europe/Berlin").unwrap()).unwrap();
        assert_eq!(there.parse("01.07.2026"), Some(datetime!(2026-06-30 22:00 UTC)));
    }
}

#[test]
fn utc_is_assumed_only_where_nothing_gives_a_zone() {
    let assumed = |format: &str| TimeFormat::named(format).unwrap().assumes_utc();
    for format in ["%Y-%m-%d %H:%M", "[year]-[month]-[day] [hour]:[minute]"] {
        assert!(assumed(format), "{format}");
        let here = TimeFormat::named(format).unwrap().in_zone(TimeZone::UTC).unwrap();
        assert!(!here.assumes_utc(), "{format}");
    }
    for format in [
        "rfc3339",
        "epoch_s",
        "%s",
        "%Y-%m-%d %H:%M UTC",
        "%Y-%m-%d %H:%M%:z",
        "[year]-[month]-[day] [hour]:[minute]Z",
        "[year]-[month]-[day] [hour]:[minute] [offset_hour]:[offset_minute]",
    ] {
        assert!(!assumed(format), "{format}");
    }
}

#[test]
fn times_without_a_zone_are_in_the_zone_of_the_format() {
    let berlin = TimeZone::named("Europe/Berlin").unwrap();
    for format in ["%Y-%m-%d %H:%M", "[year]-[month]-[day] [hour]:[minute]"] {
        let format = TimeFormat::named(format).unwrap();
        let here = format.clone().in_zone(berlin.clone()).unwrap();
        assert_eq!(format.parse("2026-07-01 12:00"), Some(datetime!(2026-07-01 12:00 UTC)));
        assert_eq!(here.parse("2026-07-01 12:00"), Some(datetime!(2026-07-01 10:00 UTC)));
        assert_eq!(here.parse("2026-03-29 02:30"), None);
    }
}

/// The error for a format that must be refused.
fn refused(format: &str) -> TimeFormatError {
    TimeFormat::named(format).expect_err(format)
}

#[test]
fn a_part_that_would_be_ignored_is_an_error() {
    for (format, part) in [
        ("[month]/[day]/[year] [hour]:[minute]:[second] [period]", "[period]"),
        ("[year]-[month]-[day] [hour]:[minute] [period case:lower]", "[period]"),
        ("[year] [unix_timestamp]", "[year]"),
        ("[weekday] [unix_timestamp]", "[weekday]"),
        ("[unix_timestamp precision:millisecond] [hour]", "[hour]"),
        ("[year]-[month]-[day] [ordinal]", "[month]"),
        ("[year]-W[week_number] [month]-[day]", "[week_number]"),
        ("[year]-[month]-[day][optional [ ([week_number])]]", "[week_number]"),
        ("%d/%m/%Y %H:%M %p", "%p"),
        ("%d/%m/%Y %T %P", "%P"),
        ("%Y %s", "%Y"),
        ("%a %s", "%a"),
        ("%H:%M %s", "%H"),
        ("%Y-%m-%d %j", "%j"),
        ("%Y-%m-%d %V", "%V"),
        ("%Y-%m-%d %H:%M (%I %p)", "%p"),
    ] {
        match refused(format) {
            TimeFormatError::Ignored { part: found, .. } => assert_eq!(found, part, "{format}"),
            other => panic!("{format}: {other}"),
        }
    }
    let told = refused("[month]/[day]/[year] [hour]:[minute]:[second] [period]").to_string();
    assert!(told.contains("reads [period] but ignores it"), "{told}");
    assert!(told.contains("Write [hour repr:12] in place of [hour]"), "{told}");
    assert!(
        refused("%m/%d/%Y %H:%M %p")
            .to_string()
            .contains("Write %I in place of %H")
    );
}

#[test]
fn a_part_that_contradicts_the_others_makes_a_text_no_time() {
    for (format, right, wrong) in [
        ("%a %d.%m.%Y", "Sun 01.11.2026", "Mon 01.11.2026"),
        (
            "%A, %d %B %Y %H:%M",
            "Sunday, 01 November 2026 00:00",
            "Friday, 01 November 2026 00:00",
        ),
        (
            "[weekday repr:short], [day] [month repr:short] [year]",
            "Sun, 01 Nov 2026",
            "Tue, 01 Nov 2026",
        ),
        (
            "[year]-[month]-[day] [hour] ([hour repr:12] [period])",
            "2026-11-01 00 (12 AM)",
            "2026-11-01 00 (12 PM)",
        ),
        (
            "[year]-[month]-[day] [hour] ([hour repr:12] [period])",
            "2026-11-01 00 (12 AM)",
            "2026-11-01 02 (12 AM)",
        ),
        (
            "%Y-%m-%dT%H:%M%:z[%Q]",
            "2026-11-01T01:00+01:00[Europe/Berlin]",
            "2026-11-01T02:00+02:00[Europe/Berlin]",
        ),
    ] {
        let format = TimeFormat::named(format).unwrap();
        assert_eq!(format.parse(right), Some(datetime!(2026-11-01 0:00 UTC)), "{right}");
        assert_eq!(format.parse(wrong), None, "{wrong}");
    }
}

#[test]
fn second_60_is_no_time_in_any_format() {
    for (format, text) in [
        ("rfc3339", "2016-12-31T23:59:60Z"),
        ("rfc3339", "2026-11-01T09:30:60Z"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-01 09:30:60"),
        ("%Y-%m-%d %T", "2016-12-31 23:59:60"),
        ("%Y-%m-%d %H:%M:%S%.f%:z", "2016-12-31 23:59:60.5+00:00"),
        ("[year]-[month]-[day] [hour]:[minute]:[second]", "2016-12-31 23:59:60"),
        (
            "[year]-[month]-[day] [hour]:[minute]:[second][offset_hour sign:mandatory]",
            "2016-12-31 23:59:60+00",
        ),
    ] {
        let parsed = TimeFormat::named(format).unwrap();
        assert_eq!(parsed.parse(text), None, "{format}");
        let before = text.replace(":60", ":59");
        assert!(parsed.parse(&before).is_some(), "{format} {before}");
    }
    let dense = TimeFormat::named("%Y%m%d%H%M%S").unwrap();
    assert!(dense.parse("20260601006059").is_none());
    assert_eq!(dense.parse("20260601060059"), Some(datetime!(2026-06-01 6:00:59 UTC)));
    assert_eq!(dense.parse("20160601000060"), None);
}

#[test]
fn a_fraction_counts_wherever_it_stands() {
    let time = datetime!(2017-07-14 2:40:00.125 UTC);
    for (format, text) in [
        ("epoch_s", "1500000000.125"),
        ("epoch_ms", "1500000000125.0"),
        ("epoch_us", "1500000000125000"),
        ("epoch_ns", "1500000000125000000"),
        ("%s%.f", "1500000000.125"),
        ("%s.%f", "1500000000.125"),
        ("[unix_timestamp].[subsecond]", "1500000000.125"),
        ("%Y%m%dT%H%M%S%.fZ", "20170714T024000.125Z"),
        ("%Y-%m-%d %H:%M:%S,%f", "2017-07-14 02:40:00,125"),
        ("%d/%b/%Y:%H:%M:%S.%3f %z", "14/Jul/2017:04:40:00.125 +0200"),
    ] {
        assert_eq!(TimeFormat::named(format).unwrap().parse(text), Some(time), "{format}");
    }
}

#[test]
fn literal_text_that_names_a_zone_needs_the_zone_beside_it() {
    for (format, zone_text, text) in [
        (
            "%d.%m.%Y %H:%M (UTC+01:00)",
            "UTC+01:00",
            "01.11.2026 09:30 (UTC+01:00)",
        ),
        ("%d.%m.%Y %H:%M UTC+2", "UTC+2", "01.11.2026 09:30 UTC+2"),
        ("%d.%m.%Y %H:%M MEZ", "MEZ", "01.11.2026 09:30 MEZ"),
        ("%Y-%m-%d %I:%M %p PST", "PST", "2026-11-01 09:30 AM PST"),
        ("%Y-%m-%dT%H:%M:%S+01:00", "+01:00", "2026-11-01T09:30:00+01:00"),
        (
            "[year]-[month]-[day] [hour]:[minute] CET",
            "CET",
            "2026-11-01 09:30 CET",
        ),
        ("[year]-[month]-[day] [hour]:[minute] Z", "Z", "2026-11-01 09:30 Z"),
    ] {
        match refused(format) {
            TimeFormatError::ZoneAsText { text, .. } => assert_eq!(text, zone_text),
            other => panic!("{format}: {other}"),
        }
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let format = TimeFormat::builder().format(format).zone(berlin).build().unwrap();
        assert_eq!(format.parse(text), Some(datetime!(2026-11-01 8:30 UTC)), "{text}");
    }
    for (format, text) in [
        ("%Y-%m-%d %H:%M UTC", "2026-11-01 09:30 UTC"),
        ("%Y-%m-%d %H:%M (GMT)", "2026-11-01 09:30 (GMT)"),
        ("%Y%m%dT%H%M%SZ", "20261101T093000Z"),
        ("[year]-[month]-[day]T[hour]:[minute]Z", "2026-11-01T09:30Z"),
        ("%a, %d %b %Y %H:%M:%S GMT", "Sun, 01 Nov 2026 09:30:00 GMT"),
        ("%Y-%m-%d %H:%M (UTC%:z)", "2026-11-01 10:30 (UTC+01:00)"),
    ] {
        let format = TimeFormat::named(format).unwrap();
        assert_eq!(format.parse(text), Some(datetime!(2026-11-01 9:30 UTC)), "{text}");
        assert!(!format.assumes_utc());
    }
    let uhr = TimeFormat::named("%d.%m.%Y %H:%M Uhr").unwrap();
    assert!(uhr.assumes_utc());
}

#[test]
fn offsets_of_any_length_are_read() {
    let half = datetime!(2026-11-01 8:30 UTC);
    for (format, text) in [
        ("%Y-%m-%d %H:%M:%S%.f%:::z", "2026-11-01 09:30:00+01"),
        ("%Y-%m-%d %H:%M:%S%.f%:::z", "2026-11-01 09:30:00.0+01"),
        ("%Y-%m-%d %H:%M:%S%.f%:::z", "2026-11-01 14:00:00+05:30"),
        (
            "[year]-[month]-[day] [hour]:[minute]:[second][offset_hour sign:mandatory]",
            "2026-11-01 09:30:00+01",
        ),
        ("%s %z", "1793521800 +0100"),
    ] {
        assert_eq!(TimeFormat::named(format).unwrap().parse(text), Some(half), "{text}");
    }
}

#[test]
fn abbreviations_of_zones_mean_what_the_table_says() {
    assert!(matches!(refused("%Y-%m-%d %H:%M %Z"), TimeFormatError::NeedsZones(_)));
    let zones = [
        ("PST", "-08:00"),
        ("PDT", "-07:00"),
        ("PT", "America/Los_Angeles"),
        ("Mitteleuropäische Zeit", "+01"),
    ];
    let format = TimeFormat::builder()
        .format("%Y-%m-%d %H:%M:%S %Z")
        .zones(zones)
        .build()
        .unwrap();
    let time = Some(datetime!(2026-07-01 17:30 UTC));
    for text in [
        "2026-07-01 09:30:00 PST",
        "2026-07-01 10:30:00 PDT",
        "2026-07-01 10:30:00 PT",
        "2026-07-01 18:30:00 Mitteleuropäische Zeit",
        "2026-07-01 19:30:00 Europe/Berlin",
        "2026-07-01 17:30:00 UTC",
        "2026-07-01 17:30:00 GMT",
        "2026-07-01 19:30:00 +02:00",
        "2026-07-01 19:30:00 +0200",
        "2026-07-01 19:30:00 UTC+2",
    ] {
        assert_eq!(format.parse(text), time, "{text}");
    }
    for text in [
        "2026-07-01 17:30:00 CST",
        "2026-07-01 17:30:00 CET",
        "2026-07-01 17:30:00 PSTX",
        "2026-07-01 17:30:00",
        "2026-07-01 17:30:00 ",
    ] {
        assert_eq!(format.parse(text), None, "{text}");
    }
    let q = TimeFormat::named("%Y-%m-%d %H:%M %Q").unwrap();
    assert_eq!(
        q.parse("2026-07-01 12:00 CET"),
        None,
        "an abbreviation has several meanings"
    );
    let wrong = TimeFormat::builder()
        .format("%F %T %Z")
        .zones([("XST", "TO BE FILLED IN")]);
    assert!(matches!(wrong.build(), Err(TimeFormatError::Zone(_))));
}

#[test]
fn names_in_other_languages_are_read_from_tables() {
    const GERMAN: [&str; 24] = [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
        "Jan.",
        "Feb.",
        "Mrz.",
        "Apr.",
        "Mai",
        "Jun.",
        "Jul.",
        "Aug.",
        "Sept.",
        "Okt.",
        "Nov.",
        "Dez.",
    ];
    let format = TimeFormat::builder()
        .format("%A, %d. %B %Y %H:%M")
        .months(GERMAN)
        .weekdays([
            "Montag",
            "Dienstag",
            "Mittwoch",
            "Donnerstag",
            "Freitag",
            "Samstag",
            "Sonntag",
        ]);
    let format = format.build().unwrap();
    for text in [
        "Dienstag, 3. März 2026 09:30",
        "dienstag, 03. MÄRZ 2026 9:30",
        "Dienstag, 3. Mrz. 2026 09:30",
    ] {
        assert_eq!(format.parse(text), Some(datetime!(2026-03-03 9:30 UTC)), "{text}");
    }
    for text in [
        "Montag, 3. März 2026 09:30",
        "Dienstag, 3. March 2026 09:30",
        "Dienstag, 3. Mär 2026 09:30",
    ] {
        assert_eq!(format.parse(text), None, "{text}");
    }
    let month = |names: &[&str]| {
        TimeFormat::builder()
            .format("%d %b %Y")
            .months(names.iter().copied())
            .build()
    };
    assert!(
        month(&GERMAN[..11])
            .unwrap_err()
            .to_string()
            .starts_with("months needs 12 names")
    );
    let twice: Vec<&str> = GERMAN.iter().take(11).copied().chain(["Januar"]).collect();
    assert!(month(&twice).is_err(), "one name for two months");
    let unused = TimeFormat::builder()
        .format("%d.%m.%Y")
        .months(GERMAN)
        .build()
        .unwrap_err();
    assert!(unused.to_string().starts_with("months has no effect: no format has %b"));
}

#[test]
fn the_blanks_of_browsers_and_spreadsheets_are_blanks() {
    let format = TimeFormat::named("%b %d, %Y, %I:%M:%S %p").unwrap();
    assert_eq!(
        format.parse("Nov 1, 2026, 9:30:00\u{202f}AM"),
        Some(datetime!(2026-11-01 9:30 UTC))
    );
    let pasted = TimeFormat::named("%b %d, %Y, %I:%M:%S\u{202f}%p").unwrap();
    assert_eq!(
        pasted.parse("Nov 1, 2026, 9:30:00 PM"),
        Some(datetime!(2026-11-01 21:30 UTC))
    );
    let marked = TimeFormat::named("%m/%d/%Y").unwrap();
    assert_eq!(
        marked.parse("\u{200e}11\u{200e}/1/\u{200e}2026"),
        Some(datetime!(2026-11-01 0:00 UTC))
    );
    let words = TimeFormat::builder()
        .format("%d/%m/%Y %I:%M %p")
        .am_pm(["a. m.", "p. m."])
        .build()
        .unwrap();
    assert_eq!(
        words.parse("01/11/2026 09:30 p.\u{a0}m."),
        Some(datetime!(2026-11-01 21:30 UTC))
    );
}

#[test]
fn several_formats_must_not_contradict_each_other() {
    let several = |formats: &[&str]| {
        let builder = formats
            .iter()
            .fold(TimeFormat::builder(), |builder, format| builder.format(*format));
        builder.build()
    };
    let format = several(&["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d", "epoch_s", "epoch_ms"]).unwrap();
    for (text, time) in [
        ("2026-11-01 10:30:00+01:00", datetime!(2026-11-01 9:30 UTC)),
        ("2026-11-01", datetime!(2026-11-01 0:00 UTC)),
        ("1793525400", datetime!(2026-11-01 9:30 UTC)),
        ("1793525400000", datetime!(2026-11-01 9:30 UTC)),
    ] {
        assert_eq!(format.parse(text), Some(time), "{text}");
    }
    assert_eq!(format.parse("01.11.2026"), None);
    for formats in [
        ["%d/%m/%Y", "%m/%d/%Y"],
        ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"],
        ["epoch_ms", "epoch_s"],
        ["%d.%m.%y", "%y.%m.%d"],
    ] {
        let err = several(&formats).unwrap_err();
        assert!(
            matches!(err, TimeFormatError::Contradiction { .. }),
            "{formats:?}: {err}"
        );
    }
    assert!(TimeFormat::any_of([]).is_err());
    let berlin = TimeZone::named("Europe/Berlin").unwrap();
    let local = several(&["rfc3339", "%Y-%m-%d %H:%M"]).unwrap();
    assert!(local.assumes_utc());
    let local = local.in_zone(berlin.clone()).unwrap();
    assert_eq!(local.parse("2026-11-01 10:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    assert_eq!(
        local.parse("2026-11-01T09:30:00Z"),
        Some(datetime!(2026-11-01 9:30 UTC))
    );
    assert!(several(&["rfc3339", "epoch_s"]).unwrap().in_zone(berlin).is_err());
}

#[test]
fn alternatives_and_optional_parts_of_a_description_are_tried_too() {
    let format = TimeFormat::named("[year]-[month]-[day][optional [ [hour]:[minute][optional [:[second]]]]]").unwrap();
    assert_eq!(
        format.parse("2026-11-01 09:30:05"),
        Some(datetime!(2026-11-01 9:30:05 UTC))
    );
    assert_eq!(format.parse("2026-11-01 09:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    assert_eq!(format.parse("2026-11-01"), Some(datetime!(2026-11-01 0:00 UTC)));
    let both = TimeFormat::named("[first [[year]-[month]-[day]] [[day].[month].[year]]] [hour]:[minute]").unwrap();
    assert_eq!(both.parse("01.11.2026 09:30"), Some(datetime!(2026-11-01 9:30 UTC)));
    assert!(TimeFormat::named("[first [[day]/[month]/[year]] [[month]/[day]/[year]]]").is_err());
    let ignored = TimeFormat::named("[year]-[month]-[day] [hour]:[minute] [ignore count:3]").unwrap();
    assert_eq!(
        ignored.parse("2026-11-01 09:30 abc"),
        Some(datetime!(2026-11-01 9:30 UTC))
    );
}

#[test]
fn day_numbers_of_spreadsheets_are_in_the_zone() {
    let format = TimeFormat::named("excel").unwrap();
    assert_eq!(format.parse("46327.395833333336"), Some(datetime!(2026-11-01 9:30 UTC)));
    assert!(format.assumes_utc());
    let berlin = format.in_zone(TimeZone::named("Europe/Berlin").unwrap()).unwrap();
    assert_eq!(berlin.parse("46327.395833333336"), Some(datetime!(2026-11-01 8:30 UTC)));
    let mac = TimeFormat::named("excel_1904").unwrap();
    assert_eq!(mac.parse("44865.395833333336"), Some(datetime!(2026-11-01 9:30 UTC)));
}
