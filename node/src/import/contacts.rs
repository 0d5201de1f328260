//! Finding e-mail addresses and telephone numbers in texts: a natural person's contact data never
//! enters a statement.

use regex::Regex;
use std::sync::LazyLock;

/// What stands where contact data was taken out.
pub const REDACTED: &str = "[…]";

/// What looks like contact data: e-mail addresses; Chinese mobile and fixed-line numbers; numbers with a country code;
/// North American numbers. A run of digits inside a longer one, such as a patent number, is none.
static CONTACT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        r"(?-u:\b)[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        r"(?-u:\b)1[3-9][0-9]-?[0-9]{4}-?[0-9]{4}(?-u:\b)",
        r"(?-u:\b)0[1-9][0-9]{1,2}-[0-9]{7,8}(?-u:\b)",
        r"\+[1-9][0-9]{0,2}[ -]?(?:\([0-9]{1,4}\)[ -]?)?[0-9]{2,4}(?:[ -]?[0-9]{2,4}){2,3}(?-u:\b)",
        r"(?:\([2-9][0-9]{2}\) ?|(?-u:\b)[2-9][0-9]{2}[-.])[0-9]{3}[-.][0-9]{4}(?-u:\b)",
    ];
    Regex::new(&patterns.join("|")).ok()
});

/// The contact data in `text`, in order.
pub fn find(text: &str) -> Vec<String> {
    let Some(contact) = CONTACT.as_ref() else { return Vec::new() };
    contact.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// `text` with [`REDACTED`] for its contact data.
pub fn redact(text: &str) -> String {
    match CONTACT.as_ref() {
        Some(contact) => contact.replace_all(text, REDACTED).into_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_data_is_found_and_taken_out() {
        for (text, found) in [
            ("write to a.b+c@sample.example.org.", "a.b+c@sample.example.org"),
            ("联系13800000000咨询", "13800000000"),
            ("电话0571-00000000", "0571-00000000"),
            ("call +86 571 0000 0000 now", "+86 571 0000 0000"),
            ("call (202) 555-0100", "(202) 555-0100"),
            ("202-555-0100", "202-555-0100"),
        ] {
            assert_eq!(find(text), [found], "{text}");
            assert_eq!(redact(text), text.replace(found, REDACTED));
        }
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
            "a @ b",
            "x@localhost",
            "1+2-3000",
        ] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
    }
}
