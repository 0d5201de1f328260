//! The closed lists from which statements choose, with their names in Chinese and English.
//!
//! Codes are part of the format: a statement with a code that is not listed is refused, so a new
//! code needs a new version of the statement type. What Hutong calls a code is its own choice
//! except where a list says otherwise; the categories are those of Chinese law and statistics.

mod contract;
mod listing;

pub use contract::{ContractEventKind, ContractSubtype, ContractType, PaymentMethod, PlanSource};
pub use listing::{
    IpType, ListingKind, ListingStatusKind, MaturityScheme, PricingMode, TechField, TransferMode,
};

use crate::shown::Shown;

/// A text is not on a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {list}: expected one of {}", Shown::new(met), .expected.join(", "))]
pub struct CodeError {
    /// Which list.
    pub list: &'static str,
    /// The text, shortened.
    pub met: alloc::string::String,
    /// The codes on the list.
    pub expected: &'static [&'static str],
}

/// Makes an enum of the codes of one list, with names in two languages.
macro_rules! code_list {
    ($(#[$doc:meta])* $list:literal $name:ident {
        $($variant:ident = $code:literal, $zh:literal, $en:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $code, "`: ", $en, ", ", $zh, ".")] $variant,)+
        }

        impl $name {
            /// Every code, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Every code's text, in the order of the list.
            pub const CODES: &[&str] = &[$($code,)+];

            /// The code in statements.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The name in Chinese.
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }

            /// The name in English.
            pub const fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::codes::CodeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::codes::CodeError {
                        list: $list,
                        met: text.chars().take(64).collect(),
                        expected: Self::CODES,
                    }),
                }
            }
        }
    };
}

pub(crate) use code_list;

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, string::ToString as _};

    use super::*;

    macro_rules! check_list {
        ($($list:ident),+) => {$(
            for code in $list::ALL {
                assert_eq!(code.as_str().parse(), Ok(*code));
                assert!(!code.zh().is_ascii(), "{code} has a Chinese name");
                assert!(code.en().is_ascii(), "{code} has an English name");
                let upper = code.as_str().to_uppercase();
                assert!(upper.parse::<$list>().is_err(), "{upper}");
            }
            assert_eq!($list::CODES.iter().collect::<BTreeSet<_>>().len(), $list::ALL.len());
            assert!("".parse::<$list>().is_err());
        )+};
    }

    #[test]
    fn every_code_reads_back_and_has_its_names() {
        check_list!(
            ContractEventKind,
            ContractSubtype,
            ContractType,
            IpType,
            ListingKind,
            ListingStatusKind,
            MaturityScheme,
            PaymentMethod,
            PlanSource,
            PricingMode,
            TechField,
            TransferMode
        );
    }

    #[test]
    fn an_unlisted_code_is_told_what_is_listed() {
        let told = "lease".parse::<PricingMode>().map_err(|error| error.to_string());
        let expected = "`lease` is not a pricing mode: expected one of negotiated, listed, auction, \
            open_license_fee";
        assert_eq!(told, Err(expected.to_string()));
    }
}
