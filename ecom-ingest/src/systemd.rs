//! Notifies systemd of readiness, status and shutdown, and feeds its watchdog.
//!
//! Without `NOTIFY_SOCKET` in the environment, that is, when systemd did not start the process,
//! nothing is sent.

use std::time::Duration;

use ecom_sink_pg::InstanceState;
use sd_notify::NotifyState;

use crate::health::{Health, state_in_words};

/// Notifies the service manager, if one started this process, until the future is dropped. The
/// service is ready once it loads files, or stands by for the instance that does. The watchdog is
/// fed for as long as a restart would not help.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped: the service manager just gets no more
/// notifications.
pub async fn notify(health: Health) {
    let feeds = sd_notify::watchdog_enabled().map(|within| within / 3);
    let mut feed = tokio::time::interval(feeds.unwrap_or(Duration::from_secs(3_600)));
    let mut state = health.state.clone();
    let mut is_ready = false;
    let mut was_alive = true;
    notify_systemd(&[NotifyState::Status(&state_in_words(&state.now()))]);
    loop {
        tokio::select! {
            next = state.next() => {
                let Some(next) = next else { return };
                notify_systemd(&[NotifyState::Status(&state_in_words(&next))]);
                let has_started = matches!(
                    next,
                    InstanceState::Leading | InstanceState::StandingBy { .. } | InstanceState::Incomplete { .. }
                );
                if !is_ready && has_started {
                    is_ready = true;
                    notify_systemd(&[NotifyState::Ready]);
                }
            }
            _ = feed.tick(), if feeds.is_some() => match health.is_alive() {
                Ok(_) => {
                    was_alive = true;
                    notify_systemd(&[NotifyState::Watchdog]);
                }
                Err(why) if was_alive => {
                    was_alive = false;
                    tracing::error!("the watchdog of systemd is not notified any more, so that systemd restarts \
                     this service: {why}");
                }
                Err(_) => {}
            },
        }
    }
}

/// Notifies the service manager that the run is ending. What was read is committed first.
pub fn stopping() {
    notify_systemd(&[NotifyState::Stopping]);
}

/// Sends a notification. A failure is only logged.
fn notify_systemd(state: &[NotifyState<'_>]) {
    if let Err(err) = sd_notify::notify(state) {
        tracing::debug!("cannot notify the service manager: {err}");
    }
}
