//! A client of a node's HTTP interface: for the command line, imports, the demonstration and tests.
//!
//! Blocking, one connection pool, cheap to clone.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use ureq::Agent;
use ureq::http::Response;

use super::model::{
    CharterInstalled, Contract, ContractDetail, DialRequest, Entry, Health, Listing, ListingDetail,
    Log, LogDetail, LogRoot, LogStanding, Member, PROVISIONAL, Page, Peer, Problem, PublishBody,
    PublishRequest, Published, PublishedBody, ReceiptRequest, Register, STANDING_HEADER, Status,
};
use super::token::{Token, TokenError, read_address};
use crate::receipts::Issued;

/// A client that holds address and token of one node.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    token: Token,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No node has written its address into this data folder.
    #[error("no node runs on {}: start it with `hutong run --data {}`", .0.display(), .0.display())]
    NotRunning(std::path::PathBuf),
    /// Token or address cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nobody answers at the address.
    #[error("cannot reach the node at {address}: is it running? ({reason})")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The node refused, and said why.
    #[error("{}: {}; {}", .0.title, .0.detail, .0.advice)]
    Refused(Box<Problem>),
    /// The node answered what this client does not understand.
    #[error("the node's answer is not understood ({0}): are program and node of one version?")]
    NotUnderstood(String),
}

/// The largest answer that is read: a page of entries of 64 KiB each stays below.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bodies above this are sent only after the node has agreed to read them: a refusal then arrives whole.
const ASK_FIRST_BYTES: usize = 32 * 1024;
/// Longer than the node's own limit on a request's time.
const TIMEOUT: Duration = Duration::from_mins(2);

impl Client {
    /// A client of the node that runs on the data folder `data`.
    ///
    /// # Errors
    ///
    /// [`ClientError::NotRunning`] if none has written its address there, [`ClientError::Token`] if the token
    /// cannot be read.
    pub fn from_data(data: &Path) -> Result<Self, ClientError> {
        let address = read_address(data)?.filter(|_| is_held(data));
        let address = address.ok_or_else(|| ClientError::NotRunning(data.to_owned()))?;
        Ok(Self::new(address, Token::open(data)?))
    }

    /// A client of the node at `address`.
    pub fn new(address: SocketAddr, token: Token) -> Self {
        let agent = Agent::config_builder()
            // The token goes to the node alone, whatever HTTP_PROXY says.
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self { agent, base: format!("http://{address}"), token }
    }

