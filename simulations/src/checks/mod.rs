//! What must hold whatever happens: one property in each module.
//!
//! Safety is looked at all the time: when something becomes durable, when an honest node says
//! something, when bytes reach somebody, and at intervals. What needs peace (that all come to
//! hold the same) is asked after the network has healed.

mod anchors;
mod append_only;
mod audience;
mod blame;
mod bounds;
pub mod convergence;
mod directory;
mod durable;
mod equivocation;
mod finality;
mod frozen;
mod identity;
mod memory;
mod quorum;
mod survival;
mod truth;
mod verdicts;
mod witness;

use bytes::Bytes;
use hutong_protocol::io::Notice;
use hutong_protocol::message::{Gossip, Request, Response};
use hutong_protocol::persist::Persist;

use crate::node::Slot;
use crate::world::World;

/// A property that was violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which property.
    pub checker: &'static str,
    /// When, in milliseconds of virtual time.
    pub at_ms: u64,
    /// How.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} ms: {}", self.checker, self.at_ms, self.text)
    }
}

/// Bytes between nodes, and what they mean; nothing where they cannot be read.
#[derive(Debug)]
pub enum Message {
    /// Spread to everybody.
    Gossip(Option<Gossip>),
    /// Asked of one peer.
    Request(Option<Request>),
    /// Answered to one peer.
    Response(Option<Response>),
}

/// Something that a node says.
#[derive(Debug)]
pub struct Said<'a> {
    /// Who says it.
    pub from: Slot,
    /// To whom; nobody in particular where it is spread.
    pub to: Option<Slot>,
    /// As it goes over the wire.
    pub bytes: &'a Bytes,
    /// What it means.
    pub message: &'a Message,
}

/// How a property was violated, in words.
pub type Found = Vec<String>;

/// Watches over one property.
pub trait Checker: std::fmt::Debug {
    /// The property's name.
    fn name(&self) -> &'static str;

    /// A node starts to say something: all that it rests on must be durable.
    fn said(&mut self, _world: &World, _said: &Said<'_>, _found: &mut Found) {}

    /// Bytes reach a node.
    fn heard(
        &mut self,
        _world: &World,
        _from: Slot,
        _to: Slot,
        _bytes: &Bytes,
        _found: &mut Found,
    ) {
    }

    /// A change is about to be made to a node's disk.
    fn stored(&mut self, _world: &World, _slot: Slot, _change: &Persist, _found: &mut Found) {}

    /// A node tells its operator something.
    fn noticed(&mut self, _world: &World, _slot: Slot, _notice: &Notice, _found: &mut Found) {}

    /// Some time has passed.
    fn looked(&mut self, _world: &World, _found: &mut Found) {}

    /// The network has healed and has had time to settle.
    fn ended(&mut self, _world: &World, _found: &mut Found) {}
}

/// All checkers.
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::<anchors::Anchors>::default(),
        Box::<append_only::AppendOnly>::default(),
        Box::<audience::Audience>::default(),
        Box::<blame::Blame>::default(),
        Box::<bounds::Bounds>::default(),
        Box::<directory::Directories>::default(),
        Box::<durable::Durable>::default(),
        Box::<equivocation::Equivocations>::default(),
        Box::<finality::Finality>::default(),
        Box::<frozen::Frozen>::default(),
        Box::<identity::Identity>::default(),
        Box::<memory::Memory>::default(),
        Box::<quorum::Quorum>::default(),
        Box::<survival::Survival>::default(),
        Box::<verdicts::Verdicts>::default(),
        Box::<witness::Witnesses>::default(),
    ]
}

/// A way to ask all checkers.
type Ask<'a> = &'a mut dyn FnMut(&mut dyn Checker, &World, &mut Found);

impl World {
    /// Asks every checker, and keeps what they find.
    pub(crate) fn check(&mut self, ask: Ask<'_>) {
        let mut checkers = std::mem::take(&mut self.checkers);
        let at_ms = self.now_ms();
        for checker in &mut checkers {
            let mut found = Found::new();
            ask(checker.as_mut(), self, &mut found);
            let checker = checker.name();
            let violations = found.into_iter().map(|text| Violation { checker, at_ms, text });
            self.violations.extend(violations);
        }
        self.checkers = checkers;
    }

    /// Looks at everything that can be looked at at any time.
    pub fn look(&mut self) {
        self.check(&mut |checker, world, found| checker.looked(world, found));
    }

    /// Looks at what must be so in the end.
    pub fn look_in_the_end(&mut self) {
        self.look();
        self.check(&mut |checker, world, found| checker.ended(world, found));
    }

    /// Everything that was found so far and may never happen, in words.
    pub fn broken(&mut self) -> Vec<String> {
        self.look();
        self.violations.iter().map(ToString::to_string).collect()
    }

    /// The nodes that keep the rules and are up.
    pub fn honest(&self) -> Vec<Slot> {
        let sound = |slot: &Slot| self.is_honest(*slot) && self.nodes[*slot].state.is_some();
        (0..self.nodes.len()).filter(sound).collect()
    }

    /// Whether the node keeps the rules.
    pub fn is_honest(&self, slot: Slot) -> bool {
        !self.nodes[slot].dishonest && !self.nodes[slot].corrupt
    }
}
