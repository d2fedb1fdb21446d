//! Random worlds in which other people act while a campaign runs. What stands in a draft is the
//! truth at the beginning; the simulator's state is the truth at the end.

mod hand;
mod random;

pub(crate) use hand::{Deed, Hand};
pub(crate) use random::drafts;

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The central account, which is the first one.
pub(crate) const MAIN: &str = "100000000000";
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
/// What the waves of a request are called.
pub(crate) const WAVES: [&str; 2] = ["canary", "second"];
const GROUP: &str = "Web";
const OTHER_GROUP: &str = "Other";
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";
const RUNBOOK: &str = "Patchfleet-RunPatchBaseline";

/// A world, a request, and what other people do meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) seed: u32,
    /// One for each account and Region, in the order of [`Draft::location`].
    pub(crate) places: Vec<Place>,
    pub(crate) wish: Wish,
    pub(crate) hands: Vec<Hand>,
    /// Seconds between the plan and its start.
    pub(crate) idle: u32,
    /// When the driver dies, each time; then another one goes on.
    pub(crate) deaths: Vec<Death>,
    /// Whether a person says to go on whenever the campaign ends halted, as long as there is something.
    pub(crate) goes_on: bool,
    /// Whether a cancel of an execution reaches what runs below it.
    pub(crate) cascades: bool,
}

/// When a driver dies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Death {
    /// After so many turns.
    Turns(usize),
    /// After so many polls of its turns: in the middle of one, between a call and what is written down of it.
    Polls(usize),
}

/// The nodes of a location.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Members of the group.
    pub(crate) members: Vec<Machine>,
    /// Nodes that are in another group, and may join.
    pub(crate) others: Vec<Machine>,
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    reachability: &'static str,
    outcome: &'static str,
    hybrid: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) selector: Selector,
    pub(crate) operation: &'static str,
    pub(crate) reboot: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) pin: &'static str,
    /// `https://…` of baselines in place of those registered.
    pub(crate) override_baseline: bool,
    nodes: (&'static str, &'static str),
    locations: (u32, &'static str),
    pub(crate) fleet: Option<Fleet>,
    pub(crate) label: Option<Label>,
    /// The waves that the request names, at most two. What they leave is the rest.
    pub(crate) waves: Vec<Wave>,
    /// Whether the person who is waited for approves. Otherwise the campaign is stopped.
    pub(crate) approves: bool,
}

/// A wave of the request.
#[derive(Debug, Clone)]
pub(crate) struct Wave {
    pub(crate) has: Has,
    pub(crate) soak_minutes: Option<u32>,
    pub(crate) gate: Option<Gate>,
    pub(crate) approval: bool,
}

/// Which locations a wave has, of those that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Has {
    /// All of the Region with this index.
    Region(usize),
    /// All of the account with this index.
    Account(usize),
    /// So many.
    Count(u32),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) failed: Option<&'static str>,
    pub(crate) unreached: Option<&'static str>,
    pub(crate) sample: u32,
}

/// Bounds on the whole fleet, as the request has them. At least one is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) in_flight: Option<&'static str>,
    pub(crate) damaged: Option<&'static str>,
    pub(crate) unreached: Option<&'static str>,
}

/// Bounds on each value of the tag `Service`, as the request has them. At least one is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) in_flight: Option<&'static str>,
    pub(crate) damaged: Option<&'static str>,
    /// `together` or `unbounded`.
    pub(crate) untagged: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    Group,
    Tags,
    AllManaged,
    NodeIds,
}

impl Draft {
    /// Whether Install was asked for.
    pub(crate) fn installs(&self) -> bool {
        self.wish.operation == "Install"
    }

    /// Whether each start has to name its nodes.
    pub(crate) fn names_nodes(&self) -> bool {
        matches!(self.wish.selector, Selector::AllManaged | Selector::NodeIds)
            || self.wish.fleet.is_some_and(|fleet| fleet.damaged.is_some())
            || self.wish.label.is_some()
    }

    /// The nodes that are selected and listed at the start, by place: those that commands are sent to.
    pub(crate) fn listed(&self) -> BTreeSet<(String, usize)> {
        let mut listed = self.selected();
        let all: BTreeSet<(String, usize)> = self
            .machines()
            .filter(|(_, _, machine, _)| machine.is_listed())
            .map(|(place, number, machine, _)| (machine.id(place, number), place))
            .collect();
        listed.retain(|one| all.contains(one));
        listed
    }

