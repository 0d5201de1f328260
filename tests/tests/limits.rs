//! Nodes whose machine gives little, or shows too much: descriptors, modes, core dumps. About 20 s.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_tests::federation::{Exchange, Federation, listing};
use hutong_tests::process::{ended, spawn_after, wait};

const PATIENCE: Duration = Duration::from_mins(1);

/// Descriptors of the node that is attacked, and more connections than that.
const DESCRIPTORS: usize = 160;
const CONNECTIONS: usize = 240;

/// Opens connections that ask for nothing; every second one begins a request and does not end it.
fn idle_connections(address: SocketAddr) -> anyhow::Result<Vec<TcpStream>> {
    let mut held = Vec::new();
    for turn in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        if turn % 2 == 0 {
            // The node may have closed it already: that is its defence.
            let _ = stream.write_all(b"GET /health HTTP/1.1\r\nx-a: ");
        }
        held.push(stream);
    }
    Ok(held)
}

fn interface(exchange: &Exchange) -> anyhow::Result<SocketAddr> {
    Ok(fs::read_to_string(exchange.data.join("api.addr"))?.trim().parse()?)
}

/// The address at which peers dial it, `/ip4/127.0.0.1/tcp/PORT`.
fn peer_port(exchange: &Exchange) -> anyhow::Result<SocketAddr> {
    let port = exchange.address().rsplit('/').next().context("an address has parts")?.parse()?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn log_of(exchange: &Exchange) -> anyhow::Result<String> {
    Ok(fs::read_to_string(exchange.data.join("node.log"))?)
}

#[test]
fn idle_connections_up_to_the_limit_of_descriptors_do_not_end_a_node() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([1, 2])?;
    federation.start_after(0, &format!("ulimit -n {DESCRIPTORS}"))?;
    for exchange in &federation.exchanges {
        exchange.node()?.ready()?;
    }
    let attacked = &federation.exchanges[0];
    attacked.publish(vec![listing("before")?])?;
    let status = attacked.node()?.client().status()?;
    ensure!(
        status.notices.iter().any(|notice| notice.en.contains("LimitNOFILE")),
        "nobody is told of the low limit: {:?}",
        status.notices
    );

    let of_interface = idle_connections(interface(attacked)?)?;
    let of_peers = idle_connections(peer_port(attacked)?)?;
    for turn in 0..8 {
        attacked.publish(vec![listing(&format!("under-attack-{turn}"))?])?;
    }
    let held = fs::read_dir(format!("/proc/{}/fd", attacked.node()?.id()))?.count();
    ensure!(held < DESCRIPTORS, "{held} descriptors are in use");
    let said = log_of(attacked)?;
    ensure!(said.contains("api.connections_max"), "nothing is said of the connections: {said}");
    federation.agree(&[0, 1, 2], PATIENCE)?;
    drop((of_interface, of_peers));
    federation.take(0)?.stop()
}

#[test]
fn a_node_with_too_few_descriptors_says_so_and_does_not_start() -> anyhow::Result<()> {
    let federation = Federation::found(3)?;
    let exchange = &federation.exchanges[0];
    let mut child = spawn_after(&exchange.data, "ulimit -n 100", &[])?;
    let status = ended(&mut child, PATIENCE)?;
    ensure!(status.code() == Some(5), "it ended with {status}");
    let said = log_of(exchange)?;
    ensure!(said.contains("expected at least 128") && said.contains("LimitNOFILE"), "{said}");
    Ok(())
}

/// Everything below `folder`, with its permission bits.
fn modes(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u32)>> {
    let mut found = vec![(folder.to_owned(), fs::metadata(folder)?.permissions().mode() & 0o777)];
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            found.extend(modes(&path)?);
        } else {
            let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
            found.push((path, mode));
        }
    }
    Ok(found)
}

fn are_private(folder: &Path) -> anyhow::Result<()> {
    for (path, mode) in modes(folder)? {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        ensure!(mode == expected, "{} has mode {mode:o}", path.display());
    }
    Ok(())
}

#[test]
fn every_file_of_a_node_is_private_whatever_the_umask() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    let data = federation.exchanges[0].data.clone();
    fs::write(data.join("left.txt"), "by somebody")?;
    fs::set_permissions(data.join("left.txt"), fs::Permissions::from_mode(0o666))?;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755))?;
    federation.start([1, 2])?;
    federation.start_after(0, "umask 0")?;
    let exchange = &federation.exchanges[0];
    exchange.node()?.ready()?;
    exchange.publish(vec![listing("private")?])?;
    are_private(&data)?;
    let status = exchange.node()?.client().status()?;
    ensure!(
        status.notices.iter().any(|notice| notice.en.contains("could be opened by others")),
        "nobody is told: {:?}",
        status.notices
    );
    federation.take(0)?.stop()?;
    are_private(&data)?;
    // Nothing is left to tighten, and nothing is told, the next time.
    federation.start_after(0, "umask 0")?;
    let status = federation.exchanges[0].node()?.client().status()?;
    ensure!(status.notices.iter().all(|notice| !notice.en.contains("could be opened by others")));
    federation.take(0)?.stop()
}

#[test]
#[cfg(target_os = "linux")]
fn a_node_that_is_killed_leaves_no_core_dump() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start_after(0, "ulimit -c unlimited 2>/dev/null || true")?;
    let process = federation.exchanges[0].node()?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id()))?;
    let line = limits.lines().find(|line| line.starts_with("Max core file size"));
    let line = line.context("the system tells no limit of core dumps")?;
    ensure!(line.split_whitespace().nth(4) == Some("0"), "{line}");
    wait(PATIENCE, "the node to answer", || Ok(process.client().status().is_ok()))
}
