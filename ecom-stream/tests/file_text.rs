//! Tests of how the text of a file becomes records: encodings, line ends, headers, and lines that are no records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Duration;

use ecom_stream::check::{CheckedFile, check_file};
use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Event, Mapping, Reason, Rules, SourceExt, SplitState};

const HEADER: &str = "event_time,event_type,user_id,session_id,product_id\n";

/// Loads what a directory has now into the sink, with a mapping or without one.
async fn load_into(sink: &MemorySink<Event>, dir: &Path, mapping: Option<&Mapping>) {
    let mut source = CsvDirSource::new(dir).settle_for(Duration::ZERO).available_now(true);
    let mut rules = Rules::default();
    if let Some(mapping) = mapping {
        source = source.mapping(mapping);
        rules = rules.mapping(mapping.clone());
    }
    let summary = source.validate(rules).to(sink.clone()).run().await.unwrap();
    assert!(summary.counts.is_balanced());
}

/// Loads one file.
async fn load(text: impl AsRef<[u8]>, mapping: Option<&Mapping>) -> MemorySink<Event> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), text).unwrap();
    let sink = MemorySink::new("events");
    load_into(&sink, dir.path(), mapping).await;
    sink
}

fn users(sink: &MemorySink<Event>) -> Vec<String> {
    sink.values().into_iter().map(|event| event.user_id).collect()
}

fn reasons(sink: &MemorySink<Event>) -> Vec<String> {
    let reasons = sink
        .rejects()
        .into_iter()
        .map(|reject| reject.refusal.reason.to_string());
    reasons.collect()
}

/// The reason for which the only file ended before its end, or was not read; `None` if it is finished.
fn ended(sink: &MemorySink<Event>) -> Option<Reason> {
    let positions = sink.positions();
    assert_eq!(positions.len(), 1, "{positions:?}");
    match &positions[0].state {
        SplitState::Finished => None,
        state => Some(state.refusal().unwrap_or_else(|| panic!("{state:?}")).reason.clone()),
    }
}

async fn check(name: &str, text: impl AsRef<[u8]>, mapping: Option<&Mapping>) -> CheckedFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    check_file(path, mapping, Rules::default(), 9).await.unwrap()
}

/// A row of a view, with a line end.
fn row(second: u32, user: &str) -> String {
    format!("2026-11-01T09:30:{second:02}Z,view,{user},s{second},p{second}\n")
}

#[tokio::test]
async fn a_second_header_is_no_record_and_another_one_stops_the_file() {
    let again = [
        HEADER,
        &row(1, "u1"),
        HEADER,
        "\u{feff}",
        HEADER,
        &row(2, "u2"),
        "\n",
        HEADER,
    ]
    .concat();
    let sink = load(&again, None).await;
    assert_eq!(
        (users(&sink), reasons(&sink).len(), ended(&sink)),
        (vec!["u1".into(), "u2".into()], 0, None)
    );
    let numbers: Vec<u64> = sink
        .records()
        .iter()
        .map(|record| record.origin.as_ref().unwrap().record)
        .collect();
    assert_eq!(numbers, [1, 2], "a header has no number");

    for other in [
        "event_time,event_type,product_id,session_id,user_id\n2026-11-01T09:31:00Z,view,rug,s2,bob\n",
        "event_time,event_type,user_id,session_id,product_id,brand\n2026-11-01T09:31:00Z,view,bob,s2,rug,x\n",
        "id,event_time,event_type,user_id,session_id,product_id\n7,2026-11-01T09:31:00Z,view,bob,s2,rug\n",
        "\u{feff}\"event_type\",event_time,user_id,session_id,product_id\nview,2026-11-01T09:31:00Z,bob,s2,rug\n",
    ] {
        let text = [HEADER, &row(1, "u1"), other].concat();
        let sink = load(&text, None).await;
        assert_eq!((users(&sink), reasons(&sink).len()), (vec!["u1".into()], 0), "{other}");
        assert_eq!(ended(&sink), Some(Reason::HEADER_CHANGED), "{other}");
        let checked = check("a.csv", &text, None).await;
        assert_eq!(
            (checked.accepted, checked.unusable.unwrap().reason),
            (1, Reason::HEADER_CHANGED)
        );
    }
}