    /// `GET /health`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn health(&self) -> Result<Health, ClientError> {
        self.get("/health")
    }

    /// `GET /v1/status`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status")
    }

    /// `GET /v1/peers`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn peers(&self) -> Result<Vec<Peer>, ClientError> {
        self.get("/v1/peers")
    }

    /// `GET /v1/members`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn members(&self) -> Result<Vec<Member>, ClientError> {
        self.get("/v1/members")
    }

    /// `GET /v1/charter`: every version, oldest first.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn charters(&self) -> Result<Vec<Value>, ClientError> {
        self.get("/v1/charter")
    }

    /// `GET /v1/register`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn register(&self) -> Result<Register, ClientError> {
        self.get("/v1/register")
    }

    /// `POST /v1/register/anchor`: asks the keeper for an anchor soon.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn want_anchor(&self) -> Result<(), ClientError> {
        self.send("/v1/register/anchor", b"").map(drop)
    }

    /// `GET /v1/logs/{exchange}/root`: the root over the first `size` entries.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn root(&self, exchange: &str, size: u64) -> Result<LogRoot, ClientError> {
        self.get(&format!("/v1/logs/{}/root?size={size}", segment(exchange)))
    }

    /// `GET /v1/logs/{exchange}/standing`: where the log is, tied to its first `from` entries.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn standing(&self, exchange: &str, from: u64) -> Result<LogStanding, ClientError> {
        self.get(&format!("/v1/logs/{}/standing?from={from}", segment(exchange)))
    }

    /// `GET /v1/logs`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn logs(&self) -> Result<Vec<Log>, ClientError> {
        self.get("/v1/logs")
    }

    /// `GET /v1/logs/{exchange}`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn log(&self, exchange: &str) -> Result<LogDetail, ClientError> {
        self.get(&format!("/v1/logs/{}", segment(exchange)))
    }

    /// `GET /v1/logs/{exchange}/entries/{index}`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn entry(&self, exchange: &str, index: u64) -> Result<Entry, ClientError> {
        self.get(&format!("/v1/logs/{}/entries/{index}", segment(exchange)))
    }

    /// `GET /v1/listings` with query pairs such as `("kind", "demand")`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn listings(&self, query: &[(&str, String)]) -> Result<Page<Listing>, ClientError> {
        self.get(&with_query("/v1/listings", query))
    }

    /// `GET /v1/listings/{exchange}/{id}`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn listing(&self, exchange: &str, id: &str) -> Result<ListingDetail, ClientError> {
        self.get(&format!("/v1/listings/{}/{}", segment(exchange), segment(id)))
    }

    /// `GET /v1/contracts` with query pairs such as `("type", "development")`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn contracts(&self, query: &[(&str, String)]) -> Result<Page<Contract>, ClientError> {
        self.get(&with_query("/v1/contracts", query))
    }

    /// `GET /v1/contracts/{registration}`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn contract(&self, registration: &str) -> Result<ContractDetail, ClientError> {
        self.get(&format!("/v1/contracts/{}", segment(registration)))
    }

    /// What `call` answers, or `None` where the node has no such thing.
    ///
    /// # Errors
    ///
    /// Every [`ClientError`] but a refusal with status 404.
    pub fn found<T>(call: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
        match call {
            Err(ClientError::Refused(problem)) if problem.status == 404 => Ok(None),
            other => other.map(Some),
        }
    }

    /// `POST /v1/statements`: publishes all, or none.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] names the members that are wrong.
    pub fn publish(&self, statements: Vec<PublishRequest>) -> Result<Vec<Published>, ClientError> {
        let is_single = statements.len() == 1;
        let asked = self.post("/v1/statements", &PublishBody { statements });
        let body: PublishedBody = asked.map_err(|error| match error {
            ClientError::Refused(mut problem) if is_single => {
                // Whoever sent one statement knows no group.
                problem.detail =
                    problem.detail.replace("statement 0 of the group", "the statement");
                ClientError::Refused(problem)
            }
            other => other,
        })?;
        Ok(body.published)
    }

    /// `POST /v1/receipts`: the receipt's file, and whether it is provisional.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn receipt(&self, request: &ReceiptRequest) -> Result<Issued, ClientError> {
        let mut response = self.send("/v1/receipts", &to_json(request)?)?;
        let standing = response.headers().get(STANDING_HEADER);
        let provisional = standing.is_some_and(|standing| standing == PROVISIONAL);
        Ok(Issued { bytes: read(&mut response)?, provisional })
    }

    /// `GET /v1/authority`: the bytes of an authority bundle.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn authority(&self) -> Result<Vec<u8>, ClientError> {
        let result = self
            .agent
            .get(format!("{}/v1/authority", self.base))
            .header("authorization", self.token.header().as_str())
            .call();
        read(&mut self.answered(result)?)
    }

    /// `POST /v1/charter` with the bytes of a signed charter file.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn install_charter(&self, charter: &[u8]) -> Result<CharterInstalled, ClientError> {
        let mut response = self.send("/v1/charter", charter)?;
        parse(&read(&mut response)?)
    }

    /// `POST /v1/dial`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn dial(&self, address: &str) -> Result<(), ClientError> {
        self.send("/v1/dial", &to_json(&DialRequest { address: address.to_owned() })?).map(drop)
    }

    /// `POST /v1/shutdown`: the node ends after its answer.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn shutdown(&self) -> Result<(), ClientError> {
        self.send("/v1/shutdown", b"").map(drop)
    }

    /// `GET` of any path that answers JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let result = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", self.token.header().as_str())
            .call();
        let mut response = self.answered(result)?;
        parse(&read(&mut response)?)
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let mut response = self.send(path, &to_json(body)?)?;
        parse(&read(&mut response)?)
    }

    fn send(&self, path: &str, body: &[u8]) -> Result<Response<ureq::Body>, ClientError> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", self.token.header().as_str())
            .header("content-type", "application/json");
        if body.len() > ASK_FIRST_BYTES {
            request = request.header("expect", "100-continue");
        }
        self.answered(request.send(body))
    }

    fn answered(
        &self,
        result: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Response<ureq::Body>, ClientError> {
        let mut response = result.map_err(|error| ClientError::Unreachable {
            address: self.base.clone(),
            reason: error.to_string(),
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let problem: Problem = parse(&read(&mut response)?)?;
        Err(ClientError::Refused(Box::new(problem)))
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(value).map_err(|error| ClientError::NotUnderstood(error.to_string()))
}

/// Whether a live process holds the data folder's lock. Another program may listen at the address of a killed node
/// by now, and must not get the token.
fn is_held(data: &Path) -> bool {
    let lock = std::fs::File::open(data.join("lock"));
    !lock.is_ok_and(|lock| lock.try_lock_shared().is_ok())
}

fn read(response: &mut Response<ureq::Body>) -> Result<Vec<u8>, ClientError> {
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
        .map_err(|error| ClientError::NotUnderstood(error.to_string()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::NotUnderstood(error.to_string()))
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("cn-33-zhejiang"), "cn-33-zhejiang");
        assert_eq!(segment("../a b?c=中"), "..%2Fa%20b%3Fc%3D%E4%B8%AD");
    }

    #[test]
    fn a_folder_without_a_node_says_how_to_start_one() {
        let data = tempfile::tempdir().unwrap();
        let Err(error) = Client::from_data(data.path()) else { unreachable!("no node runs") };
        assert!(error.to_string().contains("hutong run --data"), "{error}");
    }

    #[test]
    fn nobody_at_the_address_is_told_from_a_refusal() {
        let data = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Client::new(free, Token::open_or_create(data.path()).unwrap());
        assert!(matches!(client.health(), Err(ClientError::Unreachable { .. })));
    }
}
