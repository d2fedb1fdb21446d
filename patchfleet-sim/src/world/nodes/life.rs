//! Nodes that stop, start, end, fall silent and answer again.

use crate::spec::Reachability;
use crate::world::{Node, World, after, time::Event};
use jiff::SignedDuration;
use patchfleet_core::id::{NodeId, NodeKind};

impl Node {
    /// Whether it is an instance that runs.
    pub(in crate::world) fn can_stop(&self) -> bool {
        self.can_end() && self.reachability != Reachability::Stopped
    }

    /// Whether it is an instance that has not been terminated.
    pub(in crate::world) fn can_end(&self) -> bool {
        self.id.kind() == NodeKind::Ec2 && self.reachability != Reachability::Terminated
    }

    /// Whether it is stopped, or runs in silence.
    pub(in crate::world) fn can_start(&self) -> bool {
        self.reachability == Reachability::Stopped || self.is_silent()
    }

    /// Whether it runs and is registered, and its agent does not answer.
    pub(in crate::world) fn is_silent(&self) -> bool {
        self.is_managed() && self.silent_since.is_some()
    }
}

impl World {
    /// Systems Manager's PingStatus of a node. A node that has fallen silent shows as Online for a
    /// while (`consistency.ping_status_seconds`).
    #[must_use]
    pub fn ping_status(&self, node: &Node) -> &'static str {
        let lag = SignedDuration::from_secs(i64::from(self.rules.consistency.ping_status_seconds));
        match node.silent_since {
            Some(since) if after(since, lag) <= self.now() => "ConnectionLost",
            _ => "Online",
        }
    }

    fn goes_down(&mut self, id: &NodeId, state: Reachability) {
        let now = self.now();
        if let Some(node) = self.node_mut(id) {
            node.reachability = state;
            node.silent_since.get_or_insert(now);
            node.boots = node.boots.saturating_add(1);
        }
    }

    pub(in crate::world) fn stop_node(&mut self, id: &NodeId) {
        self.goes_down(id, Reachability::Stopped);
    }

    pub(in crate::world) fn terminate_node(&mut self, id: &NodeId) {
        self.goes_down(id, Reachability::Terminated);
        self.will_be_forgotten(id);
    }

    pub(in crate::world) fn will_be_forgotten(&mut self, id: &NodeId) {
        let seconds = i64::from(self.rules.consistency.terminated_seconds);
        self.after_seconds(seconds, Event::Forgotten { node: id.clone() });
    }

    pub(in crate::world) fn forget_node(&mut self, id: &NodeId) {
        if let Some(node) = self.node_mut(id) {
            node.forgotten = true;
        }
    }

    /// It boots, and answers after its reboot's time.
    pub(in crate::world) fn start_node(&mut self, id: &NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        node.boots = node.boots.saturating_add(1);
        let seconds = node.behaviour.reboot_seconds;
        self.comes_back_after(id, seconds);
    }

    /// A node that is down will be back, unless somebody takes it down again meanwhile.
    pub(in crate::world) fn comes_back_after(&mut self, id: &NodeId, seconds: i64) {
        let Some(node) = self.node(id) else { return };
        let event = Event::Returns {
            command: node.reboots_for.clone(),
            node: id.clone(),
            boot: node.boots,
        };
        self.after_seconds(seconds, event);
    }

    pub(in crate::world) fn lose_agent(&mut self, id: &NodeId) {
        self.goes_down(id, Reachability::Offline);
    }

    pub(in crate::world) fn gain_agent(&mut self, id: &NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        node.boots = node.boots.saturating_add(1);
        self.answers(id);
    }
}
