//! A report as text for people, in Chinese and in English.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::report::{Language, Outcome, Report, Summary, Verdict};
use crate::{
    codes::CodeError,
    contract::{
        ClaimName,
        words::{claim_en, claim_zh},
    },
    date::Date,
    descriptor::{Parent, name_in},
    shown::Shown,
};

impl Language {
    /// An exchange for people: its name and, beside it always, its id, which nobody else can have.
    pub fn named(self, name: &str, id: &str) -> String {
        let (name, id) = (Shown::within(name, NAME_CHARS_MAX), Shown::new(id));
        if name.to_string().trim().is_empty() {
            return id.to_string();
        }
        match self {
            Self::Chinese => format!("{name}（{id}）"),
            Self::English => format!("{name} ({id})"),
        }
    }

    /// Up to where something is known: a day, and the size of a log.
    fn as_of(self, day: Date, size: u64) -> String {
        match self {
            Self::Chinese => format!("{}，第{size}条", day.words_zh()),
            Self::English => format!("{}, entry {size}", day.words_en()),
        }
    }
}

/// Characters of an exchange's name that are shown: descriptors have 240 bytes at most.
const NAME_CHARS_MAX: usize = 240;

impl Verdict {
    /// The verdict in one sentence.
    pub const fn sentence(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Valid, Language::Chinese) => "有效：全部核验通过，凭证内没有更晚的变更记录。",
            (Self::Valid, Language::English) => {
                "Valid: every check holds, and the receipt knows of no later change."
            }
            (Self::ValidSuperseded, Language::Chinese) => {
                "有效，但已被更晚的变更或修订取代：请索取最新凭证。"
            }
            (Self::ValidSuperseded, Language::English) => {
                "Valid, but replaced by a later amendment or revision: ask for a newer receipt."
            }
            (Self::ValidThenCancelled, Language::Chinese) => "有效，但其后已注销或撤回。",
            (Self::ValidThenCancelled, Language::English) => {
                "Valid, but cancelled or withdrawn later."
            }
            (Self::Provisional, Language::Chinese) => {
                "暂予通过：已获见证，尚未纳入名册锚定，不得作为有效凭证；请在下次锚定后更新凭证。"
            }
            (Self::Provisional, Language::English) => {
                "Provisional: the checks hold, but no anchor of the register covers it yet; not valid until the receipt is refreshed."
            }
            (Self::Void, Language::Chinese) => {
                "不生效：证明成立，但签发单位在该处无权限、条目未生效，或该登记已被撤销。"
            }
            (Self::Void, Language::English) => {
                "Void: the proofs hold, but the signer had no authority there, the entry took no effect, or the registration was revoked."
            }
            (Self::Invalid, Language::Chinese) => "无效：签名、证明或格式不成立，不得采信。",
            (Self::Invalid, Language::English) => {
                "Invalid: a signature, a proof or the form does not hold; do not rely on it."
            }
            (Self::NotVerifiableHere, Language::Chinese) => {
                "本机无法核验：格式或签名算法未知，或缺少所需的章程或核验资料包（见下）。"
            }
            (Self::NotVerifiableHere, Language::English) => {
                "Not verifiable here: the format or a signature suite is unknown, or charters or a bundle are missing (see below)."
            }
        }
    }
}

