//! [`PatchStates`] over Systems Manager: what nodes report of their patches.

use crate::call::{Operation, Unreadable, all_pages, count, send, timestamp, token};
use crate::ports::Aws;
use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{Location, NodeId};
use patchfleet_core::port::{
    BoxFuture, Page, PageToken, PatchListState, PatchStateView, PatchStates, PatchView, PortError,
    PortErrorKind, PortResult, Walk,
};

/// The most that DescribeInstancePatchStates and DescribeInstancePatches give on a page.
const PAGE: i32 = 100;

/// The most nodes that DescribeInstancePatchStates takes.
const MOST_NODES: usize = 50;

/// How many pages of a node's patches are asked for at most, where some of them are enough. A page may be short, also where
/// more follow, as AWS need not filter before it makes pages.
const MOST_PAGES: usize = 10;

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

    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let (location, node) = (location.clone(), node.clone());
        Box::pin(async move {
            let operation = Operation::DescribeInstancePatches;
            let Some(most) = most else {
                let pages = |page| self.describe_patches(&location, &node, state, page);
                return all_pages(operation, pages).await;
            };
            let mut walk = Walk::new(operation.as_str());
            let (mut patches, mut pages) = (vec![], 0);
            while let Some(token) = walk.next() {
                if pages == MOST_PAGES {
                    if patches.is_empty() {
                        let what = format!(
                            "{operation} gave {MOST_PAGES} pages without a patch that is {}, and says that more follow",
                            state.as_str()
                        );
                        return Err(PortError::new(PortErrorKind::Other, what));
                    }
                    break;
                }
                pages += 1;
                let page = self.describe_patches(&location, &node, state, token).await?;
                patches.extend(page.items);
                if patches.len() >= most {
                    break;
                }
                walk.advance(page.next)?;
            }
            patches.truncate(most);
            Ok(patches)
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

impl Aws {
    /// One page of the patches of a node in this state.
    async fn describe_patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        page: Option<PageToken>,
    ) -> PortResult<Page<PatchView>> {
        let operation = Operation::DescribeInstancePatches;
        let (call, client) = self.clients.ssm(operation, location).await?;
        let filter = ssm::PatchOrchestratorFilter::builder()
            .key("State")
            .values(state.as_str());
        let request = client
            .describe_instance_patches()
            .instance_id(node.as_str())
            .filters(filter.build())
            .max_results(PAGE)
            .set_next_token(token(page));
        let answer = send!(call, request).await?;
        // What is in another state all the same is not told as what was asked for.
        let patches = answer
            .patches()
            .iter()
            .filter(|patch| patch.state().as_str().eq_ignore_ascii_case(state.as_str()));
        call.page(
            patches.map(|patch| Ok::<_, Unreadable>(read_patch(patch))),
            answer.next_token(),
        )
    }
}

fn read_patch(patch: &ssm::PatchComplianceData) -> PatchView {
    PatchView {
        id: patch.kb_id().to_owned(),
        title: patch.title().to_owned(),
        classification: patch.classification().to_owned(),
        severity: patch.severity().to_owned(),
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
