//! DescribeInstanceInformation and DescribeInstancePatchStates.

use super::{
    ApiError, Caller, Operation, Service,
    check::{self, Checks, given, page_size},
    executions::bad_token,
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Node, World};
use patchfleet_core::id::{Location, NodeKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A filter of managed nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceFilter {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

input! {
    /// DescribeInstanceInformation's input.
    DescribeInstanceInformation {
        filters: Vec<InstanceFilter>,
        instance_information_filter_list: Vec<Value>,
        max_results: i64,
        next_token: String,
    }
}

/// DescribeInstanceInformation's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceInformation {
    pub(crate) instance_information_list: Vec<InstanceShape>,
    pub(crate) next_token: Option<String>,
}

/// A managed node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceShape {
    pub(crate) instance_id: String,
    pub(crate) ping_status: &'static str,
    pub(crate) last_ping_date_time: WireTime,
    pub(crate) agent_version: &'static str,
    pub(crate) is_latest_version: bool,
    pub(crate) platform_type: &'static str,
    pub(crate) platform_name: &'static str,
    pub(crate) platform_version: &'static str,
    pub(crate) activation_id: Option<String>,
    pub(crate) resource_type: &'static str,
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: String,
    pub(crate) computer_name: String,
    pub(crate) association_status: &'static str,
}

fn instance(world: &World, node: &Node) -> InstanceShape {
    let hybrid = node.id.kind() == NodeKind::Hybrid;
    let number = world.seed.number(&[node.id.as_str(), "address"]);
    let (platform_name, platform_version) = node.platform_name();
    let name = node.id.as_str().rsplit_once('-').map_or("", |(_, digits)| digits);
    InstanceShape {
        instance_id: node.id.to_string(),
        ping_status: node.ping_status(),
        last_ping_date_time: node.silent_since.unwrap_or(world.now).into(),
        agent_version: "3.3.2299.0",
        is_latest_version: true,
        platform_type: node.platform_type(),
        platform_name,
        platform_version,
        activation_id: hybrid.then(|| world.seed.uuid(&[node.id.as_str(), "activation"])),
        resource_type: if hybrid { "ManagedInstance" } else { "EC2Instance" },
        ip_address: format!(
            "10.{}.{}.{}",
            number & 0xff,
            (number >> 8) & 0xff,
            (number >> 16) & 0xff
        ),
        computer_name: format!("ip-{name}.internal"),
        association_status: "Success",
    }
}

fn matches(filter: &InstanceFilter, node: &Node) -> bool {
    let is = |text: &str| filter.values.iter().any(|value| value == text);
    if let Some(tag) = filter.key.strip_prefix("tag:") {
        return node.tags.get(tag).is_some_and(|value| is(value));
    }
    match filter.key.as_str() {
        "InstanceIds" => is(node.id.as_str()),
        "PingStatus" => is(node.ping_status()),
        "PlatformTypes" => is(node.platform_type()),
        "ResourceType" => is(if node.id.kind() == NodeKind::Hybrid {
            "ManagedInstance"
        } else {
            "EC2Instance"
        }),
        "tag-key" => filter.values.iter().any(|key| node.tags.contains_key(key)),
        _ => false,
    }
}

impl Operation for DescribeInstanceInformation {
    type Output = InstanceInformation;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeInstanceInformation";

    fn run(self, world: &mut World, caller: &Caller) -> Result<InstanceInformation, ApiError> {
        let mut checks = Checks::default();
        checks.range("maxResults", self.max_results, 5..=50);
        for filter in self.filters.iter().flatten() {
            checks.text("filters.member.key", Some(&filter.key), 1..=usize::MAX);
            checks.length("filters.member.values", Some(filter.values.len()), 1..=100);
        }
        checks.done()?;
        let filters = given(self.filters);
        let known = [
            "InstanceIds",
            "PingStatus",
            "PlatformTypes",
            "ResourceType",
            "tag-key",
        ];
        if let Some(filter) = filters
            .iter()
            .find(|one| !known.contains(&one.key.as_str()) && !one.key.starts_with("tag:"))
        {
            return Err(ApiError::client(
                "InvalidFilterKey",
                format!("The specified key {} isn't valid.", filter.key),
            ));
        }
        if self.instance_information_filter_list.is_some() {
            return Err(ApiError::client(
                "InvalidFilterKey",
                "InstanceInformationFilterList is not simulated: use Filters.",
            ));
        }
        let location = Location::new(caller.account.clone(), caller.region.clone());
        let nodes: Vec<&Node> = world
            .places
            .get(&location)
            .into_iter()
            .flat_map(|place| place.nodes.values())
            .filter(|node| node.is_managed() && filters.iter().all(|filter| matches(filter, node)))
            .collect();
        let listing = format!("instances/{location}/{}", json!(filters));
        let (nodes, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            nodes,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        let instance_information_list = nodes.into_iter().map(|node| instance(world, node)).collect();
        Ok(InstanceInformation {
            instance_information_list,
            next_token,
        })
    }
}

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
    let found = report.found;
    let outstanding = found.missing + found.failed + found.pending_reboot;
    let critical = outstanding / 3;
    let digits = world
        .seed
        .hex17(&["baseline", node.location.region.as_str(), node.platform_type()]);
    Some(PatchStateShape {
        instance_id: node.id.to_string(),
        patch_group: node
            .tags
            .get("Patch Group")
            .or_else(|| node.tags.get("PatchGroup"))
            .cloned()
            .unwrap_or_default(),
        baseline_id: format!("pb-{digits}"),
        snapshot_id: report.snapshot.clone(),
        install_override_list: report.override_list.clone(),
        owner_information: String::new(),
        installed_count: found.installed,
        installed_other_count: 20 + found.installed / 10,
        installed_pending_reboot_count: found.pending_reboot,
        installed_rejected_count: 0,
        missing_count: found.missing,
        failed_count: found.failed,
        unreported_not_applicable_count: 0,
        not_applicable_count: 600 + found.installed,
        operation_start_time: report.started.into(),
        operation_end_time: report.ended.into(),
        operation: report.operation.clone(),
        last_no_reboot_install_operation_time: node.last_no_reboot_install.map(WireTime),
        reboot_option: report.reboot_option.clone(),
        critical_non_compliant_count: critical,
        security_non_compliant_count: outstanding - critical,
        other_non_compliant_count: 0,
    })
}

impl Operation for DescribeInstancePatchStates {
    type Output = PatchStates;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeInstancePatchStates";

    fn run(self, world: &mut World, caller: &Caller) -> Result<PatchStates, ApiError> {
        let mut checks = Checks::default();
        checks.required("instanceIds", &self.instance_ids);
        checks.length("instanceIds", self.instance_ids.as_ref().map(Vec::len), 0..=50);
        for id in self.instance_ids.iter().flatten() {
            checks.that(
                "instanceIds.member",
                Some(id),
                check::is_instance_id,
                "(^i-(\\w{8}|\\w{17})$)|(^mi-\\w{17}$)",
            );
        }
        checks.range("maxResults", self.max_results, 10..=100);
        checks.done()?;
        let ids = given(self.instance_ids);
        let location = Location::new(caller.account.clone(), caller.region.clone());
        let states: Vec<PatchStateShape> = world
            .places
            .get(&location)
            .into_iter()
            .flat_map(|place| place.nodes.values())
            .filter(|node| ids.iter().any(|id| id == node.id.as_str()))
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