impl Report {
    /// The report as lines of text. What it quotes of the receipt never makes a line of its own.
    pub fn to_text(&self, language: Language) -> String {
        let mut lines = Vec::from([String::from(self.verdict.sentence(language))]);
        if let Some(summary) = &self.summary {
            lines.push(String::new());
            lines.extend(summary.lines(language));
        }
        lines.push(String::new());
        for check in &self.checks {
            let mark = match check.outcome {
                Outcome::Pass => "✓",
                Outcome::Fail => "✗",
                Outcome::Warn => "!",
                Outcome::Info => "·",
            };
            let detail = match language {
                Language::Chinese => &check.zh,
                Language::English => &check.en,
            };
            lines.push(format!("{mark} {} [{}]", Shown::new(detail), check.name));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Summary {
    fn lines(&self, language: Language) -> Vec<String> {
        let pick = |zh: &'static str, en: &'static str| match language {
            Language::Chinese => zh,
            Language::English => en,
        };
        let mut lines = Vec::new();
        let mut line =
            |label: &str, value: &str| lines.push(format!("{label}{}", Shown::new(value)));
        line(pick("联盟：", "Federation: "), &self.federation.to_string());
        let name = name_in(&self.issuer_names, pick("zh", "en"));
        let issuer = language.named(name, self.issuer.as_str());
        line(pick("签发：", "Issuer: "), &issuer);
        line(pick("类型：", "Type: "), &self.kind);
        line(pick("编号：", "Statement: "), &self.statement.to_string());
        line(
            pick("签发时间（签发单位自述）：", "Issued (issuer's clock): "),
            &self.issued_at.to_string(),
        );
        if let Some(time) = self.witnessed_at {
            line(
                pick("最迟存在于（见证时间）：", "Existed at the latest (witness quorum): "),
                &time.to_string(),
            );
        }
        let witnesses = match self.witnesses.len() {
            0 => String::from(pick("无（时间无从证明）", "none (nothing proves the time)")),
            count => format!("{count}"),
        };
        line(pick("见证单位：", "Witnesses: "), &witnesses);
        line(pick("日志序号：", "Log index: "), &self.index.to_string());
        line(pick("截至", "As of "), &language.as_of(self.day, self.as_of_size));
        let register = language.as_of(self.day, self.register_size);
        let version = self.charter_version;
        let register = match language {
            Language::Chinese => format!("第{version}版章程，名册截至{register}"),
            Language::English => format!("charter version {version}, register as of {register}"),
        };
        line(pick("依据：", "By: "), &register);
        let parent = match &self.parent {
            Parent::Council => String::from(pick("理事会", "the council")),
            Parent::Member(id) => format!("{id}"),
        };
        line(pick("上级：", "Answered for by: "), &parent);
        for name in self.disclosed.keys() {
            let claim: Result<ClaimName, CodeError> = name.parse();
            let label = claim.as_ref().map_or(name.as_str(), |claim| pick(claim.zh(), claim.en()));
            let value = match language {
                Language::Chinese => claim_zh(name, &self.disclosed),
                Language::English => claim_en(name, &self.disclosed),
            };
            line(pick("披露：", "Disclosed: "), &format!("{label} = {value}"));
        }
        for later in &self.later {
            let value = format!("{} #{} {}", later.event, later.index, later.issued_at);
            line(pick("其后：", "Later: "), &value);
        }
        lines
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::receipt::report::Check;

    fn report(name: &str) -> Report {
        let hash = "5f".repeat(32);
        let summary = Summary {
            federation: hash.parse().unwrap(),
            statement: hash.parse().unwrap(),
            kind: "hutong/contract/v1".into(),
            issuer: "cn-33-zhejiang".parse().unwrap(),
            issuer_names: [("zh".into(), name.into())].into(),
            issued_at: "2026-11-30T08:00:00Z".parse().unwrap(),
            index: 41,
            as_of_size: 57,
            witnessed_at: Some("2026-11-30T09:00:00Z".parse().unwrap()),
            witnesses: [].into(),
            charter_version: 1,
            day: "2026-11-30".parse().unwrap(),
            register_size: 9,
            parent: Parent::Council,
            subject: None,
            body: json!({}),
            disclosed: [
                ("project_name".to_string(), Value::from(name)),
                ("total_amount".to_string(), Value::from(100_000_000)),
            ]
            .into(),
            later: Vec::new(),
        };
        let check =
            Check { name: "signature", outcome: Outcome::Fail, zh: name.into(), en: name.into() };
        Report { verdict: Verdict::Invalid, checks: [check].into(), summary: Some(summary) }
    }

    #[test]
    fn the_id_stands_beside_the_name_and_the_day_beside_the_size() {
        let english = report("Zhejiang Technology Exchange").to_text(Language::English);
        for line in [
            "Issuer: Zhejiang Technology Exchange (cn-33-zhejiang)",
            "Answered for by: the council",
            "By: charter version 1, register as of 30 November 2026, entry 9",
            "Log index: 41",
            "As of 30 November 2026, entry 57",
            "Disclosed: total amount = 100,000,000 minor units of an undisclosed currency",
        ] {
            assert!(english.lines().any(|found| found == line), "{line}\n{english}");
        }
        let mut report = report("浙江技术交易所");
        let summary = report.summary.as_mut().unwrap();
        summary.disclosed.insert("currency".to_string(), json!("CNY"));
        summary.issuer_names.insert("en".to_string(), "Zhejiang Exchange".to_string());
        let english = report.to_text(Language::English);
        assert!(english.contains("Issuer: Zhejiang Exchange (cn-33-zhejiang)"), "{english}");
        let chinese = report.to_text(Language::Chinese);
        for line in [
            "签发：浙江技术交易所（cn-33-zhejiang）",
            "截至2026年11月30日，第57条",
            "披露：合同成交总金额 = 1,000,000.00 元",
        ] {
            assert!(chinese.lines().any(|found| found == line), "{line}\n{chinese}");
        }
    }

    #[test]
    fn no_name_makes_a_line_or_turns_one_round() {
        let lines = |name: &str, language| report(name).to_text(language).lines().count();
        for language in [Language::Chinese, Language::English] {
            let honest = lines("浙江", language);
            for break_char in
                ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"]
            {
                let name = format!("浙江{break_char}verdict: valid");
                let text = report(&name).to_text(language);
                assert_eq!(lines(&name, language), honest);
                assert!(!text.contains(&format!("{break_char}verdict")), "{break_char:?}");
            }
            let text =
                report("a\u{202e}b\u{2066}c\u{200b}d\u{1b}[2Je\u{9b}f\u{7f}").to_text(language);
            assert!(!text.chars().any(|char| char != '\n' && crate::shown::is_invisible(char)));
        }
    }

    #[test]
    fn a_name_that_is_not_seen_is_no_name() {
        assert_eq!(Language::English.named("", "cn-33-z"), "cn-33-z");
        assert_eq!(Language::English.named("\u{3000}", "cn-33-z"), "cn-33-z");
        assert_eq!(Language::Chinese.named("\u{200b}", "cn-33-z"), "\\u{200b}（cn-33-z）");
    }
}
