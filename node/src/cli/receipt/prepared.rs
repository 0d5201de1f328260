//! Judging signatures by the strict rule, sooner for keys that come often.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hutong_crypto::{
    KeyPreparer, PreparedKey, PublicKey, Signature, verify_strict, verify_strict_each,
};
use hutong_protocol::receipt::{Claim, StrictRule};

/// Signatures after which a key is prepared: that pays for itself within some sixty more.
const PREPARE_AT: u32 = 64;

/// Keys prepared at most, at 2.1 MB.
const PREPARED_MAX: usize = 32;

/// Keys counted at most; others are checked one by one.
const KEYS_MAX: usize = 4_096;

/// Keys met, shared by all threads.
#[derive(Default)]
pub(super) struct PreparedKeys {
    /// Made when the first key is prepared.
    preparer: OnceLock<KeyPreparer>,
    keys: RwLock<BTreeMap<PublicKey, Met>>,
    checked: AtomicU64,
}

enum Met {
    Times(AtomicU32),
    Prepared(PreparedKey),
}

impl StrictRule for PreparedKeys {
    fn holds(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        self.checked.fetch_add(1, Ordering::Relaxed);
        let keys = self.read();
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

    fn all_hold(&self, claims: &[Claim]) -> bool {
        let keys = self.read();
        let (mut prepared, mut others) = (Vec::with_capacity(claims.len()), Vec::new());
        for claim in claims {
            match keys.get(&claim.key) {
                Some(Met::Prepared(key)) => {
                    prepared.push((key, claim.message.as_slice(), &claim.signature));
                }
                Some(Met::Times(_)) | None => others.push(claim),
            }
        }
        self.checked.fetch_add(prepared.len() as u64, Ordering::Relaxed);
        let all_hold = verify_strict_each(&prepared).into_iter().all(|holds| holds);
        drop(keys);
        let holds = |claim: &Claim| self.holds(&claim.key, &claim.message, &claim.signature);
        all_hold && others.into_iter().all(holds)
    }
}

impl PreparedKeys {
    /// How many signatures were judged.
    pub(super) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PublicKey, Met>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<PublicKey, Met>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, key: &PublicKey) {
        let mut keys = self.write();
        if keys.len() < KEYS_MAX {
            keys.entry(*key).or_insert_with(|| Met::Times(AtomicU32::new(1)));
        }
    }

    fn prepare(&self, key: &PublicKey) {
        let tables = self.preparer.get_or_init(KeyPreparer::default);
        let Some(prepared) = tables.prepare(key) else { return };
        let mut keys = self.write();
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
            assert!(keys.holds(&key, &message, &signature));
            signature.0[40] ^= 1;
            assert!(!keys.holds(&key, &message, &signature));
        }
        assert!(matches!(keys.read().get(&key), Some(Met::Prepared(_))));
        assert_eq!(keys.checked(), u64::from(4 * PREPARE_AT));
    }

    #[test]
    fn claims_hold_together_unless_one_does_not() {
        let keys = PreparedKeys::default();
        let signers = [7, 8].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        // The first signer's key is prepared on the way, the other's is not.
        for round in 0..PREPARE_AT {
            let claims = [0, 1, 2].map(|number| {
                let signer = &signers[usize::from(number == 2 && round % 8 == 0)];
                let message = vec![number; 9];
                Claim { key: signer.public(), signature: signer.sign(&message), message }
            });
            assert!(keys.all_hold(&claims));
            for place in 0..claims.len() {
                let mut claims = claims.clone();
                claims[place].message[0] ^= 1;
                assert!(!keys.all_hold(&claims), "claim {place} of round {round}");
            }
        }
        let is_prepared = |signer: &SigningKey| {
            matches!(keys.read().get(&signer.public()), Some(Met::Prepared(_)))
        };
        assert_eq!(signers.each_ref().map(is_prepared), [true, false]);
        assert!(keys.all_hold(&[]));
    }
}
