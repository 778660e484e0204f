//! Runs a pipeline as a service: with progress, an HTTP page, systemd and maintenance.
//!
//! A run ends when its instance has lost the lead, or the server has lost commits. The service then
//! runs the pipeline again: it stands by, or continues from what the ledger has.

use std::sync::Arc;
use std::time::Duration;

use ecom_sink_pg::{InstanceStateReceiver, Maintenance};
use ecom_stream::{ErrorKind, Pipeline, QueryProgress, Result, Sink, Source, Summary, crash_point};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::health::Health;
use crate::http::Page;
use crate::progress::{Form, Total, show};
use crate::systemd;

/// How long it waits before it runs a pipeline again.
const RUN_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
/// let pipeline = || CsvDirSource::new("data").validate(Rules::default()).stamp().to(sink.clone());
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

    /// Runs the pipeline until its source is exhausted or `stop` completes. `pipeline` makes the
    /// pipeline of each run, with clones of one sink; `state` is the state of that sink.
    ///
    /// The pipeline is run again when a run ends with [`ErrorKind::Stale`]: because the instance has
    /// lost the lead to another one, or because the server has lost commits. The summary is that of
    /// all runs.
    ///
    /// # Errors
    ///
    /// Those of [`Pipeline::run_until`], except [`ErrorKind::Stale`].
    ///
    /// # Cancel safety
    ///
    /// As for [`Pipeline::run_until`].
    pub async fn run_until<S, K>(
        mut self,
        mut pipeline: impl FnMut() -> Pipeline<S, K>,
        state: InstanceStateReceiver,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Summary>
    where
        S: Source + 'static,
        K: Sink<S::Item>,
    {
        let mut beside = JoinSet::new();
        let (stop_sender, stopped) = watch::channel(false);
        beside.spawn(async move {
            stop.await;
            systemd::stopping();
            stop_sender.send_replace(true);
            // A channel without a sender would look like a stop.
            std::future::pending::<()>().await;
        });
        if let Some((maintenance, rested)) = self.settled.take() {
            beside.spawn(keep_settled(maintenance, rested));
        }
        let page = self.page.take().map(Arc::new);
        let mut before = Summary::default();
        loop {
            let pipeline = pipeline();
            let progress = pipeline.subscribe();
            let ended = self.run(pipeline, &state, page.clone(), stopped.clone()).await;
            match ended {
                Ok(mut summary) => {
                    summary.counts += before.counts;
                    summary.epochs += before.epochs;
                    return Ok(summary);
                }
                Err(err) if err.kind() == ErrorKind::Stale => {}
                Err(err) => return Err(err),
            }
            crash_point!("service.run_ended");
            if let Some(last) = progress.latest() {
                before.counts += last.counts;
                before.epochs += last.epochs;
            }
            self.total = match self.total {
                Total::Bytes(_) => Total::Unknown,
                total => total,
            };
            if *stopped.borrow() {
                before.stopped = true;
                return Ok(before);
            }
        }
    }

    /// Runs the pipeline once, and waits a moment if it is to be run again.
    async fn run<S, K>(
        &self,
        pipeline: Pipeline<S, K>,
        state: &InstanceStateReceiver,
        page: Option<Arc<Page>>,
        stopped: watch::Receiver<bool>,
    ) -> Result<Summary>
    where
        S: Source + 'static,
        K: Sink<S::Item>,
    {
        let query_progress = || QueryProgress::new(&self.pipeline, &*self.source, &*self.sink);
        let progress = pipeline.subscribe();
        let health = Health::new(state.clone(), pipeline.activity());
        let mut shown = JoinSet::new();
        shown.spawn(show(self.progress, progress.clone(), query_progress(), self.total));
        let mut beside = JoinSet::new();
        beside.spawn(systemd::notify(health.clone()));
        if let Some(page) = page {
            let query_progress = query_progress();
            beside.spawn(async move { page.serve(health, progress, query_progress).await });
        }
        let stop = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
        };
        let summary = pipeline.run_until(stop(stopped.clone())).await;
        if let Err(err) = &summary
            && err.kind() == ErrorKind::Stale
        {
            tracing::error!("the pipeline is run again: {}", err.report());
            let _ = tokio::time::timeout(RUN_AGAIN_AFTER, stop(stopped)).await;
        }
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
