//! Amounts of money: a cell's number, and what the cell says of its unit and currency.

use super::mapping::Unit;
use hutong_protocol::money::Currency;

/// What the mapping and the row say of an amount.
#[derive(Debug, Clone, Copy)]
pub(super) struct Money {
    /// The unit that the mapping declares; where it declares none, the cell's own, or else the main unit.
    pub(super) unit: Option<Unit>,
    /// The currency of the row; none while it is unknown.
    pub(super) currency: Option<Currency>,
}

impl Money {
    /// Decimal digits of the currency's minor unit: 2 for the yuan, 0 for the yen.
    fn minor_digits(self) -> usize {
        self.currency.and_then(Currency::decimals).unwrap_or(2) as usize
    }
}

/// An amount as a cell writes it.
#[derive(Debug)]
struct Written {
    whole: String,
    fraction: String,
    unit: Option<Unit>,
    /// Currencies that the cell may mean; none where it names none.
    currencies: Option<&'static [&'static str]>,
}

/// Words for currencies before or after a number, and what each may mean. Longer words stand before their ends.
const CURRENCIES: &[(&str, &[&str])] = &[
    ("人民币", &["CNY"]),
    ("RMB", &["CNY"]),
    ("CN¥", &["CNY"]),
    ("JP¥", &["JPY"]),
    ("¥", &["CNY", "JPY"]),
    ("US$", &["USD"]),
    ("HK$", &["HKD"]),
    ("NT$", &["TWD"]),
    ("S$", &["SGD"]),
    ("A$", &["AUD"]),
    ("C$", &["CAD"]),
    ("$", &["USD", "HKD", "TWD", "SGD", "AUD", "CAD", "NZD"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("美元", &["USD"]),
    ("欧元", &["EUR"]),
    ("港元", &["HKD"]),
    ("港币", &["HKD"]),
    ("日元", &["JPY"]),
    ("英镑", &["GBP"]),
    ("坚戈", &["KZT"]),
    ("CNY", &["CNY"]),
    ("USD", &["USD"]),
    ("HKD", &["HKD"]),
    ("TWD", &["TWD"]),
    ("SGD", &["SGD"]),
    ("EUR", &["EUR"]),
    ("GBP", &["GBP"]),
    ("JPY", &["JPY"]),
    ("KZT", &["KZT"]),
    // Last: the ends of longer words.
    ("元", &["CNY"]),
];

/// Multiples after a number.
const UNITS: &[(&str, Unit)] = &[("万", Unit::TenThousand), ("亿", Unit::HundredMillion)];

/// An amount as a whole number of minor units, without rounding.
///
/// # Errors
///
/// The cell holds no amount, names another currency or unit than the mapping, or is too fine or too large.
pub(super) fn amount(text: &str, money: Money) -> Result<i64, String> {
    let written =
        written(text).ok_or("expected an amount such as 1200, 1,200.50, ¥100 or 12.5万元")?;
    check_currency(&written, money)?;
    let unit = unit(&written, money)?;
    let places = match unit {
        Unit::Minor => 0,
        Unit::Main => money.minor_digits(),
        Unit::TenThousand => money.minor_digits() + 4,
        Unit::HundredMillion => money.minor_digits() + 8,
    };
    let fraction = written.fraction.trim_end_matches('0');
    if fraction.len() > places {
        return Err("the amount is finer than the currency's minor unit".to_owned());
    }
    format!("{}{fraction:0<places$}", written.whole)
        .parse::<i64>()
        .ok()
        .filter(|minor| *minor < (1 << 53))
        .ok_or_else(|| "the amount is too large: at most 2^53 - 1 minor units".to_owned())
}

/// Whether a text is an amount, in whatever currency and unit.
pub(super) fn is_amount(text: &str) -> bool {
    written(text).is_some()
}

fn check_currency(written: &Written, money: Money) -> Result<(), String> {
    let (Some(named), Some(currency)) = (written.currencies, money.currency) else { return Ok(()) };
    if named.contains(&currency.as_str()) {
        return Ok(());
    }
    Err(format!(
        "the cell names the currency {}, the row's currency is {}: correct the cell or the rule for the currency",
        named.join(" or "),
        currency.as_str()
    ))
}

/// The unit of the amount. One that names a currency and no multiple is in the main unit.
fn unit(written: &Written, money: Money) -> Result<Unit, String> {
    let stated = written.unit.or(written.currencies.map(|_| Unit::Main));
    match (stated, money.unit) {
        (Some(stated), Some(declared)) if stated != declared => Err(format!(
            "the cell is in {}, the mapping's unit is {}: correct the cell or the unit",
            name(stated),
            name(declared)
        )),
        (stated, declared) => Ok(stated.or(declared).unwrap_or_default()),
    }
}

fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Minor => "minor units (\"minor\")",
        Unit::Main => "the main unit (\"main\")",
        Unit::TenThousand => "ten thousands (万, \"ten-thousand\")",
        Unit::HundredMillion => "hundred millions (亿, \"hundred-million\")",
    }
}

