//! Who calls, from the credentials of the request.

use crate::world::World;
use patchfleet_core::id::{AccountId, Location, Region};

/// Who calls, and in which Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account in which the call acts.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// As what.
    pub principal: Principal,
    /// The account from which a role was first assumed; the account itself without a role.
    pub origin: AccountId,
    /// The access key of a role session; `None` for the administrator.
    pub key: Option<String>,
}

/// As what somebody calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An administrator of the account, as a user.
    Administrator,
    /// A role.
    Role {
        /// The role's name.
        name: String,
        /// The session's name.
        session: String,
    },
}

impl Caller {
    /// An administrator of the management account.
    #[must_use]
    pub fn administrator(world: &World, region: Region) -> Self {
        let account = world.organization().management_account().clone();
        Self {
            origin: account.clone(),
            account,
            region,
            principal: Principal::Administrator,
            key: None,
        }
    }

    /// The owner of an access key: a role session of this world, or else the administrator.
    #[must_use]
    pub fn of_key(world: &World, key: &str, region: Region) -> Self {
        match world.session(key) {
            None => Self::administrator(world, region),
            Some(session) => Self {
                account: session.account.clone(),
                region,
                principal: Principal::Role {
                    name: session.role.clone(),
                    session: session.name.clone(),
                },
                origin: session.origin.clone(),
                key: Some(key.to_owned()),
            },
        }
    }

    /// The role that calls; `None` for the administrator.
    pub(crate) fn role(&self) -> Option<&str> {
        match &self.principal {
            Principal::Administrator => None,
            Principal::Role { name, .. } => Some(name),
        }
    }

    /// Where the call acts.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::new(self.account.clone(), self.region.clone())
    }

    /// The ARN that GetCallerIdentity shows.
    #[must_use]
    pub fn arn(&self) -> String {
        let (partition, account) = (self.region.partition(), &self.account);
        match &self.principal {
            Principal::Administrator => format!("arn:{partition}:iam::{account}:user/administrator"),
            Principal::Role { name, session } => {
                format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}")
            }
        }
    }
}
