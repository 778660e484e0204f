//! Tests of mappings in TOML: every key, and the errors.

use super::*;
use crate::csv::Columns;

const LEAST: &str = "
        [event]
        event_time = \"t\"
        event_type = \"k\"
        user_id = \"u\"
        session_id = { constant = \"none\" }
        product_id = \"p\"
    ";

#[test]
fn every_key_is_read() {
    let mapping = Mapping::from_toml(
        r##"
            delimiter = ";"
            quote = "'"
            header = ["t", "k", "u", "s", "p", "c"]
            nulls = ["NA", "-"]
            ids = "content"
            extra = true
            price_optional = true
            negative = "refund"
            decimal = ","
            thousands = "."

            [event]
            event_time = { column = "t", format = "%d-%m-%Y %H:%M", zone = "Europe/London" }
            user_id = "u"
            session_id = { path = "visit" }
            product_id = { constant = "P1" }
            brand = { column = "b", optional = true }
            category = { column = "c", default = "none" }

            [event.event_type]
            column = "k"
            values = { cart = "add_to_cart", Purchase = "purchase" }
            "##
        .replace("brand = { column = \"b\", optional = true }\n", "")
        .as_str(),
    )
    .unwrap();
    let zone = TimeZone::named("Europe/London").unwrap();
    let built = Mapping::builder()
        .dialect(
            Dialect::default()
                .delimiter(b';')
                .quote(Some(b'\''))
                .without_header(["t", "k", "u", "s", "p", "c"]),
        )
        .nulls(["NA", "-"])
        .ids(Ids::Content)
        .keep_extra(true)
        .price_optional(true)
        .negative_is_refund(true)
        .decimal_comma(true)
        .thousands('.')
        .time_format(TimeFormat::strptime("%d-%m-%Y %H:%M").unwrap().in_zone(zone).unwrap())
        .field("event_time", Field::column("t"))
        .field(
            "event_type",
            Field::column("k")
                .value("cart", "add_to_cart")
                .value("Purchase", "purchase"),
        )
        .field("user_id", Field::column("u"))
        .field("session_id", Field::path("visit"))
        .field("product_id", Field::constant("P1"))
        .field("category", Field::column("c").default_value("none"));
    assert_eq!(mapping, built.build().unwrap());
}

#[test]
fn a_file_must_have_every_mapped_column_that_is_not_optional() {
    let mapping = Mapping::from_toml(&format!("{LEAST}\nbrand = {{ column = \"b\", optional = true }}")).unwrap();
    assert_eq!(
        mapping.columns(),
        Columns::new(["t", "k", "u", "p", "b"], ["t", "k", "u", "p"])
    );
}

#[test]
fn errors_name_the_line_and_the_column() {
    let with = |line: &str| format!("{LEAST}{line}");
    for (text, message) in [
        (
            "delimiter = ';;'".to_owned() + LEAST,
            "line 1, column 13: delimiter must be one ASCII character",
        ),
        (
            "quotes = ''".to_owned() + LEAST,
            "line 1, column 1: unknown field `quotes`, expected one of",
        ),
        (
            "ids = 'hash'".to_owned() + LEAST,
            "line 1, column 7: unknown variant `hash`",
        ),
        (
            "thousands = '.'".to_owned() + LEAST,
            "line 1, column 13: '.' can't separate thousands when '.' is the decimal separator",
        ),
        (
            "thousands = ''".to_owned() + LEAST,
            "line 1, column 13: thousands must be one character",
        ),
        (
            with("colour = 'c'"),
            "line 8, column 5: unknown field `colour`, expected one of `event_id`",
        ),
        (with("user_id = 'c'"), "line 8, column 5: duplicate key"),
        (
            LEAST.replace("\"k\"", "{ column = 'k', values = { a = 'vieew' } }"),
            "line 4, column 22: there is no event_type \"vieew\" (it is one of view",
        ),
        (
            with("brand = { columm = 'c' }"),
            "line 8, column 15: unknown field `columm`",
        ),
        (
            with("brand = 7"),
            "line 8, column 13: invalid type: integer `7`, expected the name of a column",
        ),
        (
            with("brand = { }"),
            "line 8, column 13: a field needs exactly one of column, first_of, columns, path and constant",
        ),
        (
            with("price = { column = 'p', zone = 'UTC' }"),
            "line 8, column 13: only event_time can have zone: remove it here",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = 'iso' }"),
            "line 3, column 47: \"iso\" is not a time format",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = '%d.%m.%y', zone = 'Mars' }"),
            "line 3, column 66: there is no time zone \"Mars\"",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = '%d.%m.%Y %H:%M MEZ' }"),
            "line 3, column 47: \"MEZ\" in the time format",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = ['%d/%m/%Y', '%m/%d/%Y'] }"),
            "line 3, column 47: the time formats in the list contradict each other",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = 7 }"),
            "line 3, column 47: expected a text, or a list of texts",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', zone = 'UTC' }"),
            "line 3, column 45: `zone` has no effect here",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = '%F %Z', zones = { PST = '?' } }"),
            "line 3, column 64: there is no time zone \"?\"",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', format = '%d %b %Y', months = ['jan'] }"),
            "line 3, column 68: months needs 12 names",
        ),
        (
            LEAST.replace("\"t\"", "{ column = 't', columns = ['d', 't'] }"),
            "line 3, column 22: a field needs exactly one of column",
        ),
        (
            LEAST.replace("\"t\"", "{ path = 'orders_{date}.csv' }"),
            "line 3, column 22: the value in a pattern for the path is written {}",
        ),
        (
            with("brand = { columns = ['a', 'b'] }"),
            "line 8, column 13: only event_time can have columns",
        ),
        (
            with("brand = { column = 'a', path = 'b' }"),
            "line 8, column 13: only event_time can have a path beside a column",
        ),
        (
            "[event]\nuser_id = 'u'".to_owned(),
            "the mapping has no field for event_time, event_type, session_id, product_id",
        ),
        (String::new(), "the mapping has no field for"),
        ("[event".to_owned(), "line 1, column 7: "),
    ] {
        let err = Mapping::from_toml(&text).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        assert!(
            err.to_string().starts_with(message),
            "{err}\nwhere\n{message}\nwas expected"
        );
    }
}

#[test]
fn an_unknown_key_gets_the_nearest_known_one_as_a_hint() {
    for (text, near) in [
        ("decimals = ','", Some("decimal")),
        ("ids = 'contents'", Some("content")),
        ("[event]\nuser = 'u'", None),
        ("[event]\nuser-id = 'u'", Some("user_id")),
        ("[event]\nbrand = { columm = 'c' }", Some("column")),
        ("[event]\nbrand = { colour = 'c' }", None),
    ] {
        let told = Mapping::from_toml(text).unwrap_err().to_string();
        match near {
            Some(near) => assert!(told.ends_with(&format!(" (did you mean {near}?)")), "{told}"),
            None => assert!(!told.contains("did you mean"), "{told}"),
        }
    }
}
