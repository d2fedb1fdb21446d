//! Run Command targets, as a MapList parameter takes them: each is one JSON text.

use crate::id::NodeId;
use crate::request::{MAX_PARAMETER_CHARS as MAX_CHARS, Selector};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most node ids in one unit: as many of the longest (`mi-…`, 20 characters) as one parameter
/// value of 512 characters holds. (Run Command itself takes 50.)
pub(crate) const MAX_NODE_IDS: usize = 20;

/// The key of a target that names nodes.
const NODE_IDS: &str = "InstanceIds";

/// A target that does not fit in one parameter value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the target {key} takes {chars} characters, and AWS takes at most {MAX_CHARS} in one parameter value"
)]
pub(crate) struct TargetTooLong {
    /// The target's key, such as `tag:Env`.
    pub key: String,
    /// Its characters as JSON.
    pub chars: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    key: String,
    values: Vec<String>,
}

/// These nodes as values of the parameter `Targets`.
pub(crate) fn node_targets(nodes: Vec<NodeId>) -> Result<Vec<String>, TargetTooLong> {
    targets(&Selector::NodeIds(nodes))
}

/// The node ids that an execution with these parameters names, as AWS reports them; `None` if it names
/// none. What a plan's own units name is said by [`Unit::nodes`](crate::plan::Unit::nodes).
pub(crate) fn named_nodes(parameters: &BTreeMap<String, Vec<String>>) -> Option<Vec<NodeId>> {
    let targets = parameters.get("Targets")?;
    let mut targets = targets
        .iter()
        .filter_map(|json| serde_json::from_str::<Target>(json).ok());
    let ids = targets.find(|target| target.key == NODE_IDS)?.values;
    ids.iter().map(|id| id.parse().ok()).collect()
}

/// The selector as values of the parameter `Targets`. A node has to match every one.
pub(crate) fn targets(selector: &Selector) -> Result<Vec<String>, TargetTooLong> {
    let target = |key: &str, values: Vec<String>| Target {
        key: key.to_owned(),
        values,
    };
    let targets = match selector {
        Selector::ResourceGroup(group) => vec![target("resource-groups:Name", vec![group.to_string()])],
        Selector::Tags(tags) => tags
            .iter()
            .map(|(key, values)| target(&format!("tag:{key}"), values.clone()))
            .collect(),
        // Run Command has no target for all of them: each unit names its nodes.
        Selector::AllManaged => vec![],
        Selector::NodeIds(nodes) => {
            vec![target(NODE_IDS, nodes.iter().map(ToString::to_string).collect())]
        }
    };
    targets
        .into_iter()
        .map(|target| {
            // Texts only: nothing here can fail to be written.
            let json = serde_json::to_string(&target).unwrap_or_default();
            let chars = json.chars().count();
            if chars > MAX_CHARS {
                Err(TargetTooLong {
                    key: target.key,
                    chars,
                })
            } else {
                Ok(json)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hybrid(n: usize) -> NodeId {
        format!("mi-{n:017}").parse().unwrap()
    }

    #[test]
    fn each_selector_has_run_commands_own_key() {
        let group = Selector::ResourceGroup("WebServers".parse().unwrap());
        assert_eq!(
            targets(&group).unwrap(),
            [r#"{"Key":"resource-groups:Name","Values":["WebServers"]}"#]
        );
        let tags = Selector::Tags(
            [
                ("Env".to_owned(), vec!["prod".to_owned(), "pre\"prod".to_owned()]),
                ("App".to_owned(), vec!["web".to_owned()]),
            ]
            .into(),
        );
        assert_eq!(
            targets(&tags).unwrap(),
            [
                r#"{"Key":"tag:App","Values":["web"]}"#,
                r#"{"Key":"tag:Env","Values":["prod","pre\"prod"]}"#
            ]
        );
    }

    #[test]
    fn a_chunk_of_the_longest_node_ids_fits_and_one_more_does_not() {
        let nodes: Vec<NodeId> = (0..MAX_NODE_IDS).map(hybrid).collect();
        assert!(targets(&Selector::NodeIds(nodes.clone())).is_ok());
        let one_more = [nodes, vec![hybrid(99)]].concat();
        assert!(targets(&Selector::NodeIds(one_more)).is_err());
    }

    #[test]
    fn tags_that_no_parameter_value_holds_are_named() {
        let tags = Selector::Tags([("Env".to_owned(), vec!["é".repeat(256), "x".repeat(256)])].into());
        let error = targets(&tags).unwrap_err();
        assert_eq!(error.key, "tag:Env");
        assert!(error.chars > 512, "{error}");
    }
}
