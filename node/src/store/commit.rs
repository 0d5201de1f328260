//! The one writer: durable group commits.
//!
//! Order is what makes a crash harmless. (1) Plan, reading only. (2) Grow the files. (3) Write the
//! changes into the journal and sync it: now they are durable. (4) Readers see the new heads. Files
//! and heads become durable at the next checkpoint; until then opening cuts the files back to the
//! old heads and makes the journal's commits again. A failure in (2) cuts them back at once.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, OnceLock};

use hutong_crypto::digest::{Hash, sha256};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use super::bundle;
use super::core::{Core, Held};
use super::edge::Edge;
use super::error::StoreError;
use super::files::LogFiles;
use super::folder::Folders;
use super::heads::{HeadChanges, Heads};
use super::journal::{Journal, Record, Recovered};
use super::path::TILE_WIDTH;
use super::record::{
    Kind, anchor_key, charter_key, decode_sized, encode_sized, log_key, number_key,
};
use super::room::{self, Space};
use super::stage::{Stage, Staged};

/// State of the writing side.
#[derive(Debug)]
pub(super) struct Writer {
    folders: Folders,
    next_log: u32,
    charters: Vec<Hash>,
    journal: Journal,
    poisoned: Option<String>,
}

/// What one commit puts into the index.
#[derive(Default)]
struct Plan {
    stage: Stage,
    batch: HeadChanges,
    charters: Vec<Hash>,
    logs_added: u32,
    witness: BTreeMap<ExchangeId, (u64, Hash)>,
}

impl Writer {
    pub(super) fn open(
        heads: &Heads,
        next_log: u32,
        folders: Folders,
        journal: Journal,
    ) -> sled::Result<Self> {
        let charters =
            heads.prefixed(&[Kind::Charter as u8])?.values().map(|c| sha256(c)).collect();
        Ok(Self { folders, next_log, charters, journal, poisoned: None })
    }
}

impl Core {
    /// Makes a group of changes durable together; see the module's description.
    pub(super) fn commit(&self, changes: &[Persist]) -> Result<(), StoreError> {
        let mut writer = self.writer()?;
        let plan = self.plan(&writer, changes)?;
        self.check_room(&plan.stage)?;
        let plan = self.write_files(&mut writer, plan)?;
        let record = Record::new(changes);
        if !writer.journal.has_room(&record) {
            self.checkpoint(&mut writer, record.len())?;
        }
        let journaled = writer.journal.has_room(&record);
        if journaled {
            writer.journal.append(record).inspect_err(|error| {
                // Whether the record is on disk is not known; the next opening will find out.
                writer.poisoned = Some(error.to_string());
            })?;
        }
        self.hand_over(&plan.stage, changes);
        self.show(&mut writer, plan, journaled)
    }

    /// Makes commits again that the journal holds and the heads do not tell of, then checkpoints.
    pub(super) fn recover(&self, commits: &[Recovered]) -> Result<(), StoreError> {
        if commits.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer()?;
        for commit in commits {
            let again = self.plan(&writer, &commit.changes).and_then(|plan| {
                let plan = self.write_files(&mut writer, plan)?;
                self.show(&mut writer, plan, true)
            });
            again.map_err(|error| match error {
                StoreError::Misuse { .. } | StoreError::Beyond { .. } => {
                    let what = format!("commit {} does not follow: {error}", commit.sequence);
                    StoreError::corrupt(&self.folder.journal(), None, what)
                }
                other => other,
            })?;
        }
        tracing::info!(
            commits = commits.len(),
            "made commits again that were not in the files yet"
        );
        self.checkpoint(&mut writer, 0)
    }

    /// Makes files and heads durable, so that the journal can begin anew, with room for `needed` bytes
    /// where that is within bounds.
    fn checkpoint(&self, writer: &mut Writer, needed: u64) -> Result<(), StoreError> {
        self.make_durable(writer, needed, &HeadChanges::default())?;
        self.heads.settle();
        Ok(())
    }

