//! Crash points: named places in the code at which a test can end the program, `crash_point!("room.step")`.
//!
//! They exist only with the feature `crash-points`, which the tests of these crates turn on. In a plain `cargo build` the macro
//! expands to nothing. The environment variable `ECOM_CRASH_AT` says where to crash and how, as a list separated by commas:
//!
//! | entry | what happens |
//! |---|---|
//! | `copy.begun` | the first time this point is passed, the process is killed as by `kill -9`: nothing is flushed, no destructor runs |
//! | `copy.begun:3` | the same, the third time |
//! | `copy.begun=panic` | the task panics |
//! | `copy.begun=stop` | the process stops until it gets SIGCONT |
//! | `copy.begun:2=stop` | the process stops the second time |
//!
//! So a test starts the program as a child process with a plan and checks what is left after the crash:
//!
//! ```text
//! test ── ECOM_CRASH_AT=commit.sent:2 ──► ingest ──► … first commit … second commit ─╳
//! test ── no plan ──────────────────────► ingest ──► goes on where the ledger says
//! ```

/// A point at which a test may end the program; see the module documentation for the plan that decides it.
#[cfg(feature = "crash-points")]
#[doc(hidden)]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::pass($name)
    };
}

/// Expands to nothing, because the feature `crash-points` is off.
#[cfg(not(feature = "crash-points"))]
#[doc(hidden)]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {};
}

#[cfg(feature = "crash-points")]
pub use armed::pass;

#[cfg(feature = "crash-points")]
/// The crash points of a build with the feature: the plan, and what is done at a point.
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// The plan of this process, parsed from the environment when the first point is passed.
    static PLAN: LazyLock<Vec<Entry>> =
        LazyLock::new(|| parse(&std::env::var("ECOM_CRASH_AT").unwrap_or_default()).collect());

    /// One entry of the plan in `ECOM_CRASH_AT`.
    #[derive(Debug)]
    struct Entry {
        name: String,
        /// How many times the point is passed before the action is taken.
        spared: u32,
        /// How many times the point was passed so far.
        passed: AtomicU32,
        action: Action,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    /// What happens at the point: the process is killed (the default), the task panics, or the process stops until SIGCONT.
    enum Action {
        Kill,
        Panic,
        Stop,
    }

    /// Parses a plan: `name`, then optionally `:N` for the Nth pass, then optionally `=panic` or `=stop`.
    fn parse(plan: &str) -> impl Iterator<Item = Entry> {
        plan.split(',').map(|entry| {
            let (point, action) = entry.split_once('=').unwrap_or((entry, "kill"));
            let (name, pass) = point.split_once(':').unwrap_or((point, "1"));
            Entry {
                name: name.to_owned(),
                spared: pass.parse::<u32>().map_or(0, |pass| pass.saturating_sub(1)),
                passed: AtomicU32::new(0),
                action: match action {
                    "panic" => Action::Panic,
                    "stop" => Action::Stop,
                    _ => Action::Kill,
                },
            }
        })
    }

    /// Passes the crash point `name`: takes the action that the plan has for this pass, or returns at once.
    ///
    /// The plan is read from the environment once per process. Passes are counted per entry, across all threads.
    #[doc(hidden)]
    #[expect(clippy::panic, reason = "it is what was asked for")]
    pub fn pass(name: &str) {
        for entry in PLAN.iter().filter(|entry| entry.name == name) {
            if entry.passed.fetch_add(1, Ordering::Relaxed) != entry.spared {
                continue;
            }
            match entry.action {
                Action::Panic => panic!("crash point {name} reached"),
                Action::Stop => {
                    let _ = kill_process(getpid(), Signal::STOP);
                    // Another thread may be the one that takes the signal, and on a busy machine late. Then this one stops too.
                    while stop_waits() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                Action::Kill => {
                    let _ = kill_process(getpid(), Signal::KILL);
                    std::process::abort();
                }
            }
        }
    }

    /// Whether a signal that stops this process still waits for one of its threads to take it.
    fn stop_waits() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let waiting = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        let waiting = waiting.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        waiting.is_some_and(|mask| mask & (1 << (Signal::STOP.as_raw() - 1)) != 0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_plan_gives_the_point_the_pass_and_the_action() {
            let plan: Vec<(String, u32, Action)> = parse("a.b,c.d:3,e.f=panic,g.h:2=stop")
                .map(|entry| (entry.name, entry.spared, entry.action))
                .collect();
            let expected = [
                ("a.b", 0, Action::Kill),
                ("c.d", 2, Action::Kill),
                ("e.f", 0, Action::Panic),
                ("g.h", 1, Action::Stop),
            ];
            assert_eq!(
                plan,
                expected.map(|(name, spared, action)| (name.to_owned(), spared, action))
            );
        }
    }
}
