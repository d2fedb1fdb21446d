//! Random small worlds and requests, as the texts that a person would write. What stands in a
//! draft is the truth that the laws are held against, before anybody is asked.

use proptest::prelude::*;
use std::{collections::BTreeSet, fmt::Write as _};

#[path = "draft/text.rs"]
mod text;

/// Two Regions that are enabled by default, and one that is not.
pub(crate) const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "eu-south-1"];
const OPT_IN: usize = 2;

pub(crate) const MAIN: &str = "100000000000";
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";

/// A world and a request.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) seed: u64,
    /// The first one is the management account.
    pub(crate) accounts: Vec<Account>,
    pub(crate) wish: Wish,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) unit: Unit,
    pub(crate) active: bool,
    pub(crate) opt_in: bool,
    /// The role that reads, and the one that Automation assumes.
    pub(crate) reader: Role,
    pub(crate) execution: Role,
    /// One for each of [`REGIONS`].
    pub(crate) places: Vec<Place>,
}

/// A is in the root, B in A, C in the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Root,
    A,
    B,
    C,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ok,
    Missing,
    Denied,
}

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) group: Group,
    /// Nodes that belong to another group.
    pub(crate) bystanders: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Group {
    None,
    /// Its answers come with QueryErrors.
    Partial(Vec<Block>),
    Whole(Vec<Block>),
}

#[derive(Debug, Clone)]
pub(crate) struct Block {
    count: u32,
    hybrid: bool,
    reachability: &'static str,
    outcome: &'static str,
    production: bool,
}

/// The request.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) selector: Selector,
    pub(crate) scope: Scope,
    pub(crate) exclude: Exclude,
    /// Indices into [`REGIONS`].
    pub(crate) regions: BTreeSet<usize>,
    pub(crate) operation: Option<&'static str>,
    pub(crate) reboot: &'static str,
    pub(crate) own_reader: bool,
    pub(crate) unknown: Policy,
    pub(crate) group_missing: Policy,
    pub(crate) empty: Policy,
    /// Whether nodes that do not answer are left out.
    pub(crate) skip_offline: bool,
    nodes: (&'static str, &'static str),
    pub(crate) locations: (u32, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    Group,
    Tags,
    AllManaged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everyone,
    BelowA,
    DirectlyInA,
    MainAndC,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exclude {
    Nobody,
    Second,
    UnitA,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Refuse,
    Skip,
    Keep,
}

/// What a location truly is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    Excluded,
    NotActive,
    NotEnabled,
    Unreadable,
    Partial,
    NoGroup,
    Readable,
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![8 => Just(Role::Ok), 1 => Just(Role::Missing), 1 => Just(Role::Denied)]
}

fn block() -> impl Strategy<Value = Block> {
    let reachability = prop_oneof![6 => Just("online"), 1 => Just("offline"), 1 => Just("unmanaged")];
    let outcome = prop_oneof![
        6 => Just("ok"),
        1 => Just("fails"),
        1 => Just("succeeds_with_failed_patches"),
        1 => Just("never_returns"),
        1 => Just("stuck"),
    ];
    (1..4_u32, any::<bool>(), reachability, outcome, any::<bool>()).prop_map(
        |(count, hybrid, reachability, outcome, production)| Block {
            count,
            hybrid,
            reachability,
            outcome,
            production,
        },
    )
}

fn place() -> impl Strategy<Value = Place> {
    let blocks = || prop::collection::vec(block(), 0..3);
    let group = prop_oneof![
        1 => Just(Group::None),
        1 => blocks().prop_map(Group::Partial),
        8 => blocks().prop_map(Group::Whole),
    ];
    (group, 0..2_u32).prop_map(|(group, bystanders)| Place { group, bystanders })
}

fn account() -> impl Strategy<Value = Account> {
    let unit = prop_oneof![Just(Unit::Root), Just(Unit::A), Just(Unit::B), Just(Unit::C)];
    let places = prop::collection::vec(place(), REGIONS.len());
    (
        unit,
        prop::bool::weighted(0.9),
        any::<bool>(),
        role(),
        role(),
        places,
    )
        .prop_map(|(unit, active, opt_in, reader, execution, places)| Account {
            unit,
            active,
            opt_in,
            reader,
            execution,
            places,
        })
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![1 => Just(Policy::Refuse), 5 => Just(Policy::Skip), 3 => Just(Policy::Keep)]
}

