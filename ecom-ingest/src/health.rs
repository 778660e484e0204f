//! The health of a run: whether it is alive and whether it is ready, with reasons.
//!
//! | state | alive | ready |
//! |---|---|---|
//! | connecting | yes | no |
//! | standing by | yes | yes |
//! | leading | unless nothing moves for five minutes | likewise |
//! | failing | yes: a restart does not help | no |
//! | incomplete | as leading | no |
//! | superseded | no | no |

use std::time::Duration;

use ecom_sink_pg::{InstanceState, InstanceStateReceiver};
use ecom_stream::Activity;

use crate::format::duration;

/// Records that were sent to the sink and make no progress for this long are stuck: every wait of
/// the sink ends long before.
const STUCK_AFTER: Duration = Duration::from_secs(5 * 60);

/// Whether a run is alive, and whether it is ready, as a service manager or an orchestrator asks.
#[derive(Debug, Clone)]
pub struct Health {
    pub(crate) state: InstanceStateReceiver,
    activity: Activity,
}

impl Health {
    /// The health of the run of a pipeline, by what its sink and the pipeline itself tell.
    ///
    /// ```no_run
    /// # use ecom_ingest::Health;
    /// # use ecom_sink_pg::PgSink;
    /// # use ecom_stream::{CsvDirSource, Rules, SourceExt};
    /// # fn main() -> ecom_stream::Result<()> {
    /// let sink = PgSink::from_env()?;
    /// let state = sink.instance_state();
    /// let pipeline = CsvDirSource::new("data").validate(Rules::default()).to(sink);
    /// let health = Health::new(state, pipeline.activity());
    /// assert!(health.is_ready().is_err(), "it has not begun");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(state: InstanceStateReceiver, activity: Activity) -> Self {
        Self { state, activity }
    }

    /// Whether the process need not be restarted: `Ok` with what it is doing. Waiting for the
    /// server, or for another instance, is no reason to restart it.
    ///
    /// # Errors
    ///
    /// Why it should be restarted, in words.
    pub fn is_alive(&self) -> Result<String, String> {
        let state = self.state.now();
        match (&state, self.activity.stuck_for()) {
            (InstanceState::Leading | InstanceState::Incomplete { .. }, Some(stuck)) if stuck > STUCK_AFTER => {
                Err(format!(
                    "records wait to be committed, and nothing has moved for {}",
                    duration(stuck)
                ))
            }
            (InstanceState::Superseded, _) => Err(state_in_words(&state)),
            _ => Ok(state_in_words(&state)),
        }
    }

    /// Whether new files are loaded, by this instance or by the one that it stands by for: `Ok`
    /// with what it is doing.
    ///
    /// # Errors
    ///
    /// Why it is not ready, in words.
    pub fn is_ready(&self) -> Result<String, String> {
        let state = self.state.now();
        match state {
            InstanceState::Leading | InstanceState::StandingBy { .. } => self.is_alive(),
            _ => Err(state_in_words(&state)),
        }
    }
}

/// The state in words, for health checks and `systemctl status`.
pub(crate) fn state_in_words(state: &InstanceState) -> String {
    match state {
        InstanceState::Connecting => "connecting to the database".to_owned(),
        InstanceState::StandingBy { holder } => format!("standing by: the pipeline is run by {holder}"),
        InstanceState::Leading => "loading files as they arrive".to_owned(),
        InstanceState::Failing { why } => format!("trying again: {why}"),
        InstanceState::Incomplete { why } => why.clone(),
        InstanceState::Superseded => "another instance has taken over".to_owned(),
        _ => "unknown".to_owned(),
    }
}
