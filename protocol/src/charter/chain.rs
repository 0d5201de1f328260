//! The verified versions of the charter, from the founding one on.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use hutong_crypto::Hash;

use super::{
    model::{Charter, Succession},
    signed::SignedCharter,
};
use crate::{
    descriptor::SignedDescriptor,
    id::{ExchangeId, FederationId},
};

/// A chain of charter versions, each verified against the one before. Cheap to clone.
///
/// Version 1 is signed by its whole council; version n+1 by the threshold of version n and by its
/// own. A version that is on the chain stays on it: which of two valid successors takes effect is
/// decided by the register, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharterChain {
    versions: Vec<Arc<CharterVersion>>,
}

/// A version whose signatures were verified.
#[derive(Debug, PartialEq, Eq)]
pub struct CharterVersion {
    signed: SignedCharter,
    digest: Hash,
}

/// What came of a charter offered to a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extend {
    /// It is the newest version now.
    Added,
    /// The chain has it already.
    Known,
}

/// Why a charter does not go onto a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtendError {
    /// A chain begins with version 1.
    #[error("expected the founding charter, version 1, met version {met}")]
    NotFounding {
        /// The version met.
        met: u64,
    },
    /// A version between the chain's newest and this one is missing: fetch it first.
    #[error("charter version {met} needs version {needed} first")]
    Gap {
        /// The version met.
        met: u64,
        /// The version to fetch.
        needed: u64,
    },
    /// Another founding charter: another federation.
    #[error("this founding charter belongs to another federation")]
    OtherFederation,
    /// It contradicts a version that is in effect, and is signed well enough to have been in its place:
    /// proof that members of the council signed both.
    #[error(
        "charter version {version} is another one than the version {version} in effect, which stays"
    )]
    Rival {
        /// The version met.
        version: u64,
    },
    /// It names another predecessor.
    #[error("charter version {version} does not follow the version before it")]
    Predecessor {
        /// The version met.
        version: u64,
    },
    /// A seat's descriptor was made for another federation.
    #[error("the descriptor of council member {exchange} was made for another federation")]
    SeatOfOtherFederation {
        /// Whose descriptor it is.
        exchange: ExchangeId,
    },
    /// A signature is by no council member concerned, or does not verify.
    #[error("signature of {exchange} does not hold or is by no council member")]
    Signature {
        /// Who is said to have signed.
        exchange: ExchangeId,
    },
    /// Too few council members signed.
    #[error(
        "charter version {version}: expected {expected} signatures of the council of version {council}, met {met}"
    )]
    TooFewSignatures {
        /// The version met.
        version: u64,
        /// Whose council.
        council: u64,
        /// How many must sign.
        expected: usize,
        /// How many did.
        met: usize,
    },
    /// Keys of a council member change without a word on which of its entries stand.
    #[error(
        "`logs_honoured` must name exactly former council members, among them {exchange} whose keys change"
    )]
    LogsHonoured {
        /// The exchange that is missing or has no place there.
        exchange: ExchangeId,
    },
}

impl CharterVersion {
    /// What this version says.
    pub fn charter(&self) -> &Charter {
        self.signed.charter()
    }

    /// With its signatures.
    pub fn signed(&self) -> &SignedCharter {
        &self.signed
    }

    /// SHA-256 of its signed payload.
    pub fn digest(&self) -> Hash {
        self.digest
    }
}

impl CharterChain {
    /// Begins a chain with the founding charter, which its whole council must have signed.
    ///
    /// # Errors
    ///
    /// An [`ExtendError`] that names what is wrong.
    pub fn found(signed: SignedCharter) -> Result<Self, ExtendError> {
        let version = signed.charter().version;
        if version != 1 {
            return Err(ExtendError::NotFounding { met: version });
        }
        let signers = Signers::count(&signed, None)?;
        let expected = signed.charter().council.len();
        enough(&signers.own, expected, version, version)?;
        let digest = signed.digest();
        let versions = Vec::from([Arc::new(CharterVersion { signed, digest })]);
        Ok(Self { versions })
    }

    /// Offers a charter to the chain.
    ///
    /// # Errors
    ///
    /// An [`ExtendError`]; the chain is then unchanged.
    pub fn extend(&mut self, signed: SignedCharter) -> Result<Extend, ExtendError> {
        let version = signed.charter().version;
        let digest = signed.digest();
        let newest = self.latest().version;
        if let Some(known) = self.version_at(version) {
            if known.digest == digest {
                return Ok(Extend::Known);
            }
            if version == 1 {
                return Err(ExtendError::OtherFederation);
            }
        } else if version != newest + 1 {
            return Err(ExtendError::Gap { met: version, needed: newest + 1 });
        }
        let Some(before) = self.version_at(version - 1) else {
            return Err(ExtendError::Gap { met: version, needed: newest + 1 });
        };
        check_successor(before, &signed)?;
        check_seats(&self.federation_id(), signed.charter())?;
        if version <= newest {
            return Err(ExtendError::Rival { version });
        }
        self.versions.push(Arc::new(CharterVersion { signed, digest }));
        Ok(Extend::Added)
    }

