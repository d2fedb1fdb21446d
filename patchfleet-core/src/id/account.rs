//! Accounts, the organisation's tree, and the account–Region pair that patchfleet calls a location.

use super::{ParseIdError, Region, all_of, lower_or_digit, text_id};
use std::{fmt, str::FromStr};

text_id! {
    /// A 12-digit AWS account id. Kept as text: leading zeros count.
    AccountId, "an account id", "12 digits", |t| all_of(t, 12..=12, |b| b.is_ascii_digit())
}

text_id! {
    /// An organizational unit: `ou-ab12-cdef3456`.
    OuId, "an organizational unit id",
    "ou-, 4 to 32 lower-case letters or digits, -, 8 to 32 lower-case letters or digits",
    |t| t.strip_prefix("ou-").and_then(|rest| rest.split_once('-')).is_some_and(|(root, unit)| {
        all_of(root, 4..=32, lower_or_digit) && all_of(unit, 8..=32, lower_or_digit)
    })
}

text_id! {
    /// The root of an organization: `r-ab12`.
    RootId, "an organization root id", "r- and 4 to 32 lower-case letters or digits",
    |t| t.strip_prefix("r-").is_some_and(|rest| all_of(rest, 4..=32, lower_or_digit))
}

/// A place in the organization's tree that has accounts and units below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrgParent {
    /// The organization's root.
    Root(RootId),
    /// An organizational unit.
    Ou(OuId),
}

impl OrgParent {
    /// The id's text, as Organizations takes it for `ParentId`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root(id) => id.as_str(),
            Self::Ou(id) => id.as_str(),
        }
    }
}

impl fmt::Display for OrgParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One entry of a request's `accounts`: an account, an organizational unit, or the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TargetAccount {
    /// One account.
    Account(AccountId),
    /// Everything below a unit or the root (directly, unless children are included).
    Parent(OrgParent),
}

impl FromStr for TargetAccount {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Account(id));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Parent(OrgParent::Ou(id)));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Parent(OrgParent::Root(id)));
        }
        Err(ParseIdError::new(
            "an account, organizational unit or root id",
            text,
            "12 digits, or an id such as ou-ab12-cdef3456 or r-ab12",
        ))
    }
}

impl TryFrom<String> for TargetAccount {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TargetAccount> for String {
    fn from(target: TargetAccount) -> Self {
        target.to_string()
    }
}

impl fmt::Display for TargetAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Parent(id) => id.fmt(f),
        }
    }
}

/// One account–Region pair. patchfleet finds, skips, patches and accounts location by location. Ordered by account, then
/// Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Location {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

impl Location {
    /// The pair of `account` and `region`.
    #[must_use]
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { account, region }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_twelve_digits_and_keep_their_leading_zeros() {
        assert_eq!(
            "012345678901".parse::<AccountId>().unwrap().as_str(),
            "012345678901"
        );
        for wrong in [
            "",
            "1234",
            "1234567890123",
            "12345678901a",
            " 23456789012",
            "１２３４",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn target_accounts_tell_accounts_units_and_roots_apart() {
        assert!(matches!("111122223333".parse(), Ok(TargetAccount::Account(_))));
        assert!(matches!(
            "ou-ab12-cdef3456".parse(),
            Ok(TargetAccount::Parent(OrgParent::Ou(_)))
        ));
        assert!(matches!(
            "r-ab12".parse(),
            Ok(TargetAccount::Parent(OrgParent::Root(_)))
        ));
        for wrong in [
            "ou-ab12",
            "ou-ab-cdef3456",
            "OU-ab12-cdef3456",
            "r-",
            "r-AB12",
            "root",
        ] {
            assert!(wrong.parse::<TargetAccount>().is_err(), "{wrong}");
        }
    }
}
