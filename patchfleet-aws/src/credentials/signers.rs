//! Who signs a call in a location.

use super::assume::Assume;
use super::caller::CallerIdentity;
use super::external_id;
use super::role::RoleCredentials;
use crate::call::{Call, Operation, Place, Sender, sdk, send};
use aws_credential_types::provider::ProvideCredentials;
use aws_types::SdkConfig;
use patchfleet_core::id::{AccountId, Location, Region, RoleArn};
use patchfleet_core::port::{Caller, PortError, PortErrorKind, PortResult};
use patchfleet_core::request::{Access, ExternalId, ExternalIdText};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The caller, and the roles that it assumes.
pub(crate) struct Signers {
    config: SdkConfig,
    sender: Arc<Sender>,
    sts: aws_sdk_sts::Client,
    sts_region: Region,
    access: Option<Access>,
    external_id: OnceCell<ExternalIdText>,
    identity: Arc<CallerIdentity>,
    caller: OnceCell<Caller>,
    roles: Mutex<BTreeMap<(AccountId, As), Arc<RoleCredentials>>>,
}

/// As what a call is made in another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum As {
    /// With the role that reads (`access.discovery_role`).
    Reader,
    /// With the role that sends commands and cancels them (`access.send_role`, or the one that reads).
    Sender,
}

impl Signers {
    /// The caller's credentials are those of `config`, whose identity cache is `identity`. The STS of
    /// `sts_region` is asked for roles.
    pub(crate) fn new(
        config: SdkConfig,
        sender: Arc<Sender>,
        sts_region: Region,
        access: Option<Access>,
        identity: CallerIdentity,
    ) -> Self {
        Self {
            sts: sdk::sts(&sdk::config_in(&config, &sts_region)),
            config,
            sender,
            sts_region,
            access,
            external_id: OnceCell::new(),
            identity: Arc::new(identity),
            caller: OnceCell::new(),
            roles: Mutex::default(),
        }
    }

    /// Who calls, asked once (STS GetCallerIdentity).
    pub(crate) async fn caller(&self) -> PortResult<&Caller> {
        self.caller.get_or_try_init(|| self.ask_for_caller()).await
    }

    async fn ask_for_caller(&self) -> PortResult<Caller> {
        let central = self.sender.central();
        let call = self.central_call(Operation::GetCallerIdentity);
        let answer = send!(call, sdk::sts(&self.config).get_caller_identity())
            .await
            .map_err(|failure| failure.of_who_calls(central))?;
        Ok(Caller {
            account: call.read(answer.account().unwrap_or_default().parse())?,
            region: central.clone(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    /// The central account and Region.
    pub(crate) async fn central(&self) -> PortResult<Location> {
        let caller = self.caller().await?;
        Ok(Location::new(caller.account.clone(), caller.region.clone()))
    }

    /// A call in the central Region with the caller's own credentials, for which nobody needs to know who calls.
    pub(crate) fn central_call(&self, operation: Operation) -> Call {
        self.own_call(operation, Place::new(None, self.sender.central().clone()))
    }

    /// A call with the caller's own credentials.
    fn own_call(&self, operation: Operation, place: impl Into<Place>) -> Call {
        self.sender.call(operation, place, self.identity.clone())
    }

    /// The external id that a request names. A parameter or a secret is read from the central account
    /// and Region, with the caller's own credentials.
    async fn read_external_id(&self, kept: &ExternalId) -> PortResult<ExternalIdText> {
        if let ExternalId::Text(text) = kept {
            return Ok(text.clone());
        }
        let parameter = external_id::parameter_of(kept)?;
        let call = self.own_call(Operation::GetParameter, self.central().await?);
        external_id::read(&call, &sdk::ssm(&self.config), &parameter).await
    }

    /// Begins a call in a location, once there are credentials for it: the caller's in its own account,
    /// and those of the role in any other.
    pub(crate) async fn call(&self, operation: Operation, location: &Location, who: As) -> PortResult<Call> {
        let Some(role) = self.role(operation, location, who).await? else {
            return Ok(self.own_call(operation, location.clone()));
        };
        // The client would ask for credentials, too. Asking here tells a role that cannot be assumed from a call that
        // failed.
        if let Err(failure) = role.get().await {
            return Err(failure.of_call(operation, &location.clone().into()));
        }
        let credentials: Arc<dyn ProvideCredentials> = role.clone();
        let call = self.sender.call(operation, location.clone(), role);
        Ok(call.signed_by(credentials.into()))
    }

    /// The role of an account. `None` for the caller's own.
    async fn role(
        &self,
        operation: Operation,
        location: &Location,
        who: As,
    ) -> PortResult<Option<Arc<RoleCredentials>>> {
        let caller = self.caller().await?;
        let account = &location.account;
        if *account == caller.account {
            return Ok(None);
        }
        let Some(access) = &self.access else {
            return Err(PortError::new(
                PortErrorKind::Invalid,
                format!(
                    "{operation} in {location} needs a role there, and no discovery role is set (access.discovery_role)"
                ),
            ));
        };
        // Read once, before the first role is assumed.
        let external_id = match &access.external_id {
            Some(kept) => Some(
                self.external_id
                    .get_or_try_init(|| self.read_external_id(kept))
                    .await?,
            ),
            None => None,
        };
        // Without a role of its own a sender shares the session of the reader.
        let (who, name) = match (who, &access.send_role) {
            (As::Sender, Some(role)) => (As::Sender, role),
            _ => (As::Reader, &access.discovery_role),
        };
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let role = roles.entry((account.clone(), who)).or_insert_with(|| {
            let partition = self.sender.central().partition();
            let assume = Assume {
                sts: self.sts.clone(),
                place: Place::new(Some(caller.account.clone()), self.sts_region.clone()),
                role: RoleArn::build(partition, account, name),
                session_name: access.session_name.clone(),
                external_id: external_id.cloned(),
                sender: self.sender.clone(),
                caller: self.identity.clone(),
            };
            Arc::new(RoleCredentials::new(&self.config, assume))
        });
        Ok(Some(role.clone()))
    }
}

#[cfg(test)]
impl Signers {
    /// Sets who calls, so that no test has to answer the question.
    pub(crate) fn set_caller(&self, account: &str) {
        let caller = Caller {
            account: account.parse().unwrap(),
            region: self.sender.central().clone(),
            arn: format!("arn:aws:iam::{account}:user/test"),
        };
        self.caller.set(caller).unwrap();
    }
}
