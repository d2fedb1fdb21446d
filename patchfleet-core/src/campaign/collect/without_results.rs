//! A location that has no results: no command was sent there, or nobody may read what became of it. Its
//! nodes are told all the same, one by one where they are known.

use super::course::Course;
use super::{Found, Job, Settlement};
use crate::campaign::classify::NOT_LISTED;
use crate::census::NodeCounts;
use crate::id::NodeId;
use crate::outcome::LocationOutcome;
use crate::outcome::{NodeOutcome, NodeRow, Tally};
use crate::port::{PortErrorKind, PortResult};
use std::collections::{BTreeMap, BTreeSet};

impl Job<'_> {
    /// A location whose command matched no node. Whoever is in the selection all the same was not
    /// patched; if that cannot be found out, the location is not known to be empty.
    pub(super) async fn emptied(&self) -> PortResult<Settlement> {
        let mut settlement = match self.never_ran(LocationOutcome::Emptied, String::new()).await {
            Ok(settlement) => settlement,
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                return Err(error);
            }
            Err(error) => {
                return Ok(self.unreadable(format!(
                    "the command matched no node, and whether any is left is not known: {}",
                    error.reason()
                )));
            }
        };
        if settlement.outcome == LocationOutcome::Emptied && !settlement.rows.is_empty() {
            settlement.outcome = LocationOutcome::NodesFailed;
            let matched = "the command matched no node";
            settlement.detail = match settlement.detail.as_str() {
                "" => matched.to_owned(),
                left => format!("{matched}; {left}"),
            };
        }
        Ok(settlement)
    }

    /// A location in which no command was sent: its nodes, if they can be listed.
    pub(super) async fn never_ran(&self, outcome: LocationOutcome, detail: String) -> PortResult<Settlement> {
        let found = match self.found(BTreeSet::new()).await {
            Ok(found) => found,
            Err(error)
                if error.kind().is_transient()
                    || error.kind() == PortErrorKind::Credentials
                    || outcome == LocationOutcome::Emptied =>
            {
                return Err(error);
            }
            Err(_) => return Ok(self.counted(outcome, detail)),
        };
        Ok(self.named(&found, outcome, detail))
    }

    /// A location without a result, whose nodes can be listed.
    fn named(&self, found: &Found, outcome: LocationOutcome, detail: String) -> Settlement {
        let managed = managed_outcome(outcome);
        let left_out = self.left_out();
        let row = |node: &NodeId| {
            if left_out.contains(node) {
                row_without_result(node, NodeOutcome::Unreached, outcome, &detail)
            } else if found.managed.contains_key(node) {
                row_without_result(node, managed, outcome, &detail)
            } else if managed == NodeOutcome::Unknown {
                // The command may have reached it, and it may have been lost since.
                let why = match detail.as_str() {
                    "" => NOT_LISTED.to_owned(),
                    why => format!("{why}; it is {NOT_LISTED}"),
                };
                row_without_result(node, managed, outcome, &why)
            } else {
                row_without_result(node, NodeOutcome::Unmanaged, outcome, &detail)
            }
        };
        let rows: Vec<NodeRow> = found.selected.iter().map(row).collect();
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        let unknown = match detail.as_str() {
            "" => "what became of it is not known".to_owned(),
            why => format!("what became of it is not known: {why}"),
        };
        let left = found.left_rows((managed == NodeOutcome::Unknown).then_some(unknown.as_str()));
        let mut settlement = Settlement {
            nodes,
            detail,
            rows,
            ..self.without_nodes(outcome)
        };
        self.account_for_the_planned(&mut settlement, left);
        settlement
    }

    /// A location whose results cannot be read: its nodes are those that the unit or the plan names, or as
    /// many as the census counted.
    pub(in crate::campaign) fn unreadable(&self, detail: String) -> Settlement {
        self.counted(LocationOutcome::ResultsUnreadable, detail)
    }

    /// What is left to say once reading was given up: of each node by its id, if those that are
    /// selected could be `found` all the same.
    pub(in crate::campaign) fn given_up(&self, why: String, found: Option<&Found>) -> Settlement {
        let unit = self.state.units().get(&self.unit);
        let at = unit.and_then(|unit| unit.locations.get(self.location));
        let (outcome, detail) = match unit.zip(at).map(|(unit, at)| self.course(&unit.start, at)) {
            Some(Course::Never(outcome, detail) | Course::Unreached(outcome, detail)) => (outcome, detail),
            Some(Course::Ran | Course::Unnamed(..)) | None => (LocationOutcome::ResultsUnreadable, why),
        };
        match found {
            Some(found) => self.named(found, outcome, detail),
            None => self.counted(outcome, detail),
        }
    }

    /// A location whose nodes cannot be listed: those that the unit or the plan names, or as many as
    /// the census counted.
    pub(in crate::campaign) fn counted(&self, outcome: LocationOutcome, detail: String) -> Settlement {
        let managed = managed_outcome(outcome);
        let left_out = self.left_out();
        let (own, rest) = match self.node_ids() {
            Some(own) => {
                let told: BTreeSet<NodeId> = own.iter().chain(left_out).cloned().collect();
                // Each managed node is in a command or left out, so the census found the others unmanaged.
                (own.to_vec(), self.left(&told, &BTreeSet::new()))
            }
            // Which of them are managed now, nobody can say.
            None => {
                let planned = self.planned_ids().unwrap_or_default();
                (Vec::from_iter(planned), BTreeSet::new())
            }
        };
        let row = |outcome_of_node| {
            let detail = detail.as_str();
            move |node: &NodeId| row_without_result(node, outcome_of_node, outcome, detail)
        };
        let rows: Vec<NodeRow> = (own.iter().map(row(managed)))
            .chain(left_out.iter().map(row(NodeOutcome::Unreached)))
            .chain(rest.iter().map(row(NodeOutcome::Unmanaged)))
            .collect();
        let mut nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        // What neither the unit nor the plan names is known by number alone.
        let counts = self.census_of_the_rest();
        let unnamed = counts.total().saturating_sub(nodes.total());
        let unmanaged = unnamed.min(counts.unmanaged);
        nodes.add(NodeOutcome::Unmanaged, unmanaged);
        nodes.add(managed, unnamed - unmanaged);
        Settlement {
            nodes,
            detail,
            rows,
            ..self.without_nodes(outcome)
        }
    }

    pub(super) fn without_nodes(&self, outcome: LocationOutcome) -> Settlement {
        Settlement {
            outcome,
            nodes: Tally::default(),
            detail: String::new(),
            rows: vec![],
            commands: vec![],
            expires_at: None,
            cancelled: false,
            unnamed: None,
            short: BTreeMap::new(),
        }
    }

    /// What the census counted in the location, less what other units name or speak for.
    pub(super) fn census_of_the_rest(&self) -> NodeCounts {
        let counts = self
            .state
            .planned(self.location)
            .and_then(|planned| planned.nodes);
        let counts = counts.unwrap_or_default();
        let Some(own) = self.node_ids() else {
            return counts;
        };
        let unmanaged = if self.speaks_for_the_rest() {
            counts.unmanaged
        } else {
            0
        };
        let managed = u32::try_from(own.len() + self.left_out().len()).unwrap_or(u32::MAX);
        NodeCounts {
            // Of which kind they are is not asked.
            ec2: managed.saturating_add(unmanaged),
            online: managed,
            unmanaged,
            ..NodeCounts::default()
        }
    }
}

