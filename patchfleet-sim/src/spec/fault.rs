//! What goes wrong with calls, as a world file or `POST /_sim/fault` says it.

use super::schema;
use patchfleet_core::id::{AccountId, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault: which calls it strikes, and what it does to them. It strikes the calls that all of its keys
/// allow.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What happens.
    pub effect: FaultEffect,
    /// The operations, as IAM names actions: `ssm:SendCommand`, `ssm:Describe*`, `*` (default: all).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// The accounts in which the calls act (default: all).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountId>")]
    pub accounts: Vec<AccountId>,
    /// The Regions in which the calls act (default: all).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// Which of the calls that the keys above allow are struck, counted from 1 (default: all). Each
    /// account, Region and operation counts apart, and AssumeRole counts for each role, so calls
    /// elsewhere make no difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<u64>,
    /// Which share of them is struck, from 0 to 1 (default 1). The world's seed says which calls.
    #[serde(default = "whole")]
    pub share: f64,
    /// From this virtual second of the world (default 0).
    #[serde(default)]
    pub from_seconds: u64,
    /// Up to this virtual second of the world, without it (default: for ever).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_seconds: Option<u64>,
}

impl FaultSpec {
    /// A fault that strikes every call.
    #[must_use]
    pub fn new(effect: FaultEffect) -> Self {
        Self {
            effect,
            operations: vec![],
            accounts: vec![],
            regions: vec![],
            calls: vec![],
            share: whole(),
            from_seconds: 0,
            until_seconds: None,
        }
    }
}

fn whole() -> f64 {
    1.0
}

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultEffect {
    /// The service's own way to ask for fewer calls. Nothing happens.
    Throttle,
    /// The service's own failure, status 500. Nothing happens.
    InternalError,
    /// The caller may not do this. Nothing happens.
    Deny,
    /// The credentials of the call are no longer valid, now and later: a role has to be assumed
    /// again. Those of the administrator fail this call alone. Nothing happens.
    ExpireCredentials,
    /// The error of this code, with the status that the service's model has for it (S3's API reference, for S3), else 400.
    /// Nothing happens.
    Error(String),
    /// The call takes so many virtual milliseconds longer.
    Slow(u32),
    /// The connection breaks, and nothing has happened.
    DropBefore,
    /// The call takes effect, and the connection breaks before the answer.
    DropAfter,
    /// The call takes effect, and the connection breaks in the middle of the answer.
    Truncate,
    /// ListGroupResources and SearchResources answer with these `QueryErrors` as well: the
    /// listing is partial. Other operations are not struck.
    QueryErrors(Vec<String>),
    /// The call is answered, and this text is added to every text of the answer that people write or
    /// that AWS words: messages of errors and failures, outputs of commands, names of accounts, units
    /// and nodes. The ports in memory add it to errors only.
    Words(String),
    /// A command is accepted, and ends as Failed, details RateExceeded, before its first node, because
    /// Run Command was throttled when it looked for the nodes. This effect strikes commands, also those
    /// that runbooks send, and counts them in place of calls. `operations` may name ssm:SendCommand only.
    RateExceeded,
}

impl FaultSpec {
    /// What is wrong with it.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = vec![];
        if !(0.0..=1.0).contains(&self.share) {
            problems.push(("share", format!("a share is from 0 to 1, not {}", self.share)));
        }
        if self.calls.contains(&0) {
            problems.push(("calls", "calls are counted from 1".to_owned()));
        }
        if self.until_seconds.is_some_and(|until| until <= self.from_seconds) {
            problems.push((
                "until_seconds",
                "until_seconds is not after from_seconds".to_owned(),
            ));
        }
        for pattern in &self.operations {
            if !crate::model::is_action_pattern(pattern) {
                problems.push((
                    "operations",
                    format!("{pattern} is no action that is simulated, such as ssm:SendCommand, ssm:Describe* or *"),
                ));
            }
        }
        let sends = |pattern: &String| crate::model::action_matches(pattern, "ssm:SendCommand");
        if self.effect == FaultEffect::RateExceeded && !self.operations.iter().all(sends) {
            problems.push((
                "operations",
                "rate_exceeded strikes commands: operations may name ssm:SendCommand only".to_owned(),
            ));
        }
        if let FaultEffect::Error(code) = &self.effect
            && (code.is_empty()
                || !code
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'))
        {
            problems.push(("effect", format!("{code:?} is no error code")));
        }
        problems
    }
}
