//! Entries: each against its leaf hash, its signature, its marks and the id index.

use hutong_crypto::batch::{SignedMessage, verify_batch};
use hutong_crypto::digest::Hash;
use hutong_crypto::keys::{PublicKey, Signature};
use hutong_protocol::entry::Entry;
use rayon::prelude::*;

use super::tiles::RawTree;
use super::{Examined, Finding, FsckProgress, LogReport, REPLACE_FILE};
use crate::store::edge::subtree_root;
use crate::store::path::{TILE_WIDTH, TileId};
use crate::store::read::checked_entry;
use crate::store::views::IdSum;

/// What one bundle showed.
#[derive(Default)]
struct BundleReport {
    /// Until their signatures are checked: each keeps the bytes of its bundle.
    entries: Vec<(u64, Entry)>,
    /// How many there are.
    count: u64,
    /// The ids that the views should hold; `None` where the tile does not tell them.
    ids: Option<IdSum>,
    findings: Vec<Finding>,
}

/// What bundles next to each other showed.
struct GroupReport {
    bundles: Vec<BundleReport>,
    signatures: u64,
    findings: Vec<Finding>,
}

impl Examined {
    /// Reads every bundle, several in parallel. Returns what the ids before `cursor` amount to; `None`
    /// where a tile does not tell them.
    pub(super) fn examine_entries(
        &self,
        tree: &RawTree,
        cursor: u64,
        progress: &mut dyn FnMut(&FsckProgress),
        log: &mut LogReport,
        findings: &mut Vec<Finding>,
    ) -> Option<IdSum> {
        let size = self.head.size;
        let mut sum = Some(IdSum::default());
        let bundles: Vec<u64> = (0..size.div_ceil(TILE_WIDTH)).collect();
        for window in bundles.chunks(WINDOW_BUNDLES) {
            let groups: Vec<GroupReport> = window
                .par_chunks(GROUP_BUNDLES)
                .map(|group| self.examine_group(tree, cursor, group))
                .collect();
            for group in groups {
                for bundle in group.bundles {
                    sum = sum.zip(bundle.ids).map(|(all, ids)| all.and(ids));
                    log.entries += bundle.count;
                    findings.extend(bundle.findings);
                }
                log.signatures += group.signatures;
                findings.extend(group.findings);
            }
            let entries = window.last().map_or(size, |last| size.min((last + 1) * TILE_WIDTH));
            progress(&FsckProgress { log: self.exchange.clone(), entries, size });
        }
        sum
    }

    /// Bundles whose signatures are checked together, which is cheaper the more they are.
    fn examine_group(&self, tree: &RawTree, cursor: u64, group: &[u64]) -> GroupReport {
        let bundles: Vec<BundleReport> =
            group.iter().map(|number| self.examine_bundle(tree, cursor, *number)).collect();
        let mut report = GroupReport { bundles, signatures: 0, findings: Vec::new() };
        self.examine_signatures(&mut report);
        for bundle in &mut report.bundles {
            bundle.entries = Vec::new();
        }
        report
    }

