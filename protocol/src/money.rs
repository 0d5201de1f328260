//! Amounts of money: whole numbers of the currency's minor unit, such as fen.

use alloc::string::{String, ToString as _};
use core::{fmt, str::FromStr};

use crate::json::INTEGER_MAX;

/// Currencies in use, by ISO 4217, in order; without funds, metals and test codes.
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

/// An ISO 4217 currency in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency: expected an ISO 4217 code such as CNY")]
pub struct CurrencyError(String);

impl Currency {
    /// The renminbi.
    pub const CNY: Self = Self(*b"CNY");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        // The bytes come from the list of codes, which is ASCII.
        core::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimal digits of the minor unit: 0, 2 or 3.
    pub fn decimals(self) -> u32 {
        let listed = |list: &str| list.split(' ').any(|code| code == self.as_str());
        match (listed(UNDIVIDED), listed(THOUSANDTHS)) {
            (true, _) => 0,
            (_, true) => 3,
            _ => 2,
        }
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
        let error = || CurrencyError(text.chars().take(8).collect());
        let listed = CURRENCIES.split(' ').any(|code| code == text);
        let bytes = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_| error())?;
        if listed { Ok(Self(bytes)) } else { Err(error()) }
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
    /// `1234.50 CNY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals();
        let unit = 10_u64.pow(decimals);
        write!(f, "{}", self.minor / unit)?;
        if decimals > 0 {
            let digits = (self.minor % unit + unit).to_string();
            write!(f, ".{}", &digits[1..])?;
        }
        write!(f, " {}", self.currency)
    }
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
    }

    #[test]
    fn an_amount_fits_json() {
        assert!(Amount::new(INTEGER_MAX, Currency::CNY).is_some());
        assert!(Amount::new(INTEGER_MAX + 1, Currency::CNY).is_none());
    }

    #[test]
    fn a_currency_is_listed() {
        for code in ["CNY", "KZT", "USD", "EUR", "ZWG"] {
            assert_eq!(code.parse::<Currency>().unwrap().as_str(), code);
        }
        for code in ["cny", "RMB", "XXX", "CN", "CNYY", "", "CNY USD", "   "] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }
}
