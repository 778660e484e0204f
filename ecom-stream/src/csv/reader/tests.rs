//! Tests of the CSV reader: single cases, and properties that hold for any bytes.
//!
//! The properties: every byte is in exactly one record or reject, in a line end, or behind damage; resuming anywhere gives the same
//! records as reading in one go; and what a CSV writer quoted is read back equal.

use proptest::prelude::*;

use super::super::Dialect;
use super::super::step::{End, Step};
use super::super::step_builder::MAX_REJECT_BYTES;
use super::*;
use crate::contract::Reason;

const LIMITS: CsvLimits = CsvLimits {
    max_field_bytes: 40,
    max_record_bytes: 200,
    max_batch_rows: 3,
    max_batch_bytes: 1 << 20,
};

/// Everything that came out of a reader.
#[derive(Debug, Default, PartialEq)]
struct Read {
    records: Vec<(u64, u64, Bytes, Vec<String>)>,
    rejects: Vec<(u64, u64, Bytes, Reason)>,
    offset: u64,
    end: Option<End>,
}

impl Read {
    fn take(&mut self, step: Step) {
        for record in step.records {
            let origin = record.origin.unwrap();
            let fields = record.value.fields().map(str::to_owned).collect();
            self.records
                .push((origin.record, origin.byte_offset, origin.raw, fields));
        }
        for reject in step.rejects {
            let origin = reject.origin.unwrap();
            self.rejects
                .push((origin.record, origin.byte_offset, origin.raw, reject.refusal.reason));
        }
    }

    fn reasons(&self) -> Vec<&str> {
        self.rejects.iter().map(|(_, _, _, reason)| reason.as_str()).collect()
    }
}

/// The place at the start of a text.
fn start() -> Resume {
    Resume {
        offset: 0,
        record: 0,
        digest: PrefixDigest::default(),
        behind_terminator: false,
    }
}

/// The head of a file with this header.
fn head(header: Arc<Header>) -> FileHead {
    FileHead::new(Dialect::default(), header)
}

/// Reads `text` under the header `a,b`, which is not part of it. After each step for which `cut` returns true, reading resumes with a
/// new reader. With `take_tail`, a last record without a terminator is taken too.
async fn read_cut(text: &[u8], take_tail: bool, mut cut: impl FnMut() -> bool) -> Read {
    let header = Arc::new(Header::new(["a", "b"]));
    let mut read = Read::default();
    let mut from = start();
    'readers: loop {
        let rest = &text[from.seek_to() as usize..];
        let split = Split::new("csv", "f");
        let mut reader = CsvReader::resume(rest, split, LIMITS, head(header.clone()), from.clone());
        loop {
            let mut step = reader.step().await.unwrap();
            let end = step.end.take();
            read.take(step);
            if end == Some(End::Tail) && take_tail {
                let mut step = reader.take_tail();
                read.end = step.end.take();
                read.take(step);
            } else {
                read.end = end;
            }
            read.offset = reader.offset();
            assert_eq!(reader.digest().hash(), blake3::hash(&text[..reader.offset() as usize]));
            assert_eq!(reader.record() as usize, read.records.len() + read.rejects.len());
            if read.end.is_some() {
                return read;
            }
            if cut() {
                from = Resume {
                    offset: reader.offset(),
                    record: reader.record(),
                    digest: reader.digest.clone(),
                    behind_terminator: true,
                };
                continue 'readers;
            }
        }
    }
}

