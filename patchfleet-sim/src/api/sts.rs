//! AssumeRole and GetCallerIdentity.

use super::{ApiError, Caller, Operation, Principal, Service, check::given, input};
use crate::world::Tag;
use crate::world::{Session, World, after};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{AccountId, RoleArn};
use serde::Serialize;
use serde_json::Value;

input! {
    /// AssumeRole's input.
    AssumeRole {
        role_arn: String,
        role_session_name: String,
        duration_seconds: i64,
        external_id: String,
        policy: String,
        policy_arns: Vec<Value>,
        tags: Vec<Tag>,
        source_identity: String,
    }
}

/// The most characters of session policies and tags that a session takes. AWS packs them first. It only
/// says that more than 2,048 characters of policy are always too many.
const PACKED: usize = 2048;

/// AssumeRole's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Assumed {
    pub(crate) credentials: Credentials,
    pub(crate) assumed_role_user: AssumedRoleUser,
    pub(crate) packed_policy_size: Option<u32>,
    pub(crate) source_identity: Option<String>,
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

impl AssumeRole {
    /// The share of the room for session policies and tags that is used, in percent. `None` if there
    /// are none.
    fn packed(&self) -> Result<Option<u32>, ApiError> {
        let sound = |policy: &String| {
            serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.get("Statement").is_some())
        };
        if self.policy.as_ref().is_some_and(|policy| !sound(policy)) {
            let words = "The policy is not in the valid JSON format.";
            return Err(ApiError::client("MalformedPolicyDocument", words));
        }
        let tags: usize = self
            .tags
            .iter()
            .flatten()
            .map(|tag| tag.key.len() + tag.value.len())
            .sum();
        let arns = self.policy_arns.iter().flatten().map(|arn| arn.to_string().len());
        let size = self.policy.as_ref().map_or(0, String::len) + tags + arns.sum::<usize>();
        let percent = u32::try_from(size.saturating_mul(100).div_ceil(PACKED)).unwrap_or(u32::MAX);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            _ => Err(ApiError::client(
                "PackedPolicyTooLarge",
                format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
            )),
        }
    }
}

impl Operation for AssumeRole {
    type Output = Assumed;
    const SERVICE: Service = Service::Sts;
    const NAME: &'static str = "AssumeRole";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Assumed, ApiError> {
        let packed_policy_size = self.packed()?;
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
        let trusted = caller.account == world.organization().management || caller.account == account;
        // A Region that the other account has not enabled knows nothing of it.
        let is_enabled = world.organization().is_enabled_for_sts(&account, &caller.region);
        let same_partition = arn.split(':').nth(1) == Some(caller.region.partition().id());
        let assumed = world
            .organization()
            .assume(&account, &role, Some(self.external_id.as_deref()));
        if !trusted || !same_partition || !is_enabled || assumed.is_err() {
            let message = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                caller.arn()
            );
            return Err(ApiError::new(403, "AccessDenied", message));
        }
        let longest = world.organization().longest_session(&account, &role);
        if duration > i64::from(longest) {
            return Err(ApiError::client(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let expires = after(Timestamp::now(), SignedDuration::from_secs(duration));
        let session = Session {
            expires,
            account: account.clone(),
            role: role.clone(),
            name: name.clone(),
            origin: caller.origin.clone(),
        };
        let key = world.open_session(session);
        let letters = |what: &str| {
            [
                world.seed().uuid(&[&key, what, "1"]),
                world.seed().uuid(&[&key, what, "2"]),
            ]
            .concat()
            .replace('-', "")
        };
        Ok(Assumed {
            packed_policy_size,
            source_identity: self.source_identity,
            assumed_role_user: AssumedRoleUser {
                assumed_role_id: role_session_id(world, &account, &role, &name),
                arn: format!(
                    "arn:{}:sts::{account}:assumed-role/{role}/{name}",
                    caller.region.partition()
                ),
            },
            credentials: Credentials {
                secret_access_key: letters("secret").chars().take(40).collect(),
                session_token: world.session_token(&key),
                expiration: expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                access_key_id: key,
            },
        })
    }
}

/// `AROA…:session`: the role's own id, the same in all its sessions.
fn role_session_id(world: &World, account: &AccountId, role: &str, session: &str) -> String {
    let id = world.seed().letters(17, &["role", account.as_str(), role]);
    format!("AROA{id}:{session}")
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
            Principal::Administrator => "AIDAPATCHFLEETSIM2345".to_owned(),
            Principal::Role { name, session } => role_session_id(world, &caller.account, name, session),
        };
        Ok(Identity {
            user_id,
            account: caller.account.to_string(),
            arn: caller.arn(),
        })
    }
}