    /// The same, and makes `hidden` durable too, which readers do not see before the heads are settled.
    fn make_durable(
        &self,
        writer: &mut Writer,
        needed: u64,
        hidden: &HeadChanges,
    ) -> Result<(), StoreError> {
        let last = writer.journal.last();
        let durable = writer.folders.sync().and_then(|()| {
            let mut applied = HeadChanges::default();
            applied.insert(vec![Kind::Journal as u8], last.to_be_bytes());
            self.heads.apply(applied);
            self.heads.flush(hidden).map_err(self.index_error("flush"))?;
            writer.journal.restart(self.journal_bytes_max, needed);
            Ok(())
        });
        durable.inspect_err(|error| writer.poisoned = Some(error.to_string()))
    }

    /// Leaves nothing in the journal, so that the next opening has nothing to do.
    pub(super) fn close(&self) {
        let closed = self.writer().and_then(|mut writer| {
            if writer.journal.is_empty() {
                return Ok(());
            }
            // An index that meets a full disk may not open again; the journal has what it lacks.
            let (folder, free) = (self.folder.root(), room::free_bytes(self.folder.root())?);
            if !self.bounds.allow_closing(free) {
                let (folder, needed) = (folder.to_path_buf(), self.bounds.free_min);
                return Err(StoreError::NoRoom { folder, free, needed });
            }
            self.checkpoint(&mut writer, 0)
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the journal is read again at the next start");
            self.folder.leave_unsettled();
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let Ok(writer) = self.writer.lock() else {
            let reason = "a commit was broken off".to_owned();
            return Err(StoreError::Poisoned { reason });
        };
        match &writer.poisoned {
            Some(reason) => Err(StoreError::Poisoned { reason: reason.clone() }),
            None => Ok(writer),
        }
    }

    /// Step 2. On failure everything is as before.
    fn write_files(&self, writer: &mut Writer, mut plan: Plan) -> Result<Plan, StoreError> {
        match write_files(writer, &mut plan.stage) {
            Ok(()) => Ok(plan),
            Err(error) => {
                self.take_back(writer, &plan.stage, &error);
                Err(error)
            }
        }
    }

    /// Refuses a commit that would leave the index without room.
    fn check_room(&self, stage: &Stage) -> Result<(), StoreError> {
        let folder = self.folder.root();
        let (free, free_min) = (room::free_bytes(folder)?, self.bounds.free_min);
        let growth = stage.values().flat_map(|staged| staged.growth.values());
        let added: u64 = growth.map(|growth| growth.bytes.len() as u64).sum();
        let needed = free_min.saturating_add(added);
        if free_min > 0 && free < needed {
            return Err(StoreError::NoRoom { folder: folder.to_path_buf(), free, needed });
        }
        Ok(())
    }

    /// What the disk has room for at this moment.
    pub(super) fn space(&self) -> Result<Space, StoreError> {
        Ok(self.bounds.space(room::free_bytes(self.folder.root())?))
    }

    fn plan(&self, writer: &Writer, changes: &[Persist]) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        for change in changes {
            self.plan_one(writer, &mut plan, change)?;
        }
        Ok(plan)
    }

    fn plan_one(
        &self,
        writer: &Writer,
        plan: &mut Plan,
        change: &Persist,
    ) -> Result<(), StoreError> {
        match change {
            Persist::Leaves { log, from, leaves, void } => {
                self.stage(writer, plan, log)?.append(self, *from, leaves, void)
            }
            Persist::Fill { log, entries, void } => {
                self.stage(writer, plan, log)?.fill(self, entries, void)
            }
            Persist::Checkpoint { log, note, size } => {
                self.stage(writer, plan, log)?;
                let value = encode_sized(*size, note.as_bytes());
                plan.batch.insert(log_key(Kind::Checkpoint, log), value);
                Ok(())
            }
            Persist::Cosigned { log, note, size } => {
                self.stage(writer, plan, log)?;
                let value = encode_sized(*size, note.as_bytes());
                plan.batch.insert(log_key(Kind::Cosigned, log), value);
                Ok(())
            }
            Persist::WitnessMemory { log, size, root } => {
                self.stage(writer, plan, log)?;
                self.plan_witness(plan, log, *size, *root)
            }
            Persist::Frozen { log, size } => {
                self.stage(writer, plan, log)?;
                plan.batch.insert(log_key(Kind::Frozen, log), size.to_be_bytes());
                Ok(())
            }
            Persist::Thawed { log } => {
                self.stage(writer, plan, log)?;
                plan.batch.remove(log_key(Kind::Frozen, log));
                Ok(())
            }
            Persist::Evidence { log, bytes } => {
                let number = self.stage(writer, plan, log)?.held.number;
                let mut key = number_key(Kind::Evidence, number);
                key.extend_from_slice(sha256(bytes).as_bytes());
                plan.batch.insert(key, bytes.as_slice());
                Ok(())
            }
            Persist::Anchored { version, index, changes } => {
                plan.batch.insert(anchor_key(*version, *index), changes.as_ref());
                Ok(())
            }
            Persist::Charter { bytes } => {
                let digest = sha256(bytes);
                if !writer.charters.contains(&digest) && !plan.charters.contains(&digest) {
                    let number = (writer.charters.len() + plan.charters.len()) as u64;
                    plan.batch.insert(charter_key(number), bytes.as_slice());
                    plan.charters.push(digest);
                }
                Ok(())
            }
        }
    }

    /// A witness that forgot what it cosigned could be led to cosign a fork.
    fn plan_witness(
        &self,
        plan: &mut Plan,
        log: &ExchangeId,
        size: u64,
        root: Hash,
    ) -> Result<(), StoreError> {
        let held = match plan.witness.get(log) {
            Some(memory) => Some(*memory),
            None => self.witness(log)?,
        };
        if let Some((held_size, held_root)) = held
            && (size < held_size || size == held_size && root != held_root)
        {
            return Err(StoreError::misuse(
                log,
                format!("cosigned size {held_size} root {held_root}, met size {size} root {root}"),
            ));
        }
        plan.witness.insert(log.clone(), (size, root));
        plan.batch.insert(log_key(Kind::Witness, log), encode_sized(size, root.as_bytes()));
        Ok(())
    }

    /// Size and root last cosigned as a witness.
    pub(super) fn witness(&self, log: &ExchangeId) -> Result<Option<(u64, Hash)>, StoreError> {
        let Some(value) = self.value(&log_key(Kind::Witness, log))? else { return Ok(None) };
        decode_sized(&value)
            .and_then(|(size, root)| Some((size, Hash::try_from(root).ok()?)))
            .map(Some)
            .ok_or_else(|| {
                let what = format!("the witness memory of {log} is unreadable");
                StoreError::corrupt(&self.folder.index(), None, what)
            })
    }

    fn stage<'a>(
        &self,
        writer: &Writer,
        plan: &'a mut Plan,
        log: &ExchangeId,
    ) -> Result<&'a mut Staged, StoreError> {
        if !plan.stage.contains_key(log) {
            let staged = match self.held(log) {
                Ok(held) => Staged::new(held, false),
                Err(StoreError::UnknownLog(_)) => {
                    let number = writer.next_log + plan.logs_added;
                    plan.logs_added += 1;
                    Staged::new(Arc::new(self.empty_log(log, number)), true)
                }
                Err(error) => return Err(error),
            };
            plan.stage.insert(log.clone(), staged);
        }
        plan.stage.get_mut(log).ok_or_else(|| StoreError::UnknownLog(log.clone()))
    }

    fn empty_log(&self, log: &ExchangeId, number: u32) -> Held {
        Held {
            exchange: log.clone(),
            number,
            files: LogFiles::new(self.folder.logs().join(log.as_str())),
            edge: Edge::default(),
            bundle_bytes: 0,
            withheld: Arc::default(),
            void: Arc::default(),
            root: OnceLock::new(),
        }
    }

    /// After a failure in step 2: cuts the files back to the committed heads.
    fn take_back(&self, writer: &mut Writer, stage: &Stage, cause: &StoreError) {
        writer.folders.forget();
        let mut restored = Vec::new();
        for staged in
            stage.values().filter(|staged| !staged.growth.is_empty() || !staged.fills.is_empty())
        {
            let before = &staged.before;
            match before.files.trim(before.size(), &mut writer.folders) {
                Ok(bundle_bytes) => {
                    if !staged.fresh {
                        restored.push(Held { bundle_bytes, ..Held::clone(before) });
                    }
                }
                Err(error) => writer.poisoned = Some(format!("{cause}; and then {error}")),
            }
        }
        // What was committed is as before.
        self.replace_held(restored, || ());
    }

    /// Lets the views have new leaves without reading them.
    fn hand_over(&self, stage: &Stage, changes: &[Persist]) {
        for change in changes {
            if let Persist::Leaves { log, from, leaves, .. } = change
                && let Some(staged) = stage.get(log)
            {
                // Those that were held before may be held otherwise: filled in since.
                let passed = staged.before.size().saturating_sub(*from);
                let passed = usize::try_from(passed).unwrap_or(usize::MAX).min(leaves.len());
                self.fresh.keep(staged.held.number, from + passed as u64, &leaves[passed..]);
            }
        }
    }

    /// Step 4: the new heads, to be made durable with the next checkpoint where the commit is `journaled`, and
    /// readers see them. Nobody sees the one without the other, and nobody sees what is not durable.
    fn show(&self, writer: &mut Writer, plan: Plan, journaled: bool) -> Result<(), StoreError> {
        let Plan { stage, mut batch, mut charters, logs_added, .. } = plan;
        for (log, staged) in &stage {
            if staged.fresh || staged.held.size() != staged.before.size() {
                batch.insert(log_key(Kind::Head, log), staged.held.head().encode());
            }
            staged.encode_marks(&mut batch);
            staged.encode_refilled(&mut batch);
        }
        writer.next_log += logs_added;
        writer.charters.append(&mut charters);
        let changed: Vec<u32> = stage.values().map(|staged| staged.held.number).collect();
        let held = stage.into_values().map(|staged| staged.held);
        if journaled {
            self.replace_held(held, || self.heads.apply(batch));
        } else {
            // Longer than any journal: durable by itself, while readers go on with what was there before.
            self.make_durable(writer, 0, &batch)?;
            self.replace_held(held, || self.heads.settle());
        }
        self.wake_views(changed);
        Ok(())
    }
}