    /// Identity of the federation: SHA-256 of the founding charter's signed payload.
    pub fn federation_id(&self) -> FederationId {
        FederationId::new(self.versions[0].digest)
    }

    /// The version in force.
    pub fn latest(&self) -> &Charter {
        self.versions[self.versions.len() - 1].charter()
    }

    /// SHA-256 of the signed payload of the version in force.
    pub fn latest_digest(&self) -> Hash {
        self.versions[self.versions.len() - 1].digest
    }

    /// Every version, from the founding one on.
    pub fn versions(&self) -> &[Arc<CharterVersion>] {
        &self.versions
    }

    /// Number of the version in force.
    pub fn version(&self) -> u64 {
        self.latest().version
    }

    /// Version `number`, counted from 1.
    pub fn version_at(&self, number: u64) -> Option<&Arc<CharterVersion>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.versions.get(index)
    }
}

fn check_successor(before: &CharterVersion, signed: &SignedCharter) -> Result<(), ExtendError> {
    let charter = signed.charter();
    let version = charter.version;
    let succession = charter.succession.as_ref().filter(|s| s.previous == before.digest);
    let Some(succession) = succession else {
        return Err(ExtendError::Predecessor { version });
    };
    check_logs_honoured(before.charter(), charter, succession)?;
    let signers = Signers::count(signed, Some(before.charter()))?;
    let old = before.charter();
    enough(&signers.former, old.threshold as usize, version, old.version)?;
    enough(&signers.own, charter.threshold as usize, version, version)
}

/// Every seat of a later version was made for this federation.
fn check_seats(federation: &FederationId, charter: &Charter) -> Result<(), ExtendError> {
    let stranger = charter
        .council
        .iter()
        .map(SignedDescriptor::descriptor)
        .find(|seat| seat.federation != Some(*federation));
    match stranger {
        Some(seat) => Err(ExtendError::SeatOfOtherFederation { exchange: seat.id.clone() }),
        None => Ok(()),
    }
}

/// Whoever changes keys must be listed; whoever is listed must have been on the council.
fn check_logs_honoured(
    before: &Charter,
    after: &Charter,
    succession: &Succession,
) -> Result<(), ExtendError> {
    for exchange in succession.logs_honoured.keys() {
        if before.council_member(exchange).is_none() {
            return Err(ExtendError::LogsHonoured { exchange: exchange.clone() });
        }
    }
    for member in &before.council {
        let old = member.descriptor();
        let Some(new) = after.council_member(&old.id) else { continue };
        let changed = old.log_key != new.log_key || old.issuer_keys != new.issuer_keys;
        if changed && !succession.logs_honoured.contains_key(&old.id) {
            return Err(ExtendError::LogsHonoured { exchange: old.id.clone() });
        }
    }
    Ok(())
}

/// Whose signatures hold: as members of the version's own council, and of the one before.
struct Signers {
    own: BTreeSet<ExchangeId>,
    former: BTreeSet<ExchangeId>,
}

impl Signers {
    /// Checks every signature; one that counts for neither council is refused.
    fn count(signed: &SignedCharter, before: Option<&Charter>) -> Result<Self, ExtendError> {
        let mut signers = Self { own: BTreeSet::new(), former: BTreeSet::new() };
        for line in signed.signatures() {
            let holds = |charter: &Charter| {
                let member = charter.council_member(&line.exchange);
                member.is_some_and(|member| signed.is_signed_by(&member.log_key, &line.signature))
            };
            let counts_own = holds(signed.charter()) && signers.own.insert(line.exchange.clone());
            let counts_former =
                before.is_some_and(holds) && signers.former.insert(line.exchange.clone());
            if !counts_own && !counts_former {
                return Err(ExtendError::Signature { exchange: line.exchange.clone() });
            }
        }
        Ok(signers)
    }
}

/// Whether as many signed as must.
fn enough(
    met: &BTreeSet<ExchangeId>,
    expected: usize,
    version: u64,
    council: u64,
) -> Result<(), ExtendError> {
    let met = met.len();
    if met < expected {
        return Err(ExtendError::TooFewSignatures { version, council, expected, met });
    }
    Ok(())
}
