//! A node whose disk fills up: it says so, lives, loses nothing, and goes on when there is room. About 30 s.
//!
//! Needs a small disk of its own: a memory disk, which root alone can mount. Skipped elsewhere, saying so.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hutong_node::api::client::ClientError;
use hutong_tests::federation::{Exchange, Federation, listing};
use hutong_tests::process::{run, wait};

const PATIENCE: Duration = Duration::from_mins(1);

const MIB: u64 = 1 << 20;

/// A memory disk; unmounted when this goes.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one over `folder`, with what was in it. `None` where that is not allowed.
    fn over(folder: &Path) -> anyhow::Result<Option<Self>> {
        let before = folder.with_extension("before");
        fs::rename(folder, &before)?;
        fs::create_dir(folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=320m,mode=0700", "tmpfs"])
            .arg(folder)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let disk = Self(folder.to_owned());
        let copied = Command::new("cp").arg("-a").arg(before.join(".")).arg(folder).status()?;
        ensure!(copied.success(), "cannot copy the data folder");
        Ok(Some(disk))
    }

    fn free(&self) -> anyhow::Result<u64> {
        let room = rustix::fs::statvfs(&self.0)?;
        Ok(room.f_bavail * room.f_frsize)
    }

    /// Fills the disk until at most `left` bytes are free, or empties it as far.
    fn leave(&self, left: u64) -> anyhow::Result<()> {
        let path = self.0.join("ballast");
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        let (free, len) = (self.free()?, file.metadata()?.len());
        if free < left {
            file.set_len(len.saturating_sub(left - free))?;
        }
        let zeros = vec![0; 1 << 16];
        while self.free()? > left {
            // The last bytes of a full disk are refused.
            if file.write(&zeros).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.0.join("ballast"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also where a process still has files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn reaches(exchange: &Exchange, disk: &str) -> anyhow::Result<()> {
    let client = exchange.node()?.client();
    wait(PATIENCE, &format!("the disk to be {disk}"), || Ok(client.status()?.disk == disk))
}

fn is_refused(exchange: &Exchange, id: &str) -> anyhow::Result<()> {
    match exchange.node()?.client().publish(vec![listing(id)?]) {
        Err(ClientError::Refused(problem)) => {
            ensure!(problem.status == 507 && problem.kind.ends_with("no-room"), "{problem:?}");
            Ok(())
        }
        other => bail!("it was not refused: {other:?}"),
    }
}

fn size(of: &str, at: &Exchange) -> anyhow::Result<u64> {
    Ok(at.logs()?.get(of).map_or(0, |(size, _)| *size))
}

#[test]
fn a_node_lives_through_a_full_disk_and_goes_on_when_there_is_room() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    let data = federation.exchanges[0].data.clone();
    let Some(disk) = Disk::over(&data)? else {
        println!("skipped: this user cannot mount a memory disk");
        return Ok(());
    };
    let file = data.join("hutong.toml");
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains("reserve_mib = 256"), "the configuration has no reserve");
    fs::write(&file, text.replace("reserve_mib = 256", "reserve_mib = 16"))?;
    federation.start([0, 1, 2])?;
    for exchange in &federation.exchanges {
        exchange.node()?.ready()?;
    }
    let [own, other] = [0, 1].map(|index| &federation.exchanges[index]);
    own.publish(vec![listing("before")?])?;
    other.publish(vec![listing("before")?])?;
    federation.agree(&[0, 1, 2], PATIENCE)?;
    let before = size(&other.id, own)?;

    // What is left is for the own log.
    disk.leave(96 * MIB)?;
    reaches(own, "low")?;
    other.publish(vec![listing("meanwhile")?])?;
    own.publish(vec![listing("from-the-reserve")?])?;
    ensure!(size(&other.id, own)? == before, "another log took the reserve");

    // Nothing is left but what the index needs, then nothing at all.
    for (left, id) in [(80 * MIB, "too-late"), (0, "far-too-late")] {
        disk.leave(left)?;
        reaches(own, "full")?;
        is_refused(own, id)?;
        ensure!(size(&other.id, own)? == before, "another log was stored on a full disk");
    }
    let status = own.node()?.client().status()?;
    let told = |word: &str| status.notices.iter().any(|notice| notice.en.contains(word));
    ensure!(told("kept for the own log") && told("nothing is published"), "{:?}", status.notices);

    disk.empty()?;
    reaches(own, "ample")?;
    own.publish(vec![listing("afterwards")?])?;
    federation.agree(&[0, 1, 2], PATIENCE)?;
    ensure!(size(&other.id, &federation.exchanges[0])? == before + 1, "an entry is missing");

    // A node that ends on a full disk has lost nothing either.
    disk.leave(0)?;
    reaches(&federation.exchanges[0], "full")?;
    federation.take(0)?.stop()?;
    disk.empty()?;
    let checked = run(&data, &["fsck"])?;
    ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    federation.start([0])?;
    federation.agree(&[0, 1, 2], PATIENCE).context("after a restart")?;
    federation.take(0)?.stop()
}
