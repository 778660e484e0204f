//! Tests of inferred mappings, and of what becomes of a file that is read by one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "infer/doubts.rs"]
mod doubts;
#[path = "infer/layout.rs"]
mod layout;
#[path = "infer/layouts.rs"]
mod layouts;
#[path = "infer/times.rs"]
mod times;

use ecom_stream::check::{CheckedFile, check_file};
use ecom_stream::infer::{Proposal, infer_mapping};
use ecom_stream::{EventType, Mapping, Rules};

/// The proposal for a file, and the report of checking the file by it, if nothing is missing.
async fn infer(name: &str, bytes: impl AsRef<[u8]>) -> (Proposal, Option<CheckedFile>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let proposal = infer_mapping(&path).await.unwrap();
    if !proposal.missing.is_empty() {
        let refused = Mapping::from_toml(&proposal.toml).unwrap_err().to_string();
        assert!(proposal.missing.iter().any(|name| refused.contains(name)), "{refused}");
        return (proposal, None);
    }
    let mapping = Mapping::from_toml(&proposal.toml).unwrap_or_else(|err| panic!("{err}\n{}", proposal.toml));
    let checked = check_file(&path, Some(&mapping), Rules::default(), 9).await.unwrap();
    (proposal, Some(checked))
}

const REES46: &str = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20,554748717,9333dfbd
2019-10-01 00:00:01 UTC,purchase,3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20,554748717,9333dfbd
";

#[tokio::test]
async fn a_mapping_for_rees46_is_inferred_from_its_content() {
    let (proposal, checked) = infer("a.csv", REES46).await;
    let checked = checked.unwrap();
    assert!(checked.is_clean());
    assert_eq!(checked.events[1].value.event_type, EventType::AddToCart);
    assert_eq!(checked.events[0].value.brand.as_deref(), Some("shiseido"));
    for told in [
        "# \"category_code\": \"appliances.environment.water_heater\"; 33.3 % without a value\n",
        "#   \"category_id\": \"2053013552326770905\", \"2103807459595387724\"\n",
        "event_time = { column = \"event_time\", format = \"%Y-%m-%d %H:%M:%S UTC\" }\n",
        "event_type = { column = \"event_type\", values = { \"cart\" = \"add_to_cart\" } }\n",
    ] {
        assert!(proposal.toml.contains(told), "{told}\n{}", proposal.toml);
    }
}

