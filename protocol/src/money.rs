//! Amounts of money: whole numbers of the currency's minor unit, such as fen.
//!
//! A currency is three capital letters. Which are in use changes in the world, so no verdict depends on the list
//! here: it gives decimals and names to people, and a warning where a code is not on it ([`crate::unlisted`]).

use alloc::format;
use alloc::string::{String, ToString as _};
use core::{fmt, str::FromStr};

use crate::json::INTEGER_MAX;
use crate::shown::Shown;

/// Currencies in use, by ISO 4217 as of 2025, in order; without funds, metals and test codes.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB \
BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR \
KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR \
MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK \
SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES \
VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Currencies without a minor unit.
const UNDIVIDED: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// Currencies whose minor unit is a thousandth.
const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// Chinese names of the currencies that contracts and listings are most often in.
const NAMES_ZH: [(&str, &str); 12] = [
    ("AUD", "澳大利亚元"),
    ("CNY", "元"),
    ("EUR", "欧元"),
    ("GBP", "英镑"),
    ("HKD", "港元"),
    ("JPY", "日元"),
    ("KRW", "韩元"),
    ("KZT", "哈萨克斯坦坚戈"),
    ("MOP", "澳门元"),
    ("RUB", "俄罗斯卢布"),
    ("SGD", "新加坡元"),
    ("USD", "美元"),
];

/// A currency: three capital letters, as ISO 4217 writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a currency: expected three capital letters such as CNY", Shown::new(.0))]
pub struct CurrencyError(String);

impl Currency {
    /// The renminbi.
    pub const CNY: Self = Self(*b"CNY");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        // The bytes are capital letters.
        core::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Whether this version knows it as a currency in use.
    pub fn is_listed(self) -> bool {
        self.is_on(CURRENCIES)
    }

    /// Decimal digits of the minor unit: 0, 2 or 3; `None` where the currency is not listed.
    pub fn decimals(self) -> Option<u32> {
        match (self.is_on(UNDIVIDED), self.is_on(THOUSANDTHS)) {
            (true, _) => Some(0),
            (_, true) => Some(3),
            _ => self.is_listed().then_some(2),
        }
    }

    fn is_on(self, list: &str) -> bool {
        list.split(' ').any(|code| code == self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            Ok(_) | Err(_) => Err(CurrencyError(text.chars().take(8).collect())),
        }
    }
}

/// An amount of money, not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    minor: u64,
    currency: Currency,
}

impl Amount {
    /// `minor` units (fen, cents) of `currency`; `None` above 2⁵³ − 1, which JSON cannot hold.
    pub fn new(minor: u64, currency: Currency) -> Option<Self> {
        (minor <= INTEGER_MAX).then_some(Self { minor, currency })
    }

    /// How many minor units.
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// Of which currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Amount {
    /// `1234.50 CNY`; `123450 minor units of XYZ` where the currency is not listed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.currency.decimals() {
            Some(decimals) => {
                write!(f, "{} {}", decimal(self.minor, decimals, false), self.currency)
            }
            None => write!(f, "{} minor units of {}", self.minor, self.currency),
        }
    }
}

/// `minor` units for people, in Chinese: `1,234.50 元`, `1,234.50 美元（USD）`. Without its currency an amount is a
/// bare number, and is said to be one.
pub fn words_zh(minor: u64, currency: Option<Currency>) -> String {
    let bare = decimal(minor, 0, true);
    let Some(currency) = currency else {
        return format!("{bare} 个最小货币单位（币种未披露）");
    };
    let Some(decimals) = currency.decimals() else {
        return format!("{bare} 个最小货币单位（{currency}）");
    };
    let amount = decimal(minor, decimals, true);
    match NAMES_ZH.iter().find(|(code, _)| *code == currency.as_str()) {
        Some((_, name)) if currency == Currency::CNY => format!("{amount} {name}"),
        Some((_, name)) => format!("{amount} {name}（{currency}）"),
        None => format!("{amount} {currency}"),
    }
}

/// `minor` units for people, in English: `CNY 1,234.50`. Without its currency an amount is a bare number, and is
/// said to be one.
pub fn words_en(minor: u64, currency: Option<Currency>) -> String {
    let bare = decimal(minor, 0, true);
    match currency.map(|currency| (currency, currency.decimals())) {
        None => format!("{bare} minor units of an undisclosed currency"),
        Some((currency, None)) => format!("{bare} minor units of {currency}"),
        Some((currency, Some(decimals))) => {
            format!("{currency} {}", decimal(minor, decimals, true))
        }
    }
}

/// `minor` with so many of its digits behind the point; in front of it, groups of three if `grouped`.
fn decimal(minor: u64, decimals: u32, grouped: bool) -> String {
    let unit = 10_u64.pow(decimals);
    let whole = (minor / unit).to_string();
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if grouped && place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if decimals > 0 {
        let digits = (minor % unit + unit).to_string();
        text.push('.');
        text.push_str(&digits[1..]);
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn an_amount_shows_its_decimals() {
        let show =
            |minor, code: &str| Amount::new(minor, code.parse().unwrap()).unwrap().to_string();
        assert_eq!(show(123_450, "CNY"), "1234.50 CNY");
        assert_eq!(show(5, "CNY"), "0.05 CNY");
        assert_eq!(show(0, "USD"), "0.00 USD");
        assert_eq!(show(1234, "JPY"), "1234 JPY");
        assert_eq!(show(1234, "KWD"), "1.234 KWD");
        assert_eq!(show(1234, "XYZ"), "1234 minor units of XYZ");
    }

    #[test]
    fn an_amount_is_said_in_words_of_its_currency() {
        for (minor, code, zh, en) in [
            (120_000_000, "CNY", "1,200,000.00 元", "CNY 1,200,000.00"),
            (120_000_000, "USD", "1,200,000.00 美元（USD）", "USD 1,200,000.00"),
            (99_905, "CHF", "999.05 CHF", "CHF 999.05"),
            (1_000, "JPY", "1,000 日元（JPY）", "JPY 1,000"),
            (0, "KWD", "0.000 KWD", "KWD 0.000"),
            (1_000, "XYZ", "1,000 个最小货币单位（XYZ）", "1,000 minor units of XYZ"),
        ] {
            let currency = Some(code.parse().unwrap());
            assert_eq!(
                (words_zh(minor, currency), words_en(minor, currency)),
                (zh.into(), en.into())
            );
        }
        assert_eq!(words_en(1_000_000, None), "1,000,000 minor units of an undisclosed currency");
        assert_eq!(words_zh(1_000_000, None), "1,000,000 个最小货币单位（币种未披露）");
    }

    #[test]
    fn an_amount_fits_json() {
        assert!(Amount::new(INTEGER_MAX, Currency::CNY).is_some());
        assert!(Amount::new(INTEGER_MAX + 1, Currency::CNY).is_none());
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        for (code, listed) in
            [("CNY", true), ("KZT", true), ("ZWG", true), ("RMB", false), ("XXX", false)]
        {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.as_str(), currency.is_listed()), (code, listed));
            assert_eq!(currency.decimals().is_some(), listed, "{code}");
        }
        for code in ["cny", "CNy", "CN", "CNYY", "", "CNY USD", "   ", "CN1", "ＣＮＹ"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
        for code in [UNDIVIDED, THOUSANDTHS].iter().flat_map(|list| list.split(' ')) {
            assert!(code.parse::<Currency>().unwrap().is_listed(), "{code}");
        }
        assert!(NAMES_ZH.iter().all(|(code, _)| code.parse::<Currency>().unwrap().is_listed()));
    }
}
