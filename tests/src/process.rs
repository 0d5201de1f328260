//! One process of the program, and waiting for what it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hutong_node::api::client::Client;

/// How long a node may take to answer after its start.
pub const START_WITHIN: Duration = Duration::from_mins(1);

/// How long a node may take to end in order.
pub const END_WITHIN: Duration = Duration::from_secs(30);

/// A running node. It is killed when this goes.
pub struct Process {
    child: Child,
    client: Client,
}

/// The program of the same build: a test lies in a folder beside it, another program in the same.
///
/// # Errors
///
/// It has not been built.
pub fn program() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().context("the test lies in no folder")?;
    let profile = if folder.ends_with("deps") { folder.join("..") } else { folder.to_owned() };
    let program = profile.join(format!("hutong{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        program.is_file(),
        "{} is missing: run cargo build -p hutong-node first",
        program.display()
    );
    Ok(program)
}

/// Runs the program on a data folder until it ends.
///
/// # Errors
///
/// It cannot be started; how it ends is in the output.
pub fn run(data: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new(program()?)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .args(["--lang", "en"])
        .stdin(Stdio::null())
        .output()
        .context("cannot start the program")
}

/// Starts `hutong run`, with what it writes appended to `node.log` in the data folder.
///
/// # Errors
///
/// The log cannot be written, or the program not started.
pub fn spawn(data: &Path, arguments: &[&str]) -> anyhow::Result<Child> {
    start(data, Command::new(program()?), arguments)
}

/// As [`spawn`], after the shell's commands `before`, such as `ulimit -n 160` or `umask 0`.
///
/// # Errors
///
/// As [`spawn`].
pub fn spawn_after(data: &Path, before: &str, arguments: &[&str]) -> anyhow::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before} && exec \"$0\" \"$@\"")]).arg(program()?);
    start(data, shell, arguments)
}

fn start(data: &Path, mut command: Command, arguments: &[&str]) -> anyhow::Result<Child> {
    let address = data.join("api.addr");
    if address.exists() {
        // A killed node leaves it behind; it would be taken for the new one's.
        fs::remove_file(address)?;
    }
    let log = fs::OpenOptions::new().create(true).append(true).open(data.join("node.log"))?;
    command
        .args(["run", "--lang", "en", "--data"])
        .arg(data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start a node process")
}

impl Process {
    /// Waits until a started node answers.
    ///
    /// # Errors
    ///
    /// It ended at once, or did not answer within [`START_WITHIN`]; then it is killed.
    pub fn connect(data: &Path, mut child: Child) -> anyhow::Result<Self> {
        match answering(data, &mut child) {
            Ok(client) => Ok(Self { child, client }),
            Err(error) => {
                // It may have ended already.
                let _ = child.kill();
                child.wait()?;
                let said = fs::read_to_string(data.join("node.log")).unwrap_or_default();
                Err(error.context(said))
            }
        }
    }

    /// Asks this node.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory that it holds now, and has held at most, in KiB.
    ///
    /// # Errors
    ///
    /// It has ended, or the system does not tell.
    pub fn memory_kib(&self) -> anyhow::Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.trim().strip_suffix(" kB"));
            value.and_then(|value| value.parse().ok()).with_context(|| format!("no {name} is told"))
        };
        Ok((read("VmRSS:")?, read("VmHWM:")?))
    }

    /// Waits until the node may publish as an active member.
    ///
    /// # Errors
    ///
    /// It may not within [`START_WITHIN`].
    pub fn ready(&self) -> anyhow::Result<()> {
        wait(START_WITHIN, "a node to be ready", || {
            let status = self.client.status()?;
            Ok(status.ready && status.membership == "active")
        })
    }

    /// Ends it in order.
    ///
    /// # Errors
    ///
    /// It does not end within [`END_WITHIN`], or not well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.client.shutdown()?;
        let status = ended(&mut self.child, END_WITHIN)?;
        ensure!(status.success(), "the node ended with {status}");
        Ok(())
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    ///
    /// It had ended before by itself.
    pub fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the node had ended by itself with {status}");
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After `stop` and `kill` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a process ends.
///
/// # Errors
///
/// It does not within `patience`; then it is killed.
pub fn ended(child: &mut Child, patience: Duration) -> anyhow::Result<ExitStatus> {
    let mut status = None;
    let waited = wait(patience, "a node to end", || {
        status = child.try_wait()?;
        Ok(status.is_some())
    });
    if waited.is_err() {
        child.kill()?;
        child.wait()?;
    }
    waited?;
    status.context("the node has no exit status")
}

fn answering(data: &Path, child: &mut Child) -> anyhow::Result<Client> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("the node on {} ended at once with {status}", data.display());
        }
        let asked = Client::from_data(data).and_then(|client| client.status().map(|_| client));
        match asked {
            Ok(client) => return Ok(client),
            Err(error) if begun.elapsed() > START_WITHIN => {
                return Err(error).context("the node does not answer");
            }
            Err(_) => pause(),
        }
    }
}

/// Asks until it is so; what cannot be asked yet counts as not so.
///
/// # Errors
///
/// It is not so within `patience`.
pub fn wait(
    patience: Duration,
    what: &str,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let asked = is_so();
        if matches!(asked, Ok(true)) {
            return Ok(());
        }
        if begun.elapsed() > patience {
            asked.with_context(|| format!("waited {} s for {what}", patience.as_secs()))?;
            bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "neither a process nor an HTTP interface tells us: it is asked again"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