#[tokio::test]
async fn a_file_that_stopped_at_another_header_goes_on_when_its_rows_are_put_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let begin = [HEADER, &row(1, "u1")].concat();
    let wrong = [
        &begin,
        "event_type,event_time,user_id,session_id,product_id\nview,2026-11-01T09:30:02Z,u2,s2,p2\n",
    ]
    .concat();
    std::fs::write(&path, &wrong).unwrap();
    load_into(&sink, dir.path(), None).await;
    std::fs::write(&path, [&begin, &*row(2, "u2"), &row(3, "u3")].concat()).unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!(
        (users(&sink), ended(&sink)),
        (vec!["u1".into(), "u2".into(), "u3".into()], None)
    );
}

#[tokio::test]
async fn a_line_of_dashes_is_no_record() {
    let text = [HEADER, "----------,----,---,---,---\n", &row(1, "u1"), "-,-,-,-,-\n"].concat();
    let sink = load(text, None).await;
    assert_eq!(
        (users(&sink), reasons(&sink)),
        (vec!["u1".into()], vec!["event_time_malformed".into()])
    );
}

#[tokio::test]
async fn a_carriage_return_within_a_field_ends_no_record() {
    let header = "event_time,event_type,user_id,session_id,product_id,product_name\n";
    for ends in ["\n", "\r\n", "\r\r\n"] {
        let text = [
            header,
            "2026-11-01T09:30:01Z,view,u1,s1,p1,\"Blue\rShirt\"\n",
            "2026-11-01T09:30:02Z,view,u2,s2,p2,Blue\rShirt\n",
            "2026-11-01T09:30:03Z,view,u3\rx,s3,p3,\n",
            "2026-11-01T09:30:04Z,view,u4,s4,p4,\n",
        ]
        .concat()
        .replace('\n', ends);
        let sink = load(&text, None).await;
        assert_eq!(users(&sink), ["u1", "u4"], "{ends:?}");
        assert_eq!(
            reasons(&sink),
            ["lone_carriage_return", "lone_carriage_return"],
            "{ends:?}"
        );
        let raw = sink.rejects()[0].origin.as_ref().unwrap().raw.clone();
        assert!(raw.ends_with(b"Blue\rShirt"), "{raw:?}");
    }
    // The same in a file without a header, whose first record says how lines end.
    let mapping = headless("");
    let sink = load(
        [row(1, "u1"), row(2, "u2").replace("p2", "p\r2")].concat(),
        Some(&mapping),
    )
    .await;
    assert_eq!(
        (users(&sink), reasons(&sink)),
        (vec!["u1".into()], vec!["lone_carriage_return".into()])
    );
}

/// A mapping for files without a header, with further keys.
fn headless(keys: &str) -> Mapping {
    let text = "header = ['event_time', 'event_type', 'user_id', 'session_id', 'product_id']\n[event]\nevent_time = 'event_time'\n\
                event_type = 'event_type'\nuser_id = 'user_id'\nsession_id = 'session_id'\nproduct_id = 'product_id'\n";
    Mapping::from_toml(&format!("{keys}\n{text}")).unwrap()
}

#[tokio::test]
async fn a_byte_order_mark_in_front_of_a_later_record_is_taken_away() {
    let mapping = headless("");
    let part = |second, user: &str| format!("\u{feff}{}", row(second, user));
    let quoted = part(3, "u3").replace("2026-11-01T09:30:03Z", "\"2026-11-01T09:30:03Z\"");
    let sink = load([part(1, "u1"), part(2, "u2"), quoted].concat(), Some(&mapping)).await;
    assert_eq!(
        (users(&sink), reasons(&sink).len()),
        (vec!["u1".into(), "u2".into(), "u3".into()], 0)
    );
    let first_column = Mapping::from_toml(
        "header = ['user', 'time']\n[event]\nevent_time = 'time'\nevent_type = { constant = 'view' }\nuser_id = 'user'\n\
         session_id = 'user'\nproduct_id = 'user'\n",
    );
    let text = "u1,2026-11-01T09:30:00Z\n\u{feff}u1,2026-11-01T09:31:00Z\n";
    assert_eq!(users(&load(text, Some(&first_column.unwrap())).await), ["u1", "u1"]);
}

