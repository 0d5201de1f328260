//! What this machine can do at all.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hutong_crypto::batch::{SignedMessage, verify_batch};
use hutong_crypto::keys::{Signature, SigningKey};
use rayon::prelude::*;

use crate::report::Report;

/// How long each limit is measured.
const FOR: Duration = Duration::from_secs(2);
/// Signatures in one batch: as many as an answer holds of statements of 1 KiB.
const BATCH: usize = 1_024;
const MESSAGE_BYTES: usize = 1_024;
const BLOCK_BYTES: usize = 1 << 20;

/// Limits, in events or bytes a second.
pub(crate) struct Machine {
    /// Signatures of 1 KiB made on all cores.
    pub(crate) sign: f64,
    /// Signatures of 1 KiB by one key verified in batches on all cores.
    pub(crate) verify: f64,
    /// Bytes written to one file, synced once.
    pub(crate) write: f64,
    /// Bytes through a TCP connection on loopback.
    pub(crate) copy: f64,
    /// The median time of a write of 1 KiB with `fdatasync`, in seconds.
    pub(crate) sync: f64,
}

impl Machine {
    pub(crate) fn measure() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (write, sync) = disk(&folder.path().join("limit"))?;
        Ok(Self { sign: sign(), verify: verify(), write, copy: copy()?, sync })
    }

    pub(crate) fn describe(&self, report: &mut Report) {
        report.limit("signing, all cores", self.sign, "/s");
        report.limit("verifying in batches, all cores", self.verify, "/s");
        report.limit("sequential write", self.write / 1e6, "MB/s");
        report.limit("loopback copy", self.copy / 1e6, "MB/s");
        report.limit("write of 1 KiB with sync, median", self.sync * 1e3, "ms");
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn messages() -> Vec<Vec<u8>> {
    (0..BATCH).map(|number| number.to_le_bytes().repeat(MESSAGE_BYTES / 8)).collect()
}

/// Repeats `work` on all cores for a while; returns how often it was done a second.
fn rate(each: usize, work: impl Fn() + Sync) -> f64 {
    let cores = rayon::current_num_threads();
    let begun = Instant::now();
    let done: usize = (0..cores)
        .into_par_iter()
        .map(|_| {
            let mut done = 0;
            while begun.elapsed() < FOR {
                work();
                done += each;
            }
            done
        })
        .sum();
    per_second(done, begun.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn sign() -> f64 {
    let (key, messages) = (key(), messages());
    rate(BATCH, || {
        for message in &messages {
            std::hint::black_box(key.sign(message));
        }
    })
}

fn verify() -> f64 {
    let (key, messages) = (key(), messages());
    let signatures: Vec<Signature> = messages.iter().map(|message| key.sign(message)).collect();
    let public = key.public();
    let batch: Vec<SignedMessage<'_>> = messages
        .iter()
        .zip(signatures)
        .map(|(message, signature)| SignedMessage { key: public, head: &[], message, signature })
        .collect();
    rate(BATCH, || {
        std::hint::black_box(verify_batch(&batch));
    })
}

fn disk(path: &std::path::Path) -> anyhow::Result<(f64, f64)> {
    let block = vec![7_u8; BLOCK_BYTES];
    let mut file = File::create(path)?;
    let begun = Instant::now();
    let mut written = 0;
    while begun.elapsed() < FOR {
        file.write_all(&block)?;
        written += block.len();
    }
    file.sync_data()?;
    let write = per_second(written, begun.elapsed());
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        file.write_all(&block[..MESSAGE_BYTES])?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok((write, percentile(&mut times, 50)))
}

/// The value below which so many of 100 lie.
pub(crate) fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or(f64::NAN)
}

fn copy() -> anyhow::Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let sender = thread::spawn(move || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        let block = vec![7_u8; BLOCK_BYTES];
        let begun = Instant::now();
        while begun.elapsed() < FOR {
            stream.write_all(&block)?;
        }
        Ok(())
    });
    let (mut stream, _) = listener.accept()?;
    let mut block = vec![0_u8; BLOCK_BYTES];
    let begun = Instant::now();
    let mut copied = 0;
    loop {
        let read = stream.read(&mut block)?;
        if read == 0 {
            break;
        }
        copied += read;
    }
    let rate = per_second(copied, begun.elapsed());
    sender.join().ok().context("the sender panicked")??;
    Ok(rate)
}
