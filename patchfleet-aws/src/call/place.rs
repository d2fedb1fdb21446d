//! Where a call goes: an account and a Region, or a Region alone while the account is not known.

use patchfleet_core::id::{AccountId, Location, Region};
use std::fmt;

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    account: Option<AccountId>,
    region: Region,
}

impl Place {
    pub(crate) fn new(account: Option<AccountId>, region: Region) -> Self {
        Self { account, region }
    }

    /// The Region.
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self::new(Some(location.account), location.region)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account {
            write!(f, "{account}/")?;
        }
        self.region.fmt(f)
    }
}
