//! Other people's hands: changes by somebody who is neither the caller nor Systems Manager.

mod check;
mod documents;

use crate::spec::{
    AccountChange, AccountTags, Change, ChangeSpec, CommandsOf, ExecutionsOf, GroupAt, NodesOf, RoleChange,
};
use crate::world::{Node, Place, Status, World, after, time::Event};
use jiff::Timestamp;
use patchfleet_core::id::{AccountId, Location, NodeId, Region};
use serde::Serialize;
use std::sync::Arc;

/// A change that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub change: Change,
    /// How many things it touched: nodes, groups, roles, documents, executions, commands.
    pub touched: usize,
}

impl World {
    /// Does `change` at once, and gives how many things it touched.
    ///
    /// ```
    /// use patchfleet_sim::{builtin, spec::{Change, NodesOf}, world::World};
    ///
    /// let mut world = World::parse(builtin::CALM.world)?;
    /// let nodes = NodesOf { group: Some("WebServers".to_owned()), count: Some(1), ..NodesOf::default() };
    /// let touched = world.change(&Change::LoseAgent(nodes)).map_err(|problems| problems.join("; "))?;
    /// assert!(touched > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Everything in it that this world does not have. Nothing is done then.
    pub fn change(&mut self, change: &Change) -> Result<usize, Vec<String>> {
        let problems = self.change_problems(change);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(self.do_change(change))
    }

    /// Does a change when its time has come: so long after the world's start, or at once if it says
    /// no time or one that is past.
    ///
    /// # Errors
    ///
    /// Everything in it that this world does not have. Nothing is done then.
    pub fn add_change(&mut self, spec: &ChangeSpec) -> Result<(), Vec<String>> {
        let problems = self.change_problems(&spec.change);
        if !problems.is_empty() {
            return Err(problems);
        }
        let due = spec.at.map(|at| after(self.start(), at.0));
        match due.filter(|due| *due > self.now()) {
            None => {
                self.do_change(&spec.change);
            }
            Some(due) => self.at(
                due,
                Event::Changes {
                    change: Box::new(spec.change.clone()),
                },
            ),
        }
        Ok(())
    }

    /// What other people have done so far, in the order in which it happened.
    #[must_use]
    pub fn changes(&self) -> &[Changed] {
        &self.changes
    }

    pub(in crate::world) fn do_change(&mut self, change: &Change) -> usize {
        let touched = match change {
            Change::LeaveGroup(given) => {
                let nodes = self.chosen(&given.nodes, |_, node| node.groups.contains(&given.group));
                self.each(&nodes, |node| {
                    node.leave(&given.group);
                })
            }
            Change::JoinGroup(given) => {
                let nodes = self.chosen(&given.nodes, |place, node| {
                    place.groups.contains_key(&given.group) && !node.groups.contains(&given.group)
                });
                self.each(&nodes, |node| {
                    Arc::make_mut(&mut node.groups).insert(given.group.clone());
                })
            }
            Change::DeleteGroup(given) => self.delete_group(given),
            Change::Tag(given) => {
                let nodes = self.chosen(&given.nodes, |_, _| true);
                self.each(&nodes, |node| {
                    let tags = Arc::make_mut(&mut node.tags);
                    tags.retain(|key, _| !given.remove.contains(key));
                    tags.extend(given.set.clone());
                })
            }
            Change::Stop(nodes) => self.each_that(nodes, Node::can_stop, Self::stop_node),
            Change::Terminate(nodes) => self.each_that(nodes, Node::can_end, Self::terminate_node),
            Change::Start(nodes) => self.each_that(nodes, Node::can_start, Self::start_node),
            Change::LoseAgent(nodes) => self.each_that(nodes, Node::is_online, Self::lose_agent),
            Change::GainAgent(nodes) => self.each_that(nodes, Node::is_silent, Self::gain_agent),
            Change::Role(given) => self.change_role(given),
            Change::Account(given) => self.change_account(given),
            Change::TagAccount(given) => self.tag_account(given),
            Change::CreateDocument(given) => self.create_document(given),
            Change::UpdateDocument(given) => self.update_document(given),
            Change::DefaultVersion(given) => self.default_version(given),
            Change::DeleteDocument(given) => self.delete_document(given),
            Change::CancelExecutions(given) => self.cancel_executions(given),
            Change::CancelCommands(given) => {
                self.each_command(given, |world, id| world.cancel_command(id, &[]))
            }
            Change::Alarm(given) => self.each_command(given, World::alarm_command),
        };
        self.changes.push(Changed {
            at: self.now(),
            change: change.clone(),
            touched,
        });
        touched
    }

