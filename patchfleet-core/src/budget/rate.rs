//! AWS's grammar for rate controls: a count or a percentage, as StartAutomationExecution and
//! SendCommand take them for `MaxConcurrency` and `MaxErrors` (and `TargetLocationMax…`).

use super::rounding::{percent_down, percent_up};
use crate::text::cut;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// The longest text of either kind, in characters.
const MAX_LEN: usize = 7;

/// A rate control in AWS's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateControl {
    /// How many at once.
    pub max_concurrency: MaxConcurrency,
    /// How many may fail before no more are begun.
    pub max_errors: MaxErrors,
}

/// A text or number that AWS would not take for a rate control.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {kind}: {expected}")]
pub struct ParseRateError {
    kind: &'static str,
    value: String,
    expected: &'static str,
}

impl ParseRateError {
    /// Longest part of a wrong value that a message repeats, in characters.
    const SHOWN: usize = 20;

    fn new(kind: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            kind,
            value: cut(value, Self::SHOWN),
            expected,
        }
    }

    /// What would have been right.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// What either type holds. Its order is that of counts, then percentages: it sorts, and says
/// nothing about which is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Amount {
    Count(u32),
    Percent(u8),
}

impl Amount {
    fn parse(text: &str, zero_allowed: bool) -> Option<Self> {
        if text.len() > MAX_LEN {
            return None;
        }
        let amount = match text.strip_suffix('%') {
            Some(digits) => Self::Percent(u8::try_from(number(digits)?).ok().filter(|p| *p <= 100)?),
            None => Self::Count(number(text)?),
        };
        let zero = matches!(amount, Self::Count(0) | Self::Percent(0));
        (zero_allowed || !zero).then_some(amount)
    }

    fn of(self, of: u32, percent_of: fn(u8, u32) -> u32) -> u32 {
        match self {
            Self::Count(count) => count.min(of),
            Self::Percent(percent) => percent_of(percent, of),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => f.pad(&count.to_string()),
            Self::Percent(percent) => f.pad(&format!("{percent}%")),
        }
    }
}

