//! From a spec to a world, with every contradiction found on the way.

mod alarms;
mod documents;
mod organization;

use crate::world::{
    Alarms, Group, Node, PatchReport, World, after,
    automation::{Executions, Lines, Tokens},
    calls::Calls,
    commands::Commands,
    documents::Documents,
    nodes::{Behaviour, FixedPatches, Nodes},
    objects::Objects,
    org::Sessions,
    rules::Rules,
    series::Series,
    time::{Event, Time},
};
use crate::{
    seed::Seed,
    spec::{
        GroupSpec, NodeSpec, OutcomeSpec, PatchSpec, Platform, Problem, Reachability, WorldError, WorldSpec,
    },
};
use jiff::SignedDuration;
use patchfleet_core::id::{AccountId, Location, NodeId, NodeKind, Region};
use std::{collections::BTreeSet, sync::Arc};

/// The most nodes of a block in each location. It is several times what AWS manages in a Region by
/// default, and far from filling the memory.
const MAX_COUNT: u32 = 100_000;

/// Resource Groups' codes of what makes an answer partial.
const QUERY_ERRORS: [&str; 4] = [
    "CLOUDFORMATION_STACK_INACTIVE",
    "CLOUDFORMATION_STACK_NOT_EXISTING",
    "CLOUDFORMATION_STACK_UNASSUMABLE_ROLE",
    "RESOURCE_TYPE_NOT_SUPPORTED",
];

struct Builder<'a> {
    spec: &'a WorldSpec,
    world: World,
    problems: Vec<Problem>,
    /// The path and the message of each problem that has been noted.
    told: BTreeSet<(String, String)>,
}

pub(in crate::world) fn build(spec: &WorldSpec) -> Result<World, WorldError> {
    let world = World {
        seed: Seed(spec.seed),
        rules: Rules::of(spec),
        time: Time::new(spec.start),
        org: organization::organization(spec),
        sessions: Sessions::default(),
        documents: Documents::new(spec.start, spec.run_command.patch_baseline),
        alarms: Alarms::default(),
        executions: Executions::default(),
        tokens: Tokens::default(),
        lines: Lines::default(),
        commands: Commands::default(),
        nodes: Nodes::default(),
        objects: Objects::default(),
        calls: Calls::new(spec.rates.clone()),
        changes: vec![],
        series: Series::default(),
    };
    let mut builder = Builder {
        spec,
        world,
        problems: vec![],
        told: BTreeSet::new(),
    };
    builder.check_organization();
    builder.add_faults();
    spec.patch.problems("patch", &mut builder.problems);
    for (index, group) in spec.groups.iter().enumerate() {
        builder.add_group(index, group);
    }
    for (index, node) in spec.nodes.iter().enumerate() {
        builder.add_single(index, node);
    }
    for (index, document) in spec.documents.iter().enumerate() {
        builder.add_document(index, document);
    }
    for (index, alarm) in spec.alarms.iter().enumerate() {
        builder.add_alarm(index, alarm);
    }
    builder.add_changes();
    if builder.problems.is_empty() {
        Ok(builder.world)
    } else {
        Err(WorldError::Inconsistent(spec.source.place(builder.problems)))
    }
}

