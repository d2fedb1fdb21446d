//! Random worlds in which other people act while a campaign runs. What stands in a draft is the
//! truth at the beginning; the simulator's state is the truth at the end.

use patchfleet_core::runbook::Runbook;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The central account, which is the first one.
pub(crate) const MAIN: &str = "100000000000";
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
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
    /// After how many turns the driver dies, each time; then another one goes on.
    pub(crate) deaths: Vec<usize>,
    /// Whether a person says to go on whenever the campaign ends halted, as long as there is something.
    pub(crate) goes_on: bool,
    /// Whether a cancel of an execution reaches what runs below it.
    pub(crate) cascades: bool,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    Group,
    Tags,
    AllManaged,
    NodeIds,
}

/// What somebody else does, at a second after the start.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    pub(crate) at: u32,
    pub(crate) deed: Deed,
    /// Which location, if the deed is done in one: an index into [`Draft::places`], taken modulo.
    place: usize,
    /// How many nodes, if the deed is done to some.
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    LeaveGroup,
    JoinGroup,
    DeleteGroup,
    Stop,
    Terminate,
    Start,
    LoseAgent,
    GainAgent,
    TakeRole,
    DenyResults,
    DenySending,
    CancelExecutions,
    CancelChildren,
    CancelCommands,
    ReplaceRunbook,
    DeleteRunbook,
    CopyAppears,
    Alarm,
}

fn machine() -> impl Strategy<Value = Machine> {
    let reachability = prop_oneof![
        12 => Just("online"),
        1 => Just("offline"),
        1 => Just("unmanaged"),
        1 => Just("stopped"),
    ];
    let outcome = prop_oneof![
        10 => Just("ok"),
        1 => Just("fails"),
        1 => Just("fails_before_patching"),
        1 => Just("succeeds_with_failed_patches"),
        1 => Just("never_returns"),
        1 => Just("vanishes"),
        1 => Just("stuck"),
        1 => Just("undeliverable"),
    ];
    (reachability, outcome, prop::bool::weighted(0.2)).prop_map(|(reachability, outcome, hybrid)| Machine {
        reachability,
        outcome,
        hybrid: hybrid && reachability != "stopped",
    })
}

fn place() -> impl Strategy<Value = Place> {
    let members = prop_oneof![
        8 => prop::collection::vec(machine(), 1..5),
        1 => Just(vec![]),
        1 => prop::collection::vec(machine(), 20..24),
    ];
    (members, prop::collection::vec(machine(), 0..2)).prop_map(|(members, others)| Place { members, others })
}

fn wish() -> impl Strategy<Value = Wish> {
    let selector = prop_oneof![
        5 => Just(Selector::Group),
        1 => Just(Selector::Tags),
        2 => Just(Selector::AllManaged),
        2 => Just(Selector::NodeIds),
    ];
    let operation = prop_oneof![1 => Just("Scan"), 5 => Just("Install")];
    let nodes = (
        prop_oneof![Just("1"), Just("2"), Just("50%"), Just("100%")],
        prop_oneof![Just("0"), Just("1"), Just("10%"), Just("100%")],
    );
    let locations = (1..5_u32, prop_oneof![Just("0"), Just("1"), Just("100%")]);
    (
        (
            selector,
            operation,
            prop_oneof![Just("RebootIfNeeded"), Just("NoReboot")],
        ),
        (
            prop_oneof![3 => Just("accept"), 1 => Just("fail")],
            prop_oneof![Just("default"), Just("version")],
        ),
        prop::bool::weighted(0.1),
        (nodes, locations),
    )
        .prop_map(
            |((selector, operation, reboot), (gone, pin), override_baseline, (nodes, locations))| Wish {
                selector,
                operation,
                reboot,
                gone,
                pin,
                override_baseline,
                nodes,
                locations,
            },
        )
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => Just(Deed::LeaveGroup),
        3 => Just(Deed::JoinGroup),
        1 => Just(Deed::DeleteGroup),
        3 => Just(Deed::Stop),
        3 => Just(Deed::Terminate),
        1 => Just(Deed::Start),
        2 => Just(Deed::LoseAgent),
        1 => Just(Deed::GainAgent),
        1 => Just(Deed::TakeRole),
        1 => Just(Deed::DenyResults),
        1 => Just(Deed::DenySending),
        1 => Just(Deed::CancelExecutions),
        1 => Just(Deed::CancelChildren),
        2 => Just(Deed::CancelCommands),
        1 => Just(Deed::ReplaceRunbook),
        1 => Just(Deed::DeleteRunbook),
        1 => Just(Deed::CopyAppears),
        1 => Just(Deed::Alarm),
    ]
}