fn written(text: &str) -> Option<Written> {
    let mut rest: String =
        super::width::half(text).chars().filter(|c| !c.is_whitespace()).collect();
    let before = strip(&mut rest, |rest, word| rest.strip_prefix(word));
    let mut after = strip(&mut rest, |rest, word| rest.strip_suffix(word));
    // 人民币100元 names one currency twice.
    if let (Some(before), Some(after)) = (before, after)
        && !after.iter().any(|code| before.contains(code))
    {
        return None;
    }
    let found = UNITS.iter().find(|(word, _)| rest.ends_with(word));
    let unit = found.map(|(word, unit)| {
        rest.truncate(rest.len() - word.len());
        *unit
    });
    after = match (before, after) {
        (Some(before), Some(after)) => {
            Some(if before.len() < after.len() { before } else { after })
        }
        (before, after) => before.or(after),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((&rest, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = ungrouped(whole)?;
    (!whole.is_empty() && digits(&whole) && digits(fraction)).then(|| Written {
        whole,
        fraction: fraction.to_owned(),
        unit,
        currencies: after,
    })
}

/// Takes a word for a currency off one end of `rest`.
fn strip(
    rest: &mut String,
    end: impl for<'a> Fn(&'a str, &str) -> Option<&'a str>,
) -> Option<&'static [&'static str]> {
    let (left, codes) = CURRENCIES
        .iter()
        .find_map(|(word, codes)| end(rest, word).map(|left| (left.to_owned(), *codes)))?;
    *rest = left;
    Some(codes)
}

/// Digits without the commas between them. `12,5` is none: the comma may stand for the point.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let mut digits = groups.next()?.to_owned();
    for group in groups {
        if !matches!(group.len(), 3 | 4) || digits.is_empty() {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: Option<Unit>, currency: &str) -> Result<i64, String> {
        amount(text, Money { unit, currency: currency.parse().ok() })
    }

    const MAIN: Option<Unit> = Some(Unit::Main);
    const TEN_THOUSAND: Option<Unit> = Some(Unit::TenThousand);

    #[test]
    fn amounts_are_exact() {
        for (text, unit, currency, expected) in [
            ("1,200.50", MAIN, "CNY", 120_050),
            ("¥0.1", MAIN, "CNY", 10),
            ("90071992547409.91", MAIN, "CNY", 9_007_199_254_740_991),
            ("12.345678", TEN_THOUSAND, "CNY", 12_345_678),
            ("7", Some(Unit::Minor), "CNY", 7),
            ("1200", MAIN, "JPY", 1_200),
            ("1.5", TEN_THOUSAND, "JPY", 15_000),
        ] {
            assert_eq!(read(text, unit, currency), Ok(expected), "{text}");
        }
        for text in ["1.005", "-3", "12e3", "", ".5", "90071992547409.92", "面议", "12,5", "1,2,3"]
        {
            assert!(read(text, MAIN, "CNY").is_err(), "{text}");
        }
        assert!(read("12.3456789", TEN_THOUSAND, "CNY").is_err());
        assert!(read("1200.5", MAIN, "JPY").is_err());
        assert!(read("7.5", Some(Unit::Minor), "CNY").is_err());
    }

    #[test]
    fn the_usual_forms_of_an_amount_are_read() {
        for (text, expected) in [
            ("12.5万元", 12_500_000),
            ("1.2亿元", 12_000_000_000),
            ("１２．５万元", 12_500_000),
            ("１，２００元", 120_000),
            ("RMB 100", 10_000),
            ("CNY 100", 10_000),
            ("100 CNY", 10_000),
            ("人民币100元", 10_000),
            ("人民币 12 万元", 12_000_000),
            ("￥100", 10_000),
            ("12万", 12_000_000),
        ] {
            assert_eq!(read(text, None, "CNY"), Ok(expected), "{text}");
            assert!(is_amount(text), "{text}");
        }
        assert_eq!(read("12.5万元", TEN_THOUSAND, "CNY"), Ok(12_500_000));
        assert_eq!(read("12.5万美元", TEN_THOUSAND, "USD"), Ok(12_500_000));
        assert_eq!(read("$100", None, "HKD"), Ok(10_000));
    }

    #[test]
    fn a_unit_that_disagrees_with_the_column_is_refused() {
        for (text, unit) in [
            ("￥1,200,000.00", TEN_THOUSAND),
            ("1200000元", TEN_THOUSAND),
            ("RMB 100", TEN_THOUSAND),
            ("12.5万元", MAIN),
            ("1.2亿元", TEN_THOUSAND),
            ("¥100", Some(Unit::Minor)),
        ] {
            let reason = read(text, unit, "CNY").err();
            assert!(
                reason.is_some_and(|reason| reason.contains("the mapping's unit is")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_currency_that_disagrees_with_the_row_is_refused() {
        for (text, currency) in [
            ("$100", "CNY"),
            ("100美元", "CNY"),
            ("€100", "USD"),
            ("100元", "USD"),
            ("JPY 1", "CNY"),
        ] {
            let reason = read(text, None, currency).err();
            assert!(
                reason.is_some_and(|reason| reason.contains("the row's currency is")),
                "{text}"
            );
        }
        assert!(!is_amount("$100元"));
    }
}
