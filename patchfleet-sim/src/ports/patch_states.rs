//! What nodes report of their patches.

use super::{At, MemoryPorts, unreadable};
use crate::api::DescribeInstancePatchStates;
use patchfleet_core::{
    id::{Location, NodeId},
    port::{BoxFuture, PatchStateView, PatchStates, PortResult},
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
}
