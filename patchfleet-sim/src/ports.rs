//! The in-memory front. It gives patchfleet's ports on the world itself, through the same operations as
//! over HTTP. Calls into another account use the discovery role there, as the AWS adapter does.

mod alarms;
mod automation;
mod commands;
mod directory;
mod documents;
mod inventory;
mod patch_states;

use crate::{
    api::{self, AssumeRole, Caller, Operation},
    clock::SimClock,
    error::ApiError,
    world::World,
};
use patchfleet_core::{
    id::{AccountId, Location, Region, RoleArn, RoleName, SessionName},
    port::{AwsError, BoxFuture, PageToken, PortError, PortErrorKind, PortResult, Ports, Sent},
};
use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

/// patchfleet's ports, as an administrator of the management account in one Region has them.
#[derive(Debug)]
pub struct MemoryPorts {
    clock: SimClock,
    region: Region,
    role: RoleName,
    send_role: Option<RoleName>,
    external_id: Option<String>,
    session: SessionName,
    /// The access key of each session of a role.
    keys: Mutex<BTreeMap<(AccountId, RoleName), String>>,
}

/// Where a call acts.
#[derive(Debug, Clone)]
enum At {
    /// In the management account and the central Region.
    Central,
    /// In this account, for a service that is not regional.
    Account(AccountId),
    /// In this account and Region.
    Location(Location),
    /// There, as whoever sends commands.
    Sending(Location),
}

impl MemoryPorts {
    /// Ports on the world behind `clock`. Automations start in `region`; other accounts are read
    /// as `role`, under `session`.
    #[must_use]
    pub fn new(clock: SimClock, region: Region, role: RoleName, session: SessionName) -> Self {
        Self {
            clock,
            region,
            role,
            send_role: None,
            external_id: None,
            session,
            keys: Mutex::default(),
        }
    }

    /// Gives the external id with which roles are assumed.
    #[must_use]
    pub fn with_external_id(mut self, external_id: Option<String>) -> Self {
        self.external_id = external_id;
        self
    }

    /// Sends commands and cancels them in other accounts with a role of its own.
    #[must_use]
    pub fn with_send_role(mut self, role: Option<RoleName>) -> Self {
        self.send_role = role;
        self
    }

    /// All of it as core takes it, with the simulator's clock.
    #[must_use]
    pub fn into_ports(self) -> Ports {
        let clock = Arc::new(self.clock.clone());
        Ports::of(self, clock)
    }

    /// Calls an operation, which takes the world's latency. A role's credentials that are no longer
    /// valid are renewed once. The AWS adapter renews them as often as the SDK tries a call, and it
    /// also renews the caller's own. The caller here has none.
    fn call<O>(&self, at: At, input: O) -> BoxFuture<'_, PortResult<O::Output>>
    where
        O: Operation + Send + 'static,
    {
        Box::pin(async move {
            match self.attempt(&at, input.clone()).await {
                Ok(output) => return Ok(output),
                Err(Failed::Otherwise(error)) => return Err(error),
                Err(Failed::Expired { key, .. }) => self.forget(&key),
            }
            self.attempt(&at, input).await.map_err(|failed| match failed {
                Failed::Expired { error, .. } | Failed::Otherwise(error) => error,
            })
        })
    }

    async fn attempt<O: Operation + Send>(&self, at: &At, input: O) -> Result<O::Output, Failed> {
        let (caller, fate) = self.clock.with_world(|world| {
            let caller = self.caller(world, at)?;
            let fate = api::fate_of(world, &caller, &input);
            Ok::<_, PortError>((caller, fate))
        })?;
        self.clock.call_latency(fate.delay).await;
        self.clock
            .with_world(|world| api::perform_typed(world, &caller, input, &fate))
            .map_err(|error| {
                let is_central = caller.region == self.region;
                let expired = answered(&error, is_central).says_expired();
                let error = port_error(O::NAME, &caller, error, is_central);
                match caller.key {
                    Some(key) if expired => Failed::Expired { key, error },
                    _ => Failed::Otherwise(error),
                }
            })
    }

    /// Forgets credentials, unless somebody has renewed them already.
    fn forget(&self, key: &str) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, known| known != key);
    }

    /// The caller for a place: the administrator, or the role in another account.
    fn caller(&self, world: &mut World, at: &At) -> PortResult<Caller> {
        let central = Caller::administrator(world, self.region.clone());
        let (account, region) = match at {
            At::Central => return Ok(central),
            At::Account(account) => (account, &self.region),
            At::Location(location) | At::Sending(location) => (&location.account, &location.region),
        };
        let role = match (at, &self.send_role) {
            (At::Sending(_), Some(role)) => role,
            _ => &self.role,
        };
        if *account == central.account {
            return Ok(Caller {
                region: region.clone(),
                ..central
            });
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let session = (account.clone(), role.clone());
        if let Some(key) = keys.get(&session) {
            return Ok(Caller::of_key(world, key, region.clone()));
        }
        let input = AssumeRole {
            role_arn: Some(RoleArn::build(self.region.partition(), account, role).to_string()),
            role_session_name: Some(self.session.to_string()),
            external_id: self.external_id.clone(),
            ..AssumeRole::default()
        };
        let fate = api::fate_of(world, &central, &input);
        let assumed = api::perform_typed(world, &central, input, &fate).map_err(|error| {
            // STS says the same of a role that does not exist and of one that does not trust the caller.
            let kind = match answered(&error, true).kind() {
                PortErrorKind::Denied | PortErrorKind::NotFound => PortErrorKind::RoleNotAssumable,
                kind => kind,
            };
            PortError::new(
                kind,
                format!("the role {role} of account {account} could not be assumed"),
            )
            .with_words(error.to_string())
            .with_source(error)
        })?;
        let key = assumed.credentials.access_key_id;
        keys.insert(session, key.clone());
        Ok(Caller::of_key(world, &key, region.clone()))
    }
}

/// How a call failed.
enum Failed {
    /// Its credentials are no longer valid.
    Expired { key: String, error: PortError },
    /// In any other way.
    Otherwise(PortError),
}

impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        Self::Otherwise(error)
    }
}

/// The error in the form that core's table of AWS errors reads.
fn answered(error: &ApiError, is_central: bool) -> AwsError<'_> {
    AwsError {
        code: Some(error.code()),
        status: error.status(),
        is_central,
    }
}

fn port_error(operation: &str, caller: &Caller, error: ApiError, is_central: bool) -> PortError {
    let answered = answered(&error, is_central);
    let (kind, sent) = (answered.kind(), answered.sent());
    let failed = PortError::new(
        kind,
        format!("{operation} failed in {}/{}", caller.account, caller.region),
    )
    .with_words(error.to_string())
    .with_source(error);
    match sent {
        Sent::No => failed,
        Sent::Maybe => failed.maybe_sent(),
    }
}

/// Something that AWS would never answer.
fn unreadable(what: impl Display) -> PortError {
    PortError::new(PortErrorKind::Other, format!("the answer cannot be read: {what}"))
}

fn token(page: Option<PageToken>) -> Option<String> {
    page.map(|token| token.as_str().to_owned())
}