/// Reads `text` with one reader, to its end.
async fn read(text: impl AsRef<[u8]>) -> Read {
    read_cut(text.as_ref(), true, || false).await
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[tokio::test]
async fn records_have_their_number_offset_and_bytes() {
    let read = read("1,x\r\n\r\n\"2,\n\"\"\",y\n3,z").await;
    let records: Vec<_> = read
        .records
        .iter()
        .map(|(n, at, raw, _)| (*n, *at, raw.as_ref()))
        .collect();
    assert_eq!(
        records,
        [(1, 0, &b"1,x"[..]), (2, 7, b"\"2,\n\"\"\",y"), (3, 17, b"3,z")]
    );
    assert_eq!(read.records[1].3, ["2,\n\"", "y"]);
    assert_eq!((read.offset, read.end), (20, Some(End::Clean)));
}

#[tokio::test]
async fn blank_lines_are_counted_wherever_reading_resumes() {
    for (text, blank_lines) in [
        ("1,x\n\n\n2,y\n", 2),
        ("1,x\r\n\r\n2,y\r\n", 1),
        ("1,x\r\r2,y\r", 1),
        ("1,x\r\n2,y\r\n", 0),
    ] {
        let header = Arc::new(Header::new(["a", "b"]));
        let reader = |from: Resume| {
            let rest = &text.as_bytes()[from.seek_to() as usize..];
            let limits = CsvLimits {
                max_batch_rows: 1,
                ..LIMITS
            };
            CsvReader::resume(rest, Split::new("csv", "f"), limits, head(header.clone()), from)
        };
        let mut whole = reader(start());
        assert_eq!(whole.step().await.unwrap().records.len(), 1);
        let from = Resume {
            offset: whole.offset(),
            record: 1,
            digest: whole.digest.clone(),
            behind_terminator: true,
        };
        let mut resumed = reader(from);
        for reader in [&mut whole, &mut resumed] {
            assert_eq!(reader.step().await.unwrap().records.len(), 1);
            assert_eq!(reader.blank_lines(), blank_lines, "{text:?}");
        }
    }
}

#[tokio::test]
async fn a_last_record_without_a_terminator_is_left_until_it_is_taken() {
    let text = b"1,x\n2,y";
    let read = read_cut(text, false, || false).await;
    assert_eq!((read.records.len(), read.offset, read.end), (1, 4, Some(End::Tail)));
    let read = read_cut(b"1,x\n2,\"y\nz\n", false, || false).await;
    assert_eq!((read.records.len(), read.offset, read.end), (1, 4, Some(End::Tail)));
}

#[tokio::test]
async fn damage_that_the_parser_hides_is_found() {
    let open = read("1,x\n2,\"y\n3,z\n").await;
    assert_eq!((open.records.len(), open.offset), (1, 4));
    assert!(matches!(open.end, Some(End::Damaged(refusal)) if refusal.reason == Reason::UNTERMINATED_QUOTE));

    let huge = read(format!("1,x\n2,\"{}", "y\n".repeat(500_000))).await;
    assert_eq!((huge.records.len(), huge.offset), (1, 4));
    assert!(matches!(huge.end, Some(End::Damaged(refusal)) if refusal.reason == Reason::RECORD_TOO_LARGE));

    let few = read("1,x\n2").await;
    assert_eq!((few.records.len(), few.reasons()), (1, vec!["field_count"]));
}

#[tokio::test]
async fn every_bad_record_has_its_reason_and_its_bytes() {
    let long = "y".repeat(41);
    let text = format!("1,x\n1\n1,2,3\n\"p\"q,x\n{long},x\n1,\u{0}\n2,x\n");
    let mut text = text.into_bytes();
    text.extend_from_slice(b"\xff\xfe,x\n3,x\n");
    let read = read(&text).await;
    assert_eq!(
        read.reasons(),
        [
            "field_count",
            "field_count",
            "text_after_quote",
            "field_too_large",
            "nul_byte",
            "invalid_utf8"
        ]
    );
    assert_eq!(read.rejects[2].2.as_ref(), b"\"p\"q,x");
    assert_eq!(read.rejects[5].2.as_ref(), b"\xff\xfe,x");
    assert_eq!(read.records.iter().map(|(n, ..)| *n).collect::<Vec<_>>(), [1, 7, 9]);
}

#[test]
fn the_bytes_of_a_long_reject_are_cut() {
    let limits = CsvLimits::default();
    let header = Arc::new(Header::new(["a", "b"]));
    let text = "x".repeat(100_000) + "\n";
    let split = Split::new("csv", "f");
    let mut reader = CsvReader::resume(text.as_bytes(), split, limits, head(header), start());
    let step = run(reader.step()).unwrap();
    let reject = &step.rejects[0];
    assert_eq!(reject.origin.as_ref().unwrap().raw.len(), MAX_REJECT_BYTES);
    assert!(
        reject.refusal.detail.contains("of 100000 bytes"),
        "{}",
        reject.refusal.detail
    );
}

/// Bytes with many delimiters, quotes and line ends, so that the rare cases of the parser are common.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        2 => Just(b"\"".to_vec()),
        4 => "[a-z0-9]{1,4}".prop_map(String::into_bytes),
        1 => Just("\u{feff}".into()),
        1 => any::<Vec<u8>>(),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_byte_is_in_a_record_or_a_line_end_or_behind_damage(text in bytes()) {
        // In a real file the header comes first, and has the byte order mark.
        prop_assume!(!text.starts_with("\u{feff}".as_bytes()));
        let read = run(read(&text));
        let mut covered = vec![false; text.len()];
        let places = read.records.iter().map(|(n, at, raw, _)| (*n, *at, raw))
            .chain(read.rejects.iter().map(|(n, at, raw, _)| (*n, *at, raw)));
        let mut numbers = Vec::new();
        for (number, at, raw) in places {
            numbers.push(number);
            let at = at as usize;
            prop_assert_eq!(&text[at..at + raw.len()], &raw[..]);
            for byte in &mut covered[at..at + raw.len()] {
                prop_assert!(!*byte, "two records share a byte");
                *byte = true;
            }
        }
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (1..=(read.records.len() + read.rejects.len()) as u64).collect::<Vec<_>>());
        // A byte that is in no record is a line end, or behind the damage.
        let end = read.offset as usize;
        for (at, byte) in text[..end].iter().enumerate() {
            prop_assert!(covered[at] || matches!(byte, b'\r' | b'\n'), "byte {} vanished", at);
        }
        match read.end {
            Some(End::Damaged(_)) => prop_assert!(!covered[end..].contains(&true)),
            _ => prop_assert_eq!(end, text.len()),
        }
    }

    #[test]
    fn resuming_anywhere_gives_the_same_records(text in bytes(), cuts: [bool; 20]) {
        let whole = run(read(&text));
        let mut cuts = cuts.into_iter().cycle();
        let cut = run(read_cut(&text, true, || cuts.next().unwrap()));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn quoted_fields_round_trip(rows in prop::collection::vec(("[^\0]{0,9}", "[^\0]{0,9}"), 0..20)) {
        let text = run(async {
            let mut writer = csv_async::AsyncWriter::from_writer(Vec::new());
            for (a, b) in &rows {
                writer.write_record([a, b]).await.unwrap();
            }
            writer.into_inner().await.unwrap()
        });
        // A byte order mark in front of a record is taken away.
        prop_assume!(!rows.iter().any(|(a, _)| a.starts_with('\u{feff}')));
        let read = run(read(&text));
        prop_assert_eq!(read.end, Some(End::Clean));
        let back: Vec<_> = read.records.into_iter().map(|(_, _, _, fields)| fields).collect();
        let wrote: Vec<_> = rows.into_iter().map(|(a, b)| vec![a, b]).collect();
        prop_assert_eq!(back, wrote);
    }
}
