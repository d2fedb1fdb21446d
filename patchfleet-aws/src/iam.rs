//! What IAM has to allow for one request: the policy of each role that takes part, to print and to attach.
//!
//! ```
//! use patchfleet_aws::iam::{Party, Policy};
//! use patchfleet_core::request::{Format, PatchRequest};
//!
//! let request = br#"{ "name": "weekly", "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] } }"#;
//! let request = PatchRequest::parse(request, Format::Json)?;
//! let policy = Policy::of(Party::Discovery, &request, None);
//! assert!(policy.to_json().contains("resource-groups:ListGroupResources"));
//! # Ok::<(), patchfleet_core::problem::Problems>(())
//! ```
//!
//! Nothing is asked of AWS. So a policy names accounts only where the request names them; elsewhere a `*` stands for
//! the account. Whom a role trusts is no part of it.

mod central;
#[cfg(feature = "s3")]
mod log;
mod print;
mod target;

use patchfleet_core::id::{AccountId, DocumentName, RoleArn, RoleName, TargetAccount};
use patchfleet_core::request::{PatchRequest, Regions};
use serde_json::{Map, Value, json};

/// A role that takes part in a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Party {
    /// Whoever runs patchfleet, in the central account: it plans, starts and follows.
    Management,
    /// What Automation runs with in the central account (`automation.assume_role`).
    Administration,
    /// What Automation runs with in each account whose nodes are patched (`automation.execution_role`).
    Execution,
    /// What patchfleet reads with in each other account (`access.discovery_role`).
    Discovery,
    /// What patchfleet sends commands with in each other account, if the request names a role of its own for that
    /// (`access.send_role`).
    Sending,
}

impl Party {
    /// Its word: `management`, `administration`, `execution`, `discovery` or `sending`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Management => "management",
            Self::Administration => "administration",
            Self::Execution => "execution",
            Self::Discovery => "discovery",
            Self::Sending => "sending",
        }
    }
}

/// What one role has to be allowed for one request: an identity-based policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    party: Party,
    #[cfg(feature = "s3")]
    partition: String,
    statements: Vec<Statement>,
}

impl Policy {
    /// The policy of `party` for `request`. `central` is the central account if it is known; otherwise it is that of
    /// `automation.assume_role`, or a `*` in its place.
    ///
    /// - For [`Party::Management`] it has what `runbook ensure` needs if the runbook is patchfleet's own. It also has
    ///   what reading takes in the central account itself if the request names that account, the root, or none. Where
    ///   the central account is below a unit that the request names, attach the policy of [`Party::Discovery`] too.
    /// - Where patchfleet sends the commands itself (`dispatch = "run-command"`), [`Party::Discovery`] sends them, or
    ///   [`Party::Sending`] if the request names that role. No automation runs then, so [`Party::Administration`] and
    ///   [`Party::Execution`] need nothing and have no policy ([`is_empty`](Self::is_empty)).
    /// - For [`Party::Execution`] it has what patchfleet's own runbook does. A runbook of one's own needs, beside this,
    ///   what its other steps do.
    #[must_use]
    pub fn of(party: Party, request: &PatchRequest, central: Option<&AccountId>) -> Self {
        let scope = Scope::of(request, central);
        let statements = match party {
            Party::Management => central::management(request, &scope),
            Party::Administration => central::administration(request, &scope),
            Party::Execution => target::execution(request, &scope),
            Party::Discovery => target::discovery(request, &scope),
            Party::Sending => target::sending(request, &scope),
        };
        Self {
            party,
            #[cfg(feature = "s3")]
            partition: scope.partition.to_owned(),
            statements,
        }
    }

    /// The same, and what `runbook ensure --share` needs. Only [`Party::Management`] shares the runbook, and only patchfleet's
    /// own, so any other policy stays as it is.
    #[must_use]
    pub fn with_sharing(mut self) -> Self {
        let keep = self.statements.iter_mut().find(|one| one.sid == central::KEEP);
        if let Some(keep) = keep {
            keep.actions.push("ssm:ModifyDocumentPermission");
            keep.actions.sort_unstable();
        }
        self
    }

