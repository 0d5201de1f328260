//! Protocol and topic names. Our own protocols carry the federation's short id; who does not speak them is
//! another federation's, and is disconnected. Gossip has the names of gossipsub, and topics those of their
//! scopes: each is written four times whenever two nodes meet.

use libp2p::StreamProtocol;
use libp2p::gossipsub::{IdentTopic, TopicHash};

use super::limits::SCOPE_BYTES_MAX;

/// Why a federation short id or a scope cannot be part of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The short id is not 1 to 64 lower-case letters, digits or hyphens.
    #[error("federation short id {0:?} is not 1 to 64 characters of a-z, 0-9 and -")]
    Federation(String),
    /// The scope is not 1 to 32 letters, digits or hyphens.
    #[error("scope {0:?} is not 1 to 32 characters of A-Z, a-z, 0-9 and -")]
    Scope(String),
    /// The library refused a protocol name.
    #[error("protocol name {0:?} is not accepted by the transport library")]
    Protocol(String),
}

/// The names of one federation.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Request streams: `/hutong/<short>/sync/1`.
    pub(super) sync: StreamProtocol,
    /// Kademlia: `/hutong/<short>/kad/1`.
    pub(super) kad: StreamProtocol,
}

impl Names {
    pub(super) fn new(short: &str) -> Result<Self, NameError> {
        let fine = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if short.is_empty() || short.len() > 64 || !short.bytes().all(fine) {
            return Err(NameError::Federation(short.to_owned()));
        }
        Ok(Self {
            sync: protocol(format!("/hutong/{short}/sync/1"))?,
            kad: protocol(format!("/hutong/{short}/kad/1"))?,
        })
    }
}

/// The topic of a scope is the scope.
pub(super) fn topic(scope: &str) -> Result<IdentTopic, NameError> {
    if is_scope(scope) {
        Ok(IdentTopic::new(scope))
    } else {
        Err(NameError::Scope(scope.to_owned()))
    }
}

/// The scope of a topic, if it is one.
pub(super) fn scope(topic: &TopicHash) -> Option<&str> {
    Some(topic.as_str()).filter(|name| is_scope(name))
}

fn is_scope(name: &str) -> bool {
    let fine = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    (1..=SCOPE_BYTES_MAX).contains(&name.len()) && name.bytes().all(fine)
}

fn protocol(name: String) -> Result<StreamProtocol, NameError> {
    StreamProtocol::try_from_owned(name.clone()).map_err(|_| NameError::Protocol(name))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_topic_is_its_scope_and_nothing_else_is_one() {
        assert_eq!(topic("CN-33").unwrap().to_string(), "CN-33");
        assert_eq!(scope(&topic("CN-33").unwrap().hash()), Some("CN-33"));
        for wrong in ["", "CN/33", "CN 33", "012345678901234567890123456789012"] {
            assert!(topic(wrong).is_err(), "{wrong:?}");
            assert_eq!(scope(&TopicHash::from_raw(wrong)), None);
        }
    }

    #[test]
    fn names_with_separators_are_refused() {
        for short in ["", "a/b", "UPPER", "空"] {
            assert!(Names::new(short).is_err(), "{short:?}");
        }
    }
}
