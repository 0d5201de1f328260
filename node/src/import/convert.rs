//! From a source's text to a member's value.

use super::amount::{Money, amount};
use super::mapping::Shape;
use super::row::shorten;
use jiff::civil::Date;
use serde_json::Value;

/// Forms of dates that are understood without being declared.
const DATE_FORMS: &[&str] = &["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"];

/// Years that a form with two digits of the year is surely meant for.
const TWO_DIGIT_YEARS: std::ops::Range<i16> = 2000..2050;

/// Brings one text into a single member's shape. What is changed on the way is told in `warnings`.
pub(super) fn single(
    shape: Shape,
    text: &str,
    dates: &[String],
    money: Money,
    warnings: &mut Vec<(String, String)>,
) -> Result<Value, String> {
    match shape {
        Shape::Text(chars_max) => Ok(trimmed(&paragraphs(text), chars_max, warnings).into()),
        Shape::Line(chars_max) | Shape::Lines(chars_max) => {
            Ok(trimmed(&one_line(text), chars_max, warnings).into())
        }
        Shape::Code | Shape::Codes | Shape::Audience => Ok(text.into()),
        Shape::Whole => whole(text).map(Value::from),
        Shape::Money => amount(text, money).map(Value::from),
        Shape::Date => date(text, dates, warnings).map(Value::from),
        Shape::Flag => flag(text).map(Value::from),
        Shape::Address => address(text).map(Value::from),
        Shape::Region => Ok(region(text).into()),
    }
}

/// Brings one text into the shape of a list's item.
pub(super) fn item(shape: Shape, text: &str, warnings: &mut Vec<(String, String)>) -> String {
    match shape {
        Shape::Lines(chars_max) => trimmed(&one_line(text), chars_max, warnings),
        _ => text.trim().to_owned(),
    }
}

/// The audience that these words name.
pub(super) fn audience(words: &[String]) -> Result<Value, String> {
    match words {
        [word] if word == "public" || word == "domestic" => Ok(word.as_str().into()),
        members if members.iter().any(|word| word == "public" || word == "domestic") => {
            Err("public and domestic stand alone".to_owned())
        }
        members => {
            // The protocol wants them in order, so that one audience has one form.
            let members: std::collections::BTreeSet<&String> = members.iter().collect();
            Ok(serde_json::json!({ "members": members }))
        }
    }
}

/// Text on one line: white space and control characters become single spaces.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Text with its line breaks, without other control characters and without trailing space.
fn paragraphs(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.replace(|c: char| c.is_control(), " ").trim_end().to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// At most `chars_max` characters of `text`, cut between words if a space is near, with `…`.
fn trimmed(text: &str, chars_max: usize, warnings: &mut Vec<(String, String)>) -> String {
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let end = text.char_indices().nth(chars_max - 1).map_or(text.len(), |(end, _)| end);
    let cut = &text[..end];
    let cut = match cut.rfind(' ') {
        Some(space) if end - space < 40 => &cut[..space],
        _ => cut,
    };
    let reason = format!("trimmed from {chars} to at most {chars_max} characters");
    warnings.push((shorten(text), reason));
    format!("{}…", cut.trim_end())
}

fn whole(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected a whole number".to_owned())
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "是" | "有" => Ok(true),
        "false" | "no" | "n" | "0" | "否" | "无" => Ok(false),
        _ => Err("expected true or false (yes or no, 是 or 否, 1 or 0)".to_owned()),
    }
}

/// A day in one of the declared forms, or in ISO form as date cells have it; when none is declared, in one of
/// [`DATE_FORMS`]. A time after an ISO day is left out.
fn date(
    text: &str,
    forms: &[String],
    warnings: &mut Vec<(String, String)>,
) -> Result<String, String> {
    let day = text.split(['T', ' ']).next().unwrap_or(text);
    let declared = forms.iter().find_map(|form| Some((form, Date::strptime(form, text).ok()?)));
    if let Some((form, found)) = declared {
        if form.contains("%y") && !TWO_DIGIT_YEARS.contains(&found.year()) {
            let reason = format!("the year of two digits was read as {}", found.year());
            warnings.push((text.to_owned(), reason));
        }
        return Ok(found.to_string());
    }
    let known = if forms.is_empty() { DATE_FORMS } else { &DATE_FORMS[..1] };
    let found = known.iter().find_map(|form| Date::strptime(form, day).ok());
    found.map(|day| day.to_string()).ok_or_else(|| {
        let expected = if forms.is_empty() { DATE_FORMS.join(", ") } else { forms.join(", ") };
        format!("expected a date in one of the forms {expected}: declare others under `dates`")
    })
}