    /// Whether the request gives the role nothing to do, so that there is no policy to attach.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Every action that it allows, sorted, each once.
    #[must_use]
    pub fn actions(&self) -> Vec<&str> {
        let mut actions: Vec<&str> = self
            .statements
            .iter()
            .flat_map(|one| one.actions.clone())
            .collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    }
}

/// One statement, which allows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    sid: &'static str,
    actions: Vec<&'static str>,
    resources: Vec<String>,
    /// Operator, key and value.
    condition: Option<(&'static str, &'static str, String)>,
}

impl Statement {
    fn new(sid: &'static str, actions: &[&'static str], resources: Vec<String>) -> Self {
        Self {
            sid,
            actions: actions.to_vec(),
            resources,
            condition: None,
        }
    }

    /// For actions that take no resource (service authorization reference).
    fn everywhere(sid: &'static str, actions: &[&'static str]) -> Self {
        Self::new(sid, actions, vec!["*".to_owned()])
    }

    fn only_if(mut self, operator: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        self.condition = Some((operator, key, value.into()));
        self
    }

    fn to_value(&self) -> Value {
        let mut value = Map::new();
        value.insert("Sid".to_owned(), json!(self.sid));
        value.insert("Effect".to_owned(), json!("Allow"));
        value.insert("Action".to_owned(), json!(self.actions));
        value.insert("Resource".to_owned(), json!(self.resources));
        if let Some((operator, key, text)) = &self.condition {
            value.insert("Condition".to_owned(), json!({ *operator: { *key: text } }));
        }
        Value::Object(value)
    }
}

/// What stands in the ARNs of a request's policies.
struct Scope<'a> {
    partition: &'a str,
    /// The central account, or `*`.
    central: String,
    /// The accounts that are patched, if the request names each. Empty: a `*` stands for them.
    accounts: Vec<&'a AccountId>,
    /// Whether the central account's own nodes are patched, as far as the request says.
    has_central: bool,
    document: &'a DocumentName,
}

/// So many accounts are named one by one in a policy. A managed policy ends at 6,144 characters (IAM quotas).
const NAMED_ACCOUNTS: usize = 20;

impl<'a> Scope<'a> {
    fn of(request: &'a PatchRequest, central: Option<&AccountId>) -> Self {
        let role = request.automation.assume_role.as_ref().map(RoleArn::as_str);
        let of_role = || role.and_then(|role| role.split(':').nth(4)).map(str::to_owned);
        let central = central.map(ToString::to_string).or_else(of_role);
        let targets = &request.targets.accounts;
        let named = targets.iter().map(|target| match target {
            TargetAccount::Account(account) => Some(account),
            TargetAccount::Parent(_) => None,
        });
        let accounts: Option<Vec<&AccountId>> = named.collect();
        let has_root = targets.iter().any(|target| target.to_string().starts_with("r-"));
        let is_named = accounts
            .iter()
            .flatten()
            .any(|one| Some(one.as_str()) == central.as_deref());
        let by_region = match &request.targets.regions {
            Regions::List(regions) => regions.first().map(|region| region.partition().id()),
            Regions::AllEnabled => None,
        };
        let by_role = || role.and_then(|role| role.split(':').nth(1));
        Self {
            partition: by_region.or_else(by_role).unwrap_or("aws"),
            has_central: targets.is_empty() || has_root || is_named,
            central: central.unwrap_or_else(|| "*".to_owned()),
            accounts: accounts
                .filter(|named| named.len() <= NAMED_ACCOUNTS)
                .unwrap_or_default(),
            document: &request.automation.document,
        }
    }

    /// An ARN of Systems Manager in every Region.
    fn ssm(&self, account: &str, resource: &str) -> String {
        format!("arn:{}:ssm:*:{account}:{resource}", self.partition)
    }

