use std::time::Duration;

use crate::{Reason, Refusal, Timestamp};

/// Why a record is refused that came too late.
pub(crate) fn late(time: Timestamp, watermark: Timestamp) -> Refusal {
    let detail = match watermark {
        Timestamp::MAX => format!("the event of {time} came after the last run"),
        _ => {
            let behind = watermark.as_micros().saturating_sub(time.as_micros());
            let behind = Duration::from_micros(u64::try_from(behind).unwrap_or_default());
            format!("the event of {time} came {behind:?} behind the watermark, {watermark}")
        }
    };
    Refusal::new(Reason::LATE, detail)
}
