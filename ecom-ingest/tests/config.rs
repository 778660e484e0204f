//! The options of the program: flags, environment, file, defaults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use fixture::program::{Ingest, program};
use fixture::{database, drop_in};

const FILE: &str = "\
database_url = \"postgresql://shop:secret@db.example/shop?sslmode=disable\"
wait = \"5s\"

[run]
input = \"/srv/shop\"
archive = \"/srv/done\"
connections = 3
";

fn config(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    file
}

fn print(file: &tempfile::NamedTempFile, environment: &[(&str, &str)]) -> String {
    let mut program = program();
    let asked = program.args(["config", "print", "--config"]).arg(file.path());
    let output = asked.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The value and the source that are printed for a key of `run`.
fn printed(text: &str, key: &str) -> (String, String) {
    let line = text
        .lines()
        .find(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")))
        .unwrap_or_else(|| panic!("{key} is missing in:\n{text}"));
    let (assigned, source) = line.rsplit_once(" # ").unwrap();
    let value = assigned.split_once('=').unwrap().1.trim();
    (value.to_owned(), source.to_owned())
}

#[test]
fn each_layer_overrides_those_below_and_print_shows_the_source() {
    let file = config(FILE);
    let path = file.path().display();
    let text = print(&file, &[("ECOM_ARCHIVE", "/mnt/done"), ("ECOM_ONCE", "true")]);
    let told = |key| printed(&text, key);
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(told("input"), pair("\"/srv/shop\"", &format!("{path}, line 5")));
    assert_eq!(told("archive"), pair("\"/mnt/done\"", "environment, ECOM_ARCHIVE"));
    assert_eq!(told("once"), pair("true", "environment, ECOM_ONCE"));
    assert_eq!(told("connections"), pair("3", &format!("{path}, line 7")));
    assert_eq!(told("pipeline"), pair("\"events\"", "default"));
    assert_eq!(told("settle_partitions"), pair("", "not set"));
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("password=***"), "{text}");
}

#[test]
fn config_print_prints_a_valid_file() {
    let text = print(&config(FILE), &[]);
    let without_secrets: String = text
        .lines()
        .filter(|line| !line.starts_with("database_url"))
        .map(|line| format!("{line}\n"))
        .collect();
    let again = print(&config(&without_secrets), &[]);
    for key in ["input", "archive", "connections", "wait", "rested", "pipeline"] {
        assert_eq!(printed(&again, key).0, printed(&text, key).0, "{key}");
    }
}

#[test]
fn unknown_keys_and_values_are_refused_with_their_line() {
    for (text, expected) in [
        (
            "\narhive = 1",
            "line 2: arhive is not an option of any command (did you mean archive?)",
        ),
        (
            "database-url = ''",
            "line 1: database-url is not an option of any command (did you mean database_url?)",
        ),
        (
            "[rnu]\ninput = 'x'",
            "line 2: [rnu] is not a command (did you mean run?)",
        ),
        ("[settle]\ninput = 'x'", "line 2: input is not an option of settle"),
        (
            "wait = '3 parsecs'",
            "line 1: wait cannot be \"3 parsecs\": unknown time unit",
        ),
        (
            "log_format = 'yaml'",
            "line 1: log_format cannot be \"yaml\" (it takes one of: text, json)",
        ),
        ("input = ['a']", "line 1: input takes one value"),
        ("input = ", "line 1: "),
        ("a = 1\na = 2", "line 2: "),
        ("[run]\ndelete = true\narchive = 'x'", "exclude each other"),
        // No part of it is quoted.
        (
            "database_url = 'postgresql://u:secret@@h/d'",
            "line 1: database_url: the database URL cannot be read",
        ),
        // It would ask for it at every start.
        ("[run]\ntake_over = true", "line 2: take_over is not an option of run"),
    ] {
        let file = config(text);
        for command in [&["config", "check"][..], &["run", "--input", "/nonexistent"]] {
            let output = program()
                .args(command)
                .arg("--config")
                .arg(file.path())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(3), "{text}");
            let said = said(&output);
            assert!(said.contains(expected), "{text}\n{said}");
            assert!(said.contains(&file.path().display().to_string()), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
    let missing = program()
        .args(["config", "check", "--config", "/nonexistent"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(3));
    assert!(
        said(&missing).contains("cannot read the configuration /nonexistent"),
        "{missing:?}"
    );
}

#[test]
fn files_and_directories_named_in_the_file_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display();
    fs::write(dir.path().join("file"), "").unwrap();
    fs::write(dir.path().join("bad.toml"), "[columns]\nnonsense = 1\n").unwrap();
    for (text, expected) in [
        (format!("input = '{place}'\nmap = 'rees46'"), None),
        (
            format!("\ninput = '{place}/nowhere'"),
            Some(format!("line 2: input: {place}/nowhere does not exist")),
        ),
        (
            format!("[run]\ninput = '{place}/file'"),
            Some(format!("line 2: input: {place}/file is not a directory")),
        ),
        (format!("map = '{place}/no.toml'"), Some(format!("{place}/no.toml"))),
        (format!("map = '{place}/bad.toml'"), Some(format!("{place}/bad.toml"))),
    ] {
        let file = config(&text);
        let output = program()
            .args(["config", "check", "--config"])
            .arg(file.path())
            .output()
            .unwrap();
        let said = said(&output);
        match expected {
            None => assert!(output.status.success(), "{text}\n{said}"),
            Some(expected) => {
                assert_eq!(output.status.code(), Some(3), "{text}");
                assert!(said.contains(&expected) && said.contains(", line "), "{text}\n{said}");
            }
        }
    }
}

#[test]
fn a_password_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let input = tempfile::tempdir().unwrap();
    let file = config(&FILE.replace("/srv/shop", &input.path().display().to_string()));
    for (mode, is_warned) in [(0o600, false), (0o640, true)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = program()
            .args(["config", "check"])
            .env("ECOM_CONFIG", file.path())
            .output()
            .unwrap();
        assert!(output.status.success());
        assert_eq!(said(&output).contains("it has a password"), is_warned, "{mode:o}");
    }
}

#[tokio::test]
async fn a_run_needs_only_the_file_and_a_flag_overrides_it() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let done = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..10);
    let file = config(&format!(
        "database_url = '{}'\n[run]\ninput = '{}'\nonce = true\ndelete = true\n",
        database.url,
        input.path().display()
    ));
    let mut kept = program();
    kept.args(["run", "--config"])
        .arg(file.path())
        .args(["--archive"])
        .arg(done.path());
    Ingest::spawn(&mut kept).succeed().await;
    assert_eq!(database.rows().await, 10);
    assert!(
        done.path().join("a.csv").exists(),
        "the flag overrules what excludes it"
    );

    drop_in(input.path(), "b.csv", 10..20);
    let mut deleted = program();
    Ingest::spawn(deleted.arg("run").env("ECOM_CONFIG", file.path()))
        .succeed()
        .await;
    assert_eq!(database.rows().await, 20);
    assert!(!input.path().join("b.csv").exists());
}

