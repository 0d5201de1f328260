//! A running node as imports and `contract register` see it: claims are kept here, statements go there.

use std::path::Path;

use hutong_protocol::unlisted::in_claims;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::api::client::{Client, ClientError};
use crate::api::model::{ContractDetail, PublishRequest, Published, Warning};
use crate::claims::{ClaimSet, ClaimsError, ClaimsFolder, commitments};

/// A statement whose confidential values are still at its side.
#[derive(Clone, PartialEq)]
pub struct Outgoing {
    /// Statement type.
    pub kind: String,
    /// Who may see it.
    pub audience: Value,
    /// The body, without `claims`.
    pub body: Map<String, Value>,
    /// Confidential values by claim name; empty but for contracts.
    pub confidential: Map<String, Value>,
}

/// Publishes through a node's HTTP interface and keeps what opens the claims in the data folder.
pub struct NodePublisher {
    client: Client,
    claims: ClaimsFolder,
}

/// Why nothing was published.
#[derive(Debug, Error)]
pub enum NodePublishError {
    /// The node.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The confidential values could not be kept.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// Confidential values without a contract to keep them under.
    #[error("statement {place} of the group has confidential values and no `registration_no`")]
    Registration {
        /// Its place in the group, from 0.
        place: usize,
    },
}

/// The body's member that names a contract.
pub const REGISTRATION: &str = "registration_no";

impl NodePublisher {
    /// Publishes through `client`; claims are kept in `data`.
    pub fn new(client: Client, data: &Path) -> Self {
        Self { client, claims: ClaimsFolder::of(data) }
    }

    /// The node.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Publishes a group, all or none. What opens the claims is on disk before anything is sent.
    ///
    /// # Errors
    ///
    /// [`NodePublishError`]; claims that were kept for a refused statement open nothing and do no harm.
    pub fn publish(&self, group: Vec<Outgoing>) -> Result<Vec<Published>, NodePublishError> {
        let mut requests = Vec::with_capacity(group.len());
        let mut unlisted = Vec::with_capacity(group.len());
        for (place, outgoing) in group.into_iter().enumerate() {
            unlisted.push(in_claims(&outgoing.confidential.clone().into_iter().collect()));
            requests.push(self.request(place, outgoing)?);
        }
        let mut published = self.client.publish(requests)?;
        // The node does not see these.
        for (published, unlisted) in published.iter_mut().zip(unlisted) {
            let warnings = unlisted.iter().map(|one| Warning { zh: one.zh(), en: one.en() });
            published.warnings.extend(warnings);
        }
        Ok(published)
    }

    fn request(
        &self,
        place: usize,
        outgoing: Outgoing,
    ) -> Result<PublishRequest, NodePublishError> {
        let Outgoing { kind, audience, mut body, confidential } = outgoing;
        if !confidential.is_empty() {
            let registration = body
                .get(REGISTRATION)
                .and_then(Value::as_str)
                .ok_or(NodePublishError::Registration { place })?;
            let set = ClaimSet::new(confidential)?;
            self.claims.keep(registration, &set)?;
            let commitments = set.commitments().into_iter();
            let claims = commitments.map(|(name, hex)| (name, Value::String(hex))).collect();
            body.insert("claims".to_owned(), Value::Object(claims));
        }
        Ok(PublishRequest { kind, audience, body: Value::Object(body) })
    }

    /// The confidential values of a contract's newest event, if they are kept here: all of them, or none.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Disk`] and [`ClaimsError::Damaged`].
    pub fn confidential(
        &self,
        contract: &ContractDetail,
    ) -> Result<Option<Map<String, Value>>, ClaimsError> {
        let commitments = commitments(&contract.contract.newest.body);
        let names: Vec<String> = commitments.keys().cloned().collect();
        match self.claims.open(&contract.contract.registration, &commitments, &names) {
            Ok(opened) => {
                Ok(Some(opened.into_iter().map(|claim| (claim.name, claim.value)).collect()))
            }
            Err(ClaimsError::NotKept { .. } | ClaimsError::NoSuchClaim { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
