//! The programs that load the files: ecom-ingest, and psql.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::stage::{Database, Stage, Usage};

/// One load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) client_cpu_s: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) peak_mib: f64,
}

/// What people make by hand: a key and four indexes.
pub(crate) const USUAL_TABLE: &str = "
    CREATE TABLE usual (event_id uuid PRIMARY KEY, event_time timestamptz NOT NULL, event_type text NOT NULL,
        user_id text COLLATE \"C\" NOT NULL, session_id text COLLATE \"C\" NOT NULL,
        product_id text COLLATE \"C\" NOT NULL, product_name text, category text, brand text,
        price numeric(12,2) NOT NULL, quantity int NOT NULL, processed_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON usual (event_time);
    CREATE INDEX ON usual (user_id, event_time);
    CREATE INDEX ON usual (product_id, event_time);
    CREATE INDEX ON usual (event_type, event_time)";

/// Our own, so that psql can fill it: the partitions are there, and a default stands for the stamp.
pub(crate) const OUR_TABLE: &str = "
    ALTER TABLE ecom.events ALTER processed_at SET DEFAULT now();
    SELECT ecom.ensure_partitions(ARRAY(SELECT date '2026-10-31' + n FROM generate_series(0, 9) AS n))";

const COLUMNS: &str =
    "event_id, event_time, event_type, user_id, session_id, product_id, product_name, category, brand, price, quantity";

/// `ecom-ingest run` on a directory.
pub(crate) fn command(database: &Database, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-ingest"));
    command.args(["run", "--input"]).arg(dir);
    command.env("DATABASE_URL", &database.url).env("RUST_LOG", "error");
    command.stdin(Stdio::null());
    command
}

/// Loads what is in a directory.
pub(crate) fn ingest(stage: &Stage, database: &Database, dir: &Path) -> Outcome<Run> {
    let mut command = command(database, dir);
    measured(stage, || Ok(vec![command.arg("--once").spawn()?]))
}

/// Loads files by psql, shared out to so many processes, with a commit a file.
pub(crate) fn psql(
    stage: &Stage,
    database: &Database,
    table: &str,
    files: &[PathBuf],
    processes: usize,
) -> Outcome<Run> {
    measured(stage, || {
        let mut children = Vec::new();
        for first in 0..processes {
            let mut psql = Command::new("psql")
                .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", &database.url])
                .stdin(Stdio::piped())
                .spawn()?;
            if let Some(mut script) = psql.stdin.take() {
                for file in files.iter().skip(first).step_by(processes) {
                    writeln!(
                        script,
                        "\\copy {table} ({COLUMNS}) from '{}' csv header",
                        file.display()
                    )?;
                }
            }
            children.push(psql);
        }
        Ok(children)
    })
}

fn measured(stage: &Stage, start: impl FnOnce() -> Outcome<Vec<Child>>) -> Outcome<Run> {
    let server_before = stage.cpu_s()?;
    let client_before = Usage::of("self")?.of_ended_children_s;
    let began = Instant::now();
    let mut children = start()?;
    let mut peak_mib: f64 = 0.0;
    let mut seconds = 0.0;
    while !children.is_empty() {
        std::thread::sleep(Duration::from_millis(2));
        for child in &children {
            peak_mib = peak_mib.max(self::peak_mib(child));
        }
        let mut running = Vec::new();
        for mut child in children {
            match child.try_wait()? {
                None => running.push(child),
                Some(status) if status.success() => seconds = began.elapsed().as_secs_f64(),
                Some(status) => return Err(format!("a program that loads failed: {status}").into()),
            }
        }
        children = running;
    }
    Ok(Run {
        seconds,
        client_cpu_s: Usage::of("self")?.of_ended_children_s - client_before,
        server_cpu_s: stage.cpu_s()? - server_before,
        peak_mib,
    })
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        Ok(Self(command.spawn()?))
    }

    pub(crate) fn peak_mib(&self) -> f64 {
        peak_mib(&self.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The most memory that a process has had so far.
fn peak_mib(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