fn wish() -> impl Strategy<Value = Wish> {
    let selector =
        prop_oneof![4 => Just(Selector::Group), 1 => Just(Selector::Tags), 1 => Just(Selector::AllManaged)];
    let scope = prop_oneof![
        3 => Just(Scope::Everyone),
        1 => Just(Scope::BelowA),
        1 => Just(Scope::DirectlyInA),
        1 => Just(Scope::MainAndC),
    ];
    let exclude =
        prop_oneof![3 => Just(Exclude::Nobody), 1 => Just(Exclude::Second), 1 => Just(Exclude::UnitA)];
    let regions = prop::collection::btree_set(0..REGIONS.len(), 1..=REGIONS.len());
    let operation = prop_oneof![1 => Just(None), 1 => Just(Some("Scan")), 4 => Just(Some("Install"))];
    let reboot = prop_oneof![Just("RebootIfNeeded"), Just("NoReboot")];
    let nodes = (
        prop_oneof![Just("1"), Just("2"), Just("50%"), Just("100%")],
        prop_oneof![Just("0"), Just("1"), Just("10%"), Just("100%")],
    );
    let locations = (1..5_u32, prop_oneof![Just("0"), Just("1"), Just("100%")]);
    (
        (selector, scope, exclude, regions),
        (operation, reboot, any::<bool>()),
        (policy(), policy(), policy(), prop::bool::weighted(0.3)),
        (nodes, locations),
    )
        .prop_map(
            |(
                (selector, scope, exclude, regions),
                (operation, reboot, own_reader),
                (unknown, group_missing, empty, skip_offline),
                (nodes, locations),
            )| Wish {
                selector,
                scope,
                exclude,
                regions,
                operation,
                reboot,
                own_reader,
                unknown,
                group_missing,
                empty,
                skip_offline,
                nodes,
                locations,
            },
        )
}

/// Worlds of two to five accounts with a request each.
pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    (any::<u32>(), prop::collection::vec(account(), 2..=5), wish()).prop_map(|(seed, mut accounts, wish)| {
        if let Some(main) = accounts.first_mut() {
            (main.unit, main.active) = (Unit::Root, true);
        }
        Draft {
            seed: seed.into(),
            accounts,
            wish,
        }
    })
}

/// The id of the account at `index`.
pub(crate) fn id(index: usize) -> String {
    format!("{}", 100_000_000_000 + index)
}

impl Draft {
    /// Whether Install was asked for.
    pub(crate) fn installs(&self) -> bool {
        self.wish.operation == Some("Install")
    }

    /// Whether no location has several starts: nodes are named nowhere.
    pub(crate) fn has_one_start_for_each_location(&self) -> bool {
        self.wish.selector != Selector::AllManaged && !self.wish.skip_offline
    }

    /// What every location that the request means truly is, with its account and Region.
    pub(crate) fn candidates(&self) -> Vec<(usize, &'static str, Truth)> {
        let mut candidates = vec![];
        for (index, account) in self.accounts.iter().enumerate() {
            let meant = match self.wish.scope {
                Scope::Everyone => true,
                Scope::BelowA => matches!(account.unit, Unit::A | Unit::B),
                Scope::DirectlyInA => account.unit == Unit::A,
                Scope::MainAndC => index == 0 || account.unit == Unit::C,
            };
            let regions = self.wish.regions.iter().filter(|_| meant);
            candidates.extend(regions.filter_map(|&region| {
                Some((index, *REGIONS.get(region)?, self.truth(index, account, region)?))
            }));
        }
        candidates
    }

