//! [`Limits`] from the environment: `PATCHFLEET_CALLS_AT_ONCE` and `PATCHFLEET_RATES`.

use crate::call::{Limits, Operation, Rate};
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use std::env::{self, VarError};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The environment variable of [`Limits::concurrency`].
pub(crate) const CALLS_AT_ONCE: &str = "PATCHFLEET_CALLS_AT_ONCE";
/// The environment variable of [`Limits::rate`].
pub(crate) const RATES: &str = "PATCHFLEET_RATES";

/// The most calls at once that may be set.
const MOST_AT_ONCE: usize = 1000;
/// The rates that may be set, in calls a second.
const RATES_ALLOWED: std::ops::RangeInclusive<f64> = 0.01..=10_000.0;

impl Limits {
    /// The limits that the environment sets, and the defaults of those that it does not set.
    ///
    /// * `PATCHFLEET_CALLS_AT_ONCE`: calls under way at once, over all accounts and Regions, 1 to
    ///   1,000.
    /// * `PATCHFLEET_RATES`: calls a second for an operation in each account and Region, from 0.01
    ///   to 10,000, as `service:Operation=rate`, several with commas between:
    ///   `organizations:ListAccountsForParent=3,sts:AssumeRole=5`. A rate that is set has no burst.
    ///
    /// An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`] with everything that is wrong with the two.
    pub fn from_env() -> PortResult<Self> {
        let read = |name: &str| match env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
        };
        Self::from_texts(read(CALLS_AT_ONCE), read(RATES))
    }

    fn from_texts(calls: Setting, rates: Setting) -> PortResult<Self> {
        let mut problems = vec![];
        let mut limits = Self::default();
        match calls.map(|text| text.as_deref().and_then(set).map(calls_at_once)) {
            Ok(Some(Ok(calls))) => limits = limits.with_concurrency(calls),
            Ok(None) => {}
            Ok(Some(Err(problem))) | Err(problem) => problems.push(problem),
        }
        match rates {
            Ok(text) => {
                let entries = text.as_deref().and_then(set).unwrap_or_default();
                for entry in entries
                    .split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty())
                {
                    match rate(entry) {
                        Ok((operation, rate)) => limits = limits.with_rate(operation, rate),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
        if problems.is_empty() {
            Ok(limits)
        } else {
            Err(PortError::new(PortErrorKind::Invalid, problems.join("; ")))
        }
    }
}

/// The text of a variable, if it is set, or what is wrong with it.
type Setting = Result<Option<String>, String>;

fn set(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn calls_at_once(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|calls: &NonZeroUsize| calls.get() <= MOST_AT_ONCE)
        .ok_or_else(|| {
            format!("{CALLS_AT_ONCE} = {text:?}: expected a whole number of calls from 1 to {MOST_AT_ONCE}")
        })
}

fn rate(entry: &str) -> Result<(Operation, Rate), String> {
    let wrong = |expected: String| format!("{RATES}: {entry:?}: expected {expected}");
    let (name, calls) = entry
        .split_once('=')
        .map(|(name, calls)| (name.trim(), calls.trim()))
        .ok_or_else(|| wrong("service:Operation=calls a second, such as sts:AssumeRole=5".to_owned()))?;
    let full_name = |operation: &Operation| format!("{}:{operation}", operation.service());
    let operation = Operation::ALL
        .iter()
        .find(|operation| full_name(operation) == name)
        .ok_or_else(|| {
            let all: Vec<_> = Operation::ALL.iter().map(full_name).collect();
            wrong(format!("one of {}", all.join(", ")))
        })?;
    let calls: f64 = calls
        .parse()
        .ok()
        .filter(|calls| RATES_ALLOWED.contains(calls))
        .ok_or_else(|| wrong("calls a second from 0.01 to 10000, such as 0.5 or 3".to_owned()))?;
    Ok((*operation, Rate::every(Duration::from_secs_f64(1.0 / calls))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn limits(calls: &str, rates: &str) -> Result<Limits, String> {
        Limits::from_texts(Ok(Some(calls.to_owned())), Ok(Some(rates.to_owned()))).map_err(|error| {
            assert_eq!(error.kind(), PortErrorKind::Invalid);
            error.to_string()
        })
    }

    #[test]
    fn rates_and_calls_at_once_are_set_by_name() {
        let limits = limits("8", " organizations:ListAccountsForParent=3, sts:AssumeRole=0.5,").unwrap();
        assert_eq!(limits.concurrency().get(), 8);
        let gentle = limits.rate(Operation::AssumeRole);
        assert_eq!(
            (gentle.interval(), gentle.burst()),
            (Duration::from_secs(2), NonZeroU32::MIN)
        );
        assert_eq!(
            limits
                .rate(Operation::ListAccountsForParent)
                .interval()
                .as_millis(),
            333
        );
        assert_eq!(
            limits.rate(Operation::ListRegions),
            Operation::ListRegions.default_rate()
        );
    }

    #[test]
    fn what_is_not_set_or_empty_is_the_default() {
        assert_eq!(Limits::from_texts(Ok(None), Ok(None)).unwrap(), Limits::default());
        assert_eq!(limits("", "  ").unwrap(), Limits::default());
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_the_variable_the_value_and_what_would_be_right() {
        assert_eq!(
            limits(
                "0",
                "sts:AssumeRole=fast,AssumeRole,ssm:GetDocument=0,iam:GetRole=5"
            )
            .unwrap_err()
            .replace(&all_names(), "…"),
            "PATCHFLEET_CALLS_AT_ONCE = \"0\": expected a whole number of calls from 1 to 1000; \
             PATCHFLEET_RATES: \"sts:AssumeRole=fast\": expected calls a second from 0.01 to 10000, such as 0.5 or 3; \
             PATCHFLEET_RATES: \"AssumeRole\": expected service:Operation=calls a second, such as sts:AssumeRole=5; \
             PATCHFLEET_RATES: \"ssm:GetDocument=0\": expected calls a second from 0.01 to 10000, such as 0.5 or 3; \
             PATCHFLEET_RATES: \"iam:GetRole=5\": expected one of …"
        );
        for value in ["1001", "-1", "many", "1.5"] {
            assert!(limits(value, "").is_err(), "{value}");
        }
        for value in ["NaN", "inf", "-3", "1e9", ""] {
            assert!(limits("", &format!("sts:AssumeRole={value}")).is_err(), "{value}");
        }
        assert!(Limits::from_texts(Err("X is not UTF-8".to_owned()), Ok(None)).is_err());
    }

    fn all_names() -> String {
        let names = Operation::ALL.iter().map(|o| format!("{}:{o}", o.service()));
        names.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_rates_that_aws_publishes_are_the_defaults() {
        for (operation, calls, burst) in [
            (Operation::StartAutomationExecution, 1, 1),
            (Operation::GetAutomationExecution, 3, 1),
            // 600 in any second.
            (Operation::AssumeRole, 500, 100),
            (Operation::GetParameter, 40, 1),
            (Operation::ListAccounts, 8, 12),
            (Operation::ListAccountsForParent, 5, 8),
            (Operation::ListOrganizationalUnitsForParent, 5, 8),
            (Operation::DescribeAccount, 20, 30),
            (Operation::ListRegions, 5, 5),
        ] {
            let rate = Rate::per_second(NonZeroU32::new(calls).unwrap());
            let rate = rate.with_burst(NonZeroU32::new(burst).unwrap());
            assert_eq!(operation.default_rate(), rate, "{operation}");
            assert!(operation.has_published_rate(), "{operation}");
        }
    }
}
