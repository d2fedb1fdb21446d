//! A command's nodes, in the order in which their turn comes.

use super::{Invocation, InvocationState};
use patchfleet_core::id::NodeId;

/// One invocation for each node of a command.
#[derive(Debug, Default)]
pub(crate) struct Invocations {
    list: Vec<Invocation>,
    /// The places in the list, by the ids of their nodes.
    by_node: Box<[u32]>,
    /// None before this place is waiting to be sent.
    waiting: usize,
}

impl Invocations {
    /// What there is of a command on nodes to which it has not been sent.
    pub(super) fn of(nodes: Vec<NodeId>) -> Self {
        let one = |node| Invocation {
            node,
            state: InvocationState::Waiting,
            started: None,
            ended: None,
            response_code: -1,
            runs_on: false,
            counted: false,
            timeout: None,
            trouble: None,
            report: None,
        };
        let list: Vec<Invocation> = nodes.into_iter().map(one).collect();
        let mut by_node: Vec<u32> = (0..).take(list.len()).collect();
        by_node.sort_by_key(|place| node_at(&list, *place));
        Self {
            by_node: by_node.into(),
            list,
            waiting: 0,
        }
    }

    pub(crate) fn all(&self) -> &[Invocation] {
        &self.list
    }

    pub(in crate::world) fn all_mut(&mut self) -> impl Iterator<Item = &mut Invocation> {
        self.list.iter_mut()
    }

    pub(crate) fn get(&self, node: &NodeId) -> Option<&Invocation> {
        self.list.get(self.place(node)?)
    }

    pub(in crate::world) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Invocation> {
        let place = self.place(node)?;
        self.list.get_mut(place)
    }

    /// The first that is waiting to be sent.
    pub(super) fn next_waiting(&mut self) -> Option<&mut Invocation> {
        let rest = self.list.get(self.waiting..).unwrap_or_default();
        let waits = |one: &Invocation| one.state == InvocationState::Waiting;
        self.waiting += rest.iter().position(waits).unwrap_or(rest.len());
        self.list.get_mut(self.waiting)
    }

    fn place(&self, node: &NodeId) -> Option<usize> {
        let found = self
            .by_node
            .binary_search_by_key(&Some(node), |place| node_at(&self.list, *place));
        let place = self.by_node.get(found.ok()?)?;
        usize::try_from(*place).ok()
    }
}

fn node_at(list: &[Invocation], place: u32) -> Option<&NodeId> {
    let place = usize::try_from(place).ok()?;
    list.get(place).map(|one| &one.node)
}
