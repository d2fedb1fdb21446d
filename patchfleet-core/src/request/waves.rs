//! `[[waves]]`: which locations are patched before which others.

use super::fields::{Collector, Field, Fields};
use super::named::{self, Names};
use super::node::Node;
use super::{Gate, PatchRequest, Regions, Soak, WaveBudget, WavePatch, gate, in_wave, values};
use crate::budget::MaxConcurrency;
use crate::id::{AccountId, Location, OrgParent, Region, TargetAccount, WaveName};
use crate::problem::{Problem, ProblemCode};
use crate::text::counted;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the last wave is called, which has the locations that no wave names.
const REST: &str = "rest";

/// A wave: locations that are patched before all that come after it. A location that several waves could have is in the
/// first of them. What none has forms one more wave, the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Wave {
    /// Its name, which no other wave of the request has. The last one is called `rest`.
    pub name: WaveName,
    /// Accounts, units and roots. A unit means every account below it, at any depth, whatever
    /// [`include_child_ous`](super::Targets::include_child_ous) says. Empty: every account of the targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<TargetAccount>,
    /// Tags of accounts in AWS Organizations: an account of the wave has each of these keys with one of its values. Empty: any
    /// account. Upper and lower case differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, Vec<String>>,
    /// Regions. Empty: every Region of the targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// How many of the locations that `accounts`, `account_tags` and `regions` leave it. `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<WaveSize>,
    /// How many nodes it has at most: as many of the locations that `accounts`, `account_tags` and `regions` leave it as have
    /// no more nodes together, and one at least. A percentage is of the nodes of all of these, rounded down. Not together
    /// with `locations`. `None`: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<WaveSize>,
    /// What becomes of the plan if nothing can be patched in this wave and a later one follows. Default: refuse.
    pub if_empty: EmptyWave,
    /// How long the next wave waits once this one is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// What its nodes have to come to before the next wave begins. `None`: whatever the budgets allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Whether a person has to approve of it, once it is over, before the next wave begins. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// What is done on its nodes, as far as it is not what the request says.
    #[serde(skip_serializing_if = "WavePatch::is_none")]
    pub patch: WavePatch,
    /// Its budgets, as far as they are not those of the request.
    #[serde(skip_serializing_if = "WaveBudget::is_none")]
    pub budget: WaveBudget,
}

/// How many locations or nodes a wave has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveSize {
    /// So many, from 1. If locations are added, each new one takes the place of at most one other of a wave that counts
    /// locations.
    Count(u32),
    /// So many of a hundred, 1 to 100. Of locations it is about so many: each is drawn by itself, so a location of the wave
    /// stays in it, whichever others are added. If none is drawn, the wave has one.
    Percent(u8),
}

impl From<MaxConcurrency> for WaveSize {
    fn from(size: MaxConcurrency) -> Self {
        match size.percent() {
            Some(percent) => Self::Percent(percent),
            None => Self::Count(size.as_count(u32::MAX)),
        }
    }
}

impl fmt::Display for WaveSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for WaveSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a wave without a node that could be patched leads to, if a later wave has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyWave {
    /// The plan is refused. The wave guards the later ones, and without a node it would show nothing.
    #[default]
    Refuse,
    /// The later waves begin without it. The plan says so in a warning.
    Skip,
}

