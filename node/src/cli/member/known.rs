//! What a decision rests on: charter, members and logs, of the running node or from the data folder.

use anyhow::Context as _;
use hutong_crypto::Hash;
use hutong_protocol::charter::{CharterChain, SignedCharter};
use hutong_protocol::directory::Directory;
use hutong_protocol::id::ExchangeId;

use super::super::args::Global;
use super::super::settings;
use crate::api::client::{Client, ClientError};
use crate::api::model::Member;
use crate::api::routes::{authority::member, logs::root_of};
use crate::authority::Charters;
use crate::charter_file;
use crate::store::{Store, StoreOptions};

/// What is known at this desk.
pub(super) struct Known {
    /// The charters in effect.
    pub(super) charters: CharterChain,
    source: Source,
}

enum Source {
    /// A node runs on the data folder.
    Node(Client),
    /// None runs; its data are there.
    Stored(Box<(Store, Directory)>),
    /// No node has run there: the founding charter is all there is.
    Founded(Box<Directory>),
}

impl Known {
    pub(super) fn of(global: &Global) -> anyhow::Result<Self> {
        match Client::from_data(&global.data) {
            Ok(client) => match client.charters() {
                Ok(versions) => {
                    return Ok(Self { charters: chain(&versions)?, source: Source::Node(client) });
                }
                // Its address is left over from a run that was broken off.
                Err(ClientError::Unreachable { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            Err(ClientError::NotRunning(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let chain = charter_file::read(&global.data)?.ok_or_else(settings::no_charter)?;
        if !global.data.join("format").exists() {
            let directory = Charters::of(&chain)?.founded;
            let charters = directory.charters().clone();
            return Ok(Self { charters, source: Source::Founded(Box::new(directory)) });
        }
        let store = Store::open(&global.data, &StoreOptions::default())?;
        let all = Charters::read(&global.data, &store)?.ok_or_else(settings::no_charter)?;
        let directory = all.fold(&store)?;
        let charters = directory.charters().clone();
        Ok(Self { charters, source: Source::Stored(Box::new((store, directory))) })
    }

    /// The node, to publish through.
    pub(super) fn node(&self) -> Option<&Client> {
        match &self.source {
            Source::Node(client) => Some(client),
            Source::Stored(_) | Source::Founded(_) => None,
        }
    }

    pub(super) fn member(&self, id: &ExchangeId) -> anyhow::Result<Option<Member>> {
        match &self.source {
            Source::Node(client) => {
                let members = client.members()?;
                Ok(members.into_iter().find(|member| member.exchange == id.as_str()))
            }
            Source::Stored(stored) => Ok(stored.1.member(id).map(member)),
            Source::Founded(directory) => Ok(directory.member(id).map(member)),
        }
    }

    /// How many entries of the log are under a checkpoint with a quorum, as far as is known here.
    pub(super) fn witnessed(&self, log: &ExchangeId) -> anyhow::Result<u64> {
        let unwitnessed = self.charters.latest().is_unwitnessed();
        let size = match &self.source {
            Source::Node(client) => {
                let logs = client.logs()?;
                let log = logs.into_iter().find(|held| held.exchange == log.as_str());
                log.and_then(|it| if unwitnessed { it.checkpoint_size } else { it.cosigned_size })
            }
            Source::Stored(stored) => {
                let head = stored.0.head(log)?;
                let note =
                    head.and_then(|it| if unwitnessed { it.checkpoint } else { it.cosigned });
                note.map(|(size, _)| size)
            }
            Source::Founded(_) => None,
        };
        Ok(size.unwrap_or(0))
    }

    /// The root over the first `size` entries of the log, by this exchange's own copy.
    pub(super) fn root(&self, log: &ExchangeId, size: u64) -> anyhow::Result<Hash> {
        let root = match &self.source {
            Source::Node(client) => client.root(log.as_str(), size)?.root,
            Source::Stored(stored) => {
                root_of(&stored.0, log, size)
                    .map_err(|error| anyhow::anyhow!(error.problem().detail))?
                    .root
            }
            Source::Founded(_) => {
                anyhow::ensure!(
                    size == 0,
                    "no entry of {log} is held here: start the node with `hutong run` and wait until it has the log"
                );
                hutong_crypto::merkle::empty_root().to_string()
            }
        };
        root.parse().ok().context("the node's answer is no root")
    }
}

/// The charters of a node's answer, verified.
fn chain(versions: &[serde_json::Value]) -> anyhow::Result<CharterChain> {
    let mut versions = versions.iter().map(SignedCharter::from_value);
    let founding = versions.next().context("the node has no charter")??;
    let mut chain = CharterChain::found(founding)?;
    for signed in versions {
        chain.extend(signed?)?;
    }
    Ok(chain)
}
