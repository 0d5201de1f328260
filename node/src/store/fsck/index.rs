//! The index: checkpoints against the tree, marks and cursors against the size.

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::merkle::root_at;
use hutong_crypto::note::Note;

use super::tiles::RawTree;
use super::{Examined, Finding, LogKey, LogReport};
use crate::store::core::index_error;
use crate::store::error::StoreError;
use crate::store::record::{Kind, decode_sized, log_key};

impl Examined {
    /// The two checkpoints that are kept: readable, of this log, with this tree's root, signed.
    pub(super) fn examine_checkpoints(
        &self,
        tree: &RawTree,
        heads: &sled::Tree,
        key: &LogKey<'_>,
        log: &mut LogReport,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        for kind in [Kind::Checkpoint, Kind::Cosigned] {
            let value = heads.get(log_key(kind, &self.exchange)).map_err(self.index_failed())?;
            let Some(value) = value else { continue };
            match self.examine_checkpoint(tree, &value, key) {
                Ok(signature_checked) => log.checkpoint_signature |= signature_checked,
                Err(what) => {
                    findings.push(self.error(self.index.clone(), None, what, CHECKPOINT));
                }
            }
        }
        Ok(())
    }

    /// Whether the signature could be checked as well; else what is wrong.
    fn examine_checkpoint(
        &self,
        tree: &RawTree,
        value: &[u8],
        key: &LogKey<'_>,
    ) -> Result<bool, String> {
        let (size, bytes) = decode_sized(value).ok_or("a checkpoint is unreadable")?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a checkpoint is not text")?;
        let note =
            Note::parse(text).map_err(|error| format!("a checkpoint is no note: {error}"))?;
        let checkpoint = Checkpoint::parse(&note.text)
            .map_err(|error| format!("a checkpoint is unreadable: {error}"))?;
        if checkpoint.size != size || size > self.head.size {
            let (noted, held) = (checkpoint.size, self.head.size);
            return Err(format!("a checkpoint of size {noted} is kept as {size} with {held} held"));
        }
        let root = root_at(size, tree)?;
        if checkpoint.root != root {
            return Err(format!(
                "the checkpoint of size {size} has root {}, the log has {root}",
                checkpoint.root
            ));
        }
        let Some(key) = key(&self.exchange) else { return Ok(false) };
        Checkpoint::verify_log_signature(&note, &checkpoint.origin, &key)
            .map(|_| true)
            .map_err(|error| format!("the log's signature on size {size} fails: {error}"))
    }

    /// Marks must lie within the log.
    pub(super) fn examine_marks(&self, findings: &mut Vec<Finding>) {
        for (marks, name) in [(&self.withheld, "withheld"), (&self.void, "void")] {
            if let Some(index) = marks.iter().find(|index| *index >= self.head.size) {
                let what = format!("an entry beyond the log's end is marked {name}");
                findings.push(self.error(self.index.clone(), Some(index), what, CHECKPOINT));
            }
        }
    }

    pub(super) fn index_failed(&self) -> impl Fn(sled::Error) -> StoreError + use<> {
        index_error("read", self.index.clone())
    }
}

const CHECKPOINT: &str =
    "restore the index from a backup, or drop the log so that it is fetched again";
