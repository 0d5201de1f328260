//! Nothing is said that a crash could make the node forget.

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::note::NoteSignature;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::message::{Gossip, Request, Response};

use super::{Checker, Found, Message, Said};
use crate::disk::DiskLog;
use crate::node::Slot;
use crate::world::World;

/// Compares what is said with the disk at that moment.
#[derive(Debug, Default)]
pub(super) struct Durable;

impl Checker for Durable {
    fn name(&self) -> &'static str {
        "durable"
    }

    fn said(&mut self, world: &World, said: &Said<'_>, found: &mut Found) {
        if !world.is_honest(said.from) {
            return;
        }
        let from = said.from;
        match said.message {
            Message::Gossip(Some(Gossip::Announcement(news)))
            | Message::Request(Some(Request::Announcement(news))) => {
                check_note(world, from, &news.log, &news.note.encode(), found);
            }
            Message::Gossip(Some(Gossip::Evidence { log, .. })) => {
                let kept = world.nodes[from].disk.log(log);
                if kept.is_none_or(|disk| disk.evidence().is_empty()) {
                    found.push(format!("{} spreads evidence it does not keep", world.id(from)));
                }
            }
            Message::Request(Some(Request::Cosignature { log, size, line })) => {
                check_cosignature(world, from, log, *size, line, found);
            }
            Message::Response(Some(Response::Heads { heads, .. })) => {
                for (log, note) in heads {
                    check_note(world, from, log, note, found);
                }
            }
            Message::Response(Some(Response::Checkpoint { note })) => {
                let log = origin_of(note);
                if let Some(log) = log {
                    check_note(world, from, &log, note, found);
                }
            }
            _ => {}
        }
    }
}

fn origin_of(note: &str) -> Option<ExchangeId> {
    note.lines().next()?.rsplit('/').next()?.parse().ok()
}

/// A checkpoint that is shown is of a tree on the disk.
fn check_note(world: &World, slot: Slot, log: &ExchangeId, note: &str, found: &mut Found) {
    // The text before the empty line; the signatures do not matter here.
    let Some((text, _)) = note.split_once("\n\n") else { return };
    let Ok(checkpoint) = Checkpoint::parse(&format!("{text}\n")) else { return };
    let size = checkpoint.size;
    let root = world.nodes[slot].disk.log(log).and_then(|disk| disk.root_at(size));
    if size > 0 && root != Some(checkpoint.root) {
        let name = world.id(slot);
        found.push(format!("{name} shows {size} leaves of {log} that its disk does not hold"));
    }
}

/// A cosignature that is sent is remembered on the disk.
fn check_cosignature(
    world: &World,
    slot: Slot,
    log: &ExchangeId,
    size: u64,
    line: &str,
    found: &mut Found,
) {
    let name = world.federation.origin(world.id(slot)).witness_name();
    let own = NoteSignature::parse_line(line).is_ok_and(|line| line.name == name);
    if !own {
        return;
    }
    let disk = world.nodes[slot].disk.log(log);
    if disk.is_some_and(DiskLog::witness_is_damaged) {
        return;
    }
    let remembered = disk.and_then(DiskLog::witness);
    if remembered.is_none_or(|(held, _)| held < size) {
        let id = world.id(slot);
        found.push(format!("{id} cosigned {size} leaves of {log} and may forget it"));
    }
}
