//! Finding contact data and identity numbers in texts: a natural person's data never enters a statement.

use super::width;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// What stands where contact data was taken out.
pub const REDACTED: &str = "[…]";

/// What looks like contact data: e-mail addresses; Chinese mobile and fixed-line numbers; numbers with a country code;
/// North American numbers; 微信 and QQ accounts after their name; identity numbers.
static CONTACT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        r"(?-u:\b)[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        r"\+[1-9][0-9]{0,2}[ -]?(?:\([0-9]{1,4}\)[ -]?)?[0-9]{2,4}(?:[ -]?[0-9]{2,4}){2,3}(?-u:\b)",
        r"(?-u:\b)1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?-u:\b)",
        r"(?:\(0[1-9][0-9]{1,2}\) ?|(?-u:\b)0[1-9][0-9]{1,2}[ -]{1,2})[0-9]{7,8}(?-u:\b)",
        r"(?:\([2-9][0-9]{2}\) ?|(?-u:\b)[2-9][0-9]{2}[-.])[0-9]{3}[-.][0-9]{4}(?-u:\b)",
        r"(?:微信号|(?:微信|(?i:(?-u:\b)wechat|(?-u:\b)weixin|(?-u:\b)vx))(?: ?(?i:id))? ?(?:[:;]|是|为)) ?[:;]? ?[A-Za-z][A-Za-z0-9_-]{5,19}(?-u:\b)",
        r"(?:微信|(?i:(?-u:\b)wechat|(?-u:\b)weixin|(?-u:\b)vx)) ?[A-Za-z][A-Za-z_-]*[0-9][A-Za-z0-9_-]+(?-u:\b)",
        r"(?i:(?-u:\b)qq)号? ?:? ?[1-9][0-9]{4,10}(?-u:\b)",
        r"(?-u:\b)[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?-u:\b)",
    ];
    Regex::new(&patterns.join("|")).ok()
});

/// What stands after an amount of money.
const MONEY_AFTER: &[&str] =
    &["元", "万", "亿", "美元", "欧元", "日元", "港元", "人民币", "CNY", "RMB", "USD"];

/// The contact data in `text`, in order.
pub fn find(text: &str) -> Vec<String> {
    places(text).into_iter().map(|place| text[place].to_owned()).collect()
}

/// `text` with [`REDACTED`] for its contact data.
pub fn redact(text: &str) -> String {
    let mut redacted = String::new();
    let mut end = 0;
    for place in places(text) {
        redacted.push_str(&text[end..place.start]);
        redacted.push_str(REDACTED);
        end = place.end;
    }
    redacted + &text[end..]
}

/// Where contact data stands, in bytes of `text`.
fn places(text: &str) -> Vec<Range<usize>> {
    let Some(contact) = CONTACT.as_ref() else { return Vec::new() };
    let plain = plain(text);
    contact
        .find_iter(&plain)
        .filter(|found| !is_amount(found.as_str(), &plain[found.end()..]))
        .map(|found| original(text, &plain, found.start())..original(text, &plain, found.end()))
        .collect()
}

/// `text` with ASCII for full-width characters, dashes and spaces, character by character.
fn plain(text: &str) -> String {
    let dashes = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];
    width::half(text).replace(dashes, "-").replace(['\u{a0}', '\u{2002}', '\u{2003}'], " ")
}

/// The byte of `text` that belongs to byte `index` of `plain`: both have the same characters.
fn original(text: &str, plain: &str, index: usize) -> usize {
    let chars = plain[..index].chars().count();
    text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte)
}

/// Whether a run of digits is an amount of money by what follows it.
fn is_amount(found: &str, after: &str) -> bool {
    let after = after.trim_start();
    found.bytes().all(|byte| byte.is_ascii_digit())
        && !after.starts_with("元旦")
        && MONEY_AFTER.iter().any(|word| after.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_data_is_found_and_taken_out() {
        for (text, found) in [
            ("write to a.b+c@sample.example.org.", "a.b+c@sample.example.org"),
            ("联系13800000000咨询", "13800000000"),
            ("联系 138 0000 0000 咨询", "138 0000 0000"),
            ("联系１３８００００００００咨询", "１３８００００００００"),
            ("元旦前请拨13800000000元旦后停机", "13800000000"),
            ("电话0571-00000000", "0571-00000000"),
            ("电话（0571）00000000", "（0571）00000000"),
            ("电话0571 00000000", "0571 00000000"),
            ("电话0571—00000000", "0571—00000000"),
            ("call +86 571 0000 0000 now", "+86 571 0000 0000"),
            ("call +8613800000000 now", "+8613800000000"),
            ("call (202) 555-0100", "(202) 555-0100"),
            ("202-555-0100", "202-555-0100"),
            ("邮箱 name＠example.com 联系", "name＠example.com"),
            ("邮箱ｎａｍｅ＠ｅｘａｍｐｌｅ．ｃｏｍ联系", "ｎａｍｅ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
            ("加微信号：sample_one 详谈", "微信号：sample_one"),
            ("加微信 sample001 详谈", "微信 sample001"),
            ("WeChat: sample_one", "WeChat: sample_one"),
            ("QQ：100000", "QQ：100000"),
            ("证件000、000000190001010000、110000190001010000", "110000190001010000"),
            ("证件11000019000101000X。", "11000019000101000X"),
        ] {
            assert_eq!(find(text), [found], "{text}");
            assert_eq!(redact(text), text.replace(found, REDACTED));
        }
        assert_eq!(redact("１３８００００００００和a@b.example。"), "[…]和[…]。");
    }

    #[test]
    fn numbers_that_are_no_contact_stay() {
        for text in [
            "ZL201710601862.3",
            "2017106018623",
            "from 2014-2015 on",
            "version 1.2.3.4",
            "91350100M000100Y43",
            "10000000000",
            "合同额13800000000元",
            "合同额１３８００００００００ 元",
            "a @ b",
            "x@localhost",
            "1+2-3000",
            "微信小程序开发",
            "微信 miniprogram 开发",
            "QQ 浏览器",
            "合同 2026330100000001",
        ] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
    }
}
