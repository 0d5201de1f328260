//! Protocol and topic names. Every one carries the federation's short id, so that two federations
//! on one network never mix.

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
    /// Gossip streams: `/hutong/<short>/gossip/1`, gossipsub v1.1 inside.
    pub(super) gossip: String,
    /// Kademlia: `/hutong/<short>/kad/1`.
    pub(super) kad: StreamProtocol,
    topic_prefix: String,
}

impl Names {
    pub(super) fn new(short: &str) -> Result<Self, NameError> {
        let fine = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if short.is_empty() || short.len() > 64 || !short.bytes().all(fine) {
            return Err(NameError::Federation(short.to_owned()));
        }
        Ok(Self {
            sync: protocol(format!("/hutong/{short}/sync/1"))?,
            gossip: format!("/hutong/{short}/gossip/1"),
            kad: protocol(format!("/hutong/{short}/kad/1"))?,
            topic_prefix: format!("hutong/{short}/1/"),
        })
    }

    /// `hutong/<short>/1/<scope>`.
    pub(super) fn topic(&self, scope: &str) -> Result<IdentTopic, NameError> {
        let fine = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if scope.is_empty() || scope.len() > SCOPE_BYTES_MAX || !scope.bytes().all(fine) {
            return Err(NameError::Scope(scope.to_owned()));
        }
        Ok(IdentTopic::new(format!("{}{scope}", self.topic_prefix)))
    }

    /// The scope of a topic of this federation.
    pub(super) fn scope<'a>(&self, topic: &'a TopicHash) -> Option<&'a str> {
        topic.as_str().strip_prefix(&self.topic_prefix)
    }
}

fn protocol(name: String) -> Result<StreamProtocol, NameError> {
    StreamProtocol::try_from_owned(name.clone()).map_err(|_| NameError::Protocol(name))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_topic_gives_its_scope_back() {
        let names = Names::new("5f1c0011aa22bb33").unwrap();
        let topic = names.topic("CN-33").unwrap();
        assert_eq!(topic.to_string(), "hutong/5f1c0011aa22bb33/1/CN-33");
        assert_eq!(names.scope(&topic.hash()), Some("CN-33"));
    }

    #[test]
    fn a_topic_of_another_federation_has_no_scope() {
        let names = Names::new("aa").unwrap();
        let other = Names::new("bb").unwrap().topic("CN").unwrap();
        assert_eq!(names.scope(&other.hash()), None);
    }

    #[test]
    fn names_with_separators_are_refused() {
        for short in ["", "a/b", "UPPER", "空"] {
            assert!(Names::new(short).is_err(), "{short:?}");
        }
        let names = Names::new("aa").unwrap();
        for scope in ["", "CN/33", "CN 33", "012345678901234567890123456789012"] {
            assert!(names.topic(scope).is_err(), "{scope:?}");
        }
    }
}
