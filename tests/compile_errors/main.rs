//! What the compiler says of a program that has a mistake a beginner makes.
//!
//! Each program begins with lines `//~ …` of what must stand in the compiler's output. They are compiled against the
//! libraries that this test is linked with, so that nothing is built again.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest build of a library among those that this test may have been linked with.
fn library(deps: &Path, name: &str) -> PathBuf {
    let builds = fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_str().unwrap_or_default();
            file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
        });
    builds
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
        .unwrap()
}

/// Whether a program compiles, and the compiler's output, each run of white space as one blank.
fn compile(program: &Path) -> (bool, String) {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=metadata",
        "--color=never",
        "--out-dir",
    ]);
    rustc.arg(out.path()).arg("-L").arg({
        let mut dependencies = OsString::from("dependency=");
        dependencies.push(deps);
        dependencies
    });
    for name in ["ecom_stream", "ecom_sink_pg"] {
        let mut library_is = OsString::from(format!("{name}="));
        library_is.push(library(deps, name));
        rustc.arg("--extern").arg(library_is);
    }
    let output = rustc.arg(program).output().unwrap();
    // A note that is long is wrapped.
    let said = String::from_utf8(output.stderr).unwrap();
    let words: Vec<&str> = said.split_whitespace().filter(|word| *word != "|").collect();
    (output.status.success(), words.join(" "))
}

#[test]
fn a_mistake_is_told_in_terms_of_the_library() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_errors/programs");
    let mut missing = Vec::new();
    let mut compiled = 0;
    for program in fs::read_dir(programs).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&program).unwrap();
        let name = program.file_stem().unwrap().to_str().unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
        let (success, said) = compile(&program);
        assert_eq!(success, expected.is_empty(), "{name}: {said}");
        missing.extend(
            expected
                .into_iter()
                .filter(|expected| !said.contains(expected))
                .map(|expected| format!("{name}: {expected:?} is not in: {said}")),
        );
        compiled += 1;
    }
    assert!(compiled > 5);
    assert!(missing.is_empty(), "{}", missing.join("\n\n"));
}