    /// A wave of an account that is not among the targets is an error of the request.
    fn drop_waves_of_nobody(&mut self) {
        let accounts = self.places.len() / REGIONS.len();
        self.wish
            .waves
            .retain(|wave| !matches!(wave.has, Has::Account(account) if account >= accounts));
        if accounts == 1
            && matches!(
                self.wish.waves[..],
                [
                    Wave {
                        has: Has::Account(0),
                        ..
                    },
                    ..
                ]
            )
        {
            // It has everything, and leaves nothing for another one.
            self.wish.waves.truncate(1);
        }
    }

    /// The account and Region of a place.
    pub(crate) fn location(index: usize) -> (String, String) {
        let account = 100_000_000_000 + index / REGIONS.len();
        (account.to_string(), REGIONS[index % REGIONS.len()].to_owned())
    }

    /// Every node that the request selects before anybody does anything, with its place.
    pub(crate) fn selected(&self) -> BTreeSet<(String, usize)> {
        let mut selected = BTreeSet::new();
        for (place, number, machine, member) in self.machines() {
            let meant = match self.wish.selector {
                Selector::Group | Selector::Tags => member,
                Selector::AllManaged => machine.is_listed(),
                Selector::NodeIds => member && machine.is_listed(),
            };
            if meant {
                selected.insert((machine.id(place, number), place));
            }
        }
        selected
    }

    fn machines(&self) -> impl Iterator<Item = (usize, usize, &Machine, bool)> {
        self.places.iter().enumerate().flat_map(|(index, place)| {
            let members = place.members.iter().map(|machine| (machine, true));
            let others = place.others.iter().map(|machine| (machine, false));
            let all = members.chain(others).enumerate();
            all.map(move |(number, (machine, member))| (index, number, machine, member))
        })
    }

    /// The request's JSON.
    pub(crate) fn request(&self) -> Value {
        let wish = &self.wish;
        let accounts: BTreeSet<String> = (0..self.places.len())
            .map(|index| Self::location(index).0)
            .collect();
        let mut targets = json!({ "accounts": accounts, "regions": REGIONS });
        let (key, selector) = match wish.selector {
            Selector::Group => ("resource_group", json!(GROUP)),
            Selector::Tags => ("tags", json!({ "Env": ["prod"] })),
            Selector::AllManaged => ("all_managed", json!(true)),
            Selector::NodeIds => {
                let ids: Vec<String> = self.selected().into_iter().map(|(id, _)| id).collect();
                ("node_ids", json!(ids))
            }
        };
        targets[key] = selector;
        let mut patch = json!({ "operation": wish.operation, "reboot_option": wish.reboot });
        if wish.override_baseline {
            patch["baseline_override"] = json!("s3://lists/baselines.json");
        }
        let mut asked = json!({
            "name": "others",
            "patch": patch,
            "targets": targets,
            "policy": { "gone": wish.gone, "nothing_selected": "succeed" },
            "budget": {
                "nodes": { "max_concurrency": wish.nodes.0, "max_errors": wish.nodes.1 },
                "locations": { "max_concurrency": wish.locations.0, "max_errors": wish.locations.1 },
            },
            "automation": { "pin": wish.pin },
        });
        if let Some(fleet) = wish.fleet {
            let bounds = [
                ("max_in_flight", fleet.in_flight),
                ("max_damaged", fleet.damaged),
                ("max_unreached", fleet.unreached),
            ];
            let bounds = bounds
                .into_iter()
                .filter_map(|(key, bound)| Some((key.to_owned(), json!(bound?))));
            asked["budget"]["fleet"] = Value::Object(bounds.collect());
        }
        if let Some(label) = wish.label {
            let mut asked_of = json!({ "by": "tag:Service", "untagged": label.untagged });
            for (key, bound) in [("max_in_flight", label.in_flight), ("max_damaged", label.damaged)] {
                if let Some(bound) = bound {
                    asked_of[key] = json!(bound);
                }
            }
            asked["budget"]["labels"] = json!([asked_of]);
        }
        if !wish.waves.is_empty() {
            let by_tag = self.seed.is_multiple_of(2);
            let waves = wish.waves.iter().zip(WAVES);
            asked["waves"] = waves.map(|(wave, name)| wave.asked(name, by_tag)).collect();
        }
        asked
    }

