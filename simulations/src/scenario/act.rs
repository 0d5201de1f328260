//! What can happen in a step.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use hutong_crypto::checkpoint::Checkpoint;
use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::directory::{Extension, Prefix};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::statement::StatementType;
use serde_json::json;

use crate::disk::{DiskLog, Part};
use crate::node::Slot;
use crate::world::{Restricted, World};

/// What happens in a step.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A node appends a group of statements.
    Append {
        /// The exchange.
        node: String,
        /// How many.
        count: u64,
        /// Whether they are for domestic members only.
        #[serde(default, skip_serializing_if = "is_false")]
        domestic: bool,
        /// The members that they are for, if not for everybody.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<String>,
        /// Bytes that each is longer than it must be.
        #[serde(default, skip_serializing_if = "is_zero")]
        padding: usize,
    },
    /// An exchange is admitted.
    Admit {
        /// The exchange.
        node: String,
    },
    /// A member is suspended, reinstated or expelled by who answers for it.
    Decide {
        /// The exchange.
        node: String,
        /// What.
        decision: Decision,
    },
    /// A node stops, whoever answers for the exchange gives it other keys, and the node starts with those.
    Rekey {
        /// The exchange.
        node: String,
    },
    /// A node loses everything but its disk.
    Crash {
        /// The exchange.
        node: String,
    },
    /// A node crashes in the middle of what it does next.
    CrashInTheMiddle {
        /// The exchange.
        node: String,
    },
    /// A node starts from its disk.
    Restart {
        /// The exchange.
        node: String,
    },
    /// Groups of nodes cannot reach each other or the rest.
    Partition {
        /// The groups.
        groups: Vec<Vec<String>>,
    },
    /// Nothing gets through from one group to another, though they stay connected.
    Block {
        /// The senders.
        from: Vec<String>,
        /// Whom they do not reach.
        to: Vec<String>,
    },
    /// A node is connected to these others only.
    Eclipse {
        /// The exchange.
        node: String,
        /// The others.
        by: Vec<String>,
    },
    /// A node makes a receipt: it wants an anchor soon, and its own leaf in the newest.
    Receipt {
        /// The exchange.
        node: String,
    },
    /// All nodes reach each other again.
    Heal,
    /// A bit flips on a node's disk.
    Damage {
        /// The exchange.
        node: String,
        /// In what.
        part: Part,
    },
    /// A copy of a node's disk is kept.
    BackUp {
        /// The exchange.
        node: String,
    },
    /// A node starts from the copy, or from an empty disk, and knows it.
    Restore {
        /// The exchange.
        node: String,
    },
    /// A node's clock is set forward or back.
    SetClock {
        /// The exchange.
        node: String,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// A second node of the exchange starts from a copy of the disk; each meets half of the
    /// others, and each appends.
    SplitView {
        /// The exchange.
        node: String,
        /// How many statements the first appends.
        here: u64,
        /// How many the second appends.
        there: u64,
    },
}

