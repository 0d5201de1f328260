//! Confidential fields: committed to in the statement, shown to whom their office shows them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;
use core::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use hutong_crypto::commitment::{Salt, commit, opens};
use hutong_crypto::digest::Hash;
use serde_json::{Value, json};

use super::Contract;
use crate::codes::{CodeError, code_list};
use crate::json::{Document, INTEGER_MAX, Node, canonicalize};
use crate::money::Currency;
use crate::object::{Object, Path, check_words, describe};
use crate::shown::Shown;
use crate::statement::StatementError;
use crate::uscc::Uscc;

/// Characters of a project's or a party's name at most.
pub const NAME_CHARS_MAX: usize = 500;

/// Characters of the terms at most.
pub const TERMS_CHARS_MAX: usize = 20_000;

code_list! {
    /// A confidential field of a contract.
    "claim" ClaimName {
        ProjectName = "project_name", "项目名称", "project name";
        SellerName = "seller_name", "卖方名称", "seller's name";
        BuyerName = "buyer_name", "买方名称", "buyer's name";
        SellerUscc = "seller_uscc", "卖方统一社会信用代码", "seller's unified social credit code";
        BuyerUscc = "buyer_uscc", "买方统一社会信用代码", "buyer's unified social credit code";
        TotalAmount = "total_amount", "合同成交总金额", "total amount";
        TechnicalAmount = "technical_amount", "技术交易额", "technical amount";
        Currency = "currency", "币种", "currency of the amounts";
        Terms = "terms", "合同条款", "terms";
        ExpectedInvestment = "expected_investment", "预计新增投入", "expected new investment";
        ExpectedOutput = "expected_output", "预计新增产值", "expected new output value";
    }
}

/// Why claims cannot be committed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A value is not what its name promises.
    #[error("claim `{}`: {problem}", Shown::new(name))]
    Value {
        /// The claim's name.
        name: String,
        /// What was expected, and what was met.
        problem: String,
    },
    /// A value came without its salt, or a salt without its value.
    #[error("claim `{}` needs one value and one salt of 32 random bytes", Shown::new(.0))]
    Salt(String),
}

impl ClaimError {
    fn value(name: &str, problem: impl Into<String>) -> Self {
        Self::Value { name: name.to_string(), problem: problem.into() }
    }
}

/// Commits to each value with its salt: 32 random bytes that are used once.
///
/// # Errors
///
/// [`ClaimError`] for values that break the rules of [`check_claims`], and salts that do not pair
/// up with the values.
pub fn commit_claims(
    values: &BTreeMap<String, Value>,
    salts: &BTreeMap<String, [u8; 32]>,
) -> Result<BTreeMap<String, Hash>, ClaimError> {
    check_claims(values)?;
    if let Some(name) = salts.keys().find(|name| !values.contains_key(*name)) {
        return Err(ClaimError::Salt(name.clone()));
    }
    let committed = values.iter().map(|(name, value)| {
        let salt = salts.get(name).ok_or_else(|| ClaimError::Salt(name.clone()))?;
        Ok((name.clone(), commit(&Salt(*salt), name, &canonicalize(value))))
    });
    committed.collect()
}

/// Checks claims each and together: amounts are whole minor units (fen, unless `currency` says
/// otherwise), the total more than 0 and the technical amount at most the total.
///
/// # Errors
///
/// [`ClaimError::Value`] names the first claim that is wrong.
pub fn check_claims(values: &BTreeMap<String, Value>) -> Result<(), ClaimError> {
    for (name, value) in values {
        check_claim(name, value)?;
    }
    let amount = |name: &str| values.get(name).and_then(Value::as_u64);
    match (amount("technical_amount"), amount("total_amount")) {
        (Some(technical), Some(total)) if technical > total => {
            let problem = format!("expected at most total_amount, {total}, met {technical}");
            Err(ClaimError::value("technical_amount", problem))
        }
        _ => Ok(()),
    }
}

/// Checks one claim's value.
///
/// # Errors
///
/// [`ClaimError::Value`] says what was expected.
pub fn check_claim(name: &str, value: &Value) -> Result<(), ClaimError> {
    let claim: ClaimName =
        name.parse().map_err(|error: CodeError| ClaimError::value(name, error.to_string()))?;
    let checked = match claim {
        ClaimName::TotalAmount => check_amount(value, 1),
        ClaimName::TechnicalAmount | ClaimName::ExpectedInvestment | ClaimName::ExpectedOutput => {
            check_amount(value, 0)
        }
        ClaimName::SellerUscc | ClaimName::BuyerUscc => check_parses::<Uscc>(value),
        ClaimName::Currency => check_parses::<Currency>(value),
        ClaimName::Terms => text(value).and_then(|text| check_words(text, TERMS_CHARS_MAX)),
        ClaimName::ProjectName | ClaimName::SellerName | ClaimName::BuyerName => {
            text(value).and_then(|text| check_words(text, NAME_CHARS_MAX))
        }
    };
    checked.map_err(|problem| ClaimError::value(name, problem))
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("expected a text, met {}", describe(Document::of(value).root())))
}

fn check_parses<T: FromStr<Err: Display>>(value: &Value) -> Result<(), String> {
    text(value)?.parse::<T>().map(|_| ()).map_err(|error| error.to_string())
}

fn check_amount(value: &Value, min: u64) -> Result<(), String> {
    if value.as_u64().is_some_and(|number| (min..=INTEGER_MAX).contains(&number)) {
        return Ok(());
    }
    let met = describe(Document::of(value).root());
    Err(format!("expected a whole number of minor units from {min} to {INTEGER_MAX}, met {met}"))
}

/// A claim that is shown.
#[derive(Clone, PartialEq)]
pub struct Disclosure {
    /// The claim's name.
    pub name: String,
    /// What it was committed with.
    pub salt: [u8; 32],
    /// Its value.
    pub value: Value,
}

impl core::fmt::Debug for Disclosure {
    /// Without the salt and the value, which are confidential.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Disclosure").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Disclosure {
    /// Whether `contract` committed to this value under this name.
    pub fn opens(&self, contract: &Contract) -> bool {
        contract.claims.get(&self.name).is_some_and(|commitment| {
            opens(commitment, &Salt(self.salt), &self.name, &canonicalize(&self.value))
        })
    }

    /// Its JSON form: `{"name":…,"salt":<base64url>,"value":…}`.
    pub fn to_value(&self) -> Value {
        json!({
            "name": self.name,
            "salt": Base64UrlUnpadded::encode_string(&self.salt),
            "value": self.value,
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// [`StatementError::Member`] names the member that is wrong, in `disclosure`; values that
    /// break the rules of their claim are refused.
    pub fn from_value(value: &Value) -> Result<Self, StatementError> {
        let document = Document::of(value);
        let members = Object::open(document.root(), Path::Root("disclosure"))?;
        let known = ["name", "salt", "value"];
        if let Some((name, _)) =
            members.members().into_iter().find(|(name, _)| !known.contains(name))
        {
            return Err(members.problem(name, "no such member"));
        }
        let name = members.read::<ClaimName>("name")?.to_string();
        let value =
            members.required("value", "the claim's value", |value| Some(Node::to_value(value)))?;
        check_claim(&name, &value).map_err(|error| members.problem("value", error.to_string()))?;
        let mut salt = [0; 32];
        let decoded = Base64UrlUnpadded::decode(members.text("salt")?, &mut salt);
        if !decoded.is_ok_and(|decoded| decoded.len() == 32) {
            let problem = "expected 32 bytes in base64url without padding";
            return Err(members.problem("salt", problem));
        }
        Ok(Self { name, salt, value })
    }
}
