//! Why an instance stops leading its pipeline, and what the row of the pipeline tells about it.

use ecom_stream::{Error, ErrorKind};
use tokio_postgres::Row;
use uuid::Uuid;

/// What a leader has written into the row of its pipeline. The fence is a plain number, which a
/// server that went back in time gives out again; the holder never comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) fence: i64,
    pub(crate) holder: Uuid,
}

/// The columns that [`PipelineRow`] reads. `$2` is the holder of this instance.
macro_rules! pipeline_row {
    ($more:literal) => {
        concat!(
            "SELECT fence, epoch, holder_id, holder, $2 = ANY (taken_over) FROM ecom.ingest_pipeline \
             WHERE pipeline = $1",
            $more
        )
    };
}

/// Reads the row of a pipeline.
pub(crate) const PIPELINE_ROW: &str = pipeline_row!("");
/// Reads it once no transaction that may change it is under way.
pub(crate) const LOCKED_PIPELINE_ROW: &str = pipeline_row!(" FOR UPDATE");

/// The row of a pipeline, as an instance sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PipelineRow {
    fence: i64,
    epoch: i64,
    holder: Option<Uuid>,
    described: Option<String>,
    is_taken_over: bool,
}

/// Why an instance stops leading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepDown {
    /// Another instance was started with `--take-over`.
    TakenOver,
    /// Another instance leads, since this one lost the lock.
    Succeeded { by: String, ledger_epoch: i64 },
    /// The row is of another instance, but has no higher fence: the server went back to before this
    /// instance led. `by` is the last instance that led since, or else before.
    WentBack { by: String, ledger_epoch: i64 },
    /// The ledger lacks commits that the server had acknowledged.
    LostCommits { acknowledged: i64, ledger_epoch: i64 },
    /// The ledger has commits in the name of this instance that it has not made.
    Ahead { acknowledged: i64, ledger_epoch: i64 },
    /// Rejects of a file that this run reads again were retried meanwhile: it must not be read again.
    RetriedMeanwhile { ledger_epoch: i64 },
    /// The pipeline is not in the ledger.
    Unknown,
}

impl PipelineRow {
    /// Of a row that [`PIPELINE_ROW`] or [`LOCKED_PIPELINE_ROW`] has read.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            fence: row.get(0),
            epoch: row.get(1),
            holder: row.get(2),
            described: row.get(3),
            is_taken_over: row.get(4),
        }
    }

    /// The epoch of the ledger, if the instance with that token leads and has made all commits.
    /// `acknowledged` is the last commit that it knew of before the row was read. `known` is that
    /// of now; one more commit may be under way.
    pub(crate) fn epoch_of(row: Option<Self>, token: Token, acknowledged: i64, known: i64) -> Result<i64, StepDown> {
        let Some(row) = row else {
            return Err(StepDown::Unknown);
        };
        let ledger_epoch = row.epoch;
        if row.is_taken_over {
            return Err(StepDown::TakenOver);
        }
        if (row.fence, row.holder) != (token.fence, Some(token.holder)) {
            let by = row.described.unwrap_or_else(|| "another instance".to_owned());
            return Err(match row.fence > token.fence {
                true => StepDown::Succeeded { by, ledger_epoch },
                false => StepDown::WentBack { by, ledger_epoch },
            });
        }
        if ledger_epoch < acknowledged {
            return Err(StepDown::LostCommits {
                acknowledged,
                ledger_epoch,
            });
        }
        if ledger_epoch > known + 1 {
            return Err(StepDown::Ahead {
                acknowledged: known,
                ledger_epoch,
            });
        }
        Ok(ledger_epoch)
    }
}

impl StepDown {
    /// The epoch of the ledger that was read.
    pub(crate) fn ledger_epoch(&self) -> i64 {
        match self {
            Self::TakenOver | Self::Unknown => 0,
            Self::Succeeded { ledger_epoch, .. }
            | Self::WentBack { ledger_epoch, .. }
            | Self::LostCommits { ledger_epoch, .. }
            | Self::Ahead { ledger_epoch, .. }
            | Self::RetriedMeanwhile { ledger_epoch } => *ledger_epoch,
        }
    }

