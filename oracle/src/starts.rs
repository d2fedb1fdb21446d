//! What the campaign began, and what ran below it, whoever sent the commands.

use crate::run::Run;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// An account and a Region.
pub(crate) type Pair = (String, String);

/// Something that runs, by the simulator's own state.
#[derive(Debug)]
pub(crate) struct Span<'a> {
    pub(crate) what: &'a Value,
    /// Where: several locations if it is an execution in the central account.
    pub(crate) at: Vec<Pair>,
    pub(crate) from: Timestamp,
    /// The end of time while it runs.
    pub(crate) to: Timestamp,
}

impl Span<'_> {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        id_of(self.what)
    }
}

/// The id of an execution or of a command.
pub(crate) fn id_of(what: &Value) -> &str {
    let id = |name: &str| what[name].as_str();
    id("execution_id").or_else(|| id("command_id")).unwrap()
}

pub(crate) fn time(of: &Value) -> Timestamp {
    of.as_str().unwrap().parse().unwrap()
}

/// When something ended; the end of time while it has not.
pub(crate) fn end(of: &Value) -> Timestamp {
    of["ended"]
        .as_str()
        .map_or(Timestamp::MAX, |at| at.parse().unwrap())
}

pub(crate) fn place(of: &Value) -> Pair {
    let text = |name: &str| of[name].as_str().unwrap().to_owned();
    (text("account"), text("region"))
}

impl Run {
    fn all(&self, what: &str) -> impl Iterator<Item = &Value> {
        self.after[what].as_array().unwrap().iter()
    }

    /// The commands of every campaign in the world, whoever sent them.
    pub(crate) fn all_commands(&self) -> impl Iterator<Item = &Value> {
        self.all("commands")
    }

    /// The commands of this campaign, whoever sent them.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Value> {
        self.all("commands").filter(|one| self.is_own(one, "execution"))
    }

    /// The executions of this campaign.
    fn executions(&self) -> impl Iterator<Item = &Value> {
        self.all("executions").filter(|one| self.is_own(one, "parent"))
    }

    /// Whether neither this nor what began it was there before the campaign.
    fn is_own(&self, one: &Value, began: &str) -> bool {
        let began = one[began].as_str();
        !self.since.contains(id_of(one)) && began.is_none_or(|id| !self.since.contains(id))
    }

    /// The nodes on which a command began.
    pub(crate) fn begun(&self) -> BTreeSet<&str> {
        self.commands()
            .flat_map(|command| command["invocations"].as_array().unwrap())
            .filter(|one| !one["started"].is_null())
            .map(|one| one["node"].as_str().unwrap())
            .collect()
    }

    /// What the campaign began: the executions in the central account, or the commands that it sent itself.
    pub(crate) fn starts(&self) -> Vec<Span<'_>> {
        if self.draft.wish.sends_itself {
            return self.commands().map(of_command).collect();
        }
        self.executions()
            .filter(|one| one["parent"].is_null())
            .map(|what| Span {
                what,
                at: targets(what),
                from: time(&what["started"]),
                to: end(what),
            })
            .collect()
    }

    /// What ran in each location: the executions below those that were started, or the commands that were sent.
    pub(crate) fn below(&self) -> Vec<Span<'_>> {
        if self.draft.wish.sends_itself {
            return self.commands().map(of_command).collect();
        }
        self.executions()
            .filter(|one| !one["parent"].is_null())
            .map(|what| Span {
                what,
                at: vec![place(what)],
                from: time(&what["started"]),
                to: end(what),
            })
            .collect()
    }
}

fn of_command(what: &Value) -> Span<'_> {
    Span {
        what,
        at: vec![place(what)],
        from: time(&what["requested"]),
        to: end(what),
    }
}

/// The locations of an execution in the central account.
fn targets(parent: &Value) -> Vec<Pair> {
    let mut all = vec![];
    for target in parent["target_locations"].as_array().unwrap() {
        for account in target["Accounts"].as_array().unwrap() {
            for region in target["Regions"].as_array().unwrap() {
                all.push((
                    account.as_str().unwrap().to_owned(),
                    region.as_str().unwrap().to_owned(),
                ));
            }
        }
    }
    all
}
