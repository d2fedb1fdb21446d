//! The environment variables of the Lambda of the second post ("Scheduling centralized
//! multi-account and multi-Region patching with AWS Systems Manager Automation"), so that its
//! stack's settings can be kept as they are.

use super::draft::{Draft, Names, OPERATIONS, REBOOT_OPTIONS, rate_control};
use super::fields::{Collector, Field, Fields};
use super::node::Node;
use super::{DeniedAction, PatchRequest, PolicyAction, Regions, defaults, seed, values};
use crate::id::{AccountId, RoleArn};
use crate::problem::{ProblemCode, Problems};
use std::collections::BTreeMap;

const WHAT: &str = "the sample's environment";

const NAMES: Names = Names {
    operation: "RunPatchBaselineOperation",
    install_override_list: "RunPatchBaselineInstallOverrideList",
    baseline_override: "", // there is none
    regions: "TargetRegionIds",
    assume_role: "MasterAccountID",
    parameters: "AutomationDocumentMamrRunPatchBaseline",
};

impl PatchRequest {
    /// Reads the environment variables of the second post's Lambda. Other variables are passed over, since an
    /// environment holds many things.
    ///
    /// Texts are trimmed. In lists empty entries are passed over, and repeated ones count once. A variable that the
    /// sample hands to AWS, which takes no empty text, must not be empty. `RunPatchBaselineInstallOverrideList` may be, as
    /// in the sample, and so may those that the sample reads and does not use, and the runbook. One that is not set has
    /// its default.
    ///
    /// The sample starts its automation wherever its variables say, without looking. So what cannot be looked into is
    /// planned all the same (`policy.unknown` and `policy.denied` are `keep`).
    ///
    /// | variable | means |
    /// |---|---|
    /// | `TargetAccounts` | account or unit ids with commas; must be there |
    /// | `TargetRegionIds` | Regions with commas; must be there |
    /// | `RunPatchBaselineOperation` | default `Scan` |
    /// | `RunPatchBaselineRebootOption` | default `RebootIfNeeded` |
    /// | `RunPatchBaselineInstallOverrideList` | default none |
    /// | `ResourceGroupName` | must be there. The sample reads it and uses it nowhere; here it is the selector, and the request's name is `scheduled-`, this (cut to 41 characters) and the first 12 hex digits of the whole request's digest |
    /// | `MaximumConcurrency`, `MaximumErrors` | nodes within a location, default `10%`. Unused in the sample as well |
    /// | `TargetLocationMaxConcurrency`, `TargetLocationMaxErrors` | default `1` and `0` |
    /// | `ExecutionRoleName` | default AWS's own; the census reads with the same role |
    /// | `MasterAccountID` | the account of the administration role, whose ARN gets the Regions' own partition |
    /// | `AutomationDocumentMamrRunPatchBaseline` | the runbook; default patchfleet's own |
    ///
    /// A runbook other than patchfleet's own gets the parameters that the sample's has:
    /// `Operation` always, and `AutomationAssumeRole`, `RebootOption` and `InstallOverrideList` if
    /// their variables are set. The sample's runbook got its group and its rates when its stack was made.
    ///
    /// # Errors
    ///
    /// [`Problems`] with every problem, by the variables' names.
    ///
    /// ```
    /// use patchfleet_core::request::PatchRequest;
    /// use std::collections::BTreeMap;
    ///
    /// let variables: BTreeMap<String, String> = [
    ///     ("TargetAccounts", "111122223333, 444455556666"),
    ///     ("TargetRegionIds", "us-east-1,us-east-2"),
    ///     ("ResourceGroupName", "WebServers"),
    /// ]
    /// .map(|(key, value)| (key.to_owned(), value.to_owned()))
    /// .into();
    /// let request = PatchRequest::from_sample_env(&variables)?;
    /// assert_eq!(request.targets.accounts.len(), 2);
    /// # Ok::<(), patchfleet_core::problem::Problems>(())
    /// ```
    pub fn from_sample_env(variables: &BTreeMap<String, String>) -> Result<Self, Problems> {
        let texts = variables
            .iter()
            .map(|(key, text)| (key.clone(), Node::Text(text.clone())));
        let node = seed::tidied(
            Node::Table(texts.collect()),
            &["TargetAccounts", "TargetRegionIds"],
        );
        let mut out = Collector::default();
        let mut draft = Draft::default();
        let mut fields = Fields::of_root(&node, &mut out);

        read_accounts(&mut fields, &mut draft, &mut out);
        draft.regions = seed::regions(&mut fields, "TargetRegionIds", &mut out);
        if let Some(field) = given(&mut fields, "RunPatchBaselineOperation", &mut out) {
            draft.operation = field.choice(&OPERATIONS, &mut out);
        }
        let reboot_option = given(&mut fields, "RunPatchBaselineRebootOption", &mut out);
        if let Some(field) = &reboot_option {
            draft.reboot_option = field.choice(&REBOOT_OPTIONS, &mut out).unwrap_or_default();
        }
        if let Some(field) = fields.take_filled("RunPatchBaselineInstallOverrideList") {
            draft.install_override_list = values::install_override_list(&field, &mut out);
        }
        seed::group(&mut fields, "ResourceGroupName", &mut draft, &mut out);
        let concurrency = fields.take_filled("MaximumConcurrency");
        let errors = fields.take_filled("MaximumErrors");
        rate_control(&mut draft.budget.nodes, concurrency, errors, &mut out);
        let concurrency = given(&mut fields, "TargetLocationMaxConcurrency", &mut out);
        let errors = given(&mut fields, "TargetLocationMaxErrors", &mut out);
        rate_control(&mut draft.budget.locations, concurrency, errors, &mut out);
        let role = given(&mut fields, "ExecutionRoleName", &mut out);
        seed::execution_role(role, &mut draft, &mut out);
        read_central_account(&mut fields, &mut draft, &mut out);
        if let Some(field) = fields.take_filled("AutomationDocumentMamrRunPatchBaseline") {
            draft.document = field.id(&mut out);
        }

        draft.policy.unknown = PolicyAction::Keep;
        draft.policy.denied = DeniedAction::Keep;
        seed::fill_parameters(&mut draft, reboot_option.is_some());
        Ok(seed::named(draft.finish(WHAT, &NAMES, out)?, "scheduled-"))
    }
}

