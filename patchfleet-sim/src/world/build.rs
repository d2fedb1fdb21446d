//! From a spec to a world, with every contradiction found on the way.

use super::{
    Account, Document, DocumentVersion, Group, Node, Organization, PatchReport, Unit, World, after,
    node::{Behaviour, FixedPatches},
    org::Role,
    parse_runbook, regions,
};
use crate::{
    builtin,
    seed::Seed,
    spec::{
        AccountSpec, BuiltinDocument, DocumentSpec, GroupSpec, NodeSpec, OutcomeSpec, PatchSpec, Platform,
        Reachability, RoleSpec, WorldError, WorldSpec,
    },
};
use jiff::SignedDuration;
use patchfleet_core::id::{AccountId, Location, NodeId, NodeKind, OrgParent, Region};
use std::collections::{BTreeMap, BTreeSet};

/// The roles that Systems Manager's own set-up gives the accounts.
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";
const ADMINISTRATION_ROLE: &str = "AWS-SystemsManager-AutomationAdministrationRole";

/// Nodes of a block in each location: several times what AWS manages in a Region by default, and
/// far less than fills the memory.
/// Seconds that a role's session may last, unless the role allows more (IAM's default).
const MAX_SESSION: u32 = 3600;

const MAX_COUNT: u32 = 100_000;

struct Builder<'a> {
    spec: &'a WorldSpec,
    world: World,
    problems: Vec<String>,
}

pub(super) fn build(spec: &WorldSpec) -> Result<World, WorldError> {
    let world = World {
        seed: Seed(spec.seed),
        now: spec.start,
        start: spec.start,
        latency: SignedDuration::from_millis(i64::from(spec.api_latency_ms)),
        org: organization(spec),
        places: BTreeMap::new(),
        node_index: BTreeMap::new(),
        executions: BTreeMap::new(),
        commands: BTreeMap::new(),
        sessions: BTreeMap::new(),
        tokens: BTreeMap::new(),
        lines: BTreeMap::new(),
        automation: spec.automation.clone(),
        quotas: spec.quotas.clone(),
        consistency: spec.consistency.clone(),
        requests: vec![],
        faults: vec![],
        query_errors: vec![],
        rates: spec.rates.clone(),
        calls_full_at: BTreeMap::new(),
        buckets: spec.buckets.clone().map(BTreeSet::from_iter),
        counters: BTreeMap::new(),
        queue: BTreeMap::new(),
        queued: 0,
    };
    let mut builder = Builder {
        spec,
        world,
        problems: vec![],
    };
    builder.check_organization();
    builder.add_faults();
    spec.patch.problems("the world", &mut builder.problems);
    spec.groups.iter().for_each(|group| builder.add_group(group));
    spec.nodes.iter().for_each(|node| builder.add_single(node));
    spec.documents
        .iter()
        .for_each(|document| builder.add_document(document));
    if builder.problems.is_empty() {
        Ok(builder.world)
    } else {
        Err(WorldError::Inconsistent(builder.problems))
    }
}

fn organization(spec: &WorldSpec) -> Organization {
    let root = OrgParent::Root(spec.organization.root.clone());
    let partition = spec
        .regions
        .first()
        .map_or(patchfleet_core::id::Partition::Aws, Region::partition);
    let regions = if spec.regions.is_empty() {
        regions::names(partition)
            .filter_map(|name| name.parse().ok())
            .collect()
    } else {
        spec.regions.iter().cloned().collect()
    };
    let unit = |unit: &crate::spec::UnitSpec| Unit {
        name: unit.name.clone(),
        parent: unit.parent.clone().unwrap_or_else(|| root.clone()),
    };
    let account = |account: &AccountSpec| Account {
        id: account.id.clone(),
        name: account.name.clone(),
        parent: account.parent.clone().unwrap_or_else(|| root.clone()),
        state: account.state,
        opt_in: account.opt_in_regions.iter().cloned().collect(),
        roles: roles(spec, account),
        joined: after(spec.start, SignedDuration::from_hours(-24 * 400)),
    };
    Organization {
        id: spec.organization.id.clone(),
        partition,
        management: spec.management_account.clone(),
        root: spec.organization.root.clone(),
        units: spec.units.iter().map(|one| (one.id.clone(), unit(one))).collect(),
        accounts: spec
            .accounts
            .iter()
            .map(|one| (one.id.clone(), account(one)))
            .collect(),
        regions,
    }
}

