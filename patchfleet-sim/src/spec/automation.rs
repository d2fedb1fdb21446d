//! How Automation behaves where a world may differ: what AWS leaves open, its quotas, and how long
//! news takes.

use schemars::JsonSchema;
use serde::Deserialize;

/// What AWS's documentation leaves open about Automation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutomationSpec {
    /// Whether a runbook has to be shared with an account before a multi-account execution can run
    /// it there (default false). AWS's guide says that it has to be. AWS's own samples do without.
    pub require_shared_runbook: bool,
    /// Whether a target location that has a document of the runbook's own name runs that document
    /// (default false). If not, every location runs the parent's. AWS's guide does not say.
    pub target_copies_run: bool,
    /// Seconds for which a client token is remembered (default: for ever).
    pub token_memory_seconds: Option<u32>,
    /// Whether stopping an execution stops its children and cancels its commands (default true).
    pub stop_cascades: bool,
    /// Whether a parent ends as Success if all of its target locations failed within its
    /// TargetLocationMaxErrors (default true, as a user reports). If not, it is Failed.
    pub all_failed_is_success: bool,
}

impl Default for AutomationSpec {
    fn default() -> Self {
        Self {
            require_shared_runbook: false,
            target_copies_run: false,
            token_memory_seconds: None,
            stop_cascades: true,
            all_failed_is_success: true,
        }
    }
}

/// Quotas, each of one account in one Region. The defaults are AWS's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotasSpec {
    /// Executions that run at once, children included (default 100). Further ones wait.
    pub running_automations: u32,
    /// Executions that wait (default 5000). Further ones are refused.
    pub queued_automations: u32,
    /// Rate-control executions that run at once (default 25).
    pub running_rate_control: u32,
    /// Rate-control executions that wait (default 1000).
    pub queued_rate_control: u32,
    /// Documents of one's own (default 500).
    pub documents: usize,
    /// Versions of one document (default 1000).
    pub document_versions: usize,
    /// Accounts that one document is shared with (default 1000).
    pub document_shares: usize,
    /// Documents that are shared with everybody (default 5).
    pub public_documents: usize,
}

impl Default for QuotasSpec {
    fn default() -> Self {
        Self {
            running_automations: 100,
            queued_automations: 5000,
            running_rate_control: 25,
            queued_rate_control: 1000,
            documents: 500,
            document_versions: 1000,
            document_shares: 1000,
            public_documents: 5,
        }
    }
}

/// For how long calls that read do not see what is new, and still see what is past.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsistencySpec {
    /// Seconds until a new execution is found and listed (default 0).
    pub executions_seconds: u32,
    /// Seconds until a new execution is found by its tags (default 0).
    pub tags_seconds: u32,
    /// Seconds until a new command and its invocations are found by any call (default 0; recorded: the
    /// command is found by its id after 5 milliseconds).
    pub invocations_seconds: u32,
    /// Seconds until ListCommandInvocations shows anything of a new command (default 1; recorded: nothing
    /// after 0.07 seconds, everything after 2.2). GetCommandInvocation and ListCommands do not wait.
    pub invocation_list_seconds: u32,
    /// Seconds after its last ping for which a silent node's PingStatus stays Online (default 300;
    /// recorded: more than 84). LastPingDateTime stays at that ping.
    pub ping_status_seconds: u32,
    /// Seconds for which a terminated instance stays in its resource groups and is found by its tags
    /// (default 3600: EC2 shows it for about an hour).
    pub terminated_seconds: u32,
    /// Seconds until a new object of S3 is in a listing (default 0: S3 lists at once; what speaks its protocol may
    /// not).
    pub objects_listed_seconds: u32,
}

impl Default for ConsistencySpec {
    fn default() -> Self {
        Self {
            executions_seconds: 0,
            tags_seconds: 0,
            invocations_seconds: 0,
            invocation_list_seconds: 1,
            ping_status_seconds: 300,
            terminated_seconds: 3600,
            objects_listed_seconds: 0,
        }
    }
}