/// A node of a location that has no result.
pub(super) fn row_without_result(
    node: &NodeId,
    outcome: NodeOutcome,
    location: LocationOutcome,
    why: &str,
) -> NodeRow {
    let detail = match outcome {
        NodeOutcome::Unmanaged => NOT_LISTED.to_owned(),
        NodeOutcome::Unknown if why.is_empty() => "what became of it is not known".to_owned(),
        NodeOutcome::Unknown => format!("what became of it is not known: {why}"),
        NodeOutcome::Unreached => {
            "left out, as the policy says: it did not answer Systems Manager when the plan was made"
                .to_owned()
        }
        _ if location == LocationOutcome::CommandFailed => why.to_owned(),
        _ => "no command was sent to it".to_owned(),
    };
    NodeRow {
        node: node.clone(),
        outcome,
        joined: false,
        away: outcome == NodeOutcome::Unreached,
        may_run_until: None,
        detail,
        installed: None,
        missing: None,
        failed: None,
        patches: None,
    }
}

/// What a managed node came to in a location with this outcome and no result.
fn managed_outcome(outcome: LocationOutcome) -> NodeOutcome {
    match outcome {
        LocationOutcome::ResultsUnreadable | LocationOutcome::Unresolved => NodeOutcome::Unknown,
        _ => NodeOutcome::NotRun,
    }
}