impl Wave {
    /// Whether the wave's Regions, and its accounts and their tags as far as they are known, allow for the location. `below`
    /// says which accounts stand below a unit, and `tags` which tags an account has; `None`: nobody knows.
    pub(crate) fn may_have<'u>(
        &self,
        location: &Location,
        below: impl Fn(&OrgParent) -> Option<&'u BTreeSet<AccountId>>,
        tags: impl Fn(&AccountId) -> Option<&'u BTreeMap<String, String>>,
    ) -> bool {
        (self.regions.is_empty() || self.regions.contains(&location.region))
            && self.names(&location.account, below)
            && (self.account_tags.is_empty()
                || tags(&location.account).is_none_or(|tags| self.has_its_tags(tags)))
    }

    /// Whether `accounts` has the account, as far as that is known.
    fn names<'u>(
        &self,
        account: &AccountId,
        below: impl Fn(&OrgParent) -> Option<&'u BTreeSet<AccountId>>,
    ) -> bool {
        let is_there = |target: &TargetAccount| match target {
            TargetAccount::Account(named) => named == account,
            TargetAccount::Parent(parent) => below(parent).is_none_or(|accounts| accounts.contains(account)),
        };
        self.accounts.is_empty() || self.accounts.iter().any(is_there)
    }

    /// Whether these are the tags of an account of the wave.
    fn has_its_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        let has = |(key, values): (&String, &Vec<String>)| {
            tags.get(key).is_some_and(|value| values.contains(value))
        };
        self.account_tags.iter().all(has)
    }

    /// Whether the wave has the location for certain, unless an earlier wave has it, whatever nobody knows yet.
    pub(crate) fn surely_has(&self, location: &Location) -> bool {
        let (nowhere, untagged) = (BTreeSet::new(), BTreeMap::new());
        self.takes_all() && self.may_have(location, |_| Some(&nowhere), |_| Some(&untagged))
    }

    /// Whether it has all locations that its accounts, their tags and its Regions allow for.
    pub(crate) fn takes_all(&self) -> bool {
        self.locations.is_none() && self.nodes.is_none()
    }

    /// What has to come between it and the next wave, as the end of a sentence. Empty: nothing.
    pub(crate) fn then(&self) -> String {
        let mut then = vec![];
        if let Some(gate) = self.gate {
            let measures = [(gate.max_failed, "failed"), (gate.max_unreached, "unreached")];
            let measures = measures
                .into_iter()
                .filter_map(|(allowed, what)| Some(format!("at most {} {what}", allowed?)));
            let least = counted(gate.min_sample, "node");
            then.push(format!(
                "{} of {least} or more",
                Vec::from_iter(measures).join(" and ")
            ));
        }
        if self.approval {
            then.push("an approval".to_owned());
        }
        if let Some(soak) = self.soak {
            then.push(format!("{soak} of soak"));
        }
        match then.is_empty() {
            true => String::new(),
            false => format!("; then {}", then.join(", ")),
        }
    }

    /// Whether every location that `other` could have is this wave's.
    fn takes_all_of(&self, other: &Self) -> bool {
        fn covers<T: PartialEq>(these: &[T], others: &[T]) -> bool {
            these.is_empty() || (!others.is_empty() && others.iter().all(|other| these.contains(other)))
        }
        let covers_tag = |(key, values): (&String, &Vec<String>)| {
            let theirs = other.account_tags.get(key);
            theirs.is_some_and(|theirs| theirs.iter().all(|value| values.contains(value)))
        };
        self.takes_all()
            && covers(&self.regions, &other.regions)
            && covers(&self.accounts, &other.accounts)
            && self.account_tags.iter().all(covers_tag)
    }
}

impl PatchRequest {
    /// How many waves there can be: those that are named, and the rest.
    pub(crate) fn wave_count(&self) -> u32 {
        u32::try_from(self.waves.len()).map_or(u32::MAX, |named| named.saturating_add(1))
    }

    /// The same request without waves, for whoever only asks which locations it names. What is read of the organization for
    /// waves alone is not read then.
    pub(crate) fn without_waves(&self) -> Self {
        let mut request = self.clone();
        request.waves.clear();
        request
    }

    /// Whether the tags of the account decide in which wave it is, as far as the request alone tells. They need not be
    /// read if no wave with `account_tags` could have the account.
    pub(crate) fn needs_tags_of(&self, account: &AccountId) -> bool {
        let nowhere = BTreeSet::new();
        for wave in &self.waves {
            if wave.account_tags.is_empty() {
                let has_all = wave.takes_all() && wave.regions.is_empty();
                if has_all && wave.names(account, |_| Some(&nowhere)) {
                    return false;
                }
            } else if wave.names(account, |_| None) {
                return true;
            }
        }
        false
    }

    /// The named wave with this number, from 1; `None` for the rest.
    pub(crate) fn wave(&self, number: u32) -> Option<&Wave> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.waves.get(index)
    }

    /// The name of the wave with this number, from 1. What no wave names is the `rest`.
    #[must_use]
    pub fn wave_name(&self, number: u32) -> &str {
        self.wave(number).map_or(REST, |wave| wave.name.as_str())
    }
}

/// Reads `waves`. Gives those without a problem of their own, each with its index.
pub(super) fn read(root: &mut Fields<'_>, out: &mut Collector) -> Vec<(usize, Wave)> {
    let shape = "a table with a name, and what is in the wave";
    named::list("waves", shape, root, out, read_one)
}

