//! Real networks on loopback: free ports, awaited events, counters asked again until they are right.
//! Every wait ends; none has a fixed length.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::panic, reason = "a panic is a failed test")]

mod connecting;
mod finding;
mod gossiping;
mod harness;
mod hostile;
mod refusing;
mod relaying;
mod requesting;
mod wire;
