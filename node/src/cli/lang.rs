//! The language of the output: Chinese or English.

use super::args::LangArg;

/// A language that the program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

/// One text in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

/// Makes [`Words`].
pub const fn words(zh: &'static str, en: &'static str) -> Words {
    Words { zh, en }
}

impl Words {
    /// The text in `lang`.
    pub const fn of(self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

impl Lang {
    /// The flag if given, otherwise the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set; English if
    /// none is.
    pub fn choose(flag: Option<LangArg>, variable: impl Fn(&str) -> Option<String>) -> Self {
        match flag {
            Some(LangArg::Zh) => Self::Zh,
            Some(LangArg::En) => Self::En,
            None => ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .filter_map(variable)
                .find(|value| !value.is_empty())
                .map_or(
                    Self::En,
                    |value| {
                        if value.starts_with("zh") { Self::Zh } else { Self::En }
                    },
                ),
        }
    }

    /// Picks one of two texts.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(flag: Option<LangArg>, set: &[(&str, &str)]) -> Lang {
        Lang::choose(flag, |name| {
            set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_goes_before_the_environment() {
        assert_eq!(chosen(Some(LangArg::En), &[("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(chosen(None, &[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
    }

    #[test]
    fn an_empty_variable_is_passed_over_and_english_is_the_end() {
        assert_eq!(chosen(None, &[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(chosen(None, &[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(chosen(None, &[]), Lang::En);
    }
}
