//! The HTTP page of a run: metrics, health and progress.
//!
//! It is for monitoring on a trusted network: it has no password and no TLS, and answers only GET
//! and HEAD. Every connection serves one request and is closed after ten seconds at the latest,
//! so that clients that send or read nothing cannot keep others out.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, ProgressReceiver, QueryProgress, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::health::Health;

/// More connections than any monitoring opens. Others wait.
const MAX_CONNECTIONS: usize = 32;
/// How long a connection may take, so that those that wait get their turn.
const CONNECTION_WITHIN: Duration = Duration::from_secs(10);
const MAX_HEADER_BYTES: usize = 16 << 10;
/// How often samples of histograms are moved to their buckets, if nobody reads the metrics.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The page at `/`.
const INDEX: &str = "\
/metrics   metrics in the text format of Prometheus
/livez     503 if a restart would help, else 200, with the reason
/readyz    200 if files are being loaded, else 503, with the reason
/progress  the last progress as JSON, with the field names of Spark's StreamingQueryProgress
";

/// What the page serves, shared by all connections.
struct HttpState {
    metrics: PrometheusHandle,
    health: Health,
    progress: ProgressReceiver,
    query_progress: Mutex<QueryProgress>,
}

/// The page of a run, over HTTP: its metrics, its health and its progress.
///
/// | path | answer |
/// |---|---|
/// | `/metrics` | metrics in the text format of Prometheus |
/// | `/livez` | 200 if [`Health::is_alive`], else 503, with the reason |
/// | `/readyz` | 200 if [`Health::is_ready`], else 503, with the reason |
/// | `/progress` | the last progress as JSON, with the field names of Spark's `StreamingQueryProgress`; `null` before the first commit |
#[derive(Debug)]
#[must_use = "a page is served by a service, or by serve()"]
pub struct Page {
    listener: TcpListener,
    metrics: PrometheusHandle,
}

impl Page {
    /// Opens the address, so that an error is reported before anything runs, and collects metrics
    /// from now on. A process has only one page, since it has only one recorder of metrics.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the address is in use or does not belong to this
    /// machine, and when the process has a recorder of metrics already.
    pub async fn open(at: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(at).await.map_err(|err| {
            Error::new(ErrorKind::Configuration, format!("cannot listen on {at}"))
                .hint("choose a free port with --listen 127.0.0.1:PORT")
                .caused_by(err)
        })?;
        if let Ok(at) = listener.local_addr() {
            tracing::info!("metrics, health and progress at http://{at}/");
            if !at.ip().is_loopback() {
                tracing::warn!("anyone who can reach {at} can read them: there is no password");
            }
        }
        Ok(Self {
            listener,
            metrics: install_metrics()?,
        })
    }

    /// Serves requests until the future is dropped.
    ///
    /// # Cancel safety
    ///
    /// Connections that are open are still answered.
    pub async fn serve(&self, health: Health, progress: ProgressReceiver, query_progress: QueryProgress) {
        let Self { listener, metrics } = self;
        let site = Arc::new(HttpState {
            metrics: metrics.clone(),
            health,
            progress,
            query_progress: Mutex::new(query_progress),
        });
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        loop {
            let accepted = tokio::select! {
                _ = upkeep.tick() => {
                    site.metrics.run_upkeep();
                    continue;
                }
                accepted = accept(listener, &room) => accepted,
            };
            let Ok((stream, permit)) = accepted else {
                // Such as too many open files: it passes.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let site = Arc::clone(&site);
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let site = Arc::clone(&site);
                    async move { Ok::<_, Infallible>(site.answer(&request)) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(CONNECTION_WITHIN)
                    .max_buf_size(MAX_HEADER_BYTES)
                    .keep_alive(false);
                let served = http.serve_connection(TokioIo::new(stream), answer);
                match tokio::time::timeout(CONNECTION_WITHIN, served).await {
                    Ok(Ok(())) => {}
                    Ok(Err(err)) => tracing::debug!("a request ended: {err}"),
                    Err(_) => tracing::debug!("a request took too long"),
                }
                drop(permit);
            });
        }
    }
}

/// Installs the recorder of metrics of the process.
fn install_metrics() -> Result<PrometheusHandle> {
    const SECONDS: &[f64] = &[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ];
    const RECORDS: &[f64] = &[1.0, 10.0, 100.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0];
    let cant = |err| Error::new(ErrorKind::Configuration, "cannot collect metrics").caused_by(err);
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_records".into()), RECORDS))
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(cant)?;
    ecom_stream::metrics::describe();
    ecom_sink_pg::metrics::describe();
    metrics::describe_gauge!("ecom_build_info", "Always 1; the labels tell which program this is.");
    metrics::gauge!("ecom_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?.0, permit))
}

impl HttpState {
    /// The response to a request.
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
            let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        match request.uri().path() {
            "/" => response(StatusCode::OK, TEXT, INDEX.into()),
            "/metrics" => response(StatusCode::OK, "text/plain; version=0.0.4", self.metrics.render()),
            "/livez" => health_response(self.health.is_alive()),
            "/readyz" => health_response(self.health.is_ready()),
            "/progress" => match self.progress.latest() {
                Some(progress) => {
                    let mut query_progress = self.query_progress.lock().unwrap_or_else(PoisonError::into_inner);
                    let json = query_progress.of(&progress);
                    response(StatusCode::OK, "application/json", format!("{json}\n"))
                }
                None => response(StatusCode::OK, "application/json", "null\n".into()),
            },
            _ => response(
                StatusCode::NOT_FOUND,
                TEXT,
                format!("no such page; the pages are:\n{INDEX}"),
            ),
        }
    }
}

/// 200 or 503, with the reason.
fn health_response(state: Result<String, String>) -> Response<Full<Bytes>> {
    let (status, reason) = match state {
        Ok(reason) => (StatusCode::OK, reason),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    };
    response(status, "text/plain; charset=utf-8", format!("{reason}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}
