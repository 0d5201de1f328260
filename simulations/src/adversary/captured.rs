//! Uses the key of a provincial exchange for what its owner never would.

use hutong_protocol::audience::Audience;
use hutong_protocol::statement::StatementType;
use serde_json::{Value, json};

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Admits puppets and others, decides about foreign members, and repeats and garbles decisions.
#[derive(Debug, Default)]
pub(super) struct CapturedProvince {
    step: usize,
}

impl CapturedProvince {
    /// What is decided in a step: some of it counts, most does not, and all must agree on which.
    fn decision(&self, world: &mut World, me: Slot) -> Option<(StatementType, Value)> {
        let federation = world.federation.clone();
        let own = world.id(me).clone();
        let admission = |place: usize| federation.admission(place).map(|(_, body)| body);
        let strangers =
            || (0..federation.exchanges.len()).filter(|at| federation.exchanges[*at].stranger);
        let puppet = strangers().find(|at| federation.exchanges[*at].parent.as_ref() == Some(&own));
        let any = world.rng.index(federation.exchanges.len());
        let decided = match self.step {
            0 => {
                let puppet = puppet?;
                world.admitted.insert(puppet);
                (StatementType::MemberAdmit, admission(puppet)?)
            }
            // A puppet of another province, a member of its own or another's, and one that is not.
            1 => (StatementType::MemberAdmit, admission(strangers().next_back()?)?),
            2 => (StatementType::MemberAdmit, admission(any)?),
            3 => (StatementType::MemberAdmit, json!({ "descriptor": "none" })),
            4 => {
                let foreign = federation.exchanges.iter().find(|one| {
                    one.council || one.parent.as_ref().is_some_and(|parent| *parent != own)
                })?;
                let body = json!({ "member": foreign.id.as_str(), "log_size_honoured": 0 });
                (StatementType::MemberExpel, body)
            }
            5 => (StatementType::MemberSuspend, json!({ "member": own.as_str() })),
            _ => return None,
        };
        Some(decided)
    }
}

impl Adversary for CapturedProvince {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        if self.step > 5 {
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
        Some(200 + world.rng.below(600))
    }
}