fn address(text: &str) -> Result<String, String> {
    let known = ["https://", "http://"];
    let host = known.iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(rest)
            if !rest.is_empty()
                && !text.contains(|c: char| c.is_whitespace() || c.is_control()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected a web address that begins with https:// or http://".to_owned()),
    }
}

/// A region code; `330100` becomes `CN-3301`, `330000` becomes `CN-33`. Others are left for validation.
fn region(text: &str) -> String {
    if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant =
            text.strip_suffix("0000").or_else(|| text.strip_suffix("00")).unwrap_or(text);
        return format!("CN-{significant}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YUAN: Money = Money { unit: None, currency: None };

    fn check(shape: Shape, text: &str, expected: impl Into<Option<Value>>) {
        let value = single(shape, text, &[], YUAN, &mut Vec::new());
        assert_eq!(value.ok(), expected.into(), "{shape:?} of {text:?}");
    }

    #[test]
    fn dates_are_days_that_exist() {
        for text in [
            "2026-02-28",
            "2026/2/28",
            "2026.02.28",
            "2026年2月28日",
            "20260228",
            "2026-02-28T08:00:00Z",
        ] {
            check(Shape::Date, text, Some("2026-02-28".into()));
        }
        for text in ["2026-02-29", "YYYY-MM-DD", "28.02.2026", "", "2026-13-01"] {
            check(Shape::Date, text, None);
        }
        let declared =
            single(Shape::Date, "28.02.2026", &["%d.%m.%Y".into()], YUAN, &mut Vec::new());
        assert_eq!(declared, Ok("2026-02-28".into()));
        for cell in ["2026-02-28", "2026-02-28T08:00:00"] {
            let found = single(Shape::Date, cell, &["%d.%m.%Y".into()], YUAN, &mut Vec::new());
            assert_eq!(found, Ok("2026-02-28".into()));
        }
    }

    #[test]
    fn a_year_of_two_digits_in_another_century_is_flagged() {
        for (text, day, flagged) in [
            ("28.02.26", "2026-02-28", 0),
            ("28.02.75", "1975-02-28", 1),
            ("28.02.60", "2060-02-28", 1),
        ] {
            let mut warnings = Vec::new();
            let found = single(Shape::Date, text, &["%d.%m.%y".into()], YUAN, &mut warnings);
            assert_eq!((found, warnings.len()), (Ok(day.into()), flagged), "{text}");
        }
    }

    #[test]
    fn division_codes_become_regions() {
        for (text, region) in
            [("330000", "CN-33"), ("330100", "CN-3301"), ("330106", "CN-330106"), ("KZ", "KZ")]
        {
            check(Shape::Region, text, Some(region.into()));
        }
    }

    #[test]
    fn addresses_have_a_scheme_and_no_space() {
        check(Shape::Address, "https://example.org/a", Some("https://example.org/a".into()));
        for text in ["example.org", "https://", "ftp://example.org", "https://a b"] {
            check(Shape::Address, text, None);
        }
    }

    #[test]
    fn flags_and_whole_numbers_refuse_their_neighbours() {
        check(Shape::Flag, "是", Some(true.into()));
        check(Shape::Flag, "maybe", None);
        check(Shape::Whole, "9", Some(9.into()));
        check(Shape::Whole, "9.5", None);
    }

    #[test]
    fn long_text_is_cut_between_words_with_a_warning() {
        let mut warnings = Vec::new();
        let value = single(Shape::Line(20), "alpha  beta\n gamma delta", &[], YUAN, &mut warnings);
        assert_eq!(value, Ok("alpha beta gamma…".into()));
        assert_eq!(warnings.len(), 1);
        let wide = single(Shape::Line(3), "示例示例", &[], YUAN, &mut warnings);
        assert_eq!(wide, Ok("示例…".into()));
    }

    #[test]
    fn audiences_are_words_or_members() {
        assert_eq!(audience(&["domestic".into()]), Ok("domestic".into()));
        assert_eq!(audience(&["a-1".into()]), Ok(serde_json::json!({"members": ["a-1"]})));
        assert!(audience(&["public".into(), "a-1".into()]).is_err());
    }
}