    /// The error with which the run ends.
    pub(crate) fn error(&self, pipeline: &str) -> Error {
        const AGAIN: &str = "run the pipeline again: it stands by if another instance leads, and otherwise continues \
                             from what the ledger has";
        let message = match self {
            Self::TakenOver => {
                return Error::new(
                    ErrorKind::Fenced,
                    format!("another instance has taken over pipeline {pipeline:?}"),
                )
                .hint(
                    "it was started with --take-over; this instance has committed nothing since then and stops; do not \
                     restart it while the other one runs",
                );
            }
            Self::Succeeded { by, .. } => {
                format!("this instance has lost the lead of pipeline {pipeline:?} to {by}")
            }
            Self::WentBack { by, .. } => format!(
                "the ledger of pipeline {pipeline:?} no longer knows that this instance leads, and names {by}: the server \
                 has gone back to an earlier state"
            ),
            Self::LostCommits {
                acknowledged,
                ledger_epoch,
            } => format!(
                "the ledger of pipeline {pipeline:?} is at epoch {ledger_epoch}, but the server had acknowledged epoch \
                 {acknowledged}: it has lost commits"
            ),
            Self::Ahead {
                acknowledged,
                ledger_epoch,
            } => format!(
                "the ledger of pipeline {pipeline:?} is at epoch {ledger_epoch}, which this instance has not written: \
                 its last commit was epoch {acknowledged}"
            ),
            Self::RetriedMeanwhile { .. } => {
                let message =
                    "rejects of a file that was to be read again were retried meanwhile, so what is stored of it stays";
                return Error::new(ErrorKind::Stale, message)
                    .hint("run the pipeline again: it leaves that file as it is");
            }
            Self::Unknown => format!(
                "pipeline {pipeline:?} is no longer in the ledger: its row was deleted, or the server has lost commits"
            ),
        };
        Error::new(ErrorKind::Stale, message).hint(AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Token = Token {
        fence: 3,
        holder: Uuid::from_u128(7),
    };

    fn row(epoch: i64) -> PipelineRow {
        PipelineRow {
            fence: OURS.fence,
            epoch,
            holder: Some(OURS.holder),
            described: None,
            is_taken_over: false,
        }
    }

    #[test]
    fn an_instance_leads_while_the_row_is_as_it_left_it() {
        assert_eq!(PipelineRow::epoch_of(Some(row(5)), OURS, 5, 5), Ok(5));
        // A commit that is not answered yet, and one that was answered after the row was read.
        assert_eq!(PipelineRow::epoch_of(Some(row(6)), OURS, 5, 5), Ok(6));
        assert_eq!(PipelineRow::epoch_of(Some(row(5)), OURS, 5, 6), Ok(5));
    }

    #[test]
    fn every_other_row_ends_the_lead() {
        let step_down = |row: Option<PipelineRow>| PipelineRow::epoch_of(row, OURS, 5, 5).unwrap_err();
        assert_eq!(step_down(None), StepDown::Unknown);
        let (acknowledged, lost, ahead) = (5, 4, 7);
        assert_eq!(
            step_down(Some(row(lost))),
            StepDown::LostCommits {
                acknowledged,
                ledger_epoch: lost
            }
        );
        assert_eq!(
            step_down(Some(row(ahead))),
            StepDown::Ahead {
                acknowledged,
                ledger_epoch: ahead
            }
        );
        let (by, ledger_epoch) = ("another instance".to_owned(), 5);
        let succeeded = StepDown::Succeeded {
            by: by.clone(),
            ledger_epoch,
        };
        let went_back = StepDown::WentBack { by, ledger_epoch };
        // A server that went back in time has given the same fence to another instance.
        for holder in [Some(Uuid::from_u128(8)), None] {
            assert_eq!(step_down(Some(PipelineRow { holder, ..row(5) })), went_back);
            let before = PipelineRow {
                fence: 2,
                holder,
                ..row(5)
            };
            assert_eq!(step_down(Some(before)), went_back);
            let after = PipelineRow {
                fence: 4,
                holder,
                ..row(5)
            };
            assert_eq!(step_down(Some(after)), succeeded);
        }
        let taken_over = PipelineRow {
            holder: Some(Uuid::from_u128(8)),
            is_taken_over: true,
            ..row(5)
        };
        assert_eq!(step_down(Some(taken_over)), StepDown::TakenOver);
    }

    #[test]
    fn only_a_takeover_forbids_another_run() {
        let kind = |why: StepDown| why.error("events").kind();
        assert_eq!(kind(StepDown::TakenOver), ErrorKind::Fenced);
        assert_eq!(kind(StepDown::Unknown), ErrorKind::Stale);
        let (by, ledger_epoch, acknowledged) = (String::new(), 1, 5);
        for why in [
            StepDown::Succeeded {
                by: by.clone(),
                ledger_epoch,
            },
            StepDown::WentBack { by, ledger_epoch },
            StepDown::LostCommits {
                acknowledged,
                ledger_epoch,
            },
            StepDown::Ahead {
                acknowledged,
                ledger_epoch,
            },
        ] {
            assert_eq!(kind(why), ErrorKind::Stale);
        }
    }
}
