//! DescribeInstanceInformation: the managed nodes.

use super::{
    ApiError, Caller, Operation, Service,
    check::{self, given, page_size},
    commands::invalid_instance,
    executions::bad_token,
    input,
    page::{Grows, page},
    time::WireTime,
};
use crate::world::{Node, World, after};
use jiff::SignedDuration;
use patchfleet_core::id::NodeKind;
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

/// A filter of the older kind, which knows no tags.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OldInstanceFilter {
    key: String,
    #[serde(default)]
    value_set: Vec<String>,
}

input! {
    /// DescribeInstanceInformation's input.
    DescribeInstanceInformation {
        filters: Vec<InstanceFilter>,
        instance_information_filter_list: Vec<OldInstanceFilter>,
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
    pub(crate) iam_role: Option<&'static str>,
    pub(crate) registration_date: Option<WireTime>,
    pub(crate) resource_type: &'static str,
    pub(crate) name: Option<String>,
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: String,
    pub(crate) computer_name: String,
    pub(crate) association_status: &'static str,
    pub(crate) last_association_execution_date: WireTime,
    pub(crate) last_successful_association_execution_date: WireTime,
    pub(crate) association_overview: Value,
    pub(crate) source_id: String,
    pub(crate) source_type: &'static str,
}

const AGENT: &str = "3.3.2299.0";
/// The role that the console makes for hybrid activations. EC2 instances show theirs only under
/// Quick Setup's host management, which no world has.
const HYBRID_ROLE: &str = "AmazonEC2RunCommandRoleForManagedInstances";
const ASSOCIATION: &str = "Success";

/// What only hybrid nodes have.
struct Activation {
    id: String,
    registered: WireTime,
    name: String,
}

fn activation(world: &World, node: &Node) -> Option<Activation> {
    let id = node.id.as_str();
    let days = world.seed().between(30, 300, &[id, "registered"]);
    (node.id.kind() == NodeKind::Hybrid).then(|| Activation {
        id: world.seed().uuid(&[id, "activation"]),
        registered: after(world.start(), SignedDuration::from_hours(-24 * days)).into(),
        name: node
            .tags
            .get("Name")
            .cloned()
            .unwrap_or_else(|| node.computer_name()),
    })
}

fn resource_type(node: &Node) -> &'static str {
    match node.id.kind() {
        NodeKind::Ec2 => "EC2Instance",
        NodeKind::Hybrid => "ManagedInstance",
    }
}

fn instance(world: &World, node: &Node) -> InstanceShape {
    let number = world.seed().number(&[node.id.as_str(), "address"]);
    let (platform_name, platform_version) = node.platform_name();
    let pinged = node.silent_since.unwrap_or(world.now());
    let minutes = world.seed().between(1, 30, &[node.id.as_str(), "association"]);
    let associated = WireTime(after(pinged, SignedDuration::from_mins(-minutes)));
    let activation = activation(world, node);
    let hybrid = activation.is_some();
    let (activation_id, registration_date, name) = match activation {
        Some(one) => (Some(one.id), Some(one.registered), Some(one.name)),
        None => (None, None, None),
    };
    InstanceShape {
        instance_id: node.id.to_string(),
        ping_status: world.ping_status(node),
        last_ping_date_time: pinged.into(),
        agent_version: AGENT,
        is_latest_version: true,
        platform_type: node.platform_type(),
        platform_name,
        platform_version,
        activation_id,
        iam_role: hybrid.then_some(HYBRID_ROLE),
        registration_date,
        resource_type: resource_type(node),
        name,
        ip_address: format!(
            "10.{}.{}.{}",
            number & 0xff,
            (number >> 8) & 0xff,
            (number >> 16) & 0xff
        ),
        computer_name: node.computer_name(),
        association_status: ASSOCIATION,
        last_association_execution_date: associated,
        last_successful_association_execution_date: associated,
        association_overview: json!({
            "DetailedStatus": ASSOCIATION,
            "InstanceAssociationStatusAggregatedCount": {ASSOCIATION: 1},
        }),
        source_id: node.id.to_string(),
        source_type: node.resource_type(),
    }
}

