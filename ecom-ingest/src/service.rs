//! Runs a pipeline as a service: with progress, an HTTP page, systemd and maintenance.

use std::time::Duration;

use ecom_sink_pg::{InstanceStateReceiver, Maintenance};
use ecom_stream::{Pipeline, QueryProgress, Result, Sink, Source, Summary};
use tokio::task::JoinSet;

use crate::health::Health;
use crate::http::Page;
use crate::progress::{Form, Total, show};
use crate::systemd;

/// Runs a pipeline into PostgreSQL as a service: shows its progress, serves its [page](Page),
/// notifies systemd, and builds indexes meanwhile.
///
/// # Examples
///
/// ```no_run
/// use ecom_ingest::{Page, Service};
/// use ecom_sink_pg::PgSink;
/// use ecom_stream::{CsvDirSource, Rules, SourceExt, stop_signal};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let sink = PgSink::from_env()?.pipeline("shop");
/// let state = sink.instance_state();
/// let pipeline = CsvDirSource::new("data").validate(Rules::default()).stamp().to(sink);
/// let service = Service::new("shop", "data", "ecom.events").page(Page::open(([127, 0, 0, 1], 9187).into()).await?);
/// let summary = service.run_until(pipeline, state, stop_signal()?).await?;
/// println!("{} events stored", summary.counts.stored);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a service does nothing until it runs a pipeline"]
pub struct Service {
    pipeline: String,
    source: String,
    sink: String,
    progress: Form,
    total: Total,
    page: Option<Page>,
    settled: Option<(Maintenance, Duration)>,
}

impl Service {
    /// A service for the pipeline with that name. `source` and `sink` describe its ends in
    /// progress as JSON.
    pub fn new(pipeline: impl Into<String>, source: impl Into<String>, sink: impl Into<String>) -> Self {
        Self {
            pipeline: pipeline.into(),
            source: source.into(),
            sink: sink.into(),
            progress: Form::Auto,
            total: Total::Endless,
            page: None,
            settled: None,
        }
    }

    /// How progress is shown, [`Form::Auto`] by default, and how much there is to read,
    /// [`Total::Endless`] by default.
    pub fn progress(mut self, form: Form, total: Total) -> Self {
        (self.progress, self.total) = (form, total);
        self
    }

    /// Serves this page. By default nothing is served.
    pub fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    /// Builds the indexes that only reading needs, on partitions whose time ended at least
    /// `rested` ago; see [`Maintenance::keep_settled`]. An error there is logged and does not end
    /// the run.
    pub fn keep_settled(mut self, maintenance: Maintenance, rested: Duration) -> Self {
        self.settled = Some((maintenance, rested));
        self
    }

    /// Runs the pipeline until its source is exhausted or `stop` completes. `state` is the state
    /// of its sink.
    ///
    /// # Errors
    ///
    /// Those of [`Pipeline::run_until`].
    ///
    /// # Cancel safety
    ///
    /// As for [`Pipeline::run_until`].
    pub async fn run_until<S, K>(
        self,
        pipeline: Pipeline<S, K>,
        state: InstanceStateReceiver,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Summary>
    where
        S: Source + 'static,
        K: Sink<S::Item>,
    {
        let query_progress = || QueryProgress::new(&self.pipeline, &*self.source, &*self.sink);
        let progress = pipeline.subscribe();
        let health = Health::new(state, pipeline.activity());
        let mut shown = JoinSet::new();
        shown.spawn(show(self.progress, progress.clone(), query_progress(), self.total));
        let mut beside = JoinSet::new();
        beside.spawn(systemd::notify(health.clone()));
        if let Some(page) = self.page {
            beside.spawn(page.serve(health, progress, query_progress()));
        }
        if let Some((maintenance, rested)) = self.settled {
            beside.spawn(keep_settled(maintenance, rested));
        }
        let stop = async move {
            stop.await;
            systemd::stopping();
        };
        let summary = pipeline.run_until(stop).await;
        beside.shutdown().await;
        if self.progress == Form::Json {
            // The last commit is told too, unless nobody reads.
            let _ = tokio::time::timeout(Duration::from_secs(2), shown.join_next()).await;
        }
        shown.abort_all();
        summary
    }
}

/// Builds indexes until that fails for good.
async fn keep_settled(maintenance: Maintenance, rested: Duration) {
    let err = maintenance.keep_settled(rested).await;
    tracing::warn!("the indexes of old partitions are not built any more: {}", err.report());
}
