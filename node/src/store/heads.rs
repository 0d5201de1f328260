//! The heads tree of the index, with what was committed since it was last made durable.
//!
//! sled writes what it is given at a time of its own choosing. A head must not be durable before the
//! files that it speaks of, so changes wait here until a checkpoint has made these durable.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Changes of keys in the heads tree: a new value, or none.
#[derive(Debug, Default)]
pub(super) struct HeadChanges(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl HeadChanges {
    pub(super) fn insert(&mut self, key: Vec<u8>, value: impl Into<Vec<u8>>) {
        self.0.insert(key, Some(value.into()));
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }
}

/// The heads tree.
#[derive(Debug)]
pub(super) struct Heads {
    tree: sled::Tree,
    waiting: RwLock<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Heads {
    pub(super) fn new(tree: sled::Tree) -> Self {
        Self { tree, waiting: RwLock::default() }
    }

    fn waiting(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
        self.waiting.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> sled::Result<Option<Vec<u8>>> {
        if let Some(change) = self.waiting().get(key) {
            return Ok(change.clone());
        }
        Ok(self.tree.get(key)?.map(|value| value.to_vec()))
    }

    /// Every key that begins with `prefix` and its value, in order.
    pub(super) fn prefixed(&self, prefix: &[u8]) -> sled::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let waiting = self.waiting();
        let mut found = BTreeMap::new();
        for item in self.tree.scan_prefix(prefix) {
            let (key, value) = item?;
            found.insert(key.to_vec(), value.to_vec());
        }
        let changes = waiting.range(prefix.to_vec()..);
        for (key, change) in changes.take_while(|(key, _)| key.starts_with(prefix)) {
            match change {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found)
    }

    /// Whether a key begins with `prefix`.
    pub(super) fn any(&self, prefix: &[u8]) -> bool {
        let waiting = self.waiting();
        let mut changes = waiting.range(prefix.to_vec()..);
        changes.by_ref().take_while(|(key, _)| key.starts_with(prefix)).any(|(_, c)| c.is_some())
            || self
                .tree
                .scan_prefix(prefix)
                .keys()
                .filter_map(Result::ok)
                .any(|key| !waiting.contains_key(key.as_ref()))
    }

    /// Lets readers see changes; they are not durable here.
    pub(super) fn apply(&self, changes: HeadChanges) {
        let mut waiting = self.waiting.write().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(changes.0);
    }

    /// Makes every change durable, in one step. The files that they speak of must be.
    pub(super) fn flush(&self) -> sled::Result<()> {
        let mut waiting = self.waiting.write().unwrap_or_else(PoisonError::into_inner);
        let mut batch = sled::Batch::default();
        for (key, change) in &*waiting {
            match change {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        self.tree.apply_batch(batch)?;
        self.tree.flush()?;
        waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_before_what_lies_below_it() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let heads = Heads::new(db.open_tree("heads").unwrap());
        let mut changes = HeadChanges::default();
        for key in [b"a1", b"a2", b"b1"] {
            changes.insert(key.to_vec(), b"old");
        }
        heads.apply(changes);
        heads.flush().unwrap();
        let mut changes = HeadChanges::default();
        changes.remove(b"a1".to_vec());
        changes.remove(b"b1".to_vec());
        changes.insert(b"a2".to_vec(), b"new");
        changes.insert(b"a3".to_vec(), b"new");
        heads.apply(changes);
        for round in 0..2 {
            assert_eq!(heads.get(b"a1").unwrap(), None, "round {round}");
            assert_eq!(heads.get(b"a2").unwrap().unwrap(), b"new");
            let found: Vec<_> = heads.prefixed(b"a").unwrap().into_keys().collect();
            assert_eq!(found, [b"a2", b"a3"]);
            assert!(heads.any(b"a") && !heads.any(b"b"));
            heads.flush().unwrap();
        }
    }
}