#[tokio::test]
async fn a_file_that_is_not_utf8_is_not_half_stored() {
    let latin = |second, name: &[u8]| [row(second, "u").trim_end().as_bytes(), name, b"\n"].concat();
    let text = |rows: &[Vec<u8>]| [HEADER.as_bytes(), &rows.concat()].concat();
    // In its first block: nothing is stored, and the message names the key.
    let early = text(&[latin(1, b"x"), latin(2, b"Caf\xe9"), latin(3, b"x")]);
    let sink = load(&early, None).await;
    assert_eq!((sink.values().len(), reasons(&sink).len()), (0, 0));
    assert_eq!(ended(&sink), Some(Reason::WRONG_ENCODING));
    let refusal = check("a.csv", &early, None).await.unusable.unwrap();
    assert!(refusal.detail.contains("encoding = \"windows-1252\""), "{refusal}");

    // Later: reading stops there, and goes on when the file was converted in place.
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let ascii: Vec<Vec<u8>> = (0..2_000).map(|n| latin(n % 60, b"x")).collect();
    let all = |name: &[u8]| text(&[ascii.concat(), latin(1, name), latin(2, b"x")]);
    std::fs::write(&path, all(b"Caf\xe9")).unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!(
        (sink.values().len(), ended(&sink)),
        (2_000, Some(Reason::WRONG_ENCODING))
    );
    std::fs::write(&path, all("Café".as_bytes())).unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!(
        (sink.values().len(), reasons(&sink).len(), ended(&sink)),
        (2_002, 0, None)
    );

    // A damaged record of a file in UTF-8 is a reject, as before.
    let damaged = text(&[latin(1, "é".as_bytes()), latin(2, b"\xe9"), latin(3, b"x")]);
    let sink = load(damaged, None).await;
    assert_eq!(
        (sink.values().len(), reasons(&sink), ended(&sink)),
        (2, vec!["invalid_utf8".into()], None)
    );
}

#[tokio::test]
async fn a_file_that_turns_into_latin1_while_it_grows_goes_on_when_it_is_converted() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let begin = [HEADER, &row(1, "u1")].concat().into_bytes();
    std::fs::write(&path, &begin).unwrap();
    load_into(&sink, dir.path(), None).await;
    std::fs::write(&path, [&begin, row(2, "u").trim_end().as_bytes(), b"\xe9\n"].concat()).unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!(
        (users(&sink), ended(&sink)),
        (vec!["u1".into()], Some(Reason::WRONG_ENCODING))
    );
    std::fs::write(
        &path,
        [&begin, row(2, "u").trim_end().as_bytes(), "é\n".as_bytes()].concat(),
    )
    .unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!((sink.values().len(), ended(&sink)), (2, None));
}

