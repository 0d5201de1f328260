//! The heads tree of the index, with what was committed since it was last made durable.
//!
//! sled writes what it is given at a time of its own choosing. A head must not be durable before the
//! files that it speaks of, so changes wait here until a checkpoint has made these durable.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Changes of keys in the heads tree: a new value, or none.
#[derive(Debug, Default)]
pub(super) struct HeadChanges(Changes);

impl HeadChanges {
    pub(super) fn insert(&mut self, key: Vec<u8>, value: impl Into<Vec<u8>>) {
        self.0.insert(key, Some(value.into()));
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }
}

type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What is read before what lies in the tree.
#[derive(Debug, Default)]
struct Over {
    /// Committed since, and not being made durable yet.
    waiting: Changes,
    /// What readers see of the keys that are being made durable.
    flushing: Changes,
}

impl Over {
    fn get(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.waiting.get(key).or_else(|| self.flushing.get(key))
    }

    /// What is said of keys that begin with `prefix`.
    fn prefixed(&self, prefix: &[u8]) -> BTreeMap<&[u8], Option<&[u8]>> {
        let flushing = self.flushing.range(prefix.to_vec()..);
        let waiting = self.waiting.range(prefix.to_vec()..);
        let of_prefix = |(key, _): &(&Vec<u8>, _)| key.starts_with(prefix);
        flushing
            .take_while(of_prefix)
            .chain(waiting.take_while(of_prefix))
            .map(|(key, change)| (key.as_slice(), change.as_deref()))
            .collect()
    }
}

/// The heads tree.
#[derive(Debug)]
pub(super) struct Heads {
    tree: sled::Tree,
    over: RwLock<Over>,
}

impl Heads {
    pub(super) fn new(tree: sled::Tree) -> Self {
        Self { tree, over: RwLock::default() }
    }

    fn over(&self) -> RwLockReadGuard<'_, Over> {
        self.over.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn over_mut(&self) -> RwLockWriteGuard<'_, Over> {
        self.over.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> sled::Result<Option<Vec<u8>>> {
        let over = self.over();
        match over.get(key) {
            Some(change) => Ok(change.clone()),
            None => Ok(self.tree.get(key)?.map(|value| value.to_vec())),
        }
    }

    /// Every key that begins with `prefix` and its value, in order.
    pub(super) fn prefixed(&self, prefix: &[u8]) -> sled::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let over = self.over();
        let mut found = BTreeMap::new();
        for item in self.tree.scan_prefix(prefix) {
            let (key, value) = item?;
            found.insert(key.to_vec(), value.to_vec());
        }
        for (key, change) in over.prefixed(prefix) {
            match change {
                Some(value) => found.insert(key.to_vec(), value.to_vec()),
                None => found.remove(key),
            };
        }
        Ok(found)
    }

    /// Whether a key begins with `prefix`.
    pub(super) fn any(&self, prefix: &[u8]) -> bool {
        let over = self.over();
        let changes = over.prefixed(prefix);
        changes.values().any(Option::is_some)
            || self
                .tree
                .scan_prefix(prefix)
                .keys()
                .filter_map(Result::ok)
                .any(|key| !changes.contains_key(key.as_ref()))
    }

    /// Lets readers see changes; they are not durable here.
    pub(super) fn apply(&self, changes: HeadChanges) {
        self.over_mut().waiting.extend(changes.0);
    }

    /// Makes every change durable, in one step, and `hidden` with them, which readers do not see before
    /// [`Heads::settle`]. The files that they speak of must be durable. No reader waits for the disk.
    pub(super) fn flush(&self, hidden: &HeadChanges) -> sled::Result<()> {
        let mut batch = sled::Batch::default();
        {
            let mut over = self.over_mut();
            let waiting = std::mem::take(&mut over.waiting);
            for (key, change) in waiting.iter().chain(&hidden.0) {
                match change {
                    Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                    None => batch.remove(key.as_slice()),
                }
            }
            over.flushing.extend(waiting);
            for key in hidden.0.keys() {
                if !over.flushing.contains_key(key) {
                    let before = self.tree.get(key)?.map(|value| value.to_vec());
                    over.flushing.insert(key.clone(), before);
                }
            }
        }
        self.tree.apply_batch(batch)?;
        self.tree.flush()?;
        Ok(())
    }

    /// Lets readers see all that was made durable.
    pub(super) fn settle(&self) {
        self.over_mut().flushing.clear();
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
        heads.flush(&HeadChanges::default()).unwrap();
        heads.settle();
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
            heads.flush(&HeadChanges::default()).unwrap();
            heads.settle();
        }
    }

    #[test]
    fn what_is_made_durable_hidden_is_seen_when_it_is_settled() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let heads = Heads::new(db.open_tree("heads").unwrap());
        let mut changes = HeadChanges::default();
        changes.insert(b"old".to_vec(), b"1");
        changes.insert(b"gone".to_vec(), b"1");
        heads.apply(changes);
        heads.flush(&HeadChanges::default()).unwrap();
        heads.settle();
        let mut waiting = HeadChanges::default();
        waiting.insert(b"waits".to_vec(), b"1");
        heads.apply(waiting);
        let mut hidden = HeadChanges::default();
        for key in [&b"old"[..], b"new", b"waits"] {
            hidden.insert(key.to_vec(), b"2");
        }
        hidden.remove(b"gone".to_vec());
        heads.flush(&hidden).unwrap();
        let all = |heads: &Heads| {
            let all = heads.prefixed(b"").unwrap().into_iter();
            all.map(|(key, value)| (String::from_utf8(key).unwrap(), value[0])).collect::<Vec<_>>()
        };
        let seen = |seen: &[(&str, u8)]| -> Vec<(String, u8)> {
            seen.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
        };
        assert_eq!(all(&heads), seen(&[("gone", b'1'), ("old", b'1'), ("waits", b'1')]));
        assert_eq!(heads.get(b"new").unwrap(), None);
        assert!(!heads.any(b"new") && heads.any(b"gone"));
        assert_eq!(heads.tree.get(b"new").unwrap().unwrap(), b"2", "it is durable");
        // Whatever else changes meanwhile stays.
        let mut later = HeadChanges::default();
        later.insert(b"later".to_vec(), b"3");
        heads.apply(later);
        heads.settle();
        assert_eq!(
            all(&heads),
            seen(&[("later", b'3'), ("new", b'2'), ("old", b'2'), ("waits", b'2')])
        );
        assert_eq!(heads.get(b"gone").unwrap(), None);
    }
}