/// A variable that the sample hands to AWS. One that is set must not be empty.
fn given<'a>(fields: &mut Fields<'a>, key: &'static str, out: &mut Collector) -> Option<Field<'a>> {
    let field = fields.take(key)?;
    if matches!(field.node(), Node::Text(text) if text.is_empty()) {
        out.add(field.problem(
            ProblemCode::InvalidValue,
            "a value: AWS takes no empty text, so the sample's start fails with it. Unset it for its default",
        ));
        return None;
    }
    Some(field)
}

/// Reads the accounts, which must be there. The sample always names them, and the caller's own account would be a
/// guess.
fn read_accounts(fields: &mut Fields<'_>, draft: &mut Draft, out: &mut Collector) {
    const EXPECTED: &str = "account or unit ids with commas: 111122223333,ou-ab12-cdef3456";
    let before = out.len();
    if let Some(field) = fields.take_filled("TargetAccounts") {
        draft.accounts = seed::lenient_ids(&field, EXPECTED, out);
    }
    if draft.accounts.is_empty() && out.len() == before {
        out.missing(&fields.path_of("TargetAccounts"), EXPECTED);
    }
}

/// The administration role. The sample's code has `arn:aws:` in it, and here the partition is that of the Regions.
fn read_central_account(fields: &mut Fields<'_>, draft: &mut Draft, out: &mut Collector) {
    let account: Option<AccountId> = given(fields, "MasterAccountID", out).and_then(|field| field.id(out));
    if let (Some(account), Some(Regions::List(regions))) = (account, &draft.regions)
        && let Some(region) = regions.first()
    {
        let role = RoleArn::build(region.partition(), &account, &defaults::administration_role());
        draft.assume_role = Some(role);
    }
}
