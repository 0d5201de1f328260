//! The page.

use std::fmt::Write as _;

use anyhow::Result;

use super::growth::{Findings, county_bytes};
use super::plots::{Line, Plot};
use crate::country::figures::Figures;
use crate::country::show::{self, size};
use crate::gossip::swarm::Spread;

const STYLE: &str = "body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;color:#222;max-width:1080px;margin:2em auto;padding:0 1em}\
h1{font-size:1.7em;margin-bottom:0}h2{font-size:1.2em;margin:2.2em 0 .2em;border-top:1px solid #ddd;padding-top:1em}\
p{color:#444;margin:.4em 0}table{border-collapse:collapse;font-size:.78em;margin:1em 0;display:block;overflow-x:auto}\
td,th{border-bottom:1px solid #e4e4e4;padding:.25em .55em;text-align:right}td:first-child,th:first-child{text-align:left}\
svg{width:100%;height:auto}.good{color:#00734c}.bad{color:#b34700}small{color:#777}";

type Series = fn(&Spread) -> f64;

/// The page as HTML that needs nothing else.
pub(super) fn html(findings: &Findings) -> Result<String> {
    let mut text = String::new();
    write!(
        text,
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>互通的规模 · Hutong at scale</title><style>{STYLE}</style>\
         <h1>互通的规模 · Hutong at scale</h1><p>真实协议状态在虚拟时间上运行；超过 3,400 个节点的部分用经 libp2p 校准的 gossipsub 模型。\
         Real protocol states on virtual time; beyond 3,400 nodes the model of gossipsub that is calibrated against libp2p.</p>"
    )?;
    for (title, words, plot) in plots(findings) {
        if plot.lines.iter().any(|line| !line.points.is_empty()) {
            write!(text, "<h2>{title}</h2><p>{words}</p>{}", plot.svg()?)?;
        }
    }
    write!(text, "<h2>数据 · Figures</h2>{}", table(&markdown_table(findings)))?;
    if !findings.calibrations.is_empty() {
        let heading = "校准：模型与 libp2p · Calibration: the model beside libp2p";
        write!(text, "<h2>{heading}</h2>{}", table(&calibration_table(findings)))?;
    }
    if let Some(largest) = findings.countries.last() {
        let heading = "最大的一次运行 · The largest run";
        write!(text, "<h2>{heading}</h2>{}", table(&show::markdown(largest)))?;
    }
    Ok(text)
}

/// The figures as Markdown.
pub(super) fn markdown(findings: &Findings) -> String {
    let mut text = markdown_table(findings);
    let (time, bytes) = (&findings.time_fit, &findings.bytes_fit);
    let _ = write!(
        text,
        "\nTime to 99% of a scope by the model: {:.0} + {:.1} · log2(nodes) ms; what is left is at most {:.0}%.\n\
         Bytes that a county exchange receives for each statement that it comes to hold: {:.0} + {:.0} · log2(nodes); at most {:.0}% is left.\n",
        time.a,
        time.b,
        worst(&time.residuals),
        bytes.a,
        bytes.b,
        worst(&bytes.residuals)
    );
    if !findings.calibrations.is_empty() {
        text.push('\n');
        text.push_str(&calibration_table(findings));
    }
    text
}

fn worst(residuals: &[f64]) -> f64 {
    100.0 * residuals.iter().map(|rest| rest.abs()).fold(0.0, f64::max)
}

fn plots(findings: &Findings) -> Vec<(&'static str, &'static str, Plot)> {
    let nodes = "nodes · 节点数";
    let of = |name: &str, value: &dyn Fn(&Figures) -> f64| by_country(findings, name, value);
    let model = |name: &str, value: Series| Line {
        name: name.to_string(),
        points: findings.model.iter().map(|(n, one)| (real(*n), value(one))).collect(),
        modelled: true,
    };
    let fitted = |name: &str, fit: &super::growth::Fit, sizes: Vec<usize>| Line {
        name: name.to_string(),
        points: sizes.into_iter().map(|n| (real(n), fit.at(n))).collect(),
        modelled: true,
    };
    let model_sizes = || findings.model.iter().map(|(n, _)| *n).collect();
    let country_sizes = || findings.countries.iter().map(|one| one.nodes).collect();
    let class = |name: &str, at: usize| of(name, &|one| one.classes[at].amplification().0);
    vec![
        (
            "覆盖随时间 · Coverage over time",
            "所有应得到某条陈述的节点中，已得到者所占的份额。Share of all nodes that may see a statement and hold it, so long after it was published.",
            Plot {
                x: "ms after publication · 发布后毫秒",
                y: "% of deliveries",
                by_size: false,
                lines: coverage(findings),
            },
        ),
        (
            "到 99% 节点的时间 · Time to 99% of nodes",
            "模型：同一范围内的一条公告；拟合：a + b·log2(n)。The model is one announcement in one scope; the fit is a + b·log2(n).",
            Plot {
                x: nodes,
                y: "ms",
                by_size: true,
                lines: vec![
                    of("real states, median statement", &|one| one.most_ms.median),
                    of("real states, 99 of 100 statements", &|one| one.most_ms.p99),
                    model("model, one scope", |one| one.most_ms),
                    fitted("fit", &findings.time_fit, model_sizes()),
                ],
            },
        ),
        (
            "县级节点的字节 · Bytes at a county exchange",
            "每持有一条新陈述所收到的字节。Bytes received for each statement that it comes to hold.",
            Plot {
                x: nodes,
                y: "bytes",
                by_size: true,
                lines: vec![
                    of("received", &county_bytes),
                    fitted("fit", &findings.bytes_fit, country_sizes()),
                ],
            },
        ),
        (
            "每条陈述的字节 · Bytes per statement",
            "全网为一条陈述发送的字节。What all nodes together send for one statement.",
            Plot {
                x: nodes,
                y: "MB",
                by_size: true,
                lines: vec![of("all causes", &|one| real_bytes(one.bytes_per_statement) / 1e6)],
            },
        ),
        (
            "放大 · Amplification",
            "收到的字节 ÷ 新陈述的字节。Bytes received ÷ bytes of new statements, for what carries statements.",
            Plot {
                x: nodes,
                y: "×",
                by_size: true,
                lines: vec![class("up to 2 KiB", 0), class("above 2 KiB", 1)],
            },
        ),
        (
            "重复 · Duplicates",
            "每个节点每条公告收到的多余副本。Copies beyond the first, by node and announcement.",
            Plot {
                x: nodes,
                y: "copies",
                by_size: true,
                lines: vec![model("model", |one| one.duplicates), calibrated(findings)],
            },
        ),
        (
            "追赶与证据 · Catching up, and evidence",
            "整段时间离线的县级节点补齐所需时间；证据（一条小公告）到达一个范围内 99% 与全部节点的时间。How long a county exchange that was away for the whole stretch takes to hold everything; and how long evidence, a small message, takes to 99% and to all of a scope.",
            Plot {
                x: nodes,
                y: "ms",
                by_size: true,
                lines: vec![
                    of("catching up, real states", &|one| real_bytes(one.catch_up_ms.unwrap_or(0))),
                    model("evidence to 99%, model", |one| one.most_ms),
                    model("evidence to all, model", |one| one.all_ms),
                ],
            },
        ),
    ]
}

