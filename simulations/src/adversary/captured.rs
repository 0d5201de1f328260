//! Uses the key of a provincial exchange for what its owner never would.

use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::directory::Prefix;
use hutong_protocol::statement::StatementType;
use serde_json::{Value, json};

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Admits puppets and others, somebody under an id that is taken, decides about foreign members, voids what is
/// final, and repeats and garbles decisions.
#[derive(Debug, Default)]
pub(super) struct CapturedProvince {
    step: usize,
}

/// How many things it does.
const STEPS: usize = 9;

impl CapturedProvince {
    /// What is decided in a step: some of it counts, most does not, and all must agree on which.
    fn decision(&self, world: &mut World, me: Slot) -> Option<(StatementType, Value)> {
        let federation = world.federation.clone();
        let own = world.id(me).clone();
        let day = Date::of(world.timestamp(me));
        let numbered = |body, number| federation.numbered(body, number, day);
        let admission = |place: usize| Some(numbered(federation.admission(place).ok()?, 1));
        let strangers =
            || (0..federation.exchanges.len()).filter(|at| federation.exchanges[*at].stranger);
        let is_child = |at: &usize| federation.exchanges[*at].parent.as_ref() == Some(&own);
        let child = (0..federation.exchanges.len())
            .filter(|at| !federation.exchanges[*at].stranger)
            .find(is_child);
        let restraint = |place: usize, number| {
            let member = federation.exchanges[place].id.as_str();
            let (size, root) = (0, Prefix::empty().root.to_string());
            let body =
                json!({ "log_root_honoured": root, "log_size_honoured": size, "member": member });
            numbered(body, number)
        };
        let any = world.rng.index(federation.exchanges.len());
        let decided = match self.step {
            0 => {
                let puppet = strangers().find(is_child)?;
                world.admitted.insert(puppet);
                (StatementType::MemberAdmit, admission(puppet)?)
            }
            // A puppet of another province, a member of its own or another's, and one that is not.
            1 => (StatementType::MemberAdmit, admission(strangers().next_back()?)?),
            2 => (StatementType::MemberAdmit, admission(any)?),
            3 => (StatementType::MemberAdmit, json!({ "descriptor": "none" })),
            4 => {
                let foreign = federation.exchanges.iter().position(|one| {
                    one.council || one.parent.as_ref().is_some_and(|parent| *parent != own)
                })?;
                (StatementType::MemberExpel, restraint(foreign, 1))
            }
            5 => (StatementType::MemberSuspend, json!({ "member": own.as_str() })),
            // Somebody else under its child's id.
            6 => {
                let body = federation.impostor(child?, world.rng.bits()).ok()?;
                (StatementType::MemberAdmit, numbered(body, 2))
            }
            // All that its child ever recorded: what is final stands.
            7 => {
                world.removed.insert(child?);
                (StatementType::MemberSuspend, restraint(child?, 2))
            }
            // The same number once more.
            8 => (StatementType::MemberExpel, restraint(child?, 2)),
            _ => return None,
        };
        Some(decided)
    }
}

impl Adversary for CapturedProvince {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        if self.step >= STEPS {
            return None;
        }
        let decided = self.decision(world, me);
        self.step += 1;
        if let Some((kind, body)) = decided {
            let (at, salt) = (world.timestamp(me), world.rng.salt());
            let exchange = &world.federation.exchanges[world.nodes[me].exchange];
            // A body out of form is no statement, and cannot be said at all.
            if let Ok(entry) = exchange.prepare(kind, Audience::Public, at, salt, body) {
                world.append(me, vec![entry]);
            }
        }
        Some(100 + world.rng.below(200))
    }
}