#[tokio::test]
async fn a_file_of_zeros_or_a_workbook_is_told_from_utf16() {
    for (text, told) in [
        (vec![0; 400], "zeros"),
        (
            [&[0; 400][..], b"\n2026-11-01T09:30:00Z,view,u,s,p\n"].concat(),
            "zeros",
        ),
        (b"PK\x03\x04\x14\0\x06\0\n".to_vec(), "Excel"),
        (
            "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "encoding = \"utf-16le\"",
        ),
    ] {
        let refusal = check("a.csv", text, None).await.unusable.unwrap();
        assert!(
            refusal.reason == Reason::WRONG_ENCODING && refusal.detail.contains(told),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn lines_above_the_header_are_skipped_where_that_is_certain() {
    let rows = [HEADER, &row(1, "u1"), &row(2, "u2")].concat();
    for above in [
        "# ----------\n# All shops\n# 20261101-20261102\n# ----------\n\n",
        "Orders, all shops\n\n",
        "\u{feff}sep=,\n",
        "--------------------\nReport \"of, today\"\n-------------------\n",
    ] {
        let sink = load([above, &rows].concat(), None).await;
        assert_eq!(
            (users(&sink), ended(&sink)),
            (vec!["u1".into(), "u2".into()], None),
            "{above}"
        );
    }
    let semicolons = ["sep=;\r\n", &rows.replace(',', ";").replace('\n', "\r\n")].concat();
    assert_eq!(users(&load(&semicolons, None).await), ["u1", "u2"]);
    // What is above is as wide as the header: these may be records of another layout.
    let other = "id,when,what,who,item\n1,2,3,4,5\n";
    let sink = load([other, &rows].concat(), None).await;
    assert_eq!((sink.values().len(), ended(&sink)), (0, Some(Reason::COLUMN_MISSING)));
}

#[tokio::test]
async fn a_file_with_an_announced_delimiter_is_read_on_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let mut text = ["sep=;\n", &[HEADER, &row(1, "u1")].concat().replace(',', ";")].concat();
    std::fs::write(&path, &text).unwrap();
    load_into(&sink, dir.path(), None).await;
    text += &[row(2, "u2"), row(3, "u3,4").replace("u3,4", "u3;4")]
        .concat()
        .replace(',', ";");
    std::fs::write(&path, &text).unwrap();
    load_into(&sink, dir.path(), None).await;
    assert_eq!(
        (users(&sink), reasons(&sink)),
        (vec!["u1".into(), "u2".into()], vec!["field_count".into()])
    );
    let mark = sink.positions()[0].mark.as_json().unwrap().to_owned();
    assert!(mark.contains(r#""written":{"delimiter":";""#), "{mark}");
}

#[tokio::test]
async fn a_name_twice_or_empty_that_nobody_uses_sets_no_file_aside() {
    for more in [",,", ",note,note", ",,note"] {
        let text = [HEADER.trim_end(), more, "\n", row(1, "u1").trim_end(), ",x,y\n"].concat();
        let sink = load(&text, None).await;
        assert_eq!((users(&sink), ended(&sink)), (vec!["u1".into()], None), "{more}");
    }
    let twice = [HEADER.trim_end(), ",user_id\n", row(1, "u1").trim_end(), ",u2\n"].concat();
    assert_eq!(ended(&load(&twice, None).await), Some(Reason::COLUMN_TWICE));
}

#[tokio::test]
async fn values_of_blanks_only_are_none() {
    let sink = load(
        [HEADER, &row(1, " "), &row(2, "\u{3000}"), &row(3, "u 3")].concat(),
        None,
    )
    .await;
    assert_eq!(users(&sink), ["u 3"]);
    assert_eq!(reasons(&sink), ["user_id_missing", "user_id_missing"]);
}

/// A mapping for files with our own column names, with further keys.
fn ours(keys: &str) -> Mapping {
    let text = "[event]\nevent_time = 'event_time'\nevent_type = 'event_type'\nuser_id = 'user_id'\nsession_id = 'session_id'\n\
                product_id = 'product_id'\nproduct_name = { column = 'product_name', optional = true }\nprice = { column = 'price', optional = true }\n";
    Mapping::from_toml(&format!("{keys}\n{text}")).unwrap()
}

fn names(sink: &MemorySink<Event>) -> Vec<String> {
    let names = sink
        .values()
        .into_iter()
        .map(|event| event.product_name.unwrap_or_default());
    names.collect()
}

#[tokio::test]
async fn trim_takes_blanks_away_and_reads_a_quote_behind_them() {
    let text = "event_time, event_type, user_id, session_id, product_id, product_name, price\n\
                2026-11-01T09:30:00Z, view, u1, s1, p1, \"Lamp\",\n\
                2026-11-01T09:31:00Z, view, u2, s2, p2, \"Rug\" ,\n\
                2026-11-01T09:32:00Z, purchase, u1, s1\u{a0}, p1, \"Lamp, \"\"red\"\"\", 12.50\n\
                2026-11-01T09:33:00Z, view,  , s1, p1, x,\n\
                2026-11-01T09:34:00Z, view, u3, s1, p1, \"two\nlines\",\n\
                2026-11-01T09:35:00Z, view, u4, s1, p1, \"a\"b,\n";
    let sink = load(text, Some(&ours("trim = true"))).await;
    assert_eq!(users(&sink), ["u1", "u2", "u1", "u3"]);
    assert_eq!(names(&sink), ["Lamp", "Rug", "Lamp, \"red\"", "two\nlines"]);
    assert_eq!(sink.values()[2].session_id, "s1");
    assert_eq!(reasons(&sink), ["text_after_quote", "user_id_missing"]);
    let padded = "event_time          ,event_type,user_id   ,session_id,product_id\n\
                  --------------------,----------,----------,----------,----------\n\
                  2026-11-01T09:30:00Z,view      ,u1        ,s1        ,p1        \r\n";
    let sink = load(padded, Some(&ours("trim = true"))).await;
    assert_eq!(
        (users(&sink), sink.values()[0].product_id.as_str()),
        (vec!["u1".into()], "p1")
    );
}

#[tokio::test]
async fn an_escape_takes_away_the_meaning_of_a_quote() {
    let mut text = format!("{},product_name\n", HEADER.trim_end());
    for (second, name) in [
        (1, r#""Monitor 27\"""#),
        (2, "plain"),
        (3, r#""a\\""#),
        (4, r#""5\" x 7\", b""#),
        (5, r#""b""c""#),
    ] {
        text += &format!("{},{name}\n", row(second, "u").trim_end());
    }
    let mapping = ours("escape = '\\'");
    let sink = load(&text, Some(&mapping)).await;
    assert_eq!(
        names(&sink),
        [r#"Monitor 27""#, "plain", r"a\", r#"5" x 7", b"#, "b\"c"]
    );
    assert_eq!((reasons(&sink).len(), ended(&sink)), (0, None));
    assert!(sink.positions()[0].mark.as_json().unwrap().contains(r#""escape":"\\""#));
}

#[tokio::test]
async fn comments_lines_above_the_header_and_footers_are_no_records() {
    let mapping = ours("comment = ['#', 'Total,']\nskip = 2");
    let text = [
        "a \"report\n\n# x\n",
        HEADER,
        &row(1, "u1"),
        "#, \"quoted\r\n",
        &row(2, "u2"),
        "Total,2,\"\n",
    ]
    .concat();
    let sink = load(&text, Some(&mapping)).await;
    assert_eq!(
        (users(&sink), reasons(&sink).len(), ended(&sink)),
        (vec!["u1".into(), "u2".into()], 0, None)
    );
    let offsets: Vec<u64> = sink
        .records()
        .iter()
        .map(|record| record.origin.as_ref().unwrap().byte_offset)
        .collect();
    let place = |row: String| text.find(&row).unwrap() as u64;
    assert_eq!(offsets, [place(row(1, "u1")), place(row(2, "u2"))]);
    // A file without a header.
    let text = ["# made by\n\n", &row(1, "u1"), "# end\n"].concat();
    assert_eq!(users(&load(&text, Some(&headless("comment = '#'"))).await), ["u1"]);
    assert_eq!(
        users(&load(&text, Some(&headless("skip = 1\ncomment = '# end'"))).await),
        ["u1"]
    );
}

#[tokio::test]
async fn a_file_with_comments_is_read_on_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let mapping = ours("comment = '#'\ntrim = true\nskip = 1");
    let text = [
        "x\n",
        HEADER,
        &row(1, "u1"),
        "# \"half",
        " a comment\n",
        &row(2, "u2"),
        "#\n",
        &row(3, " \"u3\" "),
    ];
    for parts in [4, 5, 6, 8] {
        std::fs::write(&path, text[..parts].concat()).unwrap();
        load_into(&sink, dir.path(), Some(&mapping)).await;
    }
    assert_eq!(
        (users(&sink), reasons(&sink).len()),
        (vec!["u1".into(), "u2".into(), "u3".into()], 0)
    );
}

#[tokio::test]
async fn short_rows_are_filled_up_and_long_ones_cut_on_request() {
    let text = [
        format!("{},price,note\n", HEADER.trim_end()),
        format!("{},1.50\n", row(1, "u1").trim_end()),
        row(2, "u2"),
        format!("{},1.50,gift,,more\n", row(3, "u3").trim_end()),
        format!("{},1.50,gift\n", row(4, "u4").trim_end()),
    ]
    .concat();
    let sink = load(&text, Some(&ours(""))).await;
    assert_eq!((users(&sink), reasons(&sink).len()), (vec!["u4".into()], 3));
    let sink = load(&text, Some(&ours("short_rows = 'fill'"))).await;
    assert_eq!((users(&sink).len(), reasons(&sink).len()), (3, 1));
    let sink = load(&text, Some(&ours("short_rows = 'fill'\nlong_rows = 'cut'"))).await;
    assert_eq!((users(&sink).len(), reasons(&sink).len()), (4, 0));
    let notes = ours("short_rows = 'fill'").notes().join("\n");
    assert!(notes.contains("filled up"), "{notes}");
}

#[tokio::test]
async fn extra_columns_of_one_name_are_kept_apart() {
    let text = [HEADER.trim_end(), ",note,note,\n", row(1, "u1").trim_end(), ",x,y,z\n"].concat();
    let sink = load(text, Some(&ours("extra = true"))).await;
    assert_eq!(
        sink.values()[0].extra.as_deref(),
        Some(r#"{"note":"x","note_7":"y","column_8":"z"}"#)
    );
}

#[tokio::test]
async fn lines_that_end_with_a_carriage_return_are_numbered() {
    let text = [
        HEADER,
        &row(1, "u1"),
        &row(2, "u2"),
        &row(3, "u3").replace("view", "vew"),
        &row(4, "u4"),
    ]
    .concat();
    for ends in ["\n", "\r\n", "\r"] {
        let found = check("a.csv", text.replace('\n', ends), None).await;
        assert_eq!(found.accepted, 3, "{ends:?}");
        assert_eq!(
            found.rejected[&Reason::EVENT_TYPE_UNKNOWN].examples[0].line,
            4,
            "{ends:?}"
        );
        assert_eq!(found.events[2].line, 5, "{ends:?}");
    }
}

#[test]
fn keys_with_impossible_values_are_refused_with_their_place() {
    for (keys, told) in [
        (
            "escape = '\\\\'",
            "line 1, column 10: escape must be one ASCII character",
        ),
        ("escape = '\"'", "line 1, column 10: the escape can't be '\"' too"),
        ("comment = ''", "line 1, column 11: a comment can't begin with \"\""),
        (
            "comment = ['#', '\"x']",
            "line 1, column 11: a comment can't begin with",
        ),
        ("comment = 3", "line 1, column 11: expected a text, or a list of texts"),
        ("skip = -1", "line 1, column 8"),
        ("short_rows = 'cut'", "line 1, column 14: unknown variant `cut`"),
        ("trim = 'yes'", "line 1, column 8"),
    ] {
        let err = Mapping::from_toml(keys).unwrap_err().to_string();
        assert!(err.starts_with(told), "{err}");
    }
}

/// A text in another encoding.
fn in_utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[tokio::test]
async fn other_encodings_are_read_by_their_key() {
    let text = [
        HEADER.trim_end(),
        ",product_name\n",
        row(1, "u1").trim_end(),
        ",Café\n",
        row(2, "u2").trim_end(),
        ",\"Größe, ¾\"\n",
    ]
    .concat();
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let marked = format!("\u{feff}{text}");
    for (encoding, bytes) in [
        ("latin1", latin.clone()),
        ("windows-1252", latin),
        ("utf-16le", in_utf16(&text, u16::to_le_bytes)),
        ("utf-16le", in_utf16(&marked, u16::to_le_bytes)),
        ("utf-16be", in_utf16(&text, u16::to_be_bytes)),
        ("utf-16", in_utf16(&marked, u16::to_be_bytes)),
        ("utf-8", marked.into_bytes()),
    ] {
        let mapping = ours(&format!("encoding = '{encoding}'"));
        let sink = load(&bytes, Some(&mapping)).await;
        assert_eq!(names(&sink), ["Café", "Größe, ¾"], "{encoding}");
        assert_eq!((reasons(&sink).len(), ended(&sink)), (0, None), "{encoding}");
        let checked = check("a.csv", &bytes, Some(&mapping)).await;
        assert_eq!((checked.accepted, checked.events[1].line), (2, 3), "{encoding}");
    }
    let err = Mapping::from_toml("encoding = 'latin-9000'").unwrap_err().to_string();
    assert!(
        err.starts_with("line 1, column 12: there is no encoding \"latin-9000\""),
        "{err}"
    );
}

#[tokio::test]
async fn a_file_in_another_encoding_is_read_on_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let mapping = ours("encoding = 'utf-16le'");
    let rows: Vec<String> = (0..9_000).map(|n| row(n % 60, &format!("ü{n}"))).collect();
    let whole = in_utf16(&[HEADER, &rows.concat()].concat(), u16::to_le_bytes);
    // Half a character may be at the end of what was written.
    for len in [60, 10_001, 400_001, whole.len()] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let mut source = CsvDirSource::new(dir.path())
            .mapping(&mapping)
            .settle_for(Duration::ZERO)
            .available_now(true);
        source = source.limits(ecom_stream::CsvLimits::default().max_batch_rows(100));
        // A last record without a line end waits, which is an error at the end.
        let _ = source
            .validate(Rules::default().mapping(mapping.clone()))
            .to(sink.clone())
            .run()
            .await;
    }
    let expected: Vec<String> = (0..9_000).map(|n| format!("ü{n}")).collect();
    assert_eq!(users(&sink), expected);
    assert_eq!((reasons(&sink).len(), ended(&sink)), (0, None));
    let text = [HEADER, &rows.concat()].concat();
    assert_eq!(sink.positions()[0].offset as usize, text.len());
    // The same text in UTF-8 is a copy, and so is the same file under another name.
    let utf8 = ours("encoding = 'utf-8'");
    let copies = MemorySink::new("events");
    std::fs::write(dir.path().join("b.csv"), &text).unwrap();
    std::fs::rename(&path, dir.path().join("later")).unwrap();
    load_into(&copies, dir.path(), Some(&utf8)).await;
    std::fs::rename(dir.path().join("later"), &path).unwrap();
    std::fs::write(dir.path().join("c.csv"), &whole).unwrap();
    std::fs::remove_file(dir.path().join("b.csv")).unwrap();
    load_into(&copies, dir.path(), Some(&mapping)).await;
    assert_eq!(copies.values().len(), 9_000);
}

#[tokio::test]
async fn bytes_that_are_no_text_in_the_encoding_are_rejects() {
    let mut text = in_utf16(&[HEADER, &row(1, "u1")].concat(), u16::to_be_bytes);
    let half = [row(2, "u2").trim_end(), "?\n"].concat();
    text.extend(
        half.encode_utf16()
            .map(|unit| if unit == u16::from(b'?') { 0xd800 } else { unit })
            .flat_map(u16::to_be_bytes),
    );
    text.extend(in_utf16(&row(3, "u3"), u16::to_be_bytes));
    let sink = load(&text, Some(&ours("encoding = 'utf-16be'"))).await;
    assert_eq!(
        (users(&sink), reasons(&sink)),
        (vec!["u1".into(), "u3".into()], vec!["invalid_utf8".into()])
    );
}

#[tokio::test]
async fn a_file_that_was_read_up_to_its_first_accent_goes_on_by_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let (path, sink) = (dir.path().join("a.csv"), MemorySink::new("events"));
    let rows: Vec<String> = (0..2_000).map(|n| row(n % 60, "u")).collect();
    let text = [
        HEADER.as_bytes(),
        rows.concat().as_bytes(),
        row(1, "u").trim_end().as_bytes(),
        b"\xe9\n",
    ]
    .concat();
    std::fs::write(&path, &text).unwrap();
    load_into(&sink, dir.path(), Some(&ours(""))).await;
    assert_eq!(
        (sink.values().len(), ended(&sink)),
        (2_000, Some(Reason::WRONG_ENCODING))
    );
    load_into(&sink, dir.path(), Some(&ours("encoding = 'latin1'"))).await;
    assert_eq!(
        (sink.values().len(), reasons(&sink).len(), ended(&sink)),
        (2_001, 0, None)
    );
}