    /// The executions of an account.
    fn executions(&self, account: &str) -> String {
        self.ssm(account, "automation-execution/*")
    }

    /// The runbook as a document of `account`. A document of AWS's belongs to none.
    fn document(&self, account: &str) -> String {
        match self.document {
            arn if arn.is_arn() => arn.to_string(),
            name if name.is_amazons() => self.ssm("", &format!("document/{name}")),
            name => self.ssm(account, &format!("document/{name}")),
        }
    }

    /// The same, by the name that older policies have for a runbook in StartAutomationExecution.
    fn definition(&self, account: &str) -> String {
        let document = self.document(account);
        format!(
            "{}:*",
            document.replacen(":document/", ":automation-definition/", 1)
        )
    }

    /// A role of each account that is patched.
    fn roles(&self, name: &RoleName) -> Vec<String> {
        let name = name.as_str().trim_start_matches('/');
        let role = |account: &str| format!("arn:{}:iam::{account}:role/{name}", self.partition);
        match self.accounts.as_slice() {
            [] => vec![role("*")],
            named => named.iter().map(|account| role(account.as_str())).collect(),
        }
    }

    /// Every node of an account.
    fn nodes(&self, account: &str) -> Vec<String> {
        let ec2 = format!("arn:{}:ec2:*:{account}:instance/*", self.partition);
        vec![ec2, self.ssm(account, "managed-instance/*")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: Value) -> PatchRequest {
        let mut whole = json!({
            "name": "weekly",
            "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] },
        });
        for (key, part) in value.as_object().unwrap() {
            whole[key] = part.clone();
        }
        PatchRequest::from_value(whole).unwrap()
    }

    fn resources(policy: &Policy, action: &str) -> Vec<String> {
        let of = policy
            .statements
            .iter()
            .filter(|one| one.actions.contains(&action));
        of.flat_map(|one| one.resources.clone()).collect()
    }

    #[test]
    fn a_policy_names_the_accounts_that_the_request_names_and_stars_where_it_names_a_unit() {
        let of = |accounts: Value| {
            let targets = json!({ "resource_group": "Web", "regions": ["us-east-1"], "accounts": accounts });
            let policy = Policy::of(
                Party::Administration,
                &request(json!({ "targets": targets })),
                None,
            );
            resources(&policy, "sts:AssumeRole")
        };
        let role = "role/AWS-SystemsManager-AutomationExecutionRole";
        assert_eq!(
            of(json!(["111122223333", "222222222222"])),
            [
                format!("arn:aws:iam::111122223333:{role}"),
                format!("arn:aws:iam::222222222222:{role}")
            ]
        );
        assert_eq!(
            of(json!(["111122223333", "ou-ab12-cdef3456"])),
            [format!("arn:aws:iam::*:{role}")]
        );
        let many: Vec<String> = (0..21).map(|n| format!("{n:012}")).collect();
        assert_eq!(of(json!(many)), [format!("arn:aws:iam::*:{role}")]);
    }

    #[test]
    fn partition_and_central_account_follow_from_regions_and_role() {
        let targets = json!({ "resource_group": "Web", "regions": ["cn-north-1"] });
        let policy = Policy::of(
            Party::Management,
            &request(json!({ "targets": targets })),
            Some(&"111122223333".parse().unwrap()),
        );
        let arn = "arn:aws-cn:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole";
        assert_eq!(resources(&policy, "iam:PassRole"), [arn]);
        let role = "arn:aws-us-gov:iam::999999999999:role/Patching";
        let asked = request(json!({
            "targets": { "resource_group": "Web", "regions": "all-enabled" },
            "automation": { "assume_role": role },
        }));
        let policy = Policy::of(Party::Management, &asked, None);
        assert_eq!(resources(&policy, "iam:PassRole"), [role]);
        let tagged = resources(&policy, "ssm:AddTagsToResource");
        assert_eq!(
            tagged,
            ["arn:aws-us-gov:ssm:*:999999999999:automation-execution/*"]
        );
    }

    #[test]
    fn a_role_for_other_accounts_is_not_given_what_only_another_request_needs() {
        let group = Policy::of(Party::Discovery, &request(json!({})), None);
        let ids = json!({ "node_ids": ["i-0123456789abcdef0"], "regions": ["us-east-1"] });
        let ids = Policy::of(Party::Discovery, &request(json!({ "targets": ids })), None);
        for (action, of_group) in [
            ("resource-groups:ListGroupResources", true),
            ("tag:GetResources", true),
            ("resource-groups:SearchResources", false),
            ("ssm:GetCommandInvocation", false),
        ] {
            assert_eq!(group.actions().contains(&action), of_group, "{action}");
            assert!(!ids.actions().contains(&action), "{action}");
        }
    }

    #[test]
    fn the_tag_of_a_label_is_read_whatever_selects_the_nodes() {
        let ids = json!({ "node_ids": ["i-0123456789abcdef0"], "regions": ["us-east-1"] });
        let of = |by: &str| {
            let labels = json!({ "labels": [{ "by": by, "max_in_flight": 1 }] });
            let request = request(json!({ "targets": ids, "budget": labels }));
            let policy = Policy::of(Party::Discovery, &request, None);
            policy.actions().contains(&"tag:GetResources")
        };
        assert!(of("tag:Service"));
        assert!(!of("account"));
    }

    #[test]
    fn where_patchfleet_sends_the_commands_itself_the_role_that_reads_sends_them_and_no_automation_is_allowed()
     {
        let sends = request(json!({
            "targets": { "resource_group": "Web", "regions": ["us-east-1"], "accounts": ["ou-ab12-cdef3456"] },
            "automation": { "dispatch": "run-command" },
        }));
        let of = |party| Policy::of(party, &sends, None);
        assert!(of(Party::Administration).is_empty() && of(Party::Execution).is_empty());
        let reads = of(Party::Discovery);
        assert_eq!(
            resources(&reads, "ssm:SendCommand"),
            [
                "arn:aws:ssm:*::document/AWS-RunPatchBaseline",
                "arn:aws:ec2:*:*:instance/*",
                "arn:aws:ssm:*:*:managed-instance/*"
            ]
        );
        for policy in [reads, of(Party::Management)] {
            let actions = policy.actions();
            let mut of_automation = actions.iter().filter(|action| action.contains("Automation"));
            assert_eq!(of_automation.next(), None);
            assert!(!actions.contains(&"iam:PassRole"));
        }
    }

    #[test]
    fn the_account_of_the_caller_is_read_by_the_caller_where_the_request_names_none() {
        let own = Policy::of(Party::Management, &request(json!({})), None);
        assert!(own.actions().contains(&"ssm:DescribeInstancePatchStates"));
        assert!(!own.actions().contains(&"sts:AssumeRole"));
        let targets =
            json!({ "resource_group": "Web", "regions": ["us-east-1"], "accounts": ["222222222222"] });
        let other = Policy::of(Party::Management, &request(json!({ "targets": targets })), None);
        assert!(!other.actions().contains(&"ssm:DescribeInstancePatchStates"));
        assert!(other.actions().contains(&"sts:AssumeRole"));
    }

    #[test]
    fn each_language_holds_the_same_document() {
        let policy = Policy::of(Party::Execution, &request(json!({})), None);
        let document: Value = serde_json::from_str(&policy.to_json()).unwrap();
        let template: Value = serde_json::from_str(&policy.to_cloudformation()).unwrap();
        assert_eq!(
            template["Resources"]["Policy"]["Properties"]["PolicyDocument"],
            document
        );
        let terraform = policy.to_terraform();
        let json = terraform
            .split_once("jsonencode(")
            .unwrap()
            .1
            .trim_end_matches(")\n}");
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), document);
        assert!(!terraform.contains("${"), "{terraform}");
    }
}