/// Seconds after the start.
fn any_time() -> impl Strategy<Value = u32> {
    prop_oneof![1..20_u32, 1..600_u32, 1..6_000_u32, 1..60_000_u32]
}

fn hand(deed: impl Strategy<Value = Deed>, at: impl Strategy<Value = u32>) -> impl Strategy<Value = Hand> {
    (at, deed, any::<u8>(), 1..4_u32).prop_map(|(at, deed, place, count)| Hand {
        at,
        deed,
        place: place.into(),
        count,
    })
}

/// Worlds of one to three accounts in two Regions, with a request and up to four deeds of others.
pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    prop_oneof![3 => any_drafts().boxed(), 1 => drafts_in_turns().boxed()]
}

fn any_drafts() -> impl Strategy<Value = Draft> {
    let hands = prop::collection::vec(hand(deed(), any_time()), 0..5);
    let scene = (places(1..=3), wish(), goes_on(), cascades());
    (any::<u32>(), scene, hands, idle(), deaths()).prop_map(
        |(seed, (places, wish, goes_on, cascades), hands, idle, deaths)| {
            let mut draft = Draft {
                seed,
                places,
                wish,
                hands,
                idle,
                deaths,
                goes_on,
                cascades,
            };
            if draft.wish.selector == Selector::NodeIds && draft.selected().is_empty() {
                // A request names at least one node.
                draft.wish.selector = Selector::Group;
            }
            draft
        },
    )
}

/// Campaigns whose locations begin one after the other and whose budgets stop nothing, so that what
/// somebody does in the middle has something to stop.
fn drafts_in_turns() -> impl Strategy<Value = Draft> {
    let stopping = prop_oneof![
        2 => Just(Deed::CancelExecutions),
        1 => Just(Deed::CancelChildren),
        1 => Just(Deed::CancelCommands),
        2 => Just(Deed::ReplaceRunbook),
        1 => Just(Deed::DeleteRunbook),
        2 => Just(Deed::CopyAppears),
    ];
    let hands = (
        hand(stopping, 30..1_500_u32),
        prop::collection::vec(hand(deed(), any_time()), 0..3),
    );
    // Those of a group have one execution for all of them, or few.
    let selector = prop_oneof![2 => Just(Selector::AllManaged), 1 => Just(Selector::Group)];
    let scene = (places(2..=3), wish(), selector, goes_on(), cascades());
    (any::<u32>(), scene, hands, idle(), deaths()).prop_map(
        |(seed, (places, wish, selector, goes_on, cascades), (stopping, mut hands), idle, deaths)| {
            hands.push(stopping);
            Draft {
                seed,
                places,
                wish: Wish {
                    selector,
                    nodes: ("100%", "100%"),
                    locations: (1, "100%"),
                    ..wish
                },
                hands,
                idle: idle.min(60),
                deaths,
                goes_on,
                cascades,
            }
        },
    )
}

fn places(accounts: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Place>> {
    accounts.prop_flat_map(|accounts| prop::collection::vec(place(), accounts * REGIONS.len()))
}

fn idle() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0_u32), 1 => 1..900_u32]
}

