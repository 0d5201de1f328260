//! Connections of the HTTP interface: how many, how long each may be idle, and what happens without descriptors.
//!
//! Where all places are taken, the connection that has been without a request for the longest time is closed for a
//! new one, so that idle connections never keep the operator out. One that is being answered is never closed for
//! another.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_io_timeout::TimeoutStream;

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at one time.
    pub(super) connections_max: usize,
    /// Longest time without a whole request header.
    pub(super) idle: Duration,
    /// Longest time in which a client takes nothing of an answer.
    pub(super) write: Duration,
}

/// Bytes of request line and headers together; a token is 71.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Headers of one request.
const HEADERS_MAX: usize = 64;

/// Pause after the system gave no connection, as without descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// The same message is written at most once in this time.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Serves until `stop` completes, then finishes the requests that have begun.
pub(super) async fn serve(
    listener: TcpListener,
    router: &Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let graceful = GracefulShutdown::new();
    let mut connections = Connections::new(limits);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connections.take(stream, router, &graceful),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if connections.said.is_due() {
                    tracing::error!(
                        %error,
                        open = connections.open.len(),
                        "the HTTP interface takes no new connections for the moment; if this lasts, raise the limit of descriptors (LimitNOFILE)"
                    );
                }
                connections.close_idlest();
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = &mut stop => break,
                }
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Whether a failed accept says something of that connection alone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// The open connections.
struct Connections {
    limits: Limits,
    tasks: JoinSet<()>,
    open: Vec<Open>,
    started: Instant,
    said: Said,
}

/// One connection.
struct Open {
    task: AbortHandle,
    idle_since: Arc<AtomicU64>,
}

/// In place of a time: a request is being answered.
const BUSY: u64 = u64::MAX;

impl Connections {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            tasks: JoinSet::new(),
            open: Vec::new(),
            started: Instant::now(),
            said: Said::default(),
        }
    }

    /// Serves a new connection in a task of its own; closes it at once where all others are being answered.
    fn take(&mut self, stream: TcpStream, router: &Router, graceful: &GracefulShutdown) {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|open| !open.task.is_finished());
        if self.open.len() >= self.limits.connections_max {
            if self.said.is_due() {
                tracing::warn!(
                    open = self.open.len(),
                    "the HTTP interface has as many connections as api.connections_max allows; the one idle for the longest time is closed for each new one"
                );
            }
            if !self.close_idlest() {
                return;
            }
        }
        let started = self.started;
        let idle_since = Arc::new(AtomicU64::new(micros(started)));
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write));
        let (since, service) = (Arc::clone(&idle_since), TowerToHyperService::new(router.clone()));
        let answer = service_fn(move |request: Request<Incoming>| {
            let (since, service) = (Arc::clone(&since), service.clone());
            since.store(BUSY, Ordering::Relaxed);
            async move {
                let answered = service.call(request.map(Body::new)).await;
                since.store(micros(started), Ordering::Relaxed);
                answered
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_buf_size(HEADER_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(Box::pin(stream)), answer);
        let connection = graceful.watch(connection);
        let task = self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the HTTP interface ended");
            }
        });
        self.open.push(Open { task, idle_since });
    }

    /// Closes the connection that has been idle for the longest time. False where none is idle.
    fn close_idlest(&mut self) -> bool {
        let since = |open: &Open| open.idle_since.load(Ordering::Relaxed);
        let idle = self.open.iter().enumerate().filter(|(_, open)| since(open) != BUSY);
        let Some((place, _)) = idle.min_by_key(|(_, open)| since(open)) else { return false };
        self.open.swap_remove(place).task.abort();
        true
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(BUSY - 1)
}

/// When a message was written last.
#[derive(Default)]
struct Said(Option<Instant>);

impl Said {
    fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= SAY_AGAIN);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::{Notify, oneshot};

    use super::*;

    const LONG: Duration = Duration::from_mins(10);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    struct Server {
        address: std::net::SocketAddr,
        stop: oneshot::Sender<()>,
        /// Told when a request for `/never` has begun.
        begun: Arc<Notify>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server(connections_max: usize, idle: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let begun = Arc::new(Notify::new());
        let tell = Arc::clone(&begun);
        let task = tokio::spawn(async move {
            let never = move || async move {
                tell.notify_one();
                std::future::pending::<&'static str>().await
            };
            let router =
                Router::new().route("/", get(|| async { "here" })).route("/never", get(never));
            let limits = Limits { connections_max, idle, write: LONG };
            serve(listener, &router, limits, async { drop(stopped.await) }).await;
        });
        Server { address, stop, begun, task }
    }

    async fn connect(server: &Server) -> TcpStream {
        TcpStream::connect(server.address).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(REQUEST).await.unwrap();
        let mut text = String::new();
        while !text.ends_with("here") {
            let mut bytes = [0; 512];
            let read = stream.read(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        text
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        let mut rest = Vec::new();
        // A reset says the same.
        stream.read_to_end(&mut rest).await.is_err() || !rest.starts_with(b"HTTP/1.1 200")
    }

    #[tokio::test]
    async fn a_connection_without_a_whole_header_is_closed_in_time() {
        let server = server(8, Duration::from_millis(50)).await;
        let (mut silent, mut slow, mut used) =
            (connect(&server).await, connect(&server).await, connect(&server).await);
        slow.write_all(b"GET / HTTP/1.1\r\nx-a: ").await.unwrap();
        assert!(ask(&mut used).await.starts_with("HTTP/1.1 200"));
        for stream in [&mut silent, &mut slow, &mut used] {
            assert!(is_closed(stream).await);
        }
    }

    #[tokio::test]
    async fn a_new_connection_takes_the_place_of_the_one_idle_for_the_longest_time() {
        let server = server(2, LONG).await;
        let mut first = connect(&server).await;
        ask(&mut first).await;
        let mut second = connect(&server).await;
        ask(&mut second).await;
        // Now the second has been idle for longer than the first.
        ask(&mut first).await;
        let mut third = connect(&server).await;
        ask(&mut third).await;
        assert!(is_closed(&mut second).await);
        ask(&mut first).await;
        ask(&mut third).await;
    }

    #[tokio::test]
    async fn a_connection_that_is_being_answered_is_not_closed_for_another() {
        let server = server(1, LONG).await;
        let mut asking = connect(&server).await;
        asking.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        server.begun.notified().await;
        let mut other = connect(&server).await;
        // It may be closed before anything is written.
        let _ = other.write_all(REQUEST).await;
        assert!(is_closed(&mut other).await);
        let mut byte = [0];
        let waited = tokio::time::timeout(Duration::from_millis(20), asking.read(&mut byte)).await;
        assert!(waited.is_err(), "{waited:?}");
    }

    #[tokio::test]
    async fn a_header_beyond_its_bounds_is_refused() {
        let server = server(8, LONG).await;
        let mut long = connect(&server).await;
        long.write_all(b"GET / HTTP/1.1\r\nx-a: ").await.unwrap();
        long.write_all(&vec![b'a'; 2 * HEADER_BYTES_MAX]).await.unwrap();
        let mut many = connect(&server).await;
        let headers = "x-a: b\r\n".repeat(HEADERS_MAX + 1);
        many.write_all(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes()).await.unwrap();
        assert!(is_closed(&mut long).await);
        assert!(is_closed(&mut many).await);
    }

    #[tokio::test]
    async fn the_end_waits_for_no_idle_connection() {
        let server = server(8, LONG).await;
        let mut idle = connect(&server).await;
        ask(&mut idle).await;
        server.stop.send(()).unwrap();
        server.task.await.unwrap();
        assert!(is_closed(&mut idle).await);
    }
}