fn read_one(mut fields: Fields<'_>, names: &mut Names<WaveName>, out: &mut Collector) -> Option<Wave> {
    let name = named::name(&mut fields, names, out, |name| {
        let expected = "another name: \"rest\" is what the last wave is called, which has what no wave names";
        (name.as_str() == REST).then_some(expected)
    });
    let before = out.len();
    let accounts = fields.take("accounts").map(|field| {
        let ids = field.ids("a list of account, unit or root ids, each in quotes", out);
        some_of(&field, ids, "at least one account, unit or root", out)
    });
    let account_tags = fields
        .take("account_tags")
        .map(|field| values::account_tags(&field, out));
    let regions = fields.take("regions").map(|field| {
        let ids = field.ids("a list of Regions", out);
        some_of(&field, ids, "at least one Region", out)
    });
    let locations = fields
        .take("locations")
        .map(|field| field.rate::<MaxConcurrency>(out));
    let nodes = fields.take("nodes").map(|field| {
        if locations.is_some() {
            let expected = "nodes or locations, not both: each says how large the wave is";
            out.add(field.problem(ProblemCode::Conflict, expected));
        }
        field.rate::<MaxConcurrency>(out)
    });
    let names_places = accounts.is_some() || account_tags.is_some() || regions.is_some();
    let selects = names_places || locations.is_some() || nodes.is_some();
    const KEYS: [&str; 5] = ["accounts", "account_tags", "regions", "locations", "nodes"];
    const ALL: [&str; 12] = [
        "name",
        "accounts",
        "account_tags",
        "regions",
        "locations",
        "nodes",
        "if_empty",
        "soak",
        "gate",
        "approval",
        "patch",
        "budget",
    ];
    if !selects && out.len() == before && !fields.has_misspelt(&KEYS, &ALL) {
        let expected = "at least one of accounts, account_tags, regions, locations, nodes, which say what is in the \
                        wave; what no wave names forms the last one by itself";
        out.missing(fields.path(), expected);
    }
    let words = [("refuse", EmptyWave::Refuse), ("skip", EmptyWave::Skip)];
    let if_empty = fields
        .take("if_empty")
        .and_then(|field| field.choice(&words, out));
    let soak = fields.take("soak").and_then(|field| gate::soak(&field, out));
    let gate = fields.take("gate").and_then(|field| gate::gate(&field, out));
    let approval = fields.take("approval").and_then(|field| field.boolean(out));
    let patch = in_wave::patch(&mut fields, out);
    let budget = in_wave::budget(&mut fields, out);
    fields.finish(out);
    Some(Wave {
        name: name?,
        accounts: accounts.flatten().unwrap_or_default(),
        account_tags: account_tags.flatten().unwrap_or_default(),
        regions: regions.flatten().unwrap_or_default(),
        locations: locations.flatten().map(WaveSize::from),
        nodes: nodes.flatten().map(WaveSize::from),
        if_empty: if_empty.unwrap_or_default(),
        soak,
        gate,
        approval: approval.unwrap_or_default(),
        patch,
        budget,
    })
}

/// Refuses an empty list. A key that is left out means everything, so an empty list must not.
fn some_of<T>(field: &Field<'_>, ids: Option<Vec<T>>, expected: &str, out: &mut Collector) -> Option<Vec<T>> {
    if matches!(field.node(), Node::List(items) if items.is_empty()) {
        out.add(field.problem(ProblemCode::OutOfRange, expected));
    }
    ids
}

/// The targets of a request, as far as they say which waves can have a location.
pub(super) struct Bounds<'a> {
    pub(super) accounts: &'a [TargetAccount],
    pub(super) exclude_accounts: &'a [TargetAccount],
    /// `None`: they were wrong or missing.
    pub(super) regions: Option<&'a Regions>,
    pub(super) exclude_regions: &'a [Region],
}

/// Finds what of the waves is in no location, whatever the organization holds.
pub(super) fn check(waves: &[(usize, Wave)], bounds: &Bounds<'_>, out: &mut Collector) {
    for (index, wave) in waves {
        let before = out.len();
        for (at, region) in wave.regions.iter().enumerate() {
            if let Some((code, expected)) = bounds.against_region(region) {
                let path = format!("waves[{index}].regions[{at}]");
                out.add(Problem::new(code, path, format!("\"{region}\""), expected));
            }
        }
        for (at, target) in wave.accounts.iter().enumerate() {
            if let Some((code, expected)) = bounds.against_account(target) {
                let path = format!("waves[{index}].accounts[{at}]");
                out.add(Problem::new(code, path, format!("\"{target}\""), expected));
            }
        }
        let earlier = waves.iter().take_while(|(other, _)| other < index);
        if out.len() == before
            && let Some((_, earlier)) = earlier
                .into_iter()
                .find(|(_, earlier)| earlier.takes_all_of(wave))
        {
            let expected = format!(
                "nothing is left for it: the first wave that names a location has it, and {} names all that this one does",
                earlier.name
            );
            let path = format!("waves[{index}]");
            let name = format!("\"{}\"", wave.name);
            out.add(Problem::new(ProblemCode::Conflict, path, name, expected));
        }
    }
}

impl Bounds<'_> {
    fn against_region(&self, region: &Region) -> Option<(ProblemCode, &'static str)> {
        if let Some(Regions::List(regions)) = self.regions
            && !regions.contains(region)
        {
            return Some((ProblemCode::InvalidValue, "a Region of targets.regions"));
        }
        let excluded = self.exclude_regions.contains(region);
        excluded.then_some((
            ProblemCode::Conflict,
            "targets.exclude_regions leaves this Region out",
        ))
    }

    fn against_account(&self, target: &TargetAccount) -> Option<(ProblemCode, &'static str)> {
        if self.exclude_accounts.contains(target) {
            return Some((ProblemCode::Conflict, "targets.exclude_accounts leaves it out"));
        }
        let are_accounts = |targets: &[TargetAccount]| {
            let is_account = |target: &TargetAccount| matches!(target, TargetAccount::Account(_));
            !targets.is_empty() && targets.iter().all(is_account)
        };
        let is_account = matches!(target, TargetAccount::Account(_));
        let is_none = is_account && are_accounts(self.accounts) && !self.accounts.contains(target);
        is_none.then_some((ProblemCode::InvalidValue, "an account of targets.accounts"))
    }
}