/// A decimal number without sign and without leading zeros.
fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// Defines a newtype over [`Amount`].
macro_rules! rate {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, zero: $zero:literal,
        least: $least:literal,
        as_count: { $(#[$as_count:meta])* }, upper_bound: { $(#[$upper_bound:meta])* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Amount);

        impl $name {
            /// This many percent.
            ///
            /// # Errors
            ///
            /// [`ParseRateError`] if AWS does not take it.
            pub fn from_percent(percent: u8) -> Result<Self, ParseRateError> {
                format!("{percent}%").parse()
            }

            /// This many.
            ///
            /// # Errors
            ///
            /// [`ParseRateError`] if AWS does not take it: more than 7 digits, or a 0 where there
            /// may be none.
            pub fn from_count(count: u32) -> Result<Self, ParseRateError> {
                count.to_string().parse()
            }

            /// The count, if it is one.
            #[must_use]
            pub(crate) fn count(self) -> Option<u32> {
                match self.0 {
                    Amount::Count(count) => Some(count),
                    Amount::Percent(_) => None,
                }
            }

            /// The percentage, if it is one.
            #[must_use]
            pub fn percent(self) -> Option<u8> {
                match self.0 {
                    Amount::Percent(percent) => Some(percent),
                    Amount::Count(_) => None,
                }
            }

            /// Whether it is the count 0 or 0%.
            #[must_use]
            pub fn is_zero(self) -> bool {
                matches!(self.0, Amount::Count(0) | Amount::Percent(0))
            }

            $(#[$as_count])*
            #[must_use]
            pub fn as_count(self, of: u32) -> u32 {
                self.0.of(of, percent_down).max($least.min(of))
            }

            $(#[$upper_bound])*
            #[must_use]
            pub(crate) fn upper_bound(self, of: u32) -> u32 {
                self.0.of(of, percent_up).max($least.min(of))
            }
        }

        impl FromStr for $name {
            type Err = ParseRateError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Amount::parse(text, $zero)
                    .map(Self)
                    .ok_or_else(|| ParseRateError::new($kind, text, $expected))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Self::Value, E> {
                        count.to_string().parse().map_err(E::custom)
                    }

                    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Self::Value, E> {
                        count.to_string().parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

rate! {
    /// How many at once: a count from 1, or 1% to 100%.
    ///
    /// Reads and prints AWS's text, `^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$` of 1 to 7 characters
    /// (SSM model, `MaxConcurrency`). Reads from a plain integer as well. Its order sorts; it does
    /// not say which is more.
    ///
    /// ```
    /// use patchfleet_core::budget::MaxConcurrency;
    ///
    /// let tenth: MaxConcurrency = "10%".parse()?;
    /// assert_eq!(tenth.as_count(25), 2);
    /// assert_eq!(tenth.as_count(3), 1);
    /// assert!("0".parse::<MaxConcurrency>().is_err());
    /// # Ok::<(), patchfleet_core::budget::ParseRateError>(())
    /// ```
    MaxConcurrency, "a max concurrency",
    "a count from 1 such as 4 (at most 7 digits), or a percentage from \"1%\" to \"100%\"", zero: false,
    least: 1,
    as_count: {
        /// How many at once among `of`, by patchfleet's rounding policy: a percentage is rounded
        /// down (AWS does not say how it rounds; fewer at once is the safe reading), at least 1,
        /// never more than `of`. 0 only if `of` is 0.
    },
    upper_bound: {
        /// The most at once among `of` that AWS may make of it, whichever way it rounds. For
        /// worst cases of what AWS paces.
    }
}

rate! {
    /// How many may fail before no more are begun: a count from 0, or 0% to 100%. 0 stops at the
    /// first error; N stops at error N + 1.
    ///
    /// Reads and prints AWS's text, `^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$` of 1 to 7
    /// characters (SSM model, `MaxErrors`). Reads from a plain integer as well. Its order sorts;
    /// it does not say which is more.
    ///
    /// ```
    /// use patchfleet_core::budget::MaxErrors;
    ///
    /// let tenth: MaxErrors = "10%".parse()?;
    /// assert_eq!(tenth.as_count(50), 5);
    /// assert_eq!(tenth.as_count(9), 0);
    /// assert!("05%".parse::<MaxErrors>().is_err());
    /// # Ok::<(), patchfleet_core::budget::ParseRateError>(())
    /// ```
    MaxErrors, "a max errors",
    "a count from 0 such as 2 (at most 7 digits), or a percentage from \"0%\" to \"100%\"", zero: true,
    least: 0,
    as_count: {
        /// How many of `of` may fail, by patchfleet's rounding policy: a percentage is rounded
        /// down (AWS does not say how it rounds; fewer errors is the safe reading), never more
        /// than `of`.
    },
    upper_bound: {
        /// The most errors among `of` that AWS may allow for it, whichever way it rounds. For
        /// worst cases of what AWS paces.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_lite::Regex;
    use std::sync::LazyLock;

    /// AWS's own patterns and length, as its service model has them.
    static CONCURRENCY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$").unwrap());
    static ERRORS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$").unwrap());

    fn aws_takes(pattern: &Regex, text: &str) -> bool {
        (1..=7).contains(&text.chars().count()) && pattern.is_match(text)
    }

    fn agrees_with_aws(text: &str) {
        let concurrency = text.parse::<MaxConcurrency>();
        assert_eq!(concurrency.is_ok(), aws_takes(&CONCURRENCY, text), "{text:?}");
        if let Ok(rate) = concurrency {
            assert_eq!(rate.to_string(), text);
        }
        let errors = text.parse::<MaxErrors>();
        assert_eq!(errors.is_ok(), aws_takes(&ERRORS, text), "{text:?}");
        if let Ok(rate) = errors {
            assert_eq!(rate.to_string(), text);
        }
    }

    #[test]
    fn every_short_text_parses_if_and_only_if_awss_pattern_takes_it() {
        let alphabet = ['0', '1', '5', '9', '%', '+', '-', ' ', '.'];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            for text in &texts {
                agrees_with_aws(text);
            }
            texts = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")))
                .collect();
        }
        for text in &texts {
            agrees_with_aws(text);
        }
    }

    #[test]
    fn every_percentage_and_no_other_parses() {
        for percent in 0..=1100 {
            agrees_with_aws(&format!("{percent}%"));
            agrees_with_aws(&format!("0{percent}%"));
        }
    }

    #[test]
    fn the_named_mistakes_are_refused() {
        for wrong in [
            "0", "0%", "101%", "05%", "05", "", "-1", "+1", "1.5", "4 ", "12345678", "٣",
        ] {
            assert!(wrong.parse::<MaxConcurrency>().is_err(), "{wrong:?}");
        }
        for wrong in ["101%", "05%", "00", "", "-1", "00%", "12345678"] {
            assert!(wrong.parse::<MaxErrors>().is_err(), "{wrong:?}");
        }
        assert_eq!(
            "123456789012345678901"
                .parse::<MaxErrors>()
                .unwrap_err()
                .to_string(),
            "\"12345678901234567890…\" is not a max errors: a count from 0 such as 2 (at most 7 digits), \
             or a percentage from \"0%\" to \"100%\""
        );
    }

    #[test]
    fn a_percentage_rounds_down_and_concurrency_is_never_none() {
        let rates = |text: &str, of| {
            let (c, e): (MaxConcurrency, MaxErrors) = (text.parse().unwrap(), text.parse().unwrap());
            [
                c.as_count(of),
                c.upper_bound(of),
                e.as_count(of),
                e.upper_bound(of),
            ]
        };
        assert_eq!(rates("10%", 15), [1, 2, 1, 2]);
        assert_eq!(rates("10%", 9), [1, 1, 0, 1]);
        assert_eq!(rates("20%", 20), [4, 4, 4, 4]);
        assert_eq!(rates("100%", 7), [7, 7, 7, 7]);
        assert_eq!(
            rates("99%", u32::MAX),
            [4_252_017_622, 4_252_017_623, 4_252_017_622, 4_252_017_623]
        );
        assert_eq!(rates("50", 8), [8, 8, 8, 8]);
        assert_eq!(rates("10%", 0), [0, 0, 0, 0]);
    }

    #[test]
    fn integers_and_texts_read_alike_and_are_written_as_text() {
        assert_eq!(
            serde_json::from_str::<MaxConcurrency>("4").unwrap(),
            serde_json::from_str::<MaxConcurrency>("\"4\"").unwrap()
        );
        assert_eq!(
            serde_json::to_string(&MaxErrors::from_count(0).unwrap()).unwrap(),
            "\"0\""
        );
        assert_eq!(
            serde_json::to_string(&MaxConcurrency::from_percent(10).unwrap()).unwrap(),
            "\"10%\""
        );
        for wrong in ["0", "-1", "1.0", "12345678", "true", "null", "[1]"] {
            assert!(serde_json::from_str::<MaxConcurrency>(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_if_and_only_if_awss_pattern_takes_it(text in "[0-9%]{0,9}|\\PC{0,9}") {
            agrees_with_aws(&text);
        }

        #[test]
        fn a_resolved_rate_is_within_what_it_is_a_rate_of(
            text in "[1-9][0-9]{0,6}|[1-9]%|[1-9][0-9]%|100%", of in 1u32..,
        ) {
            let (c, e): (MaxConcurrency, MaxErrors) = (text.parse().unwrap(), text.parse().unwrap());
            prop_assert!((1..=of).contains(&c.as_count(of)));
            prop_assert!(e.as_count(of) <= of);
            for (down, up) in [(c.as_count(of), c.upper_bound(of)), (e.as_count(of), e.upper_bound(of))] {
                prop_assert!(down <= up && up - down <= 1);
            }
        }
    }
}
