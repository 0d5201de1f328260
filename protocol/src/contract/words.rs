//! Confidential values in words, for people who are shown them.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};

use serde_json::Value;

use super::ClaimName;
use crate::money::{Currency, words_en, words_zh};
use crate::shown::Shown;

/// Claim `name` of `values` in Chinese, on one line: amounts in the currency that `values` hold too, the bare
/// number where they hold none. Empty where `values` have no such claim.
pub fn claim_zh(name: &str, values: &BTreeMap<String, Value>) -> String {
    claim(name, values, words_zh)
}

/// As [`claim_zh`], in English.
pub fn claim_en(name: &str, values: &BTreeMap<String, Value>) -> String {
    claim(name, values, words_en)
}

fn claim(
    name: &str,
    values: &BTreeMap<String, Value>,
    amount: fn(u64, Option<Currency>) -> String,
) -> String {
    let Some(value) = values.get(name) else { return String::new() };
    if let (Ok(claim), Some(minor)) = (name.parse::<ClaimName>(), value.as_u64())
        && is_amount(claim)
    {
        let currency = values.get(ClaimName::Currency.as_str()).and_then(Value::as_str);
        return amount(minor, currency.and_then(|code| code.parse().ok()));
    }
    match value.as_str() {
        Some(text) => Shown::new(text).to_string(),
        None => Shown::new(&value.to_string()).to_string(),
    }
}

const fn is_amount(claim: ClaimName) -> bool {
    match claim {
        ClaimName::TotalAmount
        | ClaimName::TechnicalAmount
        | ClaimName::ExpectedInvestment
        | ClaimName::ExpectedOutput => true,
        ClaimName::ProjectName
        | ClaimName::SellerName
        | ClaimName::BuyerName
        | ClaimName::SellerUscc
        | ClaimName::BuyerUscc
        | ClaimName::Currency
        | ClaimName::Terms => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_in_words_of_a_currency_that_is_shown_with_it() {
        let mut values: BTreeMap<String, Value> = [
            ("total_amount".into(), json!(120_000_000)),
            ("terms".into(), json!("第一条\n结论：有效\u{202e}")),
        ]
        .into();
        let bare = "120,000,000 minor units of an undisclosed currency";
        assert_eq!(claim_en("total_amount", &values), bare);
        assert_eq!(claim_zh("total_amount", &values), "120,000,000 个最小货币单位（币种未披露）");
        values.insert("currency".into(), json!("CNY"));
        assert_eq!(claim_en("total_amount", &values), "CNY 1,200,000.00");
        assert_eq!(claim_zh("total_amount", &values), "1,200,000.00 元");
        assert_eq!(claim_zh("currency", &values), "CNY");
        assert_eq!(claim_zh("terms", &values), r"第一条\u{a}结论：有效\u{202e}");
        assert_eq!(claim_en("buyer_name", &values), "");
    }
}
