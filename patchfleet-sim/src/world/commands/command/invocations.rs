//! A command's nodes, in the order in which their turn comes.

use super::{Invocation, InvocationState};
use patchfleet_core::id::NodeId;

/// One invocation for each node of a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Invocations {
    list: Vec<Invocation>,
    /// The places in the list, each behind the number of its node, in order.
    by_node: Box<[(u64, u32)]>,
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
            ran_on_until: None,
            counted: false,
            timeout: None,
            trouble: None,
            report: None,
        };
        let list: Vec<Invocation> = nodes.into_iter().map(one).collect();
        let numbers = list.iter().map(|one| number(&one.node));
        let mut by_node: Vec<(u64, u32)> = numbers.zip(0..).collect();
        by_node.sort_unstable();
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
        let number = number(node);
        let first = self.by_node.partition_point(|(other, _)| *other < number);
        let alike = self.by_node.get(first..).unwrap_or_default();
        let alike = alike.iter().take_while(|(other, _)| *other == number);
        let mut places = alike.filter_map(|(_, place)| usize::try_from(*place).ok());
        places.find(|place| self.list.get(*place).is_some_and(|one| one.node == *node))
    }
}

/// A number for a node's id, so that ids are told apart without a look at their texts. Few have the same.
fn number(node: &NodeId) -> u64 {
    let bytes = node.as_str().bytes().rev().take(16);
    bytes.fold(0, |number: u64, byte| number.rotate_left(4) ^ u64::from(byte))
}