    /// The world's text.
    pub(crate) fn world(&self) -> String {
        let accounts: BTreeSet<String> = (0..self.places.len())
            .map(|index| Self::location(index).0)
            .collect();
        let accounts: Vec<Value> = accounts
            .iter()
            .map(|id| json!({ "id": id, "name": id, "tags": { "Number": id } }))
            .collect();
        let mut groups = vec![];
        for (index, place) in self.places.iter().enumerate() {
            let (account, region) = Self::location(index);
            for name in [GROUP, OTHER_GROUP] {
                if name == OTHER_GROUP && place.others.is_empty() {
                    continue;
                }
                groups.push(json!({ "name": name, "accounts": [account], "regions": [region] }));
            }
        }
        let nodes: Vec<Value> = self
            .machines()
            .map(|(index, number, machine, member)| {
                let (account, region) = Self::location(index);
                let (group, tag) = if member {
                    (GROUP, "prod")
                } else {
                    (OTHER_GROUP, "dev")
                };
                let mut node = json!({
                    "id": machine.id(index, number), "account": account, "region": region,
                    "groups": [group], "tags": { "Env": tag }, "reachability": machine.reachability,
                });
                if let Some(service) = service(number) {
                    node["tags"]["Service"] = json!(service);
                }
                // The simulator takes no behaviour for a node that nothing can reach.
                if machine.reachability != "unmanaged" {
                    node["patch"] = json!({ "outcome": machine.outcome });
                }
                node
            })
            .collect();
        let changes: Vec<Value> = self
            .hands
            .iter()
            .map(|hand| hand.change(self.places.len()))
            .collect();
        let world = json!({
            "seed": self.seed,
            "management_account": MAIN,
            "patch": { "minutes": 4.0, "reboot_minutes": 1.0 },
            "documents": [{ "name": RUNBOOK, "builtin": "patchfleet" }],
            "automation": { "target_copies_run": true, "stop_cascades": self.cascades },
            "accounts": accounts,
            "groups": groups,
            "nodes": nodes,
            "changes": changes,
        });
        toml::to_string(&world).unwrap()
    }
}

/// The value of the tag `Service` of a place's node with this number, if it has one.
fn service(number: usize) -> Option<&'static str> {
    match number % 4 {
        1 => Some("web"),
        3 => None,
        _ => Some("db"),
    }
}

impl Wave {
    /// As the request says it. With `by_tag` an account is named by its tag in the organization.
    fn asked(&self, name: &str, by_tag: bool) -> Value {
        // A canary without a node would refuse the plan.
        let mut asked = json!({ "name": name, "if_empty": "skip", "approval": self.approval });
        match self.has {
            Has::Region(region) => asked["regions"] = json!([REGIONS[region]]),
            Has::Account(account) => {
                let id = Draft::location(account * REGIONS.len()).0;
                if by_tag {
                    asked["account_tags"] = json!({ "Number": [id] });
                } else {
                    asked["accounts"] = json!([id]);
                }
            }
            Has::Count(count) => asked["locations"] = json!(count),
        }
        if let Some(minutes) = self.soak_minutes {
            asked["soak"] = json!(format!("{minutes}m"));
        }
        if let Some(gate) = self.gate {
            asked["gate"] = json!({ "min_sample": gate.sample });
            for (key, allowed) in [("max_failed", gate.failed), ("max_unreached", gate.unreached)] {
                if let Some(allowed) = allowed {
                    asked["gate"][key] = json!(allowed);
                }
            }
        }
        asked
    }
}

impl Machine {
    fn id(&self, place: usize, number: usize) -> String {
        let prefix = if self.hybrid { "mi" } else { "i" };
        format!("{prefix}-{:017x}", (place + 1) * 0x1000 + number)
    }

    /// Whether Systems Manager lists it at the start.
    fn is_listed(&self) -> bool {
        !matches!(self.reachability, "unmanaged" | "stopped")
    }
}
