//! What the nodes printed, where that is all there is to go by.

use super::Job;
use crate::campaign::READS_AT_ONCE;
use crate::campaign::summary::Summary;
use crate::id::{CommandId, NodeId};
use crate::port::{InvocationStatus, InvocationView, PluginView, PortError, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;

/// How much of a step's output ListCommandInvocations gives, in characters.
const LISTED_OUTPUT: usize = 2_500;
/// How much of it GetCommandInvocation gives, in characters (`StandardOutputContent`, AWS API reference).
const KEPT_OUTPUT: usize = 24_000;

/// What a node's run printed of its patches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// A summary.
    Summary(Summary),
    /// No summary, in an output that was read to its end.
    Nothing,
    /// It was not read to its end, where a summary would stand, for this reason.
    NotRead(String),
}

impl Told {
    /// Of the steps of one run, of which one patches: what says most.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (told @ Self::Summary(_), _) | (_, told @ Self::Summary(_)) => told,
            (told @ Self::NotRead(_), _) | (_, told @ Self::NotRead(_)) => told,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }

    pub(super) fn summary(&self) -> Option<Summary> {
        match self {
            Self::Summary(summary) => Some(*summary),
            _ => None,
        }
    }

    pub(super) fn not_read(&self) -> Option<&str> {
        match self {
            Self::NotRead(why) => Some(why),
            _ => None,
        }
    }
}

impl Job<'_> {
    /// What the nodes that report success printed. A listing cuts an output off, and the summary stands at
    /// its end, so such an output is read whole, with a call for each node.
    pub(super) async fn told(
        &self,
        command: &CommandId,
        invocations: &BTreeMap<NodeId, InvocationView>,
    ) -> PortResult<BTreeMap<NodeId, Told>> {
        let successes = invocations
            .values()
            .filter(|view| view.status == InvocationStatus::Success);
        let reads: Vec<_> = successes
            .flat_map(|view| view.plugins.iter().map(|plugin| (&view.node, plugin)))
            .map(|(node, plugin)| async move {
                let told = self.printed(command, node, plugin).await?;
                Ok::<_, PortError>((node.clone(), told))
            })
            .collect();
        let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        let mut all: BTreeMap<NodeId, Told> = BTreeMap::new();
        while let Some((node, told)) = reads.try_next().await? {
            let told = match all.remove(&node) {
                Some(before) => before.and(told),
                None => told,
            };
            all.insert(node, told);
        }
        Ok(all)
    }

    async fn printed(&self, command: &CommandId, node: &NodeId, plugin: &PluginView) -> PortResult<Told> {
        if let Some(summary) = Summary::read(&plugin.output) {
            return Ok(Told::Summary(summary));
        }
        if plugin.output.chars().count() < LISTED_OUTPUT {
            return Ok(Told::Nothing);
        }
        let whole = self
            .ports
            .commands
            .output(self.location, command, node, &plugin.name);
        Ok(match whole.await {
            Ok(output) => match Summary::read(&output) {
                Some(summary) => Told::Summary(summary),
                None if output.chars().count() < KEPT_OUTPUT => Told::Nothing,
                None => Told::NotRead(
                    "AWS keeps 24,000 characters of its output, and the summary would stand behind them"
                        .to_owned(),
                ),
            },
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                return Err(error);
            }
            Err(error) => Told::NotRead(format!("its output cannot be read: {}", error.reason())),
        })
    }
}
