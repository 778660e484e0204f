//! The page itself: what is served under which path.

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
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::connections::Connections;
use crate::format::printable;
use crate::health::Health;

const LIMITS: Limits = Limits {
    connections: 32,
    head_within: Duration::from_secs(5),
    connection_within: Duration::from_secs(10),
};
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

/// What clients may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// More than any monitoring opens.
    connections: usize,
    /// How long the head of a request may take to arrive.
    head_within: Duration,
    /// How long a connection may take altogether.
    connection_within: Duration,
}

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
        let listener = listen(at).map_err(|err| {
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
        accept_all(listener, &site, LIMITS).await;
    }
}

/// Listens on an address. Clients beyond those that wait to be accepted would have to try again.
fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    const WAITING: u32 = 1_024;
    let socket = match at.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    // As `TcpListener::bind` does: the address of a program that has just ended can be used again.
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(WAITING)
}

/// Accepts and serves connections until the future is dropped.
async fn accept_all(listener: &TcpListener, site: &Arc<HttpState>, limits: Limits) {
    let mut connections = Connections::at_most(limits.connections);
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        let accepted = tokio::select! {
            _ = upkeep.tick() => {
                site.metrics.run_upkeep();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let task = tokio::spawn(serve_one(stream, Arc::clone(site), limits));
                connections.add(from.ip(), task.abort_handle());
            }
            // Such as too many open files, of which a connection has one.
            Err(err) => {
                tracing::debug!("cannot accept a connection: {err}");
                connections.close_one();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Serves one request.
async fn serve_one(stream: TcpStream, site: Arc<HttpState>, limits: Limits) {
    let answer = service_fn(|request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(&request)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(MAX_HEADER_BYTES)
        .keep_alive(false);
    let served = http.serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(limits.connection_within, served).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => tracing::debug!("a request ended: {err}"),
        Err(_) => tracing::debug!("a request took too long"),
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
                    let json = query_progress.of(&progress).to_string();
                    response(StatusCode::OK, "application/json", format!("{}\n", printable(&json)))
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ecom_sink_pg::PgSink;
    use ecom_stream::memory::MemorySource;
    use ecom_stream::{Event, SourceExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A page that closes no connection for being slow.
    const PATIENT: Limits = Limits {
        connections: 4,
        head_within: Duration::from_secs(86_400),
        connection_within: Duration::from_secs(86_400),
    };

    /// Serves a page of a pipeline that does not run.
    async fn served(limits: Limits) -> SocketAddr {
        let sink = PgSink::from_url("postgresql://nobody@nowhere.invalid/none").unwrap();
        let state = sink.instance_state();
        let pipeline = MemorySource::<Event>::new("none", Vec::new()).to(sink);
        let site = Arc::new(HttpState {
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            health: Health::new(state, pipeline.activity()),
            progress: pipeline.subscribe(),
            query_progress: Mutex::new(QueryProgress::new("none", "none", "none")),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { accept_all(&listener, &site, limits).await });
        at
    }

    async fn get_livez(at: SocketAddr) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn slow_clients_keep_nobody_waiting() {
        let at = served(PATIENT).await;
        let mut slow = Vec::new();
        for begun in 0..40 {
            let mut stream = TcpStream::connect(at).await.unwrap();
            // Some are silent, some have sent a part of a request, some read no answer.
            for _ in 0..begun % 3 {
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").await;
            }
            slow.push(stream);
        }
        // All of them are still there.
        for _ in 0..10 {
            assert!(get_livez(at).await.starts_with("HTTP/1.1 200 "));
        }
    }
}
