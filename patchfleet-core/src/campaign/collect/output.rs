//! What the nodes printed, where that is all there is to go by.

use super::Job;
use crate::campaign::READS_AT_ONCE;
use crate::campaign::summary::Summary;
use crate::id::{CommandId, NodeId};
use crate::port::{InvocationStatus, InvocationView, PluginView, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;

/// How much of a step's output ListCommandInvocations gives, in characters.
const LISTED_OUTPUT: usize = 2_500;

impl Job<'_> {
    /// The summaries that the nodes printed which report success. A listing cuts an output off, and
    /// the summary stands at its end: such an output is read whole, with a call for each node. If that
    /// is not allowed, the node's status is all that is known.
    pub(super) async fn summaries(
        &self,
        command: &CommandId,
        invocations: &BTreeMap<NodeId, InvocationView>,
    ) -> PortResult<BTreeMap<NodeId, Summary>> {
        let successes = invocations
            .values()
            .filter(|view| view.status == InvocationStatus::Success);
        let reads: Vec<_> = successes
            .flat_map(|view| view.plugins.iter().map(|plugin| (&view.node, plugin)))
            .map(|(node, plugin)| self.summary(command, node, plugin))
            .collect();
        let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        let mut summaries = BTreeMap::new();
        while let Some((node, summary)) = reads.try_next().await? {
            if let Some(summary) = summary {
                summaries.insert(node, summary);
            }
        }
        Ok(summaries)
    }

    async fn summary(
        &self,
        command: &CommandId,
        node: &NodeId,
        plugin: &PluginView,
    ) -> PortResult<(NodeId, Option<Summary>)> {
        let listed = Summary::read(&plugin.output);
        if listed.is_some() || plugin.output.chars().count() < LISTED_OUTPUT {
            return Ok((node.clone(), listed));
        }
        let whole = self.automation.output(self.location, command, node, &plugin.name);
        match whole.await {
            Ok(output) => Ok((node.clone(), Summary::read(&output))),
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                Err(error)
            }
            Err(_) => Ok((node.clone(), None)),
        }
    }
}
