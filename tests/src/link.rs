//! A way to a node that can be cut and healed: a TCP relay on loopback, which peers know as the node's address.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The way to one node. It ends with its owner.
pub struct Link {
    near: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    ended: bool,
    next: u64,
    /// Both ends of every connection that goes through.
    open: BTreeMap<u64, (TcpStream, TcpStream)>,
}

impl Link {
    /// Begins to pass on connections to `far`.
    ///
    /// # Errors
    ///
    /// No port is free on loopback.
    pub fn to(far: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let near = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&shared).ended {
                    break;
                }
                // Whoever cannot be passed on is hung up on, as by a network that is down.
                let passed = stream.and_then(|stream| pass(stream, far, &shared));
                drop(passed);
            }
        });
        Ok(Self { near, state })
    }

    /// Where peers find the node.
    pub const fn near(&self) -> SocketAddr {
        self.near
    }

    /// Breaks every connection and lets none through.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.cut = true;
        for (near, far) in std::mem::take(&mut state.open).into_values() {
            hang_up(&near);
            hang_up(&far);
        }
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        lock(&self.state).cut = false;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        lock(&self.state).ended = true;
        // Wakes the listener, which then ends.
        drop(TcpStream::connect(self.near));
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hang_up(stream: &TcpStream) {
    // The other side may have gone already.
    let _ = stream.shutdown(Shutdown::Both);
}

fn pass(near: TcpStream, far: SocketAddr, shared: &Arc<Mutex<State>>) -> std::io::Result<()> {
    let far = TcpStream::connect(far)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut state = lock(shared);
    if state.cut {
        return Ok(());
    }
    let number = state.next;
    state.next += 1;
    state.open.insert(number, (near.try_clone()?, far.try_clone()?));
    drop(state);
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            copy(from, to);
            lock(&shared).open.remove(&number);
        });
    }
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    hang_up(&from);
    hang_up(&to);
}