    fn examine_bundle(&self, tree: &RawTree, cursor: u64, number: u64) -> BundleReport {
        let mut report = BundleReport::default();
        let from = number * TILE_WIDTH;
        let to = self.head.size.min(from + TILE_WIDTH);
        let hashes = match tree.leaves(number) {
            Ok((hashes, true)) => hashes,
            Ok((_, false)) => {
                let path = self.files.path(TileId::hashes(0, number), true);
                let what = "the tile's hashes do not belong to the tile above";
                report.findings.push(self.error(path, None, what, REPLACE_FILE));
                Vec::new()
            }
            Err(error) => {
                report.findings.push(self.unreadable(&error));
                Vec::new()
            }
        };
        report.ids = sum_ids(&hashes, from, cursor);
        let bundle = match self.files.read_bundle(number, to - from) {
            Ok(bundle) => bundle,
            Err(error) => {
                report.findings.push(self.unreadable(&error));
                return report;
            }
        };
        let complete = to - from == TILE_WIDTH;
        let path = self.files.path(TileId::entries(number), complete);
        let mut entries: Vec<(u64, Entry)> = Vec::new();
        for (place, index) in (from..to).enumerate() {
            let expected = hashes.get(place).copied().flatten();
            let bytes = bundle.entry(place);
            if self.withheld.contains(index) {
                if bytes.is_some() {
                    let what = format!("index {index} is marked as withheld, but is there");
                    report.findings.push(self.note(path.clone(), what, WITHHELD_THERE));
                }
                continue;
            }
            let Some(expected) =
                expected.or_else(|| Some(hutong_crypto::merkle::leaf_hash(bytes.as_ref()?)))
            else {
                let what = "the entry is missing, though it is not marked as withheld";
                report.findings.push(self.error(path.clone(), Some(index), what, REPLACE_FILE));
                continue;
            };
            match checked_entry(bytes, &expected) {
                Ok(entry) => entries.push((index, entry)),
                Err(what) => {
                    report.findings.push(self.error(path.clone(), Some(index), what, REPLACE_FILE));
                }
            }
        }
        self.tell_remedy(tree, number, hashes.is_empty(), &entries, &mut report);
        report.count = entries.len() as u64;
        report.entries = entries;
        report
    }

    /// Where a tile is damaged and its bundle is not, says so: nothing is lost then.
    fn tell_remedy(
        &self,
        tree: &RawTree,
        number: u64,
        tile_damaged: bool,
        entries: &[(u64, Entry)],
        report: &mut BundleReport,
    ) {
        if !tile_damaged || entries.len() as u64 != TILE_WIDTH {
            return;
        }
        let hashes: Vec<Hash> = entries.iter().map(|(_, entry)| entry.leaf_hash()).collect();
        if tree.above(0, number) == Some(subtree_root(&hashes)) {
            let path = self.files.path(TileId::entries(number), true);
            let what =
                "this bundle is whole and agrees with the log's root; only the tile is damaged";
            report.findings.push(self.note(path, what, REPLACE_FILE));
        }
    }

    fn examine_signatures(&self, report: &mut GroupReport) {
        let entries = report.bundles.iter().flat_map(|bundle| &bundle.entries);
        // Those of a suite or version that is not known have nothing to check.
        let signed: Vec<(u64, &Entry, String, (PublicKey, Signature))> = entries
            .filter(|(index, _)| !self.void.contains(*index))
            .filter_map(|(index, entry)| {
                Some((*index, entry, entry.signed_head(), entry.key_and_signature().ok()?))
            })
            .collect();
        let items: Vec<SignedMessage<'_>> = signed
            .iter()
            .map(|(_, entry, head, (key, signature))| SignedMessage {
                key: *key,
                head: head.as_bytes(),
                message: entry.statement_bytes(),
                signature: *signature,
            })
            .collect();
        for ((index, ..), valid) in signed.iter().zip(verify_batch(&items)) {
            if valid {
                report.signatures += 1;
            } else {
                let bundle = index / TILE_WIDTH;
                let complete = (bundle + 1) * TILE_WIDTH <= self.head.size;
                let path = self.files.path(TileId::entries(bundle), complete);
                let what = "the entry's signature does not verify, and it is not marked void";
                report.findings.push(self.error(path, Some(*index), what, DROP_LOG));
            }
        }
    }
}

/// What the ids of a tile's leaves from index `from` on amount to, up to index `cursor`.
fn sum_ids(hashes: &[Option<Hash>], from: u64, cursor: u64) -> Option<IdSum> {
    let mut ids = IdSum::default();
    for (index, id) in (from..cursor).zip(hashes) {
        ids.add(id.as_ref()?, index);
    }
    (!hashes.is_empty()).then_some(ids)
}

/// Bundles read at a time: 64 × 256 KiB of ordinary entries, 16 MiB.
const WINDOW_BUNDLES: usize = 64;

/// Bundles whose signatures are checked in one equation.
const GROUP_BUNDLES: usize = 4;

const WITHHELD_THERE: &str = "left by an interrupted commit; it is asked for again";
const DROP_LOG: &str = "drop the log so that it is fetched and checked again";