#[test]
fn the_version_is_that_of_the_program() {
    let output = program().arg("--version").output().unwrap();
    let expected = concat!("ecom-ingest ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn usage_does_not_list_options_that_the_file_may_provide_as_required() {
    for args in [&["run"][..], &["run", "--help"], &["retain"], &["retain", "--help"]] {
        let output = program()
            .args(args)
            .env("DATABASE_URL", "postgresql://localhost")
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let usage = text.lines().find(|line| line.starts_with("Usage:")).unwrap();
        assert_eq!(usage, format!("Usage: ecom-ingest {} [OPTIONS]", args[0]));
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = program().args(["completions", shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for word in ["ecom-ingest", "database-url", "settle-partitions", "completions"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_completes_below_the_first_word() {
    let completions = program().args(["completions", "bash"]).output().unwrap().stdout;
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(&script, completions).unwrap();
    let complete = |words: &[&str]| {
        // As bash itself calls it: the program, the word at the cursor, the word before.
        const CALL: &str = r#"
            source "$1" && shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            function=$(complete -p ecom-ingest | sed 's/.*-F \([^ ]*\) .*/\1/')
            "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}""#;
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", CALL, "bash"])
            .arg(script.path())
            .arg("ecom-ingest");
        String::from_utf8(bash.args(words).output().unwrap().stdout).unwrap()
    };
    for (words, expected) in [
        (&["sta"][..], "status\n"),
        (&["run", "--pro"], "--progress\n"),
        (&["rejects", "r"], "retry\n"),
        (&["rejects", "list", "--lim"], "--limit\n"),
    ] {
        assert_eq!(complete(words), expected, "{words:?}");
    }
}

/// What the guide shows.
fn guide() -> String {
    fs::read_to_string(format!("{}/../docs/operating.md", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_guide_lists_every_option_of_run() {
    let guide = guide();
    let toml = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    // The host of the database need not exist.
    let file = config(&toml.replace("db.example", "localhost"));
    let text = print(&file, &[]);
    assert_eq!(printed(&text, "days").0, "90");

    let of_run: BTreeSet<&str> = text
        .split("[run]\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.trim_start_matches("# ").split(" =").next().unwrap())
        .collect();
    let documented: BTreeSet<&str> = guide
        .split("| key of `[run]`")
        .nth(1)
        .unwrap()
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(documented, of_run);

    let commands: Vec<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("ecom-ingest ")?.split(['#', '|', '>']).next())
        .collect();
    assert!(commands.len() > 12, "{commands:?}");
    for command in commands {
        // Up to the help everything is read as it would be.
        let output = program()
            .args(command.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}\n{}", said(&output));
    }
}

#[test]
fn unusual_values_are_printed_so_that_they_parse_again() {
    let file = config("[run]\ninput = \"da\\u0301ta\\n\\\"x\\\"\"\npipeline = \"007\"\n");
    let text = print(&file, &[]);
    assert_eq!(printed(&text, "pipeline").0, "\"007\"");
    assert_eq!(print(&config(&text), &[]).lines().count(), text.lines().count());
}

#[test]
fn passwords_are_hidden_however_they_are_written() {
    for url in [
        "postgresql://u:Canary@h/d",
        "postgresql://h/d?pasword=Canary",
        "jdbc:postgresql://h/d?user=u&password=Canary",
        "PASSWORD=Canary host=h",
        "postgresql://u:Canary",
    ] {
        for variable in ["DATABASE_URL", "ECOM_INPUT"] {
            let printed = print(&config(FILE), &[(variable, url)]);
            assert!(!printed.contains("anary"), "{printed}");
        }
        // In the file it may be refused.
        let file = config(&format!("database_url = {url:?}\n"));
        let output = program()
            .args(["config", "print", "--config"])
            .arg(file.path())
            .output()
            .unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!printed.contains("anary") && !printed.is_empty(), "{printed}");
    }
}

#[test]
fn control_characters_of_names_and_values_are_printed_escaped() {
    let dir = tempfile::tempdir().unwrap();
    let name = "\u{1b}[31m\n\u{9b}.csv";
    let text = format!(
        "{}evil\u{1b}[2J\n1,2026-11-01T12:00:00Z,view,u\u{9b}2J,s,p,\nyes\u{7f},,,,,,\n",
        "event_id,event_time,event_type,user_id,session_id,product_id,"
    );
    fs::write(dir.path().join(name), text).unwrap();
    fs::write(dir.path().join("no-header\u{1b}.csv"), "a\u{1b},b\n").unwrap();
    fs::write(
        dir.path().join("\u{1b}.toml"),
        "[run]\ninput = \"\\u001b\\u009b\\u007f\"\n",
    )
    .unwrap();
    for args in [
        &["check", name, "no-header\u{1b}.csv"][..],
        &["infer", name],
        &["config", "print", "--config", "\u{1b}.toml"],
        &["config", "check", "--config", "\u{1b}.toml"],
        &["check", "none\u{1b}[2J"],
    ] {
        let output = program().args(args).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let raw: Vec<char> = said.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty() && !said.is_empty(), "{args:?}: {said:?}");
    }
}

#[test]
fn an_empty_environment_variable_counts_as_not_set() {
    let file = config(FILE);
    let empty = [("ECOM_INPUT", ""), ("ECOM_ONCE", ""), ("DATABASE_URL", "")];
    let text = print(&file, &empty);
    assert_eq!(printed(&text, "input").0, "\"/srv/shop\"");
    assert!(printed(&text, "database_url").1.ends_with("line 1"), "{text}");
    let output = program()
        .args(["config", "print"])
        .env("ECOM_CONFIG", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
