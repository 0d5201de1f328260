//! Figures as tables.

use std::fmt::Write as _;

use super::figures::{Figures, Times};

/// The figures as Markdown.
pub fn markdown(figures: &Figures) -> String {
    let mut text = String::new();
    let _ = write_all(&mut text, figures);
    text
}

fn write_all(text: &mut String, f: &Figures) -> std::fmt::Result {
    let hours = |seconds: u64| format!("{:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60);
    let (from, to) = f.stretch;
    writeln!(text, "{} exchanges, {} to {}, seed {}", f.nodes, hours(from), hours(to), f.seed)?;
    writeln!(text, "\n| what | figure |\n|---|---:|")?;
    writeln!(text, "| statements published | {} |", f.statements)?;
    writeln!(text, "| held by every node that may see them | {} |", f.complete)?;
    writeln!(text, "| deliveries | {} |", f.deliveries)?;
    for (name, of) in [("50%", f.half_ms), ("99%", f.most_ms), ("100%", f.all_ms)] {
        writeln!(text, "| to {name} of nodes: median / p99 / max | {} |", times(of))?;
    }
    writeln!(text, "| to a witness quorum: median / p99 / max | {} |", times(f.quorum_ms))?;
    writeln!(text, "| with a quorum known to the owner | {} |", f.with_quorum)?;
    if f.newcomers > 0 {
        let (of, known) = (f.newcomers, f.enrolled);
        writeln!(text, "| exchanges admitted / known to every node | {of} / {known} |")?;
        let name = "from admission to 99% of directories: median / p99 / max";
        writeln!(text, "| {name} | {} |", times(f.enrol_ms))?;
    }
    writeln!(text, "| bytes sent per statement | {} |", size(f.bytes_per_statement))?;
    for (name, class) in ["up to 2 KiB", "above 2 KiB"].iter().zip(&f.classes) {
        let (carrying, all) = class.amplification();
        writeln!(text, "| amplification, statements {name} | {carrying:.2} |")?;
        writeln!(text, "| … with cosigned checkpoints | {all:.2} |")?;
    }
    writeln!(text, "| announcements: new leaves / cosigned | {:?} |", f.announcements)?;
    writeln!(text, "| messages not passed on | {} |", f.refused)?;
    writeln!(
        text,
        "| memory per node (states and what they share) | {} |",
        size(f.memory_per_node)
    )?;
    writeln!(text, "| longest wait for an uplink | {} ms |", f.uplink_wait_ms)?;
    writeln!(text, "| inputs taken by states | {} |", f.inputs)?;
    writeln!(text, "| signatures / entries / directories computed | {:?} |", f.computed)?;
    writeln!(text, "| rules broken | {} |", f.violations.len())?;
    writeln!(text, "| wall / processor | {:.1} s / {:.1} s |", f.wall_s, f.cpu_s)?;
    writeln!(text, "| digest of the run | `{}` |", f.digest)?;
    writeln!(
        text,
        "\n| tier | nodes | connections | sent | received | most received | news | cosigned | pull | cosignature | compare | control |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    for tier in &f.tiers {
        let causes: Vec<String> = tier.by_cause.iter().map(|bytes| size(*bytes)).collect();
        writeln!(
            text,
            "| {} | {} | {:.0} | {} | {} | {} | {} |",
            tier.tier,
            tier.nodes,
            tier.connections,
            size(tier.sent),
            size(tier.received),
            size(tier.received_max),
            causes.join(" | ")
        )?;
    }
    Ok(())
}

fn times(of: Times) -> String {
    format!("{:.0} / {:.0} / {:.0} ms", of.median, of.p99, of.max)
}

/// Bytes for people.
#[expect(clippy::cast_precision_loss, reason = "a size for people")]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
