//! `hutong demo`: a federation of real nodes on this machine, from its founding to a receipt that
//! verifies offline.
//!
//! Each node is a process with its own data folder, keys and configuration. The demonstration
//! talks to them as any operator's software does, through the HTTP interface.

mod federation;
mod latency;
mod plan;
mod story;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;

use self::federation::Federation;
use self::story::Story;
use crate::cli::args::DemoArgs;
use crate::cli::console::{Console, shown_path};

/// Runs the demonstration.
///
/// # Errors
///
/// Whatever kept the federation from converging, or the receipt from being valid.
pub fn run(args: &DemoArgs, console: Console) -> anyhow::Result<()> {
    let begun = Instant::now();
    let folder = Folder::make(args)?;
    let stop = stop_flag()?;
    let parts = plan::parts(usize::from(args.nodes));
    let say = |zh: &str, en: &str| {
        if !console.json {
            let at = format!("[{:5.1} s] ", begun.elapsed().as_secs_f64());
            // A closed terminal does not end the demonstration.
            let _ = console.say(&format!("{at}{zh}"), &format!("{at}{en}"));
        }
    };
    let federation = Federation::start(&folder.path, parts, &say)?;
    let mut story = Story::new(&federation, &folder.path, console, &say);
    let summary = story.tell()?;
    summary.show(console, begun.elapsed())?;
    if !args.once {
        say(
            "节点继续运行并缓慢发布；按 Ctrl-C 结束",
            "the nodes go on, with a trickle of listings; Ctrl-C ends",
        );
        story.trickle(&stop)?;
    }
    drop(federation);
    folder.leave(args.keep, console)
}

/// Where the data folders are.
struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    fn make(args: &DemoArgs) -> anyhow::Result<Self> {
        let temporary = || std::env::temp_dir().join(format!("hutong-demo-{}", std::process::id()));
        let is_temporary = args.folder.is_none();
        let path = args.folder.clone().unwrap_or_else(temporary);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let is_empty = std::fs::read_dir(&path)?.next().is_none();
        anyhow::ensure!(is_empty, "{} is not empty: choose another --folder", path.display());
        Ok(Self { path, is_temporary })
    }

    fn leave(self, keep: bool, console: Console) -> anyhow::Result<()> {
        let Self { path, is_temporary } = self;
        if is_temporary && !keep {
            return std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()));
        }
        if console.json {
            return Ok(());
        }
        console.say(
            &format!("数据目录保留在 {}", shown_path(&path)),
            &format!("the data folders are in {}", shown_path(&path)),
        )
    }
}

/// Becomes true at Ctrl-C or when the process is told to end.
fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            // Without a handler the signal ends the process, which is what was asked for.
            let _ = tokio::signal::ctrl_c().await;
            flag.store(true, Ordering::Relaxed);
            // The second one ends at once.
            let _ = tokio::signal::ctrl_c().await;
            #[expect(
                clippy::disallowed_methods,
                reason = "whoever asks twice does not want to wait"
            )]
            std::process::exit(130);
        });
    })?;
    Ok(stop)
}
