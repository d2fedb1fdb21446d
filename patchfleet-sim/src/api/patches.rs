//! DescribeInstancePatchStates and DescribeInstancePatches: what nodes reported last, counted and
//! patch by patch.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    commands::node_here,
    executions::bad_token,
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::{
    spec::Platform,
    world::{ListedPatch, Node, PatchReport, World},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

input! {
    /// DescribeInstancePatchStates' input.
    DescribeInstancePatchStates {
        instance_ids: Vec<String>,
        max_results: i64,
        next_token: String,
    }
}

/// DescribeInstancePatchStates' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PatchStates {
    pub(crate) instance_patch_states: Vec<PatchStateShape>,
    pub(crate) next_token: Option<String>,
}

/// A node's patch state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PatchStateShape {
    pub(crate) instance_id: String,
    pub(crate) patch_group: String,
    pub(crate) baseline_id: String,
    pub(crate) snapshot_id: Option<String>,
    pub(crate) install_override_list: Option<String>,
    pub(crate) owner_information: String,
    pub(crate) installed_count: u32,
    pub(crate) installed_other_count: u32,
    pub(crate) installed_pending_reboot_count: u32,
    pub(crate) installed_rejected_count: u32,
    pub(crate) missing_count: u32,
    pub(crate) failed_count: u32,
    pub(crate) unreported_not_applicable_count: u32,
    pub(crate) not_applicable_count: u32,
    pub(crate) available_security_update_count: Option<u32>,
    pub(crate) operation_start_time: WireTime,
    pub(crate) operation_end_time: WireTime,
    pub(crate) operation: String,
    pub(crate) last_no_reboot_install_operation_time: Option<WireTime>,
    pub(crate) reboot_option: Option<String>,
    pub(crate) critical_non_compliant_count: u32,
    pub(crate) security_non_compliant_count: u32,
    pub(crate) other_non_compliant_count: u32,
}

/// What a node reported; `None` if it never did.
fn patch_state(world: &World, node: &Node) -> Option<PatchStateShape> {
    let report = node.report.as_ref()?;
    let (found, fixed, broken) = (report.found, node.fixed, node.non_compliant());
    Some(PatchStateShape {
        instance_id: node.id.to_string(),
        patch_group: node.patch_group().to_owned(),
        baseline_id: world.baseline_id(node),
        snapshot_id: Some(snapshot(world, node, report)),
        install_override_list: report.override_list.clone(),
        owner_information: String::new(),
        installed_count: found.installed,
        installed_other_count: fixed.other,
        installed_pending_reboot_count: found.pending_reboot,
        installed_rejected_count: fixed.rejected,
        missing_count: found.missing,
        failed_count: found.failed,
        unreported_not_applicable_count: 0,
        not_applicable_count: fixed.not_applicable,
        // Documented: of Windows Server only. Every approved patch is available here.
        available_security_update_count: (node.platform == Platform::Windows).then_some(0),
        operation_start_time: report.started.into(),
        operation_end_time: report.ended.into(),
        operation: report.operation.clone(),
        last_no_reboot_install_operation_time: node.last_no_reboot_install.map(WireTime),
        // Recorded: a Scan shows the parameter's default.
        reboot_option: report
            .reboot_option
            .clone()
            .or_else(|| Some("RebootIfNeeded".to_owned())),
        critical_non_compliant_count: broken.critical,
        security_non_compliant_count: broken.security,
        other_non_compliant_count: broken.other,
    })
}

/// The snapshot that a run used: the one that it was given, or one that Patch Manager made for it.
fn snapshot(world: &World, node: &Node, report: &PatchReport) -> String {
    let made = || {
        let at = report.ended.to_string();
        world.seed().uuid(&[node.id.as_str(), &at, "snapshot"])
    };
    report.snapshot.clone().unwrap_or_else(made)
}

impl Operation for DescribeInstancePatchStates {
    type Output = PatchStates;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeInstancePatchStates";

    fn run(self, world: &mut World, caller: &Caller) -> Result<PatchStates, ApiError> {
        let ids = given(self.instance_ids);
        let location = caller.location();
        let states: Vec<PatchStateShape> = world
            .nodes_at(&location, Some(&ids))
            .into_iter()
            .filter_map(|node| patch_state(world, node))
            .collect();
        let listing = format!("patch states/{location}/{}", json!(ids));
        let (instance_patch_states, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            states,
            page_size(self.max_results, 100),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(PatchStates {
            instance_patch_states,
            next_token,
        })
    }
}

/// A filter of patches. The model requires neither member.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PatchFilter {
    #[serde(default)]
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

impl PatchFilter {
    fn passes(&self, patch: &ListedPatch) -> bool {
        let value = match self.key.as_str() {
            "Classification" => patch.classification,
            "KBId" => &patch.kb_id,
            "Severity" => patch.severity,
            _ => patch.state,
        };
        self.values.iter().any(|wanted| wanted == value)
    }
}

input! {
    /// DescribeInstancePatches' input.
    DescribeInstancePatches {
        instance_id: String,
        filters: Vec<PatchFilter>,
        max_results: i64,
        next_token: String,
    }
}

/// DescribeInstancePatches' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Patches {
    pub(crate) patches: Vec<PatchShape>,
    pub(crate) next_token: Option<String>,
}

/// A patch on a node. Its state is written as AWS writes it, which is not as the model's enum does:
/// `InstalledOther`, not `INSTALLED_OTHER`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PatchShape {
    pub(crate) title: String,
    #[serde(rename = "KBId")]
    pub(crate) kb_id: String,
    pub(crate) classification: &'static str,
    pub(crate) severity: &'static str,
    state: &'static str,
    installed_time: WireTime,
    #[serde(rename = "CVEIds")]
    cve_ids: Option<String>,
}

impl From<ListedPatch> for PatchShape {
    fn from(patch: ListedPatch) -> Self {
        Self {
            title: patch.title,
            kb_id: patch.kb_id,
            classification: patch.classification,
            severity: patch.severity,
            state: patch.state,
            installed_time: patch.installed.unwrap_or(Timestamp::UNIX_EPOCH).into(),
            cve_ids: patch.cves,
        }
    }
}

impl Operation for DescribeInstancePatches {
    type Output = Patches;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeInstancePatches";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Patches, ApiError> {
        let filters = given(self.filters);
        let known = ["Classification", "KBId", "Severity", "State"];
        if let Some(filter) = filters.iter().find(|one| !known.contains(&one.key.as_str())) {
            return Err(ApiError::client(
                "InvalidFilter",
                format!("The filter name {} isn't valid.", filter.key),
            ));
        }
        let node = node_here(world, caller, &given(self.instance_id))?;
        let mut patches = world.listed_patches(node);
        patches.retain(|patch| filters.iter().all(|filter| filter.passes(patch)));
        let listing = format!("patches/{}/{}", node.id, json!(filters));
        let (patches, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            patches,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Patches {
            patches: patches.into_iter().map(PatchShape::from).collect(),
            next_token,
        })
    }
}