/// The execution role everywhere and the administration role in the management account, then what
/// the world says, then what the account says.
fn roles(spec: &WorldSpec, account: &AccountSpec) -> BTreeMap<String, Role> {
    let usual = |name: &str| {
        (
            name.to_owned(),
            Role {
                state: Default::default(),
                external_id: None,
                denied: BTreeSet::new(),
                max_session: MAX_SESSION,
            },
        )
    };
    let mut roles = BTreeMap::from([usual(EXECUTION_ROLE)]);
    if account.id == spec.management_account {
        roles.extend([usual(ADMINISTRATION_ROLE)]);
    }
    let said = spec.roles.iter().chain(&account.roles);
    roles.extend(said.map(
        |RoleSpec {
             name,
             state,
             external_id,
             denied_actions,
             max_session_seconds,
         }| {
            (
                name.clone(),
                Role {
                    state: *state,
                    external_id: external_id.clone(),
                    denied: denied_actions.iter().cloned().collect(),
                    max_session: max_session_seconds.unwrap_or(MAX_SESSION),
                },
            )
        },
    ));
    roles
}

impl Builder<'_> {
    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    fn add_faults(&mut self) {
        for (index, fault) in self.spec.faults.iter().enumerate() {
            for problem in self.world.add_fault(fault.clone()).err().unwrap_or_default() {
                self.problem(format!("faults {} {problem}", index + 1));
            }
        }
        for (action, rate) in &self.spec.rates {
            if !crate::api::is_action_pattern(action) || (action != "*" && action.ends_with('*')) {
                self.problem(format!(
                    "rates: {action} is no action that is simulated, and not *"
                ));
            }
            if !(0.01..=10_000.0).contains(rate) {
                self.problem(format!("rates {action}: calls a second are from 0.01 to 10000"));
            }
        }
    }

    fn check_organization(&mut self) {
        let org = &self.world.org;
        let mut problems = vec![];
        if !org.accounts.contains_key(&org.management) {
            problems.push(format!(
                "management_account {} is not one of accounts",
                org.management
            ));
        }
        let digits = self.spec.organization.id.strip_prefix("o-").unwrap_or_default();
        let sound = (10..=32).contains(&digits.len())
            && digits
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !sound {
            problems.push(format!(
                "organization.id {} is not o- and 10 to 32 lower-case letters or digits",
                self.spec.organization.id
            ));
        }
        let mut ids = BTreeSet::new();
        problems.extend(
            self.spec
                .accounts
                .iter()
                .filter(|one| !ids.insert(&one.id))
                .map(|one| format!("account {} stands twice", one.id)),
        );
        let mut ids = BTreeSet::new();
        problems.extend(
            self.spec
                .units
                .iter()
                .filter(|one| !ids.insert(&one.id))
                .map(|one| format!("unit {} stands twice", one.id)),
        );
        let parents = org.accounts.values().map(|one| (one.id.to_string(), &one.parent));
        let parents = parents.chain(org.units.iter().map(|(id, one)| (id.to_string(), &one.parent)));
        for (child, parent) in parents {
            if !org.has_parent(parent) {
                problems.push(format!(
                    "the parent {parent} of {child} is neither the root nor one of units"
                ));
            }
        }
        for (id, unit) in &org.units {
            let mut above = &unit.parent;
            for _ in 0..org.units.len() {
                let OrgParent::Ou(next) = above else { break };
                let Some(next) = org.units.get(next) else { break };
                above = &next.parent;
            }
            if matches!(above, OrgParent::Ou(parent) if org.units.contains_key(parent)) {
                problems.push(format!("unit {id} is above itself"));
            }
        }
        for account in org.accounts.values() {
            for region in &account.opt_in {
                if !org.regions.contains(region) || regions::kind(region) == super::RegionKind::Default {
                    problems.push(format!(
                        "{region}, in opt_in_regions of {}, is no opt-in Region of this world",
                        account.id
                    ));
                }
            }
        }
        if org
            .regions
            .iter()
            .any(|region| region.partition() != org.partition)
        {
            problems.push("regions are of more than one partition".to_owned());
        }
        self.problems.extend(problems);
    }

    /// The place at a location, if the location is one that the world can have.
    fn place(&mut self, account: &AccountId, region: &Region, what: &str) -> Option<Location> {
        let org = &self.world.org;
        if !org.accounts.contains_key(account) {
            self.problem(format!("{what}: account {account} is not one of accounts"));
            return None;
        }
        if !org.is_enabled(account, region) {
            self.problem(format!("{what}: {region} is not enabled in account {account}"));
            return None;
        }
        let location = Location::new(account.clone(), region.clone());
        self.world.places.entry(location.clone()).or_default();
        Some(location)
    }

    fn add_group(&mut self, group: &GroupSpec) {
        let what = format!("group {}", group.name);
        if group
            .name
            .parse::<patchfleet_core::id::ResourceGroupName>()
            .is_err()
        {
            self.problem(format!(
                "{what}: a group's name is 1 to 300 letters, digits, _ . -"
            ));
        }
        group.patch.problems(&what, &mut self.problems);
        for (index, block) in group.nodes.iter().enumerate() {
            let what = format!("{what} nodes {}", index + 1);
            block.patch.problems(&what, &mut self.problems);
            if block.count > MAX_COUNT {
                self.problem(format!("{what}: count is more than {MAX_COUNT}"));
                return;
            }
        }
        let patch = group.patch.over(&self.spec.patch);
        for account in &group.accounts {
            for region in &group.regions {
                let Some(location) = self.place(account, region, &what) else {
                    continue;
                };
                self.add_group_at(group, &location, &patch);
            }
        }
    }

    fn add_group_at(&mut self, group: &GroupSpec, location: &Location, patch: &PatchSpec) {
        let entry = Group {
            query_errors: group.query_errors.clone(),
        };
        let place = self.world.places.entry(location.clone()).or_default();
        if place.groups.insert(group.name.clone(), entry).is_some() {
            self.problem(format!("group {} stands twice in {location}", group.name));
        }
        for (index, block) in group.nodes.iter().enumerate() {
            for nth in 0..block.count {
                let place = location.to_string();
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
                let node = self.node(
                    id,
                    location,
                    block.platform,
                    block.reachability,
                    &block.patch.over(patch),
                );
                let groups = BTreeSet::from([group.name.clone()]);
                self.add_node(Node {
                    groups,
                    tags: block.tags.clone(),
                    ..node
                });
            }
        }
    }

    fn add_single(&mut self, spec: &NodeSpec) {
        let what = format!("node {}", spec.id);
        spec.patch.problems(&what, &mut self.problems);
        let Some(location) = self.place(&spec.account, &spec.region, &what) else {
            return;
        };
        for group in &spec.groups {
            if !self
                .world
                .places
                .get(&location)
                .is_some_and(|place| place.groups.contains_key(group))
            {
                self.problem(format!("{what}: there is no group {group} in {location}"));
            }
        }
        let patch = spec.patch.over(&self.spec.patch);
        let node = self.node(
            spec.id.clone(),
            &location,
            spec.platform,
            spec.reachability,
            &patch,
        );
        self.add_node(Node {
            groups: spec.groups.iter().cloned().collect(),
            tags: spec.tags.clone(),
            ..node
        });
    }

    fn node(
        &self,
        id: NodeId,
        location: &Location,
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
        let report = scanned.then(|| PatchReport {
            operation: "Scan".to_owned(),
            started: after(ended, SignedDuration::from_secs(-90)),
            ended,
            snapshot: None,
            override_list: None,
            reboot_option: None,
            found: patches,
        });
        Node {
            silent_since: (reachability == Reachability::Offline).then(|| hours_ago(30, 400, "silent")),
            location: location.clone(),
            platform,
            reachability,
            groups: BTreeSet::new(),
            tags: BTreeMap::new(),
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

    fn add_node(&mut self, node: Node) {
        if node.behaviour.outcome == OutcomeSpec::Stuck && !node.is_managed() {
            self.problem(format!("node {}: what is unmanaged cannot be stuck", node.id));
        }
        let (id, location) = (node.id.clone(), node.location.clone());
        if self
            .world
            .node_index
            .insert(id.clone(), location.clone())
            .is_some()
        {
            self.problem(format!("node {id} stands twice"));
        }
        self.world
            .places
            .entry(location)
            .or_default()
            .nodes
            .insert(id, node);
    }

    fn add_document(&mut self, spec: &DocumentSpec) {
        let what = format!("document {}", spec.name);
        let content = match (&spec.content, spec.builtin) {
            (Some(content), None) => content.clone(),
            (None, Some(BuiltinDocument::Patchfleet)) => builtin::runbook(),
            _ => return self.problem(format!("{what}: either content or builtin says what is in it")),
        };
        let format = if content.trim_start().starts_with('{') {
            "JSON"
        } else {
            "YAML"
        };
        let runbook = match parse_runbook(&content, format) {
            Ok(runbook) => runbook,
            Err(error) => return self.problem(format!("{what}: {error}")),
        };
        let account = spec
            .account
            .clone()
            .unwrap_or_else(|| self.spec.management_account.clone());
        let regions: Vec<Region> = if spec.regions.is_empty() {
            let org = &self.world.org;
            org.regions
                .iter()
                .filter(|region| org.is_enabled(&account, region))
                .cloned()
                .collect()
        } else {
            spec.regions.clone()
        };
        let version = DocumentVersion {
            content,
            format: format.to_owned(),
            runbook,
            created: self.spec.start,
        };
        let document = Document {
            kind: "Automation".to_owned(),
            versions: vec![version],
            default_version: 1,
            shared_with: spec.shared_with.iter().cloned().collect(),
        };
        for region in &regions {
            let Some(location) = self.place(&account, region, &what) else {
                continue;
            };
            let place = self.world.places.entry(location).or_default();
            place.documents.insert(spec.name.to_string(), document.clone());
        }
    }
}
