//! Real networks on loopback: free ports, awaited events, no sleeps.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::panic, reason = "a panic is a failed test")]

mod connecting;
mod finding;
mod gossiping;
mod harness;
mod hostile;
mod refusing;
mod requesting;
mod wire;