    /// The nodes that are meant and that `fits` takes, by location and id.
    fn chosen(&self, which: &NodesOf, fits: impl Fn(&Place, &Node) -> bool) -> Vec<NodeId> {
        let count = which.count.map_or(usize::MAX, |count| count as usize);
        let places = self.nodes.places();
        let here = places.filter(|(at, _)| is_in(at, &which.accounts, &which.regions));
        here.flat_map(|(_, place)| {
            let wanted = |node: &&Node| {
                fits(place, node)
                    && (which.ids.is_empty() || which.ids.contains(&node.id))
                    && which
                        .group
                        .as_ref()
                        .is_none_or(|group| place.is_member(group, node))
            };
            let ids = self.nodes.of(place).filter(wanted).map(|node| node.id.clone());
            ids.take(count).collect::<Vec<_>>()
        })
        .collect()
    }

    fn each(&mut self, nodes: &[NodeId], change: impl Fn(&mut Node)) -> usize {
        for id in nodes {
            if let Some(node) = self.node_mut(id) {
                change(node);
            }
        }
        nodes.len()
    }

    fn each_that(
        &mut self,
        which: &NodesOf,
        fits: fn(&Node) -> bool,
        change: fn(&mut Self, &NodeId),
    ) -> usize {
        let nodes = self.chosen(which, |_, node| fits(node));
        for id in &nodes {
            change(self, id);
        }
        nodes.len()
    }

    fn each_command(&mut self, which: &CommandsOf, change: fn(&mut Self, &str)) -> usize {
        let open = self.commands.open().filter(|one| {
            is_in(&one.order.location, &which.accounts, &which.regions)
                && (which.ids.is_empty() || which.ids.contains(&one.id))
        });
        let ids: Vec<String> = open.map(|one| one.id.clone()).collect();
        for id in &ids {
            change(self, id);
        }
        ids.len()
    }

    fn cancel_executions(&mut self, which: &ExecutionsOf) -> usize {
        let open = self.executions.open().filter(|one| {
            let tags = &one.order.tags;
            let tagged = |(key, value): (&String, &String)| {
                tags.iter().any(|(name, given)| name == key && given == value)
            };
            one.status != Status::Cancelling
                && is_in(&one.order.location, &which.accounts, &which.regions)
                && (which.ids.is_empty() || which.ids.contains(&one.id))
                && which.tags.iter().all(tagged)
        });
        let ids: Vec<String> = open.map(|one| one.id.clone()).collect();
        ids.iter().filter(|id| self.cancel_execution(id)).count()
    }

    fn delete_group(&mut self, given: &GroupAt) -> usize {
        let places = self.nodes.places();
        let here = places.filter(|(at, _)| is_in(at, &given.accounts, &given.regions));
        let here: Vec<Location> = here.map(|(at, _)| at.clone()).collect();
        here.iter()
            .filter(|at| self.nodes.remove_group(at, &given.group))
            .count()
    }

    fn change_role(&mut self, given: &RoleChange) -> usize {
        let accounts = self.org.accounts.values_mut();
        let theirs = accounts.filter(|one| given.accounts.is_empty() || given.accounts.contains(&one.id));
        theirs
            .filter_map(|account| account.roles.get_mut(&given.name))
            .map(|role| {
                role.state = given.state.unwrap_or(role.state);
                role.denied.retain(|action| !given.allow.contains(action));
                role.denied.extend(given.deny.iter().cloned());
            })
            .count()
    }

    fn change_account(&mut self, given: &AccountChange) -> usize {
        let account = self.org.accounts.get_mut(&given.id);
        account.map(|account| account.state = given.state).iter().count()
    }

    fn tag_account(&mut self, given: &AccountTags) -> usize {
        let Some(account) = self.org.accounts.get_mut(&given.id) else {
            return 0;
        };
        account.tags.retain(|key, _| !given.remove.contains(key));
        let set = given.set.iter().map(|(key, value)| (key.clone(), value.clone()));
        account.tags.extend(set);
        1
    }
}

/// Whether a location is one of those that are named. An empty list names all.
fn is_in(at: &Location, accounts: &[AccountId], regions: &[Region]) -> bool {
    (accounts.is_empty() || accounts.contains(&at.account))
        && (regions.is_empty() || regions.contains(&at.region))
}
