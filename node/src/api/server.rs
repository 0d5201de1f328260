//! The HTTP server: who is admitted, what a request may cost, how it ends.
//!
//! One listener, loopback unless configured otherwise, HTTP/1.1. Every route but `/health` (and `/metrics`
//! where configured) needs the bearer token.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::connections::{self, Limits};
use super::error::ApiError;
use super::routes;
use super::token::{Token, TokenError, remove_address, write_address};
use crate::config;
use crate::handle::NodeHandle;
use crate::metrics::Metrics;

/// What every route can use.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    node: NodeHandle,
    data: PathBuf,
    token: Token,
    metrics: Metrics,
    metrics_public: bool,
    body_bytes_max: u64,
    timeout: Duration,
    places: Semaphore,
}

/// A server that listens, and has told clients where.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: Limits,
    data: PathBuf,
}

/// Why the server could not begin.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: is another node running? Set api.listen, port 0 chooses a free one"
    )]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Token or address file.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Shared {
    pub(super) fn node(&self) -> &NodeHandle {
        &self.0.node
    }

    pub(super) fn data(&self) -> &std::path::Path {
        &self.0.data
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}

impl Server {
    /// Listens and writes `api.token` and `api.addr` into the data folder.
    ///
    /// # Errors
    ///
    /// [`ServerError`].
    pub async fn bind(
        node: NodeHandle,
        data: PathBuf,
        api: &config::Api,
        metrics: &config::Metrics,
    ) -> Result<Self, ServerError> {
        let token = Token::open_or_create(&data)?;
        let listen = |source| ServerError::Listen { address: api.listen, source };
        let listener = TcpListener::bind(api.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Shared(Arc::new(Inner {
            node,
            data: data.clone(),
            token,
            metrics: Metrics::default(),
            metrics_public: metrics.public,
            body_bytes_max: api.body_bytes_max,
            timeout: Duration::from_millis(api.request_timeout_ms),
            places: Semaphore::new(usize::try_from(api.concurrency_max).unwrap_or(1)),
        }));
        write_address(&data, address)?;
        let limits = Limits {
            connections_max: usize::try_from(api.connections_max).unwrap_or(1),
            idle: Duration::from_millis(api.idle_timeout_ms),
            write: Duration::from_millis(api.request_timeout_ms),
        };
        Ok(Self { listener, address, router: router(&shared, metrics.enabled), limits, data })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` completes, then finishes what has begun and removes `api.addr`.
    ///
    /// No connection and no lack of descriptors ends it.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) {
        connections::serve(self.listener, &self.router, self.limits, stop).await;
        remove_address(&self.data);
    }
}

fn router(shared: &Shared, metrics: bool) -> Router {
    let body_max = usize::try_from(shared.0.body_bytes_max).unwrap_or(usize::MAX);
    let mut router = Router::new()
        .route("/health", get(routes::state::health))
        .route("/v1/status", get(routes::state::status))
        .route("/v1/peers", get(routes::state::peers))
        .route("/v1/members", get(routes::authority::members))
        .route(
            "/v1/charter",
            get(routes::authority::charters).post(routes::authority::install_charter),
        )
        .route("/v1/logs", get(routes::logs::all))
        .route("/v1/logs/{exchange}", get(routes::logs::one))
        .route("/v1/logs/{exchange}/root", get(routes::logs::root))
        .route("/v1/logs/{exchange}/standing", get(routes::logs::standing))
        .route("/v1/logs/{exchange}/entries/{index}", get(routes::logs::entry))
        .route("/v1/register", get(routes::authority::register))
        .route("/v1/register/anchor", post(routes::authority::want_anchor))
        .route("/v1/listings", get(routes::views::listings))
        .route("/v1/listings/{exchange}/{id}", get(routes::views::listing))
        .route("/v1/contracts", get(routes::views::contracts))
        .route("/v1/contracts/{registration}", get(routes::views::contract))
        .route("/v1/receipts", post(routes::receipts::issue))
        .route("/v1/authority", get(routes::receipts::authority))
        .route("/v1/statements", post(routes::publish::statements))
        .route("/v1/dial", post(routes::state::dial))
        .route("/v1/shutdown", post(routes::state::shutdown));
    if metrics {
        router = router.route("/metrics", get(routes::state::metrics));
    }
    router
        .fallback(|| async { ApiError::NotFound { what: "this path".to_owned() } })
        .method_not_allowed_fallback(|| async { ApiError::Method })
        .layer(DefaultBodyLimit::max(body_max))
        .layer(middleware::from_fn_with_state(shared.clone(), bounded))
        .layer(middleware::from_fn_with_state(shared.clone(), admitted))
        .layer(middleware::from_fn_with_state(shared.clone(), counted))
        .with_state(shared.clone())
}

/// Answers only whoever shows the token.
async fn admitted(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let open = path == "/health" || (path == "/metrics" && shared.0.metrics_public);
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if open || shown.is_some_and(|shown| shared.0.token.admits(shown)) {
        next.run(request).await
    } else {
        ApiError::Unauthorized.into_response()
    }
}

/// Bounds how many requests are answered at one time, and how long each may take.
async fn bounded(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let max = shared.0.body_bytes_max;
    if length.is_some_and(|length| length > max) {
        return ApiError::TooLarge.into_response();
    }
    let Ok(_place) = shared.0.places.try_acquire() else {
        return ApiError::Busy.into_response();
    };
    tokio::time::timeout(shared.0.timeout, next.run(request))
        .await
        .unwrap_or_else(|_| ApiError::Slow.into_response())
}

async fn counted(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    shared.0.metrics.request(&route, response.status().as_u16(), began.elapsed());
    response
}