fn goes_on() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.5)
}

fn cascades() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.7)
}

fn deaths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..12_usize, 0..3)
}

impl Draft {
    /// Whether Install was asked for.
    pub(crate) fn installs(&self) -> bool {
        self.wish.operation == "Install"
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
        json!({
            "name": "others",
            "patch": patch,
            "targets": targets,
            "policy": { "gone": wish.gone, "nothing_selected": "succeed" },
            "budget": {
                "nodes": { "max_concurrency": wish.nodes.0, "max_errors": wish.nodes.1 },
                "locations": { "max_concurrency": wish.locations.0, "max_errors": wish.locations.1 },
            },
            "automation": { "pin": wish.pin },
        })
    }

    /// The world's text.
    pub(crate) fn world(&self) -> String {
        let accounts: BTreeSet<String> = (0..self.places.len())
            .map(|index| Self::location(index).0)
            .collect();
        let accounts: Vec<Value> = accounts
            .iter()
            .map(|id| json!({ "id": id, "name": id }))
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

impl Hand {
    /// The account and Region in which the deed is done, if it is done in one.
    pub(crate) fn location(&self, draft: &Draft) -> (String, String) {
        Draft::location(self.place % draft.places.len())
    }

    fn change(&self, places: usize) -> Value {
        let (account, region) = Draft::location(self.place % places);
        let here = json!({ "accounts": [account], "regions": [region] });
        let with = |key: &str, value: Value| {
            let mut place = here.clone();
            place[key] = value;
            place
        };
        let some = with("count", json!(self.count));
        let members = {
            let mut members = some.clone();
            members["group"] = json!(GROUP);
            members
        };
        let change = match self.deed {
            Deed::LeaveGroup => json!({ "leave_group": { "group": GROUP, "nodes": some } }),
            Deed::JoinGroup => json!({ "join_group": { "group": GROUP, "nodes": some } }),
            Deed::DeleteGroup => json!({ "delete_group": with("group", json!(GROUP)) }),
            Deed::Stop => json!({ "stop": members }),
            Deed::Terminate => json!({ "terminate": members }),
            Deed::Start => json!({ "start": members }),
            Deed::LoseAgent => json!({ "lose_agent": members }),
            Deed::GainAgent => json!({ "gain_agent": members }),
            Deed::TakeRole => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account], "state": "missing",
            } }),
            Deed::DenyResults => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account],
                "deny": ["ssm:DescribeInstancePatchStates", "ssm:ListCommandInvocations"],
            } }),
            Deed::DenySending => json!({ "role": {
                "name": EXECUTION_ROLE, "accounts": [account],
                "deny": ["ssm:SendCommand", "resource-groups:ListGroupResources"],
            } }),
            Deed::CancelExecutions => {
                json!({ "cancel_executions": { "accounts": [MAIN], "regions": [REGIONS[0]] } })
            }
            Deed::CancelChildren => json!({ "cancel_executions": here }),
            Deed::CancelCommands => json!({ "cancel_commands": here }),
            Deed::ReplaceRunbook => json!({ "update_document": {
                "document": { "name": RUNBOOK }, "content": another_runbook(),
            } }),
            Deed::DeleteRunbook => json!({ "delete_document": { "name": RUNBOOK } }),
            Deed::CopyAppears => json!({ "create_document": {
                "name": RUNBOOK, "account": account, "regions": [region], "content": another_runbook(),
            } }),
            Deed::Alarm => json!({ "alarm": here }),
        };
        json!({ "at": self.at, "change": change })
    }
}

/// A runbook that somebody puts in the place of patchfleet's. It takes the same parameters, so AWS
/// starts it as readily.
fn another_runbook() -> String {
    let mut runbook: Value = serde_json::from_str(&Runbook::default().to_json()).unwrap();
    runbook["description"] = json!("Somebody else's.");
    runbook.to_string()
}
