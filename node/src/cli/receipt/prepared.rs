//! Judging signatures by the strict rule, sooner for keys that come often.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use hutong_crypto::{KeyPreparer, PreparedKey, PublicKey, Signature, verify_strict};

/// Signatures after which a key is prepared: that pays for itself within some thirty more.
const PREPARE_AT: u32 = 32;

/// Keys prepared at most, at 640 KiB.
const PREPARED_MAX: usize = 32;

/// Keys counted at most; others are checked one by one.
const KEYS_MAX: usize = 4_096;

/// Keys met, shared by all threads.
#[derive(Default)]
pub(super) struct PreparedKeys {
    preparer: KeyPreparer,
    keys: RwLock<BTreeMap<PublicKey, Met>>,
    checked: AtomicU64,
}

enum Met {
    Times(AtomicU32),
    Prepared(PreparedKey),
}

impl PreparedKeys {
    /// What [`verify_strict`] says.
    pub(super) fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        self.checked.fetch_add(1, Ordering::Relaxed);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        match keys.get(key) {
            Some(Met::Prepared(key)) => return key.verify_strict(message, signature),
            Some(Met::Times(times)) => {
                let is_due = times.fetch_add(1, Ordering::Relaxed) + 1 == PREPARE_AT;
                drop(keys);
                if is_due {
                    self.prepare(key);
                }
            }
            None => {
                drop(keys);
                self.count(key);
            }
        }
        verify_strict(key, message, signature)
    }

    /// How many signatures were judged.
    pub(super) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    fn count(&self, key: &PublicKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < KEYS_MAX {
            keys.entry(*key).or_insert_with(|| Met::Times(AtomicU32::new(1)));
        }
    }

    fn prepare(&self, key: &PublicKey) {
        let Some(prepared) = self.preparer.prepare(key) else { return };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let count = keys.values().filter(|met| matches!(met, Met::Prepared(_))).count();
        if count < PREPARED_MAX {
            keys.insert(*key, Met::Prepared(prepared));
        }
    }
}

#[cfg(test)]
mod tests {
    use hutong_crypto::SigningKey;

    use super::*;

    #[test]
    fn verdicts_stay_the_same_when_a_key_is_prepared() {
        let (keys, signer) = (PreparedKeys::default(), SigningKey::from_bytes(&[7; 32]));
        let key = signer.public();
        for number in 0..2 * PREPARE_AT {
            let message = number.to_le_bytes();
            let mut signature = signer.sign(&message);
            assert!(keys.verify(&key, &message, &signature));
            signature.0[40] ^= 1;
            assert!(!keys.verify(&key, &message, &signature));
        }
        let held = keys.keys.read().unwrap_or_else(PoisonError::into_inner);
        assert!(matches!(held.get(&key), Some(Met::Prepared(_))));
        assert_eq!(keys.checked(), u64::from(4 * PREPARE_AT));
    }
}