impl Builder<'_> {
    /// Notes what is wrong with the key at `path`, once.
    fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let (path, message) = (path.into(), message.into());
        if self.told.insert((path.clone(), message.clone())) {
            self.problems.push(Problem {
                position: None,
                path,
                message,
            });
        }
    }

    fn add_faults(&mut self) {
        for (index, fault) in self.spec.faults.iter().enumerate() {
            for (key, message) in self.world.fault_problems(fault) {
                self.problem(format!("faults[{index}].{key}"), message);
            }
            // One that is refused has just been told.
            let _ = self.world.add_fault(fault.clone());
        }
        for (action, rate) in &self.spec.rates {
            let path = format!("rates.{action}");
            if !crate::model::is_action_pattern(action) || (action != "*" && action.ends_with('*')) {
                self.problem(
                    &path,
                    format!("{action} is neither one action that is simulated nor *"),
                );
            }
            let per_second = rate.per_second();
            if !(0.01..=10_000.0).contains(&per_second) {
                self.problem(
                    &path,
                    format!("{per_second} calls a second are not 0.01 to 10000"),
                );
            }
            if !(1.0..=10_000.0).contains(&rate.burst()) {
                self.problem(
                    &path,
                    format!("a burst of {} calls is not 1 to 10000", rate.burst()),
                );
            }
        }
    }

    fn add_changes(&mut self) {
        for (index, change) in self.spec.changes.iter().enumerate() {
            for problem in self.world.change_problems(&change.change) {
                self.problem(format!("changes[{index}].change"), problem);
            }
            let due = after(self.spec.start, change.at.map_or(SignedDuration::ZERO, |at| at.0));
            let change = Box::new(change.change.clone());
            self.world.at(due, Event::Changes { change });
        }
    }

    fn is_account(&self, id: &AccountId) -> bool {
        self.world.org.accounts.contains_key(id)
    }

    /// The place at a location, if the location is one that the world can have. The paths are those
    /// of the keys that name the account and the Region.
    fn place(
        &mut self,
        account: &AccountId,
        region: &Region,
        account_path: &str,
        region_path: &str,
    ) -> Option<Location> {
        if !self.is_account(account) {
            self.problem(account_path, format!("{account} is not one of accounts"));
            return None;
        }
        if !self.world.org.is_enabled(account, region) {
            let message = format!("{region} is not enabled in account {account}");
            self.problem(region_path, message);
            return None;
        }
        let location = Location::new(account.clone(), region.clone());
        self.world.nodes.place_made(&location);
        Some(location)
    }

    fn add_group(&mut self, index: usize, group: &GroupSpec) {
        let path = format!("groups[{index}]");
        if group
            .name
            .parse::<patchfleet_core::id::ResourceGroupName>()
            .is_err()
        {
            let message = format!("{} is not 1 to 300 letters, digits, _ . -", group.name);
            self.problem(format!("{path}.name"), message);
        }
        for (index, code) in group.query_errors.iter().enumerate() {
            if !QUERY_ERRORS.contains(&code.as_str()) {
                let message = format!("{code} is none of {}", QUERY_ERRORS.join(", "));
                self.problem(format!("{path}.query_errors[{index}]"), message);
            }
        }
        group.patch.problems(&format!("{path}.patch"), &mut self.problems);
        for (index, block) in group.nodes.iter().enumerate() {
            let path = format!("{path}.nodes[{index}]");
            block.patch.problems(&format!("{path}.patch"), &mut self.problems);
            if block.count > MAX_COUNT {
                let message = format!("{} is more than {MAX_COUNT}", block.count);
                return self.problem(format!("{path}.count"), message);
            }
        }
        let patch = group.patch.over(&self.spec.patch);
        let entry = Arc::new(Group::listed(group.query_errors.clone()));
        for (nth, account) in group.accounts.iter().enumerate() {
            for (mth, region) in group.regions.iter().enumerate() {
                let (account_path, region_path) = (
                    format!("{path}.accounts[{nth}]"),
                    format!("{path}.regions[{mth}]"),
                );
                let Some(location) = self.place(account, region, &account_path, &region_path) else {
                    continue;
                };
                self.add_group_at(&path, (group, &entry), &location, &patch);
            }
        }
    }

    fn add_group_at(
        &mut self,
        path: &str,
        (group, entry): (&GroupSpec, &Arc<Group>),
        location: &Location,
        patch: &PatchSpec,
    ) {
        let at = Arc::new(location.clone());
        let groups = Arc::new(BTreeSet::from([group.name.clone()]));
        let place = self.world.nodes.place_made(location);
        if place.groups.insert(group.name.clone(), entry.clone()).is_some() {
            let message = format!("group {} stands twice in {location}", group.name);
            self.problem(format!("{path}.name"), message);
        }
        let place = location.to_string();
        for (index, block) in group.nodes.iter().enumerate() {
            let tags = Arc::new(block.tags.clone());
            let patch = block.patch.over(patch);
            for nth in 0..block.count {
                let digits = self.world.seed.hex17(&[
                    "node",
                    &place,
                    &group.name,
                    &index.to_string(),
                    &nth.to_string(),
                ]);
                let prefix = if block.kind == NodeKind::Ec2 { "i" } else { "mi" };
                let Ok(id) = format!("{prefix}-{digits}").parse() else {
                    continue;
                };
                let node = self.node(id, &at, block.platform, block.reachability, &patch);
                self.add_node(
                    &format!("{path}.nodes[{index}]"),
                    Node {
                        groups: groups.clone(),
                        tags: tags.clone(),
                        ..node
                    },
                );
            }
        }
    }

    fn add_single(&mut self, index: usize, spec: &NodeSpec) {
        let path = format!("nodes[{index}]");
        spec.patch.problems(&format!("{path}.patch"), &mut self.problems);
        let (account_path, region_path) = (format!("{path}.account"), format!("{path}.region"));
        let Some(location) = self.place(&spec.account, &spec.region, &account_path, &region_path) else {
            return;
        };
        for (index, group) in spec.groups.iter().enumerate() {
            if !self
                .world
                .nodes
                .place(&location)
                .is_some_and(|place| place.groups.contains_key(group))
            {
                let message = format!("there is no group {group} in {location}");
                self.problem(format!("{path}.groups[{index}]"), message);
            }
        }
        let patch = spec.patch.over(&self.spec.patch);
        let node = self.node(
            spec.id.clone(),
            &Arc::new(location),
            spec.platform,
            spec.reachability,
            &patch,
        );
        self.add_node(
            &path,
            Node {
                groups: Arc::new(spec.groups.iter().cloned().collect()),
                tags: Arc::new(spec.tags.clone()),
                ..node
            },
        );
    }

    fn node(
        &self,
        id: NodeId,
        location: &Arc<Location>,
        platform: Platform,
        reachability: Reachability,
        patch: &PatchSpec,
    ) -> Node {
        let seed = self.world.seed;
        let (behaviour, patches) = Behaviour::of(seed, &id, patch);
        let fixed = FixedPatches::of(patches, patch);
        let hours_ago = |low: i64, high: i64, what| {
            after(
                self.spec.start,
                SignedDuration::from_mins(-seed.between(low * 60, high * 60, &[id.as_str(), what])),
            )
        };
        let scanned = patch.scanned.unwrap_or(true) && reachability != Reachability::Unmanaged;
        let ended = hours_ago(1, 24, "last scan");
        let report = scanned.then(|| {
            Arc::new(PatchReport {
                operation: "Scan".to_owned(),
                started: after(ended, SignedDuration::from_secs(-90)),
                ended,
                snapshot: None,
                override_list: None,
                reboot_option: None,
                found: patches,
            })
        });
        Node {
            silent_since: match reachability {
                Reachability::Offline | Reachability::Stopped => Some(hours_ago(30, 400, "silent")),
                Reachability::Terminated => Some(self.spec.start),
                Reachability::Online | Reachability::Unmanaged => None,
            },
            location: location.clone(),
            platform,
            reachability,
            groups: Arc::default(),
            tags: Arc::default(),
            sent: vec![],
            put_off: vec![],
            reboots_for: None,
            boots: 0,
            forgotten: false,
            behaviour,
            patches,
            report,
            last_no_reboot_install: None,
            installs: 0,
            fixed,
            history: vec![],
            id,
        }
    }

    fn add_node(&mut self, path: &str, node: Node) {
        let (kind, state) = (node.id.kind(), node.reachability);
        if kind == NodeKind::Hybrid && matches!(state, Reachability::Stopped | Reachability::Terminated) {
            self.problem(
                format!("{path}.reachability"),
                "only EC2 nodes are stopped or terminated: a hybrid node is offline",
            );
        }
        if node.behaviour.outcome == OutcomeSpec::Stuck && state == Reachability::Unmanaged {
            self.problem(
                format!("{path}.patch.outcome"),
                "what is unmanaged cannot be stuck",
            );
        }
        let id = node.id.clone();
        if !self.world.nodes.insert(node) {
            self.problem(format!("{path}.id"), format!("node {id} stands twice"));
        }
        if state == Reachability::Terminated {
            self.world.will_be_forgotten(&id);
        }
    }
}