fn by_country(findings: &Findings, name: &str, value: &dyn Fn(&Figures) -> f64) -> Line {
    let points = findings.countries.iter().map(|one| (real(one.nodes), value(one))).collect();
    Line { name: name.to_string(), points, modelled: false }
}

fn calibrated(findings: &Findings) -> Line {
    let as_configured = findings.calibrations.iter().filter(|one| !one.idontwant);
    let points = as_configured.map(|one| (real(one.nodes), one.real.duplicates)).collect();
    Line { name: "libp2p".to_string(), points, modelled: false }
}

/// One line for each country: the share of deliveries so long after the publication.
fn coverage(findings: &Findings) -> Vec<Line> {
    let line = |one: &Figures| {
        let all = real_bytes(one.delays.iter().sum::<u64>().max(1));
        let mut sum = 0.0;
        let mut points = vec![(0.0, 0.0)];
        for (step, count) in one.delays.iter().take(120).enumerate() {
            sum += real_bytes(*count);
            points.push((real(step + 1) * 10.0, 100.0 * sum / all));
        }
        Line { name: format!("{} exchanges", one.nodes), points, modelled: true }
    };
    findings.countries.iter().map(line).collect()
}

fn markdown_table(findings: &Findings) -> String {
    let mut text = String::from(
        "| nodes · 节点 | statements · 陈述 | complete · 到齐 | to 50% | to 99% | p99 to 99% | catch-up · 追赶 | per statement · 每条 | county received · 县级收 | ≤ 2 KiB | > 2 KiB | memory per node · 内存 |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for one in &findings.countries {
        let county = one.tiers.iter().find(|tier| tier.tier == "county");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} ms | {:.0} ms | {:.0} ms | {} ms | {} | {} | {:.2} | {:.2} | {} |",
            one.nodes,
            one.statements,
            one.complete,
            one.half_ms.median,
            one.most_ms.median,
            one.most_ms.p99,
            one.catch_up_ms.unwrap_or(0),
            size(one.bytes_per_statement),
            size(county.map_or(0, |county| county.received)),
            one.classes[0].amplification().0,
            one.classes[1].amplification().0,
            size(one.memory_per_node),
        );
    }
    text.push_str("\n| nodes of one scope, model · 模型 | degree | hops | duplicates · 重复 | bytes per announcement | to 50% | to 99% | to 100% |\n|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (nodes, one) in &findings.model {
        let _ = writeln!(
            text,
            "| {nodes} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} ms | {:.0} ms | {:.0} ms |",
            one.degree, one.hops, one.duplicates, one.bytes, one.half_ms, one.most_ms, one.all_ms
        );
    }
    text
}

fn calibration_table(findings: &Findings) -> String {
    let mut text = String::from(
        "| nodes | message | what | model | libp2p | off by |\n|---:|---|---|---:|---:|---:|\n",
    );
    for one in &findings.calibrations {
        text.push_str(&one.rows());
    }
    text
}

/// Tables in Markdown as HTML; other lines as paragraphs.
fn table(markdown: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in markdown.lines() {
        if !line.starts_with('|') {
            if std::mem::take(&mut inside) {
                text.push_str("</table>");
            }
            if !line.is_empty() {
                let _ = write!(text, "<p>{}</p>", escaped(line));
            }
            continue;
        }
        if line.starts_with("|---") {
            continue;
        }
        let tag = if inside { "td" } else { "th" };
        if !std::mem::replace(&mut inside, true) {
            text.push_str("<table>");
        }
        text.push_str("<tr>");
        for cell in line.trim_matches('|').split('|') {
            let _ = write!(text, "<{tag}>{}</{tag}>", escaped(cell.trim()));
        }
        text.push_str("</tr>");
    }
    if inside {
        text.push_str("</table>");
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "")
}

#[expect(clippy::cast_precision_loss, reason = "for a plot")]
fn real(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "for a plot")]
fn real_bytes(bytes: u64) -> f64 {
    bytes as f64
}
