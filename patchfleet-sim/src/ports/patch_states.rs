//! What nodes report of their patches.

use super::{At, MemoryPorts, unreadable};
use crate::api::{DescribeInstancePatchStates, DescribeInstancePatches, PatchFilter};
use patchfleet_core::{
    id::{Location, NodeId},
    port::{BoxFuture, PatchListState, PatchStateView, PatchStates, PatchView, PortResult},
};

impl PatchStates for MemoryPorts {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let at = At::Location(location.clone());
        let ids: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
        Box::pin(async move {
            let (mut states, mut next) = (vec![], None);
            loop {
                let input = DescribeInstancePatchStates {
                    instance_ids: Some(ids.clone()),
                    max_results: Some(100),
                    next_token: next,
                };
                let page = self.call(at.clone(), input).await?;
                for one in page.instance_patch_states {
                    states.push(PatchStateView {
                        node: one.instance_id.parse().map_err(unreadable)?,
                        operation: one.operation,
                        ended_at: one.operation_end_time.0,
                        snapshot: one.snapshot_id,
                        missing: one.missing_count,
                        failed: one.failed_count,
                        pending_reboot: one.installed_pending_reboot_count,
                        installed: one.installed_count,
                    });
                }
                next = page.next_token;
                if next.is_none() {
                    return Ok(states);
                }
            }
        })
    }

    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let at = At::Location(location.clone());
        let node = node.to_string();
        Box::pin(async move {
            let (mut patches, mut next) = (vec![], None);
            loop {
                let input = DescribeInstancePatches {
                    instance_id: Some(node.clone()),
                    filters: Some(vec![PatchFilter {
                        key: "State".to_owned(),
                        values: vec![state.as_str().to_owned()],
                    }]),
                    max_results: Some(100),
                    next_token: next,
                };
                let page = self.call(at.clone(), input).await?;
                patches.extend(page.patches.into_iter().map(|patch| PatchView {
                    id: patch.kb_id,
                    title: patch.title,
                    classification: patch.classification.to_owned(),
                    severity: patch.severity.to_owned(),
                }));
                next = page.next_token;
                let enough = most.filter(|most| patches.len() >= *most);
                if next.is_none() || enough.is_some() {
                    patches.truncate(most.unwrap_or(usize::MAX));
                    return Ok(patches);
                }
            }
        })
    }
}
