//! A live line on a terminal; lines of the log appear above it.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use ecom_stream::{Progress, ProgressReceiver};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::total::Total;
use super::words::speed_in_words;
use crate::format::{count, duration};
use crate::terminal::can_redraw;

/// Everything that is drawn on standard error.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(match can_redraw(&io::stderr()) {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    })
});

const WITH_TOTAL: &str = "{bar:30} {percent:>3} %  {msg}";
const WITHOUT_TOTAL: &str = "{spinner} {msg}";

/// A line on standard error that shows the progress of a run, with a bar if the total is known.
/// It disappears from the screen when it is dropped.
///
/// A thread of its own draws it: if the terminal takes no more output, only that thread waits.
#[derive(Debug)]
pub struct LiveLine {
    /// `None` once the line is being dropped, which tells the thread to clear the line.
    updates: Option<mpsc::SyncSender<Arc<Progress>>>,
    cleared: mpsc::Receiver<()>,
}

impl LiveLine {
    /// Draws the line, and keeps it up to date as time passes.
    #[must_use]
    pub fn new(total: Total) -> Self {
        let (updates, received) = mpsc::sync_channel(1);
        let (has_cleared, cleared) = mpsc::channel();
        let draw = move || {
            Drawn::new(total).update_until_end(&received);
            // A line that was dropped waits for a limited time.
            let _ = has_cleared.send(());
        };
        if let Err(err) = thread::Builder::new().name("progress line".to_owned()).spawn(draw) {
            tracing::warn!("no progress line is shown, since no thread can be started: {err}");
        }
        Self {
            updates: Some(updates),
            cleared,
        }
    }

    /// Shows progress until the run ends.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; the line disappears from the screen.
    pub async fn show(self, mut progress: ProgressReceiver) {
        const AT_MOST_EVERY: Duration = Duration::from_millis(100);
        while let Some(progress) = progress.next().await {
            // While the terminal takes nothing, progress is passed over.
            let _ = self.updates.as_ref().map(|updates| updates.try_send(progress));
            tokio::time::sleep(AT_MOST_EVERY).await;
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        const WAITS: Duration = Duration::from_secs(1);
        self.updates = None;
        // What is printed next shall not be mixed with the line.
        let _ = self.cleared.recv_timeout(WAITS);
    }
}

/// The line on the screen.
struct Drawn {
    bar: ProgressBar,
    total: Total,
}

impl Drawn {
    fn new(total: Total) -> Self {
        let bar = match total {
            Total::Bytes(bytes) => ProgressBar::new(bytes).with_style(style(WITH_TOTAL)),
            Total::Unknown | Total::Endless => ProgressBar::new_spinner().with_style(style(WITHOUT_TOTAL)),
        };
        let bar = SCREEN.add(bar);
        bar.set_message("nothing read yet");
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, total }
    }

    /// Draws each progress, and clears the line after the last one.
    fn update_until_end(self, updates: &mpsc::Receiver<Arc<Progress>>) {
        for progress in updates {
            self.bar.set_position(progress.bytes);
            self.bar.set_message(self.message(&progress));
        }
        self.bar.finish_and_clear();
    }

    /// The text behind the bar.
    fn message(&self, progress: &Progress) -> String {
        let counts = &progress.counts;
        let mut message = format!("{} rows", count(counts.stored));
        for (number, word) in [(counts.duplicates, "duplicates"), (counts.rejected, "rejected")] {
            if number > 0 {
                message.push_str(&format!(", {} {word}", count(number)));
            }
        }
        let left = match self.total {
            Total::Bytes(bytes) => time_left(progress, bytes).map(|left| format!("{} left", duration(left))),
            Total::Unknown => Some("time left unknown".to_owned()),
            Total::Endless => None,
        };
        match left {
            Some(left) => message.push_str(&format!("; {:.0}/s, {left}", progress.rows_per_s.recent)),
            None => message.push_str(&format!("; {}", speed_in_words(progress))),
        }
        message
    }
}

/// The time left, if the rate stays what it was so far.
fn time_left(progress: &Progress, bytes: u64) -> Option<Duration> {
    let left = bytes.checked_sub(progress.bytes)?;
    let time = progress.elapsed.as_secs_f64() * left as f64 / progress.bytes.max(1) as f64;
    Duration::try_from_secs_f64(time).ok()
}

/// The style of a template. A constant cannot fail; a test checks both.
fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and a test reads both.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A writer to standard error that keeps the live line below what it writes.
pub(crate) struct LogAboveProgress;

impl Write for LogAboveProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SCREEN.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_valid() {
        for template in [WITH_TOTAL, WITHOUT_TOTAL] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
