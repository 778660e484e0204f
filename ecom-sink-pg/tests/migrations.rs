//! The rules of the files in `sql/migrations/`: each object is in one file, and psql and the program make the same schema.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::collections::{BTreeMap, BTreeSet};

use ecom_sink_pg::schema::texts;
use fixture::database;
use fixture::schema::{current, database_with_schema, dump, setup};

/// The migrations V1 to V8 are one generation by topic. Later ones may change what these create.
const GENERATION: usize = 8;

/// What a statement of the first generation may start with, and whether it creates the object that it names.
const STATEMENTS: [(&str, &str, bool); 11] = [
    ("CREATE TABLE IF NOT EXISTS ", "table", true),
    ("CREATE INDEX IF NOT EXISTS ", "index", true),
    ("CREATE OR REPLACE FUNCTION ", "function", true),
    ("CREATE OR REPLACE VIEW ", "view", true),
    ("COMMENT ON TABLE ", "table", false),
    ("COMMENT ON VIEW ", "view", false),
    ("COMMENT ON FUNCTION ", "function", false),
    ("COMMENT ON COLUMN ", "column", false),
    ("REVOKE EXECUTE ON FUNCTION ", "function", false),
    ("INSERT INTO ", "table", false),
    ("DO $$", "schema", true),
];

/// The statements of a file, without comments and line breaks. What is quoted stays in one statement.
fn statements(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                continue;
            }
            '\'' => 2 + rest[1..].find('\'').unwrap(),
            '$' if rest.starts_with("$$") => 4 + rest[2..].find("$$").unwrap(),
            _ => next.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        match piece {
            ";" => statements.push(String::new()),
            piece => statements.last_mut().unwrap().push_str(piece),
        }
    }
    let one_line = statements
        .iter()
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    one_line.filter(|text| !text.is_empty()).collect()
}

/// The name up to what can't be part of one, without the schema.
fn name(text: &str) -> &str {
    let text = text.strip_prefix("ecom.").unwrap_or(text);
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
        .next()
        .unwrap()
}

/// The kind and name of each object that the files create, and what breaks the rules: an object that is created twice, a
/// statement about an object that another file creates, and statements that change or drop something.
fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> (BTreeSet<(String, String)>, Vec<String>) {
    let mut created: BTreeMap<(String, String), &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for (file, text) in files {
        for statement in statements(text) {
            let known = STATEMENTS
                .iter()
                .find_map(|(start, kind, creates)| Some((statement.strip_prefix(start)?, *kind, *creates)));
            let Some((rest, kind, creates)) = known else {
                faults.push(format!("{file} does something else than to create: {statement}"));
                continue;
            };
            // The objects that the statement needs in the same file.
            let (subject, needs) = match (kind, creates) {
                ("schema", _) => ("ecom", vec![]),
                ("index", _) => (name(rest), vec![("table", name(rest.split_once(" ON ").unwrap().1))]),
                ("column", _) => {
                    let relation = name(rest).split('.').next().unwrap();
                    (relation, vec![("table", relation), ("view", relation)])
                }
                (_, true) => (name(rest), vec![]),
                (kind, false) => (name(rest), vec![(kind, name(rest))]),
            };
            let is_here = |(kind, name): &(&str, &str)| created.get(&((*kind).into(), (*name).into())) == Some(&file);
            if !needs.is_empty() && !needs.iter().any(is_here) {
                faults.push(format!("{file} changes what it does not create: {statement}"));
            }
            if creates && let Some(first) = created.insert((kind.into(), subject.into()), file) {
                faults.push(format!("{file} creates the {kind} {subject} once more: {first} does"));
            }
        }
    }
    (created.into_keys().collect(), faults)
}

#[tokio::test]
async fn each_object_is_created_in_one_file() {
    let (created, faults) = read(texts().take(GENERATION));
    assert_eq!(faults, [""; 0]);

    // Nothing of the schema has escaped the reading of the files.
    if texts().count() == GENERATION {
        let db = database_with_schema().await;
        let objects = "
            SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END, relname
            FROM pg_class c
            WHERE relnamespace = 'ecom'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'i', 'I')
              AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
            UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'ecom'::regnamespace
            UNION ALL SELECT 'schema', 'ecom'";
        let found: BTreeSet<String> = db.ask(objects).await.into_iter().collect();
        let created: BTreeSet<String> = created.iter().map(|(kind, name)| format!("{kind}|{name}")).collect();
        assert_eq!(created, found);
    }
}

#[test]
fn a_second_definition_or_a_change_is_found() {
    let first = "CREATE TABLE IF NOT EXISTS ecom.a (b text DEFAULT ';'); -- ALTER TABLE ecom.a;
                 COMMENT ON COLUMN ecom.a.b IS 'It''s a; b.';";
    let function = "CREATE OR REPLACE FUNCTION ecom.a(c text) RETURNS text AS $$ DROP TABLE d; $$;";
    let index = "CREATE INDEX IF NOT EXISTS i ON ecom.a (b);";
    let of = |texts: &[&'static str]| read(["V1", "V2"].into_iter().zip(texts.iter().copied())).1;
    assert_eq!(of(&[first, function]), [""; 0]);
    assert_eq!(
        of(&[function, function]),
        ["V2 creates the function a once more: V1 does"]
    );
    for change in [
        "COMMENT ON COLUMN ecom.a.b IS 'b';",
        "COMMENT ON TABLE ecom.a IS 'a';",
        index,
    ] {
        let expected = format!("V2 changes what it does not create: {}", &change[..change.len() - 1]);
        assert_eq!(of(&[first, change]), [expected]);
    }
    for change in [
        "ALTER TABLE ecom.a ADD COLUMN c text;",
        "DROP INDEX ecom.i;",
        "UPDATE ecom.a SET b = 'c';",
    ] {
        let expected = format!("V1 does something else than to create: {}", &change[..change.len() - 1]);
        assert_eq!(of(&[change]), [expected]);
    }
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn psql_and_the_program_make_the_same_schema() {
    let by_program = database_with_schema().await;
    let by_psql = database().await;
    assert_eq!(setup(&by_psql.url), current());
    let expected = dump(&by_program.url).await;
    assert!(expected.contains("FUNCTION ecom.ensure_partitions"), "{expected}");
    assert_eq!(dump(&by_psql.url).await, expected);
    for db in [by_program, by_psql] {
        assert_eq!(db.ask("SELECT * FROM ecom.settings").await, ["t|day|lean|"]);
    }
}
