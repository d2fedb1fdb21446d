//! Random worlds in which other people act while a campaign runs. What stands in a draft is the
//! truth at the beginning; the simulator's state is the truth at the end.

mod breaker;
mod course;
mod further;
mod hand;
mod obstacle;
mod random;
mod wave;
mod when;
mod wish;

pub(crate) use breaker::{Alarm, Breaker};
pub(crate) use course::{Again, Collects, Course, Fault, How, Of, Pause, Who};
pub(crate) use further::By;
pub(crate) use hand::{Deed, Hand};
pub(crate) use obstacle::{IfUnknown, Obstacle};
pub(crate) use random::drafts;
pub(crate) use wave::{Gate, Has, Own, WAVES, Wave};
pub(crate) use when::{Calendar, Freeze, Period};
pub(crate) use wish::{Fleet, Label, Selector, Wish};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The central account, which is the first one.
pub(crate) const MAIN: &str = "100000000000";
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const GROUP: &str = "Web";
const OTHER_GROUP: &str = "Other";
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";
pub(crate) const RUNBOOK: &str = "Patchfleet-RunPatchBaseline";

/// A world, a request, and what other people do meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) seed: u32,
    /// When the world begins.
    pub(crate) start: &'static str,
    /// One for each account and Region, in the order of [`Draft::location`].
    pub(crate) places: Vec<Place>,
    pub(crate) wish: Wish,
    pub(crate) hands: Vec<Hand>,
    /// What keeps the plan from answers. It is gone once the plan is made.
    pub(crate) obstacles: Vec<Obstacle>,
    /// Seconds between the plan and its start.
    pub(crate) idle: u32,
    /// When the driver dies, each time; then another one goes on.
    pub(crate) deaths: Vec<Death>,
    /// Whether a person says to go on whenever the campaign ends halted, as long as there is something.
    pub(crate) goes_on: bool,
    /// Whether a cancel of an execution reaches what runs below it.
    pub(crate) cascades: bool,
    /// What befalls the drivers, their calls and their log, and what is done at the end.
    pub(crate) course: Course,
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

impl Draft {
    /// Whether Install was asked for.
    pub(crate) fn installs(&self) -> bool {
        self.wish.operation == "Install"
    }

    /// When the world begins.
    pub(crate) fn start(&self) -> Timestamp {
        self.start.parse().unwrap()
    }

    /// The instant by which every command has expired.
    pub(crate) fn cutoff(&self) -> Option<Timestamp> {
        let (minutes, _) = self.wish.cutoff?;
        let after = SignedDuration::from_mins(minutes.into());
        Some(self.start().checked_add(after).unwrap())
    }

    /// Leaves out what a request may not say beside the rest of it.
    fn made_valid(mut self) -> Self {
        self.drop_waves_of_nobody();
        self.keep_waves_within_the_request();
        if self.wish.selector == Selector::NodeIds && self.selected().is_empty() {
            // A request names at least one node.
            self.wish.selector = Selector::Group;
        }
        let breaker = self.wish.breaker.as_mut();
        if let Some(alarm) = breaker.and_then(|breaker| breaker.alarm.as_mut()) {
            // Only an execution can be given an alarm.
            alarm.is_handed &= !self.wish.sends_itself;
        }
        self
    }

    /// Whether each start has to name its nodes.
    pub(crate) fn names_nodes(&self) -> bool {
        matches!(self.wish.selector, Selector::AllManaged | Selector::NodeIds)
            || self.wish.sends_itself
            || self.wish.bounds_name_nodes()
    }

    /// The nodes that are selected and listed at the start, by place, and that the request does not leave out: those that commands are
    /// sent to.
    pub(crate) fn listed(&self) -> BTreeSet<(String, usize)> {
        let mut listed = self.selected();
        let all: BTreeSet<(String, usize)> = self
            .machines()
            .filter(|(_, _, machine, _)| machine.is_listed())
            .map(|(place, number, machine, _)| (machine.id(place, number), place))
            .collect();
        listed.retain(|one| all.contains(one));
        match self.wish.offline {
            "skip" => listed.intersection(&self.online()).cloned().collect(),
            _ => listed,
        }
    }

    /// The selected nodes that answer at the start, by place.
    pub(crate) fn online(&self) -> BTreeSet<(String, usize)> {
        let mut online = self.selected();
        let answering: BTreeSet<(String, usize)> = self
            .machines()
            .filter(|(_, _, machine, _)| machine.reachability == "online")
            .map(|(place, number, machine, _)| (machine.id(place, number), place))
            .collect();
        online.retain(|one| answering.contains(one));
        online
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

    /// The world's text.
    pub(crate) fn world(&self) -> String {
        let accounts: BTreeSet<String> = (0..self.places.len())
            .map(|index| Self::location(index).0)
            .collect();
        let accounts: Vec<Value> = accounts
            .iter()
            .enumerate()
            .map(|(index, id)| {
                json!({ "id": id, "name": id, "tags": { "Number": id, "Stage": wave::stage(index) } })
            })
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
        let start = self.start();
        let calendars = || self.wish.calendars.iter().enumerate();
        let hands = self.hands.iter().map(|hand| hand.change(self.places.len()));
        let changes: Vec<Value> = hands
            .chain(calendars().filter_map(|(index, calendar)| calendar.change(index, start)))
            .collect();
        let faults: Vec<Value> = self
            .obstacles
            .iter()
            .map(|one| one.fault(self.places.len()))
            .collect();
        let documents: Vec<Value> = [json!({ "name": RUNBOOK, "builtin": "patchfleet" })]
            .into_iter()
            .chain(calendars().map(|(index, calendar)| calendar.document(index, start)))
            .collect();
        let breaker = self.wish.breaker.as_ref();
        let alarm = breaker.and_then(|breaker| breaker.alarm.as_ref());
        let alarms: Vec<Value> = alarm.map(Alarm::spec).into_iter().collect();
        let world = json!({
            "seed": self.seed,
            "start": self.start,
            "management_account": MAIN,
            "patch": { "minutes": 4.0, "reboot_minutes": 1.0 },
            "documents": documents,
            "alarms": alarms,
            "automation": { "target_copies_run": true, "stop_cascades": self.cascades },
            "accounts": accounts,
            "groups": groups,
            "nodes": nodes,
            "changes": changes,
            "faults": faults,
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