    fn truth(&self, index: usize, account: &Account, region: usize) -> Option<Truth> {
        let excluded = match self.wish.exclude {
            Exclude::Nobody => false,
            Exclude::Second => index == 1,
            Exclude::UnitA => matches!(account.unit, Unit::A | Unit::B),
        };
        let role = if self.wish.own_reader {
            account.reader
        } else {
            account.execution
        };
        let group = &account.places.get(region)?.group;
        Some(if excluded {
            Truth::Excluded
        } else if !account.active {
            Truth::NotActive
        } else if index != 0 && role != Role::Ok {
            // Nor can it be found out which Regions the account has.
            Truth::Unreadable
        } else if region == OPT_IN && !account.opt_in {
            Truth::NotEnabled
        } else {
            match (self.wish.selector, group) {
                (Selector::Group, Group::None) => Truth::NoGroup,
                (Selector::Group, Group::Partial(_)) => Truth::Partial,
                _ => Truth::Readable,
            }
        })
    }

    /// The request's text.
    pub(crate) fn request(&self) -> String {
        let wish = &self.wish;
        let selector = match wish.selector {
            Selector::Group => "resource_group = \"Web\"",
            Selector::Tags => "tags = { Env = [\"prod\", \"pre\"] }",
            Selector::AllManaged => "all_managed = true",
        };
        let (accounts, children) = match wish.scope {
            Scope::Everyone => ("\"r-test\"".to_owned(), true),
            Scope::BelowA => ("\"ou-test-aaaaaaaa\"".to_owned(), true),
            Scope::DirectlyInA => ("\"ou-test-aaaaaaaa\"".to_owned(), false),
            Scope::MainAndC => (format!("\"{MAIN}\", \"ou-test-cccccccc\""), false),
        };
        let exclude = match wish.exclude {
            Exclude::Nobody => String::new(),
            Exclude::Second => format!("\"{}\"", id(1)),
            Exclude::UnitA => "\"ou-test-aaaaaaaa\"".to_owned(),
        };
        let regions: Vec<&str> = wish
            .regions
            .iter()
            .filter_map(|&n| REGIONS.get(n).copied())
            .collect();
        let operation = wish
            .operation
            .map(|operation| format!("operation = \"{operation}\""))
            .unwrap_or_default();
        let policy = |policy| match policy {
            Policy::Refuse => "refuse",
            Policy::Skip => "skip",
            Policy::Keep => "keep",
        };
        let reader = if wish.own_reader {
            "[access]\ndiscovery_role = \"Reader\""
        } else {
            ""
        };
        format!(
            r#"
name = "random"
[patch]
{operation}
reboot_option = "{}"
[targets]
{selector}
accounts = [{accounts}]
exclude_accounts = [{exclude}]
include_child_ous = {children}
regions = {regions:?}
[policy]
unknown = "{}"
group_missing = "{}"
empty = "{}"
nothing_selected = "succeed"
offline = "{}"
{reader}
[budget.nodes]
max_concurrency = "{}"
max_errors = "{}"
[budget.locations]
max_concurrency = {}
max_errors = "{}"
"#,
            wish.reboot,
            policy(wish.unknown),
            policy(wish.group_missing),
            policy(wish.empty),
            if wish.skip_offline { "skip" } else { "target" },
            wish.nodes.0,
            wish.nodes.1,
            wish.locations.0,
            wish.locations.1,
        )
    }

    /// The world's text.
    pub(crate) fn world(&self) -> String {
        let mut text = format!(
            r#"
seed = {}
management_account = "{MAIN}"
organization = {{ id = "o-testtest01", root = "r-test" }}
roles = [{{ name = "Reader" }}]
patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
units = [
    {{ id = "ou-test-aaaaaaaa", name = "A" }},
    {{ id = "ou-test-bbbbbbbb", name = "B", parent = "ou-test-aaaaaaaa" }},
    {{ id = "ou-test-cccccccc", name = "C" }},
]
"#,
            self.seed
        );
        // Writing into a text cannot fail.
        for (index, account) in self.accounts.iter().enumerate() {
            let _ = writeln!(text, "{}", account.describe(&id(index)));
        }
        for (index, account) in self.accounts.iter().enumerate() {
            let here = |region: usize| region != OPT_IN || account.opt_in;
            for (region, place) in account
                .places
                .iter()
                .enumerate()
                .filter(|(region, _)| here(*region))
            {
                let _ = writeln!(text, "{}", place.describe(&id(index), REGIONS[region]));
            }
        }
        text
    }
}