/// The keys of which only some values have a meaning.
fn values_of(key: &str) -> Option<&'static [&'static str]> {
    Some(match key {
        "PingStatus" => &["Online", "ConnectionLost", "Inactive"],
        "PlatformTypes" => &["Windows", "Linux", "MacOS"],
        "ResourceType" => &["EC2Instance", "ManagedInstance"],
        "AssociationStatus" => &["Success", "Pending", "Failed"],
        "SourceTypes" => &[
            "AWS::EC2::Instance",
            "AWS::SSM::ManagedInstance",
            "AWS::IoT::Thing",
            "Microsoft.Compute/virtualMachines",
            "compute.googleapis.com/Instance",
        ],
        _ => return None,
    })
}

impl InstanceFilter {
    fn is_of_tags(&self) -> bool {
        self.key == "tag-key" || self.key.starts_with("tag:")
    }

    fn check(&self) -> Result<(), ApiError> {
        let free = [
            "InstanceIds",
            "AgentVersion",
            "ActivationIds",
            "IamRole",
            "SourceIds",
            "tag-key",
        ];
        let allowed = values_of(&self.key);
        if allowed.is_none() && !free.contains(&self.key.as_str()) && !self.key.starts_with("tag:") {
            return Err(ApiError::client(
                "ValidationException",
                format!("{} filter Key is invalid.", self.key),
            ));
        }
        if let Some(allowed) = allowed
            && let Some(value) = self
                .values
                .iter()
                .find(|value| !allowed.contains(&value.as_str()))
        {
            return Err(ApiError::client(
                "InvalidInstanceInformationFilterValue",
                format!(
                    "The specified filter value {value} of {} isn't valid. Valid values: [{}].",
                    self.key,
                    allowed.join(", ")
                ),
            ));
        }
        let misshapen = |id: &&String| !check::is_instance_id(id);
        match self
            .values
            .iter()
            .find(misshapen)
            .filter(|_| self.key == "InstanceIds")
        {
            Some(id) => Err(invalid_instance(id)),
            None => Ok(()),
        }
    }

    fn passes(&self, world: &World, node: &Node) -> bool {
        let is = |text: &str| self.values.iter().any(|value| value == text);
        if let Some(tag) = self.key.strip_prefix("tag:") {
            return node.tags.get(tag).is_some_and(|value| is(value));
        }
        match self.key.as_str() {
            "InstanceIds" | "SourceIds" => is(node.id.as_str()),
            "AgentVersion" => is(AGENT),
            "PingStatus" => is(world.ping_status(node)),
            "PlatformTypes" => is(node.platform_type()),
            "ActivationIds" => activation(world, node).is_some_and(|one| is(&one.id)),
            "IamRole" => node.id.kind() == NodeKind::Hybrid && is(HYBRID_ROLE),
            "ResourceType" => is(resource_type(node)),
            "AssociationStatus" => is(ASSOCIATION),
            "SourceTypes" => is(node.resource_type()),
            _ => self.values.iter().any(|key| node.tags.contains_key(key)),
        }
    }
}

impl Operation for DescribeInstanceInformation {
    type Output = InstanceInformation;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeInstanceInformation";

    fn run(self, world: &mut World, caller: &Caller) -> Result<InstanceInformation, ApiError> {
        let old = given(self.instance_information_filter_list);
        let mut filters = given(self.filters);
        if !old.is_empty() && !filters.is_empty() {
            return Err(ApiError::client(
                "ValidationException",
                "Cannot use both legacy and new filter simultaneously.",
            ));
        }
        filters.extend(old.into_iter().map(|one| InstanceFilter {
            key: one.key,
            values: one.value_set,
        }));
        filters.iter().try_for_each(InstanceFilter::check)?;
        if filters.len() > 1 && filters.iter().any(InstanceFilter::is_of_tags) {
            return Err(ApiError::client(
                "ValidationException",
                "Cannot mix tag or inventory filter with any other filter.",
            ));
        }
        let location = caller.location();
        let by_id = filters.iter().find(|filter| filter.key == "InstanceIds");
        let nodes: Vec<&Node> = world
            .nodes_at(&location, by_id.map(|filter| filter.values.as_slice()))
            .into_iter()
            .filter(|node| node.is_managed() && filters.iter().all(|filter| filter.passes(world, node)))
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