/// Step 2: everything that goes into files.
fn write_files(writer: &mut Writer, stage: &mut Stage) -> Result<(), StoreError> {
    for staged in stage.values() {
        if staged.fresh && !staged.growth.is_empty() {
            // What a crash may have left of a log that never had a head.
            staged.held.files.trim(0, &mut writer.folders)?;
        }
        for growth in staged.growth.values() {
            staged.held.files.prepare(growth.tile, &mut writer.folders)?;
            if growth.start == 0 || growth.start + growth.count == TILE_WIDTH {
                let path = staged.held.files.path(growth.tile, true);
                writer.folders.changed_parent(&path);
            }
            staged.held.files.grow(growth, &mut writer.folders)?;
        }
    }
    for staged in stage.values_mut() {
        fill_bundles(staged, &mut writer.folders)?;
    }
    Ok(())
}

/// Replaces the bundles of a log that gain entries; they were grown before.
fn fill_bundles(staged: &mut Staged, folders: &mut Folders) -> Result<(), StoreError> {
    let size = staged.held.size();
    let mut incomplete_bytes = None;
    for (number, filled) in staged.filled_bundles() {
        let count = (size - number * TILE_WIDTH).min(TILE_WIDTH);
        let old = staged.held.files.read_bundle(number, count)?;
        let mut bytes = Vec::new();
        for place in 0..old.count() {
            let known = filled.get(&(place as u64)).map(|entry| entry.as_bytes().as_ref());
            let kept = old.entry(place);
            // Lengths were checked when each entry was parsed or read.
            let fits = bundle::push(&mut bytes, known.or(kept.as_deref()));
            debug_assert!(fits, "an entry fits its length field");
        }
        staged.held.files.replace_bundle(number, count == TILE_WIDTH, &bytes, folders)?;
        if count < TILE_WIDTH {
            incomplete_bytes = Some(bytes.len() as u64);
        }
    }
    if let Some(bytes) = incomplete_bytes {
        staged.held.bundle_bytes = bytes;
    }
    Ok(())
}
