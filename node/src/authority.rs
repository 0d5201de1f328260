//! Who is a member, by what is stored: the fold of the registers, outside a running node.
//!
//! The founding charter, the charters that followed, and the registers make the directory. A register counts
//! as far as its newest checkpoint with a quorum, or as far as it is held where nobody witnesses.

use std::collections::BTreeMap;
use std::path::Path;

use hutong_protocol::charter::{CharterChain, ExtendError, SignedCharter, SignedCharterError};
use hutong_protocol::directory::Directory;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use thiserror::Error;

use crate::charter_file::{self, CharterFileError};
use crate::store::{Store, StoreError};

/// Why the directory could not be made from what is stored.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The charter file of the data folder.
    #[error(transparent)]
    File(#[from] CharterFileError),
    /// A charter that the store holds is out of form.
    #[error("a stored charter is damaged")]
    Damaged(#[from] SignedCharterError),
    /// The founding charter does not hold.
    #[error("the founding charter does not hold")]
    Founding(#[from] ExtendError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The federation as it was founded, and every other charter at hand.
#[derive(Debug, Clone)]
pub struct Charters {
    /// The directory of the founding charter alone.
    pub founded: Directory,
    /// Charters of later versions, whether they took effect or not; of one version there may be several.
    pub later: Vec<SignedCharter>,
}

impl Charters {
    /// Reads the charters of the data folder `data` and of its `store`; `None` where no federation was
    /// joined yet.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`].
    pub fn read(data: &Path, store: &Store) -> Result<Option<Self>, AuthorityError> {
        let Some(chain) = charter_file::read(data)? else { return Ok(None) };
        let mut charters = Self::of(&chain)?;
        for bytes in store.charters()? {
            let signed = SignedCharter::parse(&bytes)?;
            if !charters.later.contains(&signed) {
                charters.later.push(signed);
            }
        }
        Ok(Some(charters))
    }

    /// The charters of a chain.
    ///
    /// # Errors
    ///
    /// None in practice: a chain's first charter was verified.
    pub fn of(chain: &CharterChain) -> Result<Self, ExtendError> {
        let mut signed = chain.versions().iter().map(|version| version.signed().clone());
        let founding = signed.next().ok_or(ExtendError::NotFounding { met: 0 })?;
        Ok(Self { founded: Directory::found(founding)?, later: signed.collect() })
    }

    /// Folds the registers of `store` as far as they count.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn fold(&self, store: &Store) -> Result<Directory, StoreError> {
        self.fold_while(store, |_| Ok(true))
    }

    /// The directory right after the anchor at `index` of the register of charter version `version`; that of
    /// the end of what counts where there is no such place.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn fold_to(&self, store: &Store, place: (u64, u64)) -> Result<Directory, StoreError> {
        let (version, index) = place;
        self.fold_while(store, |directory| {
            let register = directory.register();
            Ok((register.version, register.size) <= (version, index))
        })
    }

    /// Folds the registers of `store` as long as `goes_on` says so of the directory after each entry.
    ///
    /// # Errors
    ///
    /// [`StoreError`], also that of `goes_on`.
    pub fn fold_while(
        &self,
        store: &Store,
        mut goes_on: impl FnMut(&Directory) -> Result<bool, StoreError>,
    ) -> Result<Directory, StoreError> {
        let registers: BTreeMap<ExchangeId, Vec<Entry>> = store.registers()?.into_iter().collect();
        let mut directory = self.founded.clone();
        while goes_on(&directory)? {
            let register = directory.register();
            let counts = register.size < counting_size(store, &directory)?;
            let place = usize::try_from(register.size).unwrap_or(usize::MAX);
            let entry = registers.get(&register.id).and_then(|entries| entries.get(place));
            let Some(entry) = entry.filter(|_| counts) else { break };
            let wanted = directory.wanted_charter(entry);
            let charter = self.later.iter().find(|charter| Some(charter.digest()) == wanted);
            if wanted.is_some() && charter.is_none() {
                break;
            }
            let entry = entry.clone();
            // What takes no effect takes none at every node alike.
            let _no_effect = directory.apply(&entry, charter);
        }
        Ok(directory)
    }
}

/// How many entries of the register in force count.
fn counting_size(store: &Store, directory: &Directory) -> Result<u64, StoreError> {
    let Some(head) = store.head(&directory.register().id)? else { return Ok(0) };
    let unwitnessed = directory.charters().latest().is_unwitnessed();
    let note = if unwitnessed { head.checkpoint } else { head.cosigned };
    Ok(note.map_or(0, |(size, _)| size).min(head.size))
}
