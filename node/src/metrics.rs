//! Counters and gauges in the text format that Prometheus reads.
//!
//! Gauges are taken from the node's view at the moment of the scrape; counters are kept here.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hutong_protocol::date::Date;
use hutong_protocol::time::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::handle::NodeView;

/// The node's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    published: Counter,
    ready: Gauge,
    peers: Gauge,
    members: Gauge,
    bytes_in: Gauge<u64, AtomicU64>,
    bytes_out: Gauge<u64, AtomicU64>,
    entries: Family<LogLabels, Gauge<u64, AtomicU64>>,
    cosigned: Family<LogLabels, Gauge<u64, AtomicU64>>,
    withheld: Family<LogLabels, Gauge<u64, AtomicU64>>,
    frozen: Gauge,
    queues: Family<QueueLabels, Gauge<u64, AtomicU64>>,
    register_size: Gauge,
    anchor_day: Gauge,
    waiting: Gauge,
    overdue: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LogLabels {
    exchange: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: &'static str,
}

/// From a cached answer to a publication that waits for a slow disk.
const REQUEST_SECONDS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.25, 1.0, 5.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hutong");
        let requests = Family::default();
        registry.register(
            "api_requests",
            "Requests answered, by route and status",
            requests.clone(),
        );
        let request_seconds = Histogram::new(REQUEST_SECONDS);
        registry.register(
            "api_request_seconds",
            "Time from request to answer",
            request_seconds.clone(),
        );
        let published = Counter::default();
        registry.register("statements_published", "Own statements published", published.clone());
        let ready = gauge(&mut registry, "ready", "1 when statements can be published");
        let peers = gauge(&mut registry, "peers", "Connected peers");
        let members = gauge(&mut registry, "members", "Members of the federation");
        let frozen = gauge(&mut registry, "logs_frozen", "Logs frozen after equivocation");
        let (bytes_in, bytes_out) = (Gauge::default(), Gauge::default());
        registry.register("peer_bytes_in", "Bytes received from peers", bytes_in.clone());
        registry.register("peer_bytes_out", "Bytes sent to peers", bytes_out.clone());
        let (entries, cosigned, withheld) =
            (Family::default(), Family::default(), Family::default());
        registry.register("log_size", "Leaves held, by log", entries.clone());
        registry.register("log_cosigned_size", "Leaves under a witness quorum", cosigned.clone());
        registry.register("log_withheld", "Leaves held as hashes only", withheld.clone());
        let register_size =
            gauge(&mut registry, "register_size", "Entries of the register that count");
        let anchor_day = gauge(
            &mut registry,
            "register_anchor_day",
            "Day of the register's last anchor, in days since 1970-01-01; 0 where there is none",
        );
        let waiting = gauge(
            &mut registry,
            "decisions_waiting",
            "Decisions about members that did not take effect yet",
        );
        let overdue = gauge(
            &mut registry,
            "decisions_overdue",
            "Decisions that have waited for the keeper alone for more than a day",
        );
        let queues = Family::default();
        registry.register("queue", "What waits or is under way, by queue", queues.clone());
        Self(Arc::new(Inner {
            registry,
            requests,
            request_seconds,
            published,
            ready,
            peers,
            members,
            bytes_in,
            bytes_out,
            entries,
            cosigned,
            withheld,
            frozen,
            queues,
            register_size,
            anchor_day,
            waiting,
            overdue,
        }))
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

impl Metrics {
    /// Counts an answered request. `route` is the route's pattern, not the path, so that it stays bounded.
    pub fn request(&self, route: &str, status: u16, took: Duration) {
        self.0.requests.get_or_create(&RequestLabels { route: route.to_owned(), status }).inc();
        self.0.request_seconds.observe(took.as_secs_f64());
    }

    /// Counts own statements published.
    pub fn published(&self, count: usize) {
        self.0.published.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The text of a scrape at the moment of `view`.
    pub fn encode(&self, view: &NodeView) -> String {
        let inner = &self.0;
        inner.ready.set(view.ready.into());
        inner.peers.set(count(view.peers.len()));
        inner.members.set(count(view.directory.members().count()));
        inner.frozen.set(count(view.logs.iter().filter(|log| log.frozen.is_some()).count()));
        inner.bytes_in.set(view.bytes_in);
        inner.bytes_out.set(view.bytes_out);
        let register = view.directory.register();
        inner.register_size.set(i64::try_from(register.size).unwrap_or(i64::MAX));
        inner.anchor_day.set(register.anchor.map_or(0, |anchor| days(anchor.day)));
        inner.waiting.set(count(view.waiting.len()));
        let now = crate::driver::now();
        inner.overdue.set(count(view.waiting.iter().filter(|it| it.is_overdue(now)).count()));
        for log in &view.logs {
            let labels = LogLabels { exchange: log.exchange.to_string() };
            inner.entries.get_or_create(&labels).set(log.size);
            inner.cosigned.get_or_create(&labels).set(log.cosigned_size.unwrap_or(0));
            inner.withheld.get_or_create(&labels).set(log.withheld);
        }
        for (queue, length) in view.queues.all() {
            inner.queues.get_or_create(&QueueLabels { queue }).set(length);
        }
        let mut out = String::new();
        if text::encode(&mut out, &inner.registry).is_err() {
            // Writing into a string fails only where an encoder of a metric does; ours are the crate's own.
            tracing::error!("metrics could not be encoded");
        }
        out
    }
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// Days since 1970-01-01.
fn days(day: Date) -> i64 {
    let begin = format!("{day}T00:00:00Z").parse::<Timestamp>();
    begin.map_or(0, |begin| i64::try_from(begin.millis() / 86_400_000).unwrap_or(0))
}
