//! The payload that a maintenance window sends to its Lambda task, as in the first post
//! ("Implement a centralized patching solution across multiple AWS Regions"). The post's own
//! payload is lost; the keys are those of the fields that its text names, and of what came later.

use super::draft::{Draft, Names, OPERATIONS, REBOOT_OPTIONS, rate_control};
use super::fields::{Collector, Fields};
use super::format::Format;
use super::lookalike::lookalike;
use super::policy::OFFLINE;
use super::{PatchRequest, seed, values};
use crate::id::{EventId, EventSource};
use crate::problem::{ProblemCode, Problems};

/// The longest payload of a maintenance window's Lambda task (SSM model), in bytes.
pub const MAX_WINDOW_PAYLOAD_BYTES: usize = 4096;

const WHAT: &str = "the maintenance window's payload";

const NAMES: Names = Names {
    operation: "Operation",
    install_override_list: "InstallOverrideList",
    baseline_override: "", // there is none
    regions: "Regions",
    assume_role: "AutomationAssumeRole",
    parameters: "DocumentName",
};

impl PatchRequest {
    /// Reads the payload of a maintenance window's Lambda task. Gives the request, and the window's execution id, which
    /// names the event: the same event delivered twice is one campaign.
    ///
    /// The payload is a JSON object. Texts are trimmed, and an empty text counts as absent. A list may be one text with
    /// commas. In lists empty entries are passed over, and repeated ones count once.
    ///
    /// | key | default |
    /// |---|---|
    /// | `Regions` | must be there: a list, or one text with commas |
    /// | `ResourceGroup` | must be there. The request's name is `window-`, this (cut to 44 characters) and the first 12 hex digits of the whole request's digest: tasks that differ in anything have different names, so none keeps another out |
    /// | `DocumentName` | patchfleet's own runbook |
    /// | `AutomationAssumeRole` | the administration role of the central account |
    /// | `MaxConcurrency`, `MaxErrors` | `10%`: nodes within a location |
    /// | `Operation` | `Scan` |
    /// | `RebootOption` | `RebootIfNeeded` |
    /// | `InstallOverrideList` | none |
    /// | `TargetAccounts` | the caller's own account: a list, or one text with commas |
    /// | `IncludeChildOUs` | `false`: of a unit or the root among `TargetAccounts`, the units below it too. `true` or `false`, also as a text |
    /// | `Offline` | `target`: what becomes of nodes that do not answer, as `policy.offline` of a request says it |
    /// | `TargetLocationMaxConcurrency`, `TargetLocationMaxErrors` | `1`, `0` |
    /// | `ExecutionRoleName` | AWS's own default; the census reads with the same role |
    /// | `WindowExecutionId` | none. Write `"{{WINDOW_EXECUTION_ID}}"`: Systems Manager fills it in |
    ///
    /// A `DocumentName` other than patchfleet's own gets the parameters that the posts' runbook
    /// has: `Operation` always, and `AutomationAssumeRole`, `RebootOption` and
    /// `InstallOverrideList` if they are in the payload. That runbook itself says which nodes it takes, and how many at
    /// once.
    ///
    /// # Errors
    ///
    /// [`Problems`] with every problem, by the payload's own keys. A payload that is longer
    /// than [`MAX_WINDOW_PAYLOAD_BYTES`] or is not JSON has that one problem.
    ///
    /// ```
    /// use patchfleet_core::request::{Operation, PatchRequest};
    ///
    /// let payload = br#"{ "Regions": "us-east-1, eu-west-1", "ResourceGroup": "WebServers",
    ///                     "Operation": "Install", "WindowExecutionId": "w-1" }"#;
    /// let (request, execution) = PatchRequest::from_window_payload(payload)?;
    /// assert!(request.name.as_str().starts_with("window-WebServers-"));
    /// assert_eq!(request.patch.operation, Operation::Install);
    /// assert_eq!(execution.map(|id| id.to_string()).as_deref(), Some("window/w-1"));
    /// # Ok::<(), patchfleet_core::problem::Problems>(())
    /// ```
    pub fn from_window_payload(payload: &[u8]) -> Result<(Self, Option<EventId>), Problems> {
        let node = Format::Json
            .read(payload, MAX_WINDOW_PAYLOAD_BYTES)
            .map_err(|problem| Problems::new(WHAT, vec![problem]))?;
        if let Some(problem) = lookalike(&node) {
            return Err(Problems::new(WHAT, vec![problem]));
        }
        let node = seed::tidied(node, &["Regions", "TargetAccounts"]);
        let mut out = Collector::default();
        let mut draft = Draft::default();
        let mut fields = Fields::of_root(&node, &mut out);

        draft.regions = seed::regions(&mut fields, "Regions", &mut out);
        seed::group(&mut fields, "ResourceGroup", &mut draft, &mut out);
        if let Some(field) = fields.take_filled("DocumentName") {
            draft.document = field.id(&mut out);
        }
        if let Some(field) = fields.take_filled("AutomationAssumeRole") {
            draft.assume_role = field.id(&mut out);
        }
        let (concurrency, errors) = (
            fields.take_filled("MaxConcurrency"),
            fields.take_filled("MaxErrors"),
        );
        rate_control(&mut draft.budget.nodes, concurrency, errors, &mut out);
        if let Some(field) = fields.take_filled("Operation") {
            draft.operation = field.choice(&OPERATIONS, &mut out);
        }
        let reboot_option = fields.take_filled("RebootOption");
        if let Some(field) = &reboot_option {
            draft.reboot_option = field.choice(&REBOOT_OPTIONS, &mut out).unwrap_or_default();
        }
        if let Some(field) = fields.take_filled("InstallOverrideList") {
            draft.install_override_list = values::install_override_list(&field, &mut out);
        }
        if let Some(field) = fields.take_filled("TargetAccounts") {
            draft.accounts =
                seed::lenient_ids(&field, "account or unit ids, as a list or with commas", &mut out);
        }
        if let Some(field) = fields.take_filled("IncludeChildOUs") {
            draft.include_child_ous = seed::flag(&field, &mut out).unwrap_or_default();
        }
        if let Some(field) = fields.take_filled("Offline") {
            draft.policy.offline = field.choice(&OFFLINE, &mut out).unwrap_or(draft.policy.offline);
        }
        let concurrency = fields.take_filled("TargetLocationMaxConcurrency");
        let errors = fields.take_filled("TargetLocationMaxErrors");
        rate_control(&mut draft.budget.locations, concurrency, errors, &mut out);
        seed::execution_role(fields.take_filled("ExecutionRoleName"), &mut draft, &mut out);
        let execution = execution_id(&mut fields, &mut out);
        fields.finish(&mut out);

        seed::fill_parameters(&mut draft, reboot_option.is_some());
        Ok((
            seed::named(draft.finish(WHAT, &NAMES, out)?, "window-"),
            execution,
        ))
    }
}

fn execution_id(fields: &mut Fields<'_>, out: &mut Collector) -> Option<EventId> {
    let field = fields.take_filled("WindowExecutionId")?;
    let id = field.text("the window's execution id", out)?;
    EventId::new(EventSource::Window, id)
        .map_err(|error| out.add(field.problem(ProblemCode::InvalidValue, error.to_string())))
        .ok()
}