#[tokio::test]
async fn a_compressed_file_is_decompressed() {
    use tokio::io::AsyncWriteExt;
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(REES46.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    let (_, checked) = infer("a.csv.gz", encoder.into_inner()).await;
    assert_eq!(checked.unwrap().accepted, 3);
}

#[tokio::test]
async fn a_column_of_numbers_is_a_time_if_its_name_says_so() {
    let text = "timestamp,visitorid,event,itemid,transactionid\n\
                1433221332117,257597,view,355908,\n\
                1433224214164,992329,addtocart,248676,\n\
                1433222276276,599528,transaction,356475,4000\n";
    let (proposal, _) = infer("events.csv", text).await;
    assert_eq!(proposal.missing, ["session_id"]);
    assert!(
        proposal
            .toml
            .contains("# TO BE FILLED IN: no column looks like session_id."),
        "{}",
        proposal.toml
    );
    let filled = proposal
        .toml
        .replace("# session_id = \"...\"", "session_id = \"visitorid\"");
    let ready = Mapping::named("retailrocket").unwrap();
    assert_eq!(Mapping::from_toml(&filled).unwrap(), ready);
}

#[tokio::test]
async fn the_dialect_a_missing_header_and_null_words_are_inferred() {
    let text =
        "'view';'01-12-2010 08:26';'u1';NA\n'view';'02-11-2010 08:26';'u2';'a;b'\n'wish';'02-11-2010 08:26';'u2';\\N\n";
    let (proposal, _) = infer("a.csv", text).await;
    assert_eq!(
        proposal.missing,
        ["event_time", "event_type", "user_id", "session_id", "product_id"]
    );
    for told in [
        "delimiter = \";\"\n",
        "quote = \"'\"\n",
        "header = [\"column_1\", \"column_2\", \"column_3\", \"column_4\"]\n",
        "nulls = [\"NA\", \"\\\\N\"]\n",
        "\"01-12-2010 08:26\" would be 1 December 2010.\n",
        "# event_time = { column = \"column_2\", format = \"%d-%m-%Y %H:%M\" }\n",
        "\"01-12-2010 08:26\" would be 12 January 2010.\n",
        "# event_time = { column = \"column_2\", format = \"%m-%d-%Y %H:%M\" }\n",
        "# Seen: NA once, \\N once.\n",
        "event_type = { column = \"column_1\", values = { \"wish\" = \"TO BE FILLED IN\" } }\n",
    ] {
        assert!(proposal.toml.contains(told), "{told}\n{}", proposal.toml);
    }
    let day_first = "event_time = { column = \"column_2\", format = \"%d-%m-%Y %H:%M\" }";
    let text = proposal
        .toml
        .replace("\"TO BE FILLED IN\"", "\"view\"")
        .replace(&format!("# {day_first}"), day_first)
        + "user_id = \"column_3\"\nsession_id = \"column_3\"\nproduct_id = { column = \"column_4\", default = \"?\" }\n";
    Mapping::from_toml(&text).unwrap();
}

#[tokio::test]
async fn a_file_without_rows_and_a_directory_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, "").unwrap();
    assert!(infer_mapping(&path).await.unwrap_err().report().contains("has no rows"));
    std::fs::write(&path, "only one thing\n").unwrap();
    assert!(infer_mapping(&path).await.unwrap_err().report().contains("has no rows"));
    assert!(infer_mapping(dir.path().join("none.csv")).await.is_err());
    assert!(
        infer_mapping(dir.path())
            .await
            .unwrap_err()
            .report()
            .contains("name a file in it")
    );
}

#[tokio::test]
async fn common_layouts_are_inferred() {
    // pandas writes the numbers of its rows in a column without a name.
    let text = ",event_time,event_type,user_id,session_id,product_id\n\
                0,2026-11-01T10:00:00Z,view,u,s,p\n1,2026-11-01T10:00:01Z,view,u,s,p\n";
    let (proposal, checked) = infer("pandas.csv", text).await;
    assert_eq!(checked.unwrap().accepted, 2, "{}", proposal.toml);
    // German prices.
    let text = "time;action;uid;visit;sku;price\n2026-11-01 10:00;view;u;s;p;12,50\n2026-11-01 10:00;purchase;u;s;p;9\n\
                2026-11-01 10:00;view;u;s;p;1.200,00\n";
    let (proposal, checked) = infer("shop.csv", text).await;
    assert!(proposal.toml.contains("decimal = \",\"\n"), "{}", proposal.toml);
    assert!(proposal.toml.contains("thousands = \".\"\n"), "{}", proposal.toml);
    assert_eq!(checked.unwrap().accepted, 3);
    // Times of spreadsheets.
    for (format, times) in [
        ("%m/%d/%Y %I:%M %p", ["11/1/2024 9:30 AM", "11/13/2024 9:30 PM"]),
        ("%m/%d/%y %H:%M", ["12/1/10 8:26", "12/13/10 18:26"]),
        ("%d/%m/%y %H:%M", ["1/12/10 8:26", "13/12/10 18:26"]),
        ("%d.%m.%y %H:%M", ["01.12.10 08:26", "13.12.10 18:26"]),
    ] {
        let text = format!(
            "time\taction\tuid\tvisit\tsku\n{}\tview\tu\ts\tp\n{}\tview\tu\ts\tp\n",
            times[0], times[1]
        );
        let (proposal, checked) = infer("sheet.csv", text).await;
        assert!(
            proposal.toml.contains(&format!("format = \"{format}\"")),
            "{}",
            proposal.toml
        );
        assert_eq!(checked.unwrap().accepted, 2);
    }
}

