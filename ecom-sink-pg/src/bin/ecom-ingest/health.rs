//! Whether the run is alive, and whether it is ready, with reasons.

use std::time::Duration;

use ecom_sink_pg::{Standing, StandingReceiver};
use ecom_stream::Activity;

use crate::words::in_short;

/// Records that are on their way for so long without anything moving are stuck: each wait of the sink ends long before.
const STUCK_AFTER: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) standing: StandingReceiver,
    pub(crate) activity: Activity,
}

impl Health {
    /// Whether restarting it would not help. Waiting for the server, or for another instance, is no reason to.
    pub(crate) fn is_alive(&self) -> Result<String, String> {
        let stands = self.standing.now();
        match (&stands, self.activity.stuck_for()) {
            (Standing::Leading, Some(stuck)) if stuck > STUCK_AFTER => Err(format!(
                "records are on their way to the database, and nothing has moved for {}",
                in_short(stuck)
            )),
            (Standing::Overtaken, _) => Err(in_words(&stands)),
            _ => Ok(in_words(&stands)),
        }
    }

    /// Whether what comes is loaded, by this instance or by the one that it stands by for.
    pub(crate) fn is_ready(&self) -> Result<String, String> {
        let stands = self.standing.now();
        match stands {
            Standing::Leading | Standing::StandingBy { .. } => self.is_alive(),
            _ => Err(in_words(&stands)),
        }
    }
}

pub(crate) fn in_words(standing: &Standing) -> String {
    match standing {
        Standing::Connecting => "connecting to the database".to_owned(),
        Standing::StandingBy { holder } => format!("standing by: the pipeline is run by {holder}"),
        Standing::Leading => "loading what comes".to_owned(),
        Standing::Failing { why } => format!("trying again: {why}"),
        Standing::Overtaken => "another instance has taken over".to_owned(),
        _ => "unknown".to_owned(),
    }
}
