//! AssumeRole and GetCallerIdentity.

use super::{ApiError, Caller, Operation, Principal, Service, check::given, input};
use crate::world::{Session, World, after};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{AccountId, RoleArn};
use serde::Serialize;

input! {
    /// AssumeRole's input.
    AssumeRole {
        role_arn: String,
        role_session_name: String,
        duration_seconds: i64,
        external_id: String,
    }
}

/// AssumeRole's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Assumed {
    pub(crate) credentials: Credentials,
    pub(crate) assumed_role_user: AssumedRoleUser,
}

/// Credentials of a role session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    /// Real time, since that is what an SDK compares it with.
    pub(crate) expiration: String,
}

/// Who the role's user is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AssumedRoleUser {
    pub(crate) assumed_role_id: String,
    pub(crate) arn: String,
}

/// The account and the role's name, without its path, of a role's ARN.
fn parse(arn: &str) -> Option<(AccountId, String)> {
    arn.parse::<RoleArn>().ok()?;
    let mut parts = arn.splitn(6, ':').skip(4);
    let account = parts.next()?.parse().ok()?;
    let path = parts.next()?.strip_prefix("role/")?;
    Some((
        account,
        path.rsplit_once('/').map_or(path, |(_, name)| name).to_owned(),
    ))
}

impl Operation for AssumeRole {
    type Output = Assumed;
    const SERVICE: Service = Service::Sts;
    const NAME: &'static str = "AssumeRole";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Assumed, ApiError> {
        let (arn, name) = (given(self.role_arn), given(self.role_session_name));
        let duration = self.duration_seconds.unwrap_or(3600);
        let (account, role) =
            parse(&arn).ok_or_else(|| ApiError::client("ValidationError", format!("{arn} is invalid")))?;
        if matches!(caller.principal, Principal::Role { .. }) && duration > 3600 {
            return Err(ApiError::client(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let trusted = caller.account == world.org.management || caller.account == account;
        let same_partition = arn.split(':').nth(1) == Some(caller.region.partition().id());
        let assumed = world
            .org
            .assume(&account, &role, Some(self.external_id.as_deref()));
        if !trusted || !same_partition || assumed.is_err() {
            let message = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                caller.arn()
            );
            return Err(ApiError::new(403, "AccessDenied", message));
        }
        let session = Session {
            expires: after(world.now, SignedDuration::from_secs(duration)),
            account: account.clone(),
            role: role.clone(),
            name: name.clone(),
            origin: caller.origin.clone(),
        };
        let key = world.open_session(session);
        let letters = |what: &str| {
            [
                world.seed.uuid(&[&key, what, "1"]),
                world.seed.uuid(&[&key, what, "2"]),
            ]
            .concat()
            .replace('-', "")
        };
        Ok(Assumed {
            assumed_role_user: AssumedRoleUser {
                assumed_role_id: role_session_id(world, &account, &role, &name),
                arn: format!(
                    "arn:{}:sts::{account}:assumed-role/{role}/{name}",
                    caller.region.partition()
                ),
            },
            credentials: Credentials {
                secret_access_key: letters("secret").chars().take(40).collect(),
                session_token: letters("token"),
                expiration: expiration(duration),
                access_key_id: key,
            },
        })
    }
}

/// `AROA…:session`: the role's own id, the same in all its sessions.
fn role_session_id(world: &World, account: &AccountId, role: &str, session: &str) -> String {
    let digits = world.seed.hex17(&["role", account.as_str(), role]);
    let tail: String = digits.chars().skip(1).collect();
    format!("AROA{}:{session}", tail.to_ascii_uppercase())
}

/// `seconds` from now in real time, to the second.
fn expiration(seconds: i64) -> String {
    after(Timestamp::now(), SignedDuration::from_secs(seconds))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

input! {
    /// GetCallerIdentity's input.
    GetCallerIdentity {}
}

/// GetCallerIdentity's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) arn: String,
}

impl Operation for GetCallerIdentity {
    type Output = Identity;
    const SERVICE: Service = Service::Sts;
    const NAME: &'static str = "GetCallerIdentity";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Identity, ApiError> {
        let user_id = match &caller.principal {
            Principal::Administrator => "AIDAPATCHFLEETSIM0000".to_owned(),
            Principal::Role { name, session } => role_session_id(world, &caller.account, name, session),
        };
        Ok(Identity {
            user_id,
            account: caller.account.to_string(),
            arn: caller.arn(),
        })
    }
}
