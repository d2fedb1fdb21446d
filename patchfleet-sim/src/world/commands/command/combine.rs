//! Which targets can stand together in one command. The refusals and their words are recorded
//! (`tests/real-answers/17.json`); which of several comes first is not.

use crate::world::Target;
use std::collections::BTreeSet;

/// The types of resource that a command can be sent to.
const SENDABLE: [&str; 2] = ["AWS::EC2::Instance", "AWS::SSM::ManagedInstance"];

/// Why a command cannot have these targets together; `None`: it can.
pub(super) fn problem(targets: &[Target]) -> Option<&'static str> {
    let mut keys = BTreeSet::new();
    if !targets.iter().all(|target| keys.insert(target.key.as_str())) {
        return Some(
            "Duplicate keys are not supported for targets. Remove the duplicate key, and try again.",
        );
    }
    let repeats = |target: &Target| target.values.iter().collect::<BTreeSet<_>>().len() < target.values.len();
    if targets.iter().any(repeats) {
        return Some(
            "Duplicate values are not supported for Instance IDs, tag or resource group targets.Remove the duplicate value from key, and try again.",
        );
    }
    let group = targets
        .iter()
        .find(|target| target.key == "resource-groups:Name")?;
    if keys
        .iter()
        .any(|key| *key == "tag-key" || key.starts_with("tag:"))
    {
        return Some(
            "A tag-key name or tag key-value pair can’t be specified together in the same command as a resource group target. Remove one target type, and try again.",
        );
    }
    if keys.contains("InstanceIds") {
        return Some(
            "Instance IDs and a target resource group can’t be specified together in the same command. Remove one target type, and try again.",
        );
    }
    if group.values.len() > 1 {
        return Some(
            "Multiple resource key values are not supported for resource group targets. Remove all but one value, and try again.",
        );
    }
    let mut filters = targets
        .iter()
        .filter(|target| target.key == "resource-groups:ResourceTypeFilters");
    let sends_to_none = |target: &Target| !target.values.iter().any(|kind| SENDABLE.contains(&kind.as_str()));
    filters.any(sends_to_none).then_some(
        "Resource type filters must specify at least one of the valid send-command resource types: AWS::EC2::Instance or AWS::SSM::ManagedInstance.Add one or all of these valid types, and try again.",
    )
}
