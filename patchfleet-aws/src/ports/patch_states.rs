//! [`PatchStates`] over Systems Manager: what nodes report of their patches.

use crate::call::{Operation, Unreadable, all_pages, count, send, timestamp, token};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{Location, NodeId};
use patchfleet_core::port::{BoxFuture, Page, PageToken, PatchStateView, PatchStates, PortResult};

/// The most that DescribeInstancePatchStates gives on a page.
const PAGE: i32 = 100;

/// The most nodes that DescribeInstancePatchStates takes.
const MOST_NODES: usize = 50;

impl PatchStates for Aws {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let (location, nodes) = (location.clone(), nodes.to_vec());
        Box::pin(async move {
            let mut states = vec![];
            for some in nodes.chunks(MOST_NODES) {
                let pages = |page| self.describe_patch_states(&location, some, page);
                states.extend(all_pages(Operation::DescribeInstancePatchStates, pages).await?);
            }
            Ok(states)
        })
    }
}

impl Aws {
    /// One page of the patch states of at most [`MOST_NODES`] nodes.
    async fn describe_patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
        page: Option<PageToken>,
    ) -> PortResult<Page<PatchStateView>> {
        let operation = Operation::DescribeInstancePatchStates;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let request = client
            .describe_instance_patch_states()
            .set_instance_ids(Some(nodes.iter().map(ToString::to_string).collect()))
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        let states = answer.instance_patch_states().iter();
        call.page(states.map(read_patch_state), answer.next_token())
    }
}

fn read_patch_state(state: &ssm::InstancePatchState) -> Result<PatchStateView, Unreadable> {
    Ok(PatchStateView {
        node: state.instance_id().parse()?,
        operation: state.operation().as_str().to_owned(),
        ended_at: timestamp(state.operation_end_time())
            .ok_or("a patch state's OperationEndTime is out of range")?,
        snapshot: state.snapshot_id().filter(|id| !id.is_empty()).map(str::to_owned),
        missing: count(state.missing_count()),
        failed: count(state.failed_count()),
        pending_reboot: count(state.installed_pending_reboot_count().unwrap_or(0)),
        installed: count(state.installed_count()),
    })
}

#[cfg(test)]
mod tests;