/// A decision about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// What it records from now on is of no effect.
    Suspend,
    /// It counts again.
    Reinstate,
    /// It never will again.
    Expel,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(it: &bool) -> bool {
    !it
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(it: &usize) -> bool {
    *it == 0
}

impl World {
    /// The node of the exchange of that name.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn slot(&self, name: &str) -> Result<Slot> {
        let found = self.federation.exchanges.iter().position(|one| one.id.as_str() == name);
        found.with_context(|| format!("no exchange {name} in the scenario"))
    }

    fn slots(&self, names: &[String]) -> Result<Vec<Slot>> {
        names.iter().map(|name| self.slot(name)).collect()
    }

    /// Has an exchange admitted by whoever may.
    ///
    /// # Errors
    ///
    /// Where nobody may.
    pub fn admit(&mut self, index: usize) -> Result<()> {
        self.admit_all(&[index])
    }

    /// Has exchanges admitted by whoever may; each parent enters its children as one group.
    ///
    /// # Errors
    ///
    /// Where nobody may admit one that is not on the council.
    pub fn admit_all(&mut self, places: &[usize]) -> Result<()> {
        let mut groups: BTreeMap<usize, Vec<Prepared>> = BTreeMap::new();
        for place in places {
            let exchange = &self.federation.exchanges[*place];
            let Some(parent) = self.federation.decider(*place) else {
                if exchange.council {
                    continue;
                }
                bail!("nobody admits {}", exchange.id);
            };
            let body = self.federation.admission(*place)?;
            self.admitted.insert(*place);
            let entry = self.decree(parent, *place, StatementType::MemberAdmit, body)?;
            groups.entry(parent).or_default().push(entry);
        }
        for (parent, entries) in groups {
            self.append(parent, entries);
        }
        Ok(())
    }

    /// A decision about the exchange at `member`, as `by` enters it.
    ///
    /// # Errors
    ///
    /// Where the body does not fit the type.
    pub fn decree(
        &mut self,
        by: usize,
        member: usize,
        kind: StatementType,
        body: serde_json::Value,
    ) -> Result<Prepared> {
        let (at, salt) = (self.timestamp(by), self.rng.salt());
        let federation = Arc::make_mut(&mut self.federation);
        let body = federation.decided(&kind, member, body, Date::of(at));
        federation.exchanges[by].prepare(kind, Audience::Public, at, salt, body)
    }

    /// What a quorum cosigned of the log of the exchange at `place`, as far as the node at `by` holds it.
    fn stands(&self, by: Slot, place: usize) -> Prefix {
        let log = self.nodes[by].disk.log(&self.federation.exchanges[place].id);
        log.and_then(DiskLog::witnessed).unwrap_or_else(Prefix::empty)
    }

    fn decide(&mut self, slot: Slot, decision: Decision) -> Result<()> {
        let place = self.nodes[slot].exchange;
        let by = self.federation.decider(place).context("nobody may decide")?;
        let mut body = json!({ "member": self.federation.exchanges[place].id.as_str() });
        let kind = match decision {
            Decision::Suspend | Decision::Expel => {
                let stands = self.stands(by, place);
                body["log_size_honoured"] = json!(stands.size);
                body["log_root_honoured"] = json!(stands.root.to_string());
                self.stands.insert(place, stands);
                if decision == Decision::Suspend {
                    StatementType::MemberSuspend
                } else {
                    StatementType::MemberExpel
                }
            }
            Decision::Reinstate => {
                // Where nothing was decided before, there is nothing to lift.
                let Some(stands) = self.stands.remove(&place) else { return Ok(()) };
                let log = &self.federation.exchanges[place].id;
                let Some(disk) = self.nodes[by].disk.log(log) else { return Ok(()) };
                let Some(note) = disk.checkpoint() else { return Ok(()) };
                let size = Checkpoint::size_in(note).context("a checkpoint")?;
                let extension = Extension {
                    left: disk.cover(0, stands.size),
                    right: disk.cover(stands.size, size),
                };
                body["checkpoint"] = json!(note);
                if let Some(members) = body.as_object_mut() {
                    extension.write(members);
                }
                StatementType::MemberReinstate
            }
        };
        self.removed.insert(place);
        let entry = self.decree(by, place, kind, body)?;
        self.append(by, vec![entry]);
        Ok(())
    }

    /// Changes the keys of the exchange whose node is at `slot`. Not done where its operator could not
    /// name the size of its log, where a quorum has not cosigned all of it, or where statements by the former
    /// keys still wait: nobody could record them any more.
    fn rekey(&mut self, slot: Slot) -> Result<()> {
        let place = self.nodes[slot].exchange;
        let node = &self.nodes[slot];
        let knows = node.state.as_ref().is_some_and(|it| it.may_sign() && !it.is_restoring());
        let size = node.disk.log(self.id(slot)).map_or(0, |disk| disk.tree.size());
        let stands = self.stands(slot, place);
        let whole = stands.size == size;
        if !knows || !whole || !node.is_settled() || self.waits_to_append(slot) {
            return Ok(());
        }
        let by = self.federation.decider(place).context("nobody may rekey")?;
        self.crash(slot);
        let seed = self.rng.bits();
        let body = Arc::make_mut(&mut self.federation).rekey(place, seed, &stands)?;
        let entry = self.decree(by, place, StatementType::MemberRekey, body)?;
        self.append(by, vec![entry]);
        self.start_later(slot);
        Ok(())
    }

    /// Statements of the exchange at `slot`.
    ///
    /// # Errors
    ///
    /// Where one would not be well formed.
    pub fn statements(
        &mut self,
        slot: Slot,
        count: u64,
        audience: &Audience,
    ) -> Result<Vec<Prepared>> {
        self.long_statements(slot, count, audience, 0)
    }

    /// As [`World::statements`], each longer by `padding` bytes.
    ///
    /// # Errors
    ///
    /// Where one would not be well formed.
    pub fn long_statements(
        &mut self,
        slot: Slot,
        count: u64,
        audience: &Audience,
        padding: usize,
    ) -> Result<Vec<Prepared>> {
        let at = self.timestamp(slot);
        let mut entries = Vec::new();
        for _ in 0..count {
            let salt = self.rng.salt();
            let secret = format!("{:016x}{:016x}", self.rng.bits(), self.rng.bits());
            let exchange = &self.federation.exchanges[self.nodes[slot].exchange];
            let kind = StatementType::Unknown("simulation/note/v1".into());
            let body = json!({ "note": secret, "padding": "x".repeat(padding) });
            let prepared = exchange.prepare(kind, audience.clone(), at, salt, body)?;
            if *audience != Audience::Public {
                let (entry, log) = (prepared.entry().clone(), exchange.id.clone());
                let audience = audience.clone();
                let id = entry.leaf_hash();
                self.restricted.insert(id, Restricted { log, audience, entry, secret });
            }
            entries.push(prepared);
        }
        Ok(entries)
    }

    /// Does what a step says.
    ///
    /// # Errors
    ///
    /// Where it names what there is not.
    pub fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Append { node, count, domestic, members, padding } => {
                let slot = self.slot(node)?;
                let audience = match (domestic, members.is_empty()) {
                    (true, _) => Audience::Domestic,
                    (false, true) => Audience::Public,
                    (false, false) => {
                        let ids = members.iter().map(|id| id.parse()).collect::<Result<_, _>>();
                        Audience::Members(ids.context("members of an audience")?)
                    }
                };
                let entries = self.long_statements(slot, *count, &audience, *padding)?;
                self.append(slot, entries);
            }
            Act::Admit { node } => {
                let slot = self.slot(node)?;
                self.admit(slot)?;
            }
            Act::Decide { node, decision } => {
                let slot = self.slot(node)?;
                self.decide(slot, *decision)?;
            }
            Act::Rekey { node } => {
                let slot = self.slot(node)?;
                self.rekey(slot)?;
            }
            Act::Partition { groups } => {
                let groups: Result<Vec<Vec<Slot>>> =
                    groups.iter().map(|group| self.slots(group)).collect();
                self.partition(&groups?);
            }
            Act::Block { from, to } => {
                let (from, to) = (self.slots(from)?, self.slots(to)?);
                self.block(&from, &to);
            }
            Act::Eclipse { node, by } => {
                let (slot, by) = (self.slot(node)?, self.slots(by)?);
                self.eclipse(slot, &by);
            }
            Act::Receipt { node } => {
                let slot = self.slot(node)?;
                if self.nodes[slot].state.is_some() {
                    self.want_anchor(slot);
                    self.want_leaf(slot, self.id(slot).clone());
                }
            }
            Act::Heal => self.reach_all(),
            Act::SplitView { node, here, there } => {
                let slot = self.slot(node)?;
                self.fork(slot, *here, *there)?;
            }
            Act::Crash { node }
            | Act::CrashInTheMiddle { node }
            | Act::Restart { node }
            | Act::Damage { node, .. }
            | Act::BackUp { node }
            | Act::Restore { node }
            | Act::SetClock { node, .. } => {
                let slot = self.slot(node)?;
                self.befall(slot, act);
            }
        }
        Ok(())
    }

    /// What happens to one node's process, disk or clock.
    fn befall(&mut self, slot: Slot, act: &Act) {
        match act {
            Act::Crash { .. } => self.crash(slot),
            Act::CrashInTheMiddle { .. } => self.crash_in_the_middle(slot),
            Act::Restart { .. } => self.start(slot, false),
            Act::Damage { part, .. } => self.damage(slot, *part),
            Act::BackUp { .. } => self.back_up(slot),
            Act::Restore { .. } => {
                self.restore(slot);
            }
            Act::SetClock { by_ms, .. } => self.jump_clock(slot, *by_ms),
            _ => {}
        }
    }

    fn fork(&mut self, slot: Slot, here: u64, there: u64) -> Result<()> {
        let twin = self.split_view(slot);
        for (slot, count) in [(slot, here), (twin, there)] {
            let entries = self.statements(slot, count, &Audience::Public)?;
            self.append(slot, entries);
        }
        Ok(())
    }
}
