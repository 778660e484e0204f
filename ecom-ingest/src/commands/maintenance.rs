//! The commands `settle`, `retain` and `layout`, which maintain the table.

use std::time::Duration;

use clap::Args;
use ecom_ingest::format::{count, to_the_minute};
use ecom_ingest::output;
use ecom_sink_pg::{IndexProfile, Layout, Maintenance, Merged, PartitionWidth, Retention, Settled};
use ecom_stream::Result;

use super::database::Database;

#[derive(Debug, Args)]
pub(crate) struct Settle {
    /// Only on partitions whose time ended at least this long ago
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    rested: Duration,

    #[command(flatten)]
    database: Database,
}

impl Settle {
    pub(crate) async fn run(self) -> Result<()> {
        let Settled {
            built, failed, is_busy, ..
        } = self.database.maintenance()?.settle(self.rested).await?;
        if !failed.is_empty() {
            tracing::warn!("could not build {}: run ecom-ingest settle again", failed.join(", "));
        }
        match (is_busy, built.len(), failed.len()) {
            (true, ..) => output::line("another session is building the indexes already: nothing to do"),
            (_, 0, 0) => output::line("nothing to do: all partitions that receive no more rows have their indexes"),
            (_, 0, _) => Ok(()),
            _ => output::line(&format!("built {}", built.join(", "))),
        }
    }
}

#[derive(Debug, Args)]
#[command(override_usage = "ecom-ingest retain [OPTIONS]")]
pub(crate) struct Retain {
    /// How many days to keep, counted back from now; required, here, in the environment or in the configuration file
    #[arg(long)]
    days: u16,

    /// Also take files out of the ledger that were finished more than so many days ago and were archived or deleted; one that
    /// comes back is still recognized
    #[arg(long, value_name = "DAYS")]
    ledger_days: Option<u16>,

    /// Only show what would be dropped
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    database: Database,
}

impl Retain {
    pub(crate) async fn run(self) -> Result<()> {
        let mut retention = Retention::days(self.days).dry_run(self.dry_run);
        if let Some(days) = self.ledger_days {
            retention = retention.ledger_days(days);
        }
        let retained = self.database.maintenance()?.retain(retention).await?;
        if retained.is_busy {
            return output::line("another session is dropping partitions already: nothing to do");
        }
        let partitions = match &*retained.partitions {
            [] => "no partitions".to_owned(),
            partitions => format!("the partitions {}", partitions.join(", ")),
        };
        let done = if self.dry_run { "would drop" } else { "dropped" };
        let events = match retained.events {
            0 => String::new(),
            events => format!(" {} events of wider partitions,", count(events)),
        };
        output::line(&format!(
            "older than {}: {done} {partitions},{events} and {} dead letters",
            to_the_minute(retained.cutoff),
            count(retained.dead_letters)
        ))?;
        match self.ledger_days {
            Some(days) => {
                let taken = if self.dry_run { "would take" } else { "took" };
                output::line(&format!(
                    "{taken} {} files out of the ledger that were finished more than {days} days ago and removed from \
                     their directory",
                    count(retained.files)
                ))
            }
            None => Ok(()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ChangeLayout {
    /// How much time a new partition of recent days covers: hour, day or month
    #[arg(long, value_name = "WIDTH")]
    partition_width: Option<PartitionWidth>,

    /// The indexes of a new partition: lean has few until the partition is settled; full has all, which makes loading slower
    #[arg(long, value_name = "PROFILE")]
    index_profile: Option<IndexProfile>,

    /// Only show what would be merged
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    database: Database,
}

impl ChangeLayout {
    pub(crate) async fn run(self) -> Result<()> {
        let maintenance = self.database.maintenance()?;
        if self.partition_width.is_some() || self.index_profile.is_some() {
            maintenance
                .change_layout(self.partition_width, self.index_profile)
                .await?;
        }
        if !self.dry_run {
            merge(&maintenance).await?;
        }
        let Layout {
            partition_width,
            index_profile,
            partitions,
            settled_partitions,
            mergeable_partitions,
            ..
        } = maintenance.layout().await?;
        if self.dry_run {
            output::line(&format!(
                "would merge {mergeable_partitions} partitions into wider ones"
            ))?;
        }
        output::line(&format!(
            "a new partition holds one {partition_width} and has {index_profile} indexes; there are {partitions}, of which \
             {settled_partitions} are settled"
        ))
    }
}

/// Merges old partitions, and shows which.
async fn merge(maintenance: &Maintenance) -> Result<()> {
    let Merged {
        partitions,
        replaced,
        failed,
        is_busy,
        ..
    } = maintenance.merge().await?;
    if is_busy {
        return output::line("another session maintains the partitions already: none is merged");
    }
    if !failed.is_empty() {
        tracing::warn!("could not merge {}: run ecom-ingest layout again", failed.join(", "));
    }
    match &*partitions {
        [] => Ok(()),
        partitions => output::line(&format!(
            "merged {} partitions into {}",
            count(replaced as u64),
            partitions.join(", ")
        )),
    }
}
