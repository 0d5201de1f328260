//! Whether a code has the form that its member asks for.

use super::target::Target;
use hutong_protocol::codes::{ListingKind, TechField, TransferMode};
use hutong_protocol::patent::{PatentError, PatentNumber};
use hutong_protocol::uscc::Uscc;
use regex::Regex;
use std::str::FromStr;
use std::sync::LazyLock;

/// A class of the International Patent Classification, also with the version and the mark (I or N) that offices print.
static CLASS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^([A-H][0-9]{2}[A-Z])(?:\s*([0-9]{1,4}/[0-9]{2,6}))?\s*(?:\([0-9]{4}\.[0-9]{2}\)\s*[IN]?)?$",
    )
    .ok()
});

/// `H01M10/052(2010.01)I` as `H01M 10/052`; what is no class is left for validation.
pub(super) fn class(text: &str) -> String {
    let parts = CLASS.as_ref().and_then(|class| class.captures(text));
    let Some(parts) = parts else { return text.to_owned() };
    match parts.get(2) {
        Some(group) => format!("{} {}", &parts[1], group.as_str()),
        None => parts[1].to_owned(),
    }
}

/// Checks a code of `target` as the protocol will. Other members are left to it.
pub(super) fn check(target: &Target, text: &str) -> Result<(), String> {
    match target.pattern() {
        "ipc" if !CLASS.as_ref().is_some_and(|class| class.is_match(text)) => {
            Err("expected a class such as G06F or G06F 16/00".to_owned())
        }
        "kind" => parsed::<ListingKind>(text),
        "field" | "fields" => parsed::<TechField>(text),
        "modes" => parsed::<TransferMode>(text),
        "holder.uscc" | "claims.seller_uscc" | "claims.buyer_uscc" => parsed::<Uscc>(text),
        "patents" => parsed::<PatentNumber>(text),
        // Numbers of software and other rights have no form.
        "ip.<number>.number" => match text.parse::<PatentNumber>() {
            Err(error @ (PatentError::Chinese | PatentError::Check { .. })) => {
                Err(error.to_string())
            }
            Ok(_) | Err(PatentError::Form) => Ok(()),
        },
        _ => Ok(()),
    }
}

fn parsed<T>(text: &str) -> Result<(), String>
where
    T: FromStr,
    T::Err: ToString,
{
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_lose_version_and_mark() {
        for (text, expected) in [
            ("H01M10/052(2010.01)I", "H01M 10/052"),
            ("H01M50/40 (2021.01) N", "H01M 50/40"),
            ("H01M 10/05", "H01M 10/05"),
            ("G06F(2006.01)I", "G06F"),
            ("G06F", "G06F"),
            ("H01M10/052(2010)X", "H01M10/052(2010)X"),
            ("不详", "不详"),
        ] {
            assert_eq!(class(text), expected);
        }
    }
}
