//! The waves of a request: which locations they have, what comes after them, and what they have of their own.

use super::{Draft, REGIONS};
use serde_json::{Value, json};

/// What the waves of a request are called.
pub(crate) const WAVES: [&str; 2] = ["canary", "second"];

/// A wave of the request.
#[derive(Debug, Clone)]
pub(crate) struct Wave {
    pub(crate) has: Has,
    pub(crate) soak_minutes: Option<u32>,
    pub(crate) gate: Option<Gate>,
    pub(crate) approval: bool,
    pub(crate) own: Own,
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
    /// As many as have so many nodes together.
    Nodes(u32),
    /// So many of a hundred, each drawn by itself.
    ShareOfLocations(u32),
    /// As many as have so many of a hundred of the nodes together.
    ShareOfNodes(u32),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) failed: Option<&'static str>,
    pub(crate) unreached: Option<&'static str>,
    pub(crate) sample: u32,
}

/// What is different in a wave. `None`: as the request says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Own {
    pub(crate) scans: bool,
    pub(crate) reboot: Option<&'static str>,
    /// How many nodes of a location at once, and how many may fail.
    pub(crate) nodes: Option<(&'static str, &'static str)>,
    /// How many locations at once.
    pub(crate) locations: Option<u32>,
    /// How many locations may fail.
    pub(crate) location_errors: Option<&'static str>,
    pub(crate) in_flight: Option<&'static str>,
    pub(crate) damaged: Option<&'static str>,
}

impl Own {
    /// The tables `patch` and `budget`, as far as they say something.
    fn asked(self, wave: &mut Value) {
        if self.scans {
            wave["patch"]["operation"] = json!("Scan");
        }
        let mut set = |path: [&str; 3], value: Option<Value>| {
            if let Some(value) = value {
                wave[path[0]][path[1]][path[2]] = value;
            }
        };
        let (at_once, errors) = self.nodes.unzip();
        set(["budget", "nodes", "max_concurrency"], at_once.map(Value::from));
        set(["budget", "nodes", "max_errors"], errors.map(Value::from));
        set(
            ["budget", "locations", "max_concurrency"],
            self.locations.map(Value::from),
        );
        set(
            ["budget", "locations", "max_errors"],
            self.location_errors.map(Value::from),
        );
        set(
            ["budget", "fleet", "max_in_flight"],
            self.in_flight.map(Value::from),
        );
        set(["budget", "fleet", "max_damaged"], self.damaged.map(Value::from));
        if let Some(reboot) = self.reboot {
            wave["patch"]["reboot_option"] = json!(reboot);
        }
    }
}

impl Wave {
    /// As the request says it. An account is named by its id, by a tag in the organization, or by two.
    pub(super) fn asked(&self, name: &str, tags: usize) -> Value {
        // A canary without a node would refuse the plan.
        let mut asked = json!({ "name": name, "if_empty": "skip", "approval": self.approval });
        match self.has {
            Has::Region(region) => asked["regions"] = json!([REGIONS[region]]),
            Has::Account(account) => {
                let id = Draft::location(account * REGIONS.len()).0;
                match tags {
                    0 => asked["accounts"] = json!([id]),
                    1 => asked["account_tags"] = json!({ "Number": [id] }),
                    _ => {
                        asked["account_tags"] = json!({ "Number": ["none", id], "Stage": [stage(account)] });
                    }
                }
            }
            Has::Count(count) => asked["locations"] = json!(count),
            Has::Nodes(count) => asked["nodes"] = json!(count),
            Has::ShareOfLocations(percent) => asked["locations"] = json!(format!("{percent}%")),
            Has::ShareOfNodes(percent) => asked["nodes"] = json!(format!("{percent}%")),
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
        self.own.asked(&mut asked);
        asked
    }
}

/// The value of the tag `Stage` of the account with this index.
pub(super) fn stage(account: usize) -> &'static str {
    if account == 0 { "first" } else { "later" }
}

impl Draft {
    /// A wave of an account that is not among the targets is an error of the request.
    pub(super) fn drop_waves_of_nobody(&mut self) {
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

    /// No wave installs where the request scans, and a count of a wave that is larger than the request's is an error.
    pub(super) fn keep_waves_within_the_request(&mut self) {
        let installs = self.installs();
        let count = |bound: Option<&str>| bound.and_then(|bound| bound.parse::<u32>().ok());
        let wish = &mut self.wish;
        let fleet = wish.fleet;
        let in_flight = count(fleet.and_then(|fleet| fleet.in_flight));
        let damaged = count(fleet.and_then(|fleet| fleet.damaged));
        let errors = count(Some(wish.locations.1));
        for wave in &mut wish.waves {
            let own = &mut wave.own;
            own.scans &= installs;
            for (bound, most) in [
                (&mut own.in_flight, in_flight),
                (&mut own.damaged, damaged),
                (&mut own.location_errors, errors),
            ] {
                if count(*bound).zip(most).is_some_and(|(own, most)| own > most) {
                    *bound = None;
                }
            }
        }
    }
}
