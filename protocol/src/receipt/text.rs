//! A report as text for people, in Chinese and in English.

use alloc::{format, string::String, vec::Vec};

use super::report::{Language, Outcome, Report, Summary, Verdict};

impl Verdict {
    /// The verdict in one sentence.
    pub const fn sentence(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Valid, Language::Chinese) => "有效：全部核验通过，凭据内没有更晚的变更记录。",
            (Self::Valid, Language::English) => {
                "Valid: every check holds, and the receipt knows of no later change."
            }
            (Self::ValidSuperseded, Language::Chinese) => {
                "有效，但已被更晚的变更或修订取代：请索取最新凭据。"
            }
            (Self::ValidSuperseded, Language::English) => {
                "Valid, but replaced by a later amendment or revision: ask for a newer receipt."
            }
            (Self::ValidThenCancelled, Language::Chinese) => "有效，但其后已注销或撤回。",
            (Self::ValidThenCancelled, Language::English) => {
                "Valid, but cancelled or withdrawn later."
            }
            (Self::Void, Language::Chinese) => {
                "不生效：证明成立，但签发者在该处无权限，或该登记已被撤销。"
            }
            (Self::Void, Language::English) => {
                "Void: the proofs hold, but the signer had no authority there, or the registration was revoked."
            }
            (Self::Invalid, Language::Chinese) => "无效：签名、证明或格式不成立，不得采信。",
            (Self::Invalid, Language::English) => {
                "Invalid: a signature, a proof or the form does not hold; do not rely on it."
            }
            (Self::NotVerifiableHere, Language::Chinese) => {
                "本软件无法核验：使用了未知的格式或签名算法，请换用更新的版本。"
            }
            (Self::NotVerifiableHere, Language::English) => {
                "Not verifiable here: it uses an unknown format or signature suite; use a newer version."
            }
        }
    }
}

impl Report {
    /// The report as lines of text.
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
            lines.push(format!("{mark} {detail} [{}]", check.name));
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
        let mut line = |label: &str, value: String| lines.push(format!("{label}{value}"));
        line(pick("联盟：", "Federation: "), format!("{}", self.federation));
        line(pick("签发：", "Issuer: "), format!("{} {}", self.issuer_name, self.issuer));
        line(pick("类型：", "Type: "), self.kind.clone());
        line(pick("编号：", "Statement: "), format!("{}", self.statement));
        line(
            pick("签发时间（签发者自述）：", "Issued (issuer's clock): "),
            format!("{}", self.issued_at),
        );
        if let Some(time) = self.witnessed_at {
            line(
                pick("最迟存在于（见证法定数）：", "Existed at the latest (witness quorum): "),
                format!("{time}"),
            );
        }
        let place = format!("{} / {}", self.index, self.as_of_size);
        line(pick("日志位置 / 截至大小：", "Log index / as of size: "), place);
        for voucher in &self.authority {
            let by = voucher.by.as_ref().map_or(pick("理事会", "the council"), |id| id.as_str());
            let arrow = pick(" ← ", " <- ");
            line(
                pick("授权：", "Authority: "),
                format!("{} {}{arrow}{by}", voucher.name, voucher.exchange),
            );
        }
        for (name, value) in &self.disclosed {
            line(pick("披露：", "Disclosed: "), format!("{name} = {value}"));
        }
        for later in &self.later {
            let value = format!("{} #{} {}", later.event, later.index, later.issued_at);
            line(pick("其后：", "Later: "), value);
        }
        lines
    }
}
