//! What a change names that the world does not have.

use crate::{
    spec::{Change, DocumentAt, NodesOf},
    world::World,
};
use patchfleet_core::id::{AccountId, DocumentName, NodeKind, Region};

impl World {
    /// What is wrong with a change in this world as it is now.
    pub(in crate::world) fn change_problems(&self, change: &Change) -> Vec<String> {
        let mut problems = vec![];
        match change {
            Change::LeaveGroup(given) | Change::JoinGroup(given) => {
                self.check_which(&given.nodes, &mut problems);
                self.check_group_name(&given.group, &mut problems);
            }
            Change::DeleteGroup(given) => {
                self.check_where(&given.accounts, &given.regions, &mut problems);
                self.check_group_name(&given.group, &mut problems);
            }
            Change::Tag(given) => self.check_which(&given.nodes, &mut problems),
            Change::Stop(nodes) | Change::Terminate(nodes) => {
                let hybrid = nodes.ids.iter().filter(|id| id.kind() == NodeKind::Hybrid);
                problems.extend(hybrid.map(|id| {
                    format!(
                        "{id} is a hybrid node, and only EC2 nodes are stopped or terminated: use lose_agent"
                    )
                }));
                self.check_which(nodes, &mut problems);
            }
            Change::Start(nodes) | Change::LoseAgent(nodes) | Change::GainAgent(nodes) => {
                self.check_which(nodes, &mut problems);
            }
            Change::Role(given) => {
                self.check_where(&given.accounts, &[], &mut problems);
                let mut accounts = self.org.accounts.values();
                if !accounts.any(|one| one.roles.contains_key(&given.name)) {
                    problems.push(format!("no account has a role {}", given.name));
                }
                let wrong = given
                    .deny
                    .iter()
                    .filter(|action| !crate::model::is_action_pattern(action));
                problems.extend(wrong.map(|action| {
                    format!(
                        "{action} is no action that is simulated, such as ssm:SendCommand or ssm:Describe*"
                    )
                }));
            }
            Change::Account(given) => self.check_where(std::slice::from_ref(&given.id), &[], &mut problems),
            Change::TagAccount(given) => {
                self.check_where(std::slice::from_ref(&given.id), &[], &mut problems);
            }
            Change::CreateDocument(given) => {
                self.check_where(given.account.as_slice(), &given.regions, &mut problems);
                if let Err(error) = given.name.parse::<DocumentName>() {
                    problems.push(error.to_string());
                }
                let refusal = self.creation_problem(given);
                problems.extend(refusal.map(|refusal| format!("content: {refusal}")));
            }
            Change::UpdateDocument(given) => {
                self.check_document(&given.document, &mut problems);
                let refusal = self.content_problem(given);
                problems.extend(refusal.map(|refusal| format!("content: {refusal}")));
            }
            Change::DefaultVersion(given) => {
                self.check_document(&given.document, &mut problems);
                if given.version == 0 {
                    problems.push("versions are counted from 1".to_owned());
                }
            }
            Change::DeleteDocument(given) => self.check_document(given, &mut problems),
            Change::CancelExecutions(given) => {
                self.check_where(&given.accounts, &given.regions, &mut problems);
            }
            Change::CancelCommands(given) | Change::Alarm(given) => {
                self.check_where(&given.accounts, &given.regions, &mut problems);
            }
        }
        problems
    }

    fn check_where(&self, accounts: &[AccountId], regions: &[Region], problems: &mut Vec<String>) {
        let strange = accounts.iter().filter(|id| !self.org.accounts.contains_key(id));
        problems.extend(strange.map(|id| format!("{id} is not one of accounts")));
        let strange = regions.iter().filter(|region| !self.org.regions.contains(region));
        problems.extend(strange.map(|region| format!("{region} is no Region of this world")));
    }

    fn check_which(&self, which: &NodesOf, problems: &mut Vec<String>) {
        let strange = which.ids.iter().filter(|id| self.node(id).is_none());
        problems.extend(strange.map(|id| format!("there is no node {id}")));
        if let Some(group) = &which.group {
            self.check_group_name(group, problems);
        }
        if which.count == Some(0) {
            problems.push("a count of 0 nodes changes nothing".to_owned());
        }
        self.check_where(&which.accounts, &which.regions, problems);
    }

    fn check_group_name(&self, group: &str, problems: &mut Vec<String>) {
        if !self
            .nodes
            .places()
            .any(|(_, place)| place.groups.contains_key(group))
        {
            problems.push(format!("there is no group {group}"));
        }
    }

    fn check_document(&self, given: &DocumentAt, problems: &mut Vec<String>) {
        self.check_where(given.account.as_slice(), &given.regions, problems);
        if self.homes_of(given).is_empty() {
            problems.push(format!(
                "there is no document {} in account {}",
                given.name,
                given.account.as_ref().unwrap_or(&self.org.management)
            ));
        }
    }
}