#[tokio::test]
async fn another_encoding_is_proposed() {
    let text = "time,action,customer,visit,sku\n2026-11-01 10:00,view,Müller,s,p\n2026-11-01 10:01,view,x,s,p\n";
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for (bytes, encoding) in [(latin, "windows-1252"), (utf16, "utf-16le"), (marked, "utf-16be")] {
        let (proposal, checked) = infer("other.csv", bytes).await;
        assert!(
            proposal.toml.contains(&format!("encoding = \"{encoding}\"")),
            "{}",
            proposal.toml
        );
        let checked = checked.unwrap();
        assert_eq!(
            (checked.accepted, checked.events[0].value.user_id.as_str()),
            (2, "Müller")
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zeros.csv");
    std::fs::write(&path, [0; 999]).unwrap();
    let told = infer_mapping(&path).await.unwrap_err().report();
    assert!(told.contains("zeros") && !told.contains("UTF-16"), "{told}");
}

#[tokio::test]
async fn what_is_no_record_is_recognized() {
    let header = "time,action,customer,visit,sku,name\n";
    let rows = "2026-11-01 10:00,view,u1,s1,p1,\"Lamp\"\n2026-11-01 10:05,view,u2,s2,p2,\"Rug\"\n2026-11-01 10:06,view,u3,s3,p3,x\n";
    let escaped = rows.replace("Lamp", "27\\\"");
    let spaced = rows.replace(',', ", ").replace("Lamp", "Lamp, red");
    for (text, keys) in [
        (["Orders of the shop\n\n", header, rows].concat(), &["skip = 2"][..]),
        (["# made by\n\n", header, "# x\n", rows].concat(), &["comment = \"#\""]),
        (
            ["sep=;\n", &[header, rows].concat().replace(',', ";")].concat(),
            &["skip = 1", "delimiter = \";\""],
        ),
        ([header, &escaped].concat(), &["escape = \"\\\\\""]),
        ([header, &spaced].concat(), &["trim = true"]),
        ([header, rows].concat().replace('\n', "\r"), &[]),
    ] {
        let (proposal, checked) = infer("a.csv", &text).await;
        for key in keys {
            assert!(
                proposal.toml.lines().any(|line| line == *key),
                "{key} in {}",
                proposal.toml
            );
        }
        for key in ["skip", "comment", "escape", "trim"] {
            let expected = keys.iter().any(|expected| expected.starts_with(key));
            assert_eq!(
                proposal.toml.contains(&format!("\n{key} =")),
                expected,
                "{}",
                proposal.toml
            );
        }
        let checked = checked.unwrap();
        assert_eq!(
            (checked.accepted, checked.is_clean()),
            (3, true),
            "{text}\n{}",
            proposal.toml
        );
    }
    let long = [header, &rows.repeat(12_000)].concat().replace('\n', "\r");
    assert!(infer("long.csv", long).await.0.toml.contains("proposed from the first"));
}

#[tokio::test]
async fn a_proposal_says_if_it_is_from_a_part_of_the_file() {
    let row = "2026-11-01T10:00:00Z,view,u,s,p\n";
    let text = format!(
        "event_time,event_type,user_id,session_id,product_id\n{}",
        row.repeat(6_000)
    );
    let (proposal, checked) = infer("a.csv", text).await;
    assert!(
        proposal.toml.contains("proposed from the first 4999 rows"),
        "{}",
        proposal.toml
    );
    assert_eq!(checked.unwrap().accepted, 6_000);
}

const GERMAN: &str = "\
Zeit;Kunde;Sitzung;Artikel;Aktion;Preis;Menge
01.11.2026 10:00;k1;s1;a1;angesehen;970,31;1
01.11.2026 10:01;k1;s1;a2;gekauft;1.094,58;2
01.11.2026 10:02;k2;s2;a2;angesehen;12,50;1
01.11.2026 10:03;k3;s2;a2;gekauft;12,50;1
";

#[tokio::test]
async fn unknown_names_are_marked_and_shown_with_their_values() {
    let (proposal, _) = infer("de.csv", GERMAN).await;
    assert_eq!(proposal.missing, ["event_type", "user_id", "session_id", "product_id"]);
    for told in [
        "decimal = \",\"\nthousands = \".\"\n",
        "# event_type = { column = \"Aktion\", values = { \"angesehen\" = \"TO BE FILLED IN\", \"gekauft\" = \"TO BE FILLED IN\" } }\n",
        "# TO BE FILLED IN: remove the # if these are prices:\n",
        "# price = \"Preis\"\n",
        "# quantity = \"...\"  # TO BE FILLED IN if a column has it\n",
    ] {
        assert!(proposal.toml.contains(told), "{told}\n{}", proposal.toml);
    }
    // With everything that is marked filled in, the prices are read too.
    let filled = proposal
        .toml
        .replace("\"angesehen\" = \"TO BE FILLED IN\"", "\"angesehen\" = \"view\"")
        .replace("\"gekauft\" = \"TO BE FILLED IN\"", "\"gekauft\" = \"purchase\"")
        .replace("# event_type = {", "event_type = {")
        .replace("# user_id = \"...\"", "user_id = \"Kunde\"")
        .replace("# session_id = \"...\"", "session_id = \"Sitzung\"")
        .replace("# product_id = \"...\"", "product_id = \"Artikel\"")
        .replace("# price = ", "price = ")
        .replace("# quantity = \"...\"", "quantity = \"Menge\"");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("de.csv");
    std::fs::write(&path, GERMAN).unwrap();
    let mapping = Mapping::from_toml(&filled).unwrap();
    let checked = check_file(&path, Some(&mapping), Rules::default(), 9).await.unwrap();
    assert!(checked.is_clean());
    let prices: Vec<_> = checked
        .events
        .iter()
        .map(|event| event.value.price.unwrap().cents())
        .collect();
    assert_eq!(prices, [97_031, 109_458, 1_250, 1_250]);
}

#[tokio::test]
async fn a_column_that_may_be_prices_does_not_make_prices_optional() {
    let text = GERMAN.replace("angesehen", "view").replace("gekauft", "purchase");
    let text = text.replace("Kunde;Sitzung;Artikel", "user;session;sku");
    let (proposal, checked) = infer("de.csv", text).await;
    assert!(!proposal.toml.contains("price_optional"), "{}", proposal.toml);
    // A purchase without a price is rejected, not stored without one.
    assert_eq!(checked.unwrap().rejected_count(), 2);
}

#[tokio::test]
async fn columns_without_a_name_or_with_the_same_one_are_not_used() {
    let names = "event_time,event_type,user_id,session_id,product_id,price,quantity";
    let row = "2026-11-01T09:30:00Z,purchase,u1,s1,p1,12.50,2";
    for (more, values) in [(",,", ",,"), (",note,note", ",x,y"), (",,price", ",,1.00")] {
        let (proposal, checked) = infer("a.csv", format!("{names}{more}\n{row}{values}\n")).await;
        assert_eq!(proposal.missing, [""; 0], "{}", proposal.toml);
        let is_price_twice = more.ends_with("price");
        assert_eq!(proposal.toml.contains("\nprice = \"price\"\n"), !is_price_twice);
        assert_eq!(checked.unwrap().accepted, 1, "{}", proposal.toml);
    }
}

#[tokio::test]
async fn short_and_long_rows_are_told_with_the_key_that_stores_them() {
    let text = "event_time,event_type,user_id,session_id,product_id,price,note\n\
                2026-11-01T09:30:00Z,purchase,u0,s0,p0,1.50\n\
                2026-11-01T09:30:01Z,purchase,u1,s1,p1,1.50\n\
                2026-11-01T09:30:02Z,purchase,u2,s2,p2,1.50\n\
                2026-11-01T09:31:00Z,purchase,u9,s9,p9,1.50,gift\n";
    let (proposal, checked) = infer("a.csv", text).await;
    assert_eq!(proposal.missing, [""; 0], "{}", proposal.toml);
    assert_eq!(checked.unwrap().accepted, 1);
    let filled = proposal.toml.replace("# short_rows = ", "short_rows = ");
    assert_ne!(filled, proposal.toml);
    Mapping::from_toml(&filled).unwrap();
    let (proposal, _) = infer("a.csv", text.replace(",note\n", "\n")).await;
    assert!(proposal.toml.contains("\n# long_rows = \"cut\"\n"), "{}", proposal.toml);
}
