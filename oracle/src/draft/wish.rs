//! What a request asks for.

use super::{Breaker, By, Calendar, Draft, Freeze, GROUP, IfUnknown, REGIONS, WAVES, Wave};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) selector: Selector,
    pub(crate) operation: &'static str,
    pub(crate) reboot: &'static str,
    pub(crate) gone: &'static str,
    /// Where nobody knows what is there.
    pub(crate) if_unknown: IfUnknown,
    pub(crate) pin: &'static str,
    /// `https://…` of baselines in place of those registered.
    pub(crate) override_baseline: bool,
    /// Whether patchfleet sends the commands itself. Otherwise Automation does.
    pub(crate) sends_itself: bool,
    /// How many nodes of a location at once, and how many may fail.
    pub(crate) nodes: (&'static str, &'static str),
    /// How many locations at once, and how many may fail.
    pub(crate) locations: (u32, &'static str),
    pub(crate) fleet: Option<Fleet>,
    /// On each value of the tag `Service`.
    pub(crate) label: Option<Label>,
    /// On the nodes of each account, or Region.
    pub(crate) other_labels: Vec<(By, Label)>,
    /// What becomes of nodes that do not answer: `target` or `skip`.
    pub(crate) offline: &'static str,
    /// The waves that the request names, at most two. What they leave is the rest.
    pub(crate) waves: Vec<Wave>,
    /// Whether the person who is waited for approves. Otherwise the campaign is stopped.
    pub(crate) approves: bool,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) freezes: Vec<Freeze>,
    pub(crate) calendars: Vec<Calendar>,
    /// How many minutes after the start of the world every command has expired, and what the request has done then.
    pub(crate) cutoff: Option<(u32, &'static str)>,
}

/// Bounds on the whole fleet, as the request has them. At least one is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) in_flight: Option<&'static str>,
    pub(crate) damaged: Option<&'static str>,
    pub(crate) unreached: Option<&'static str>,
}

/// Bounds on each value of a label, as the request has them. At least one is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) in_flight: Option<&'static str>,
    pub(crate) damaged: Option<&'static str>,
    /// `together` or `unbounded`. Every node has an account and a Region.
    pub(crate) untagged: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    Group,
    Tags,
    AllManaged,
    NodeIds,
}

impl Wish {
    /// Whether a bound holds only if each start names its nodes.
    pub(crate) fn bounds_name_nodes(&self) -> bool {
        let mut waves = self.waves.iter();
        self.fleet.is_some_and(|fleet| fleet.damaged.is_some())
            || self.label.is_some()
            || !self.other_labels.is_empty()
            || waves.any(|wave| wave.own.damaged.is_some())
    }

    /// Whether nothing may be begun at some time, so that each location has a start of its own.
    pub(crate) fn has_times(&self) -> bool {
        let alarm = self.breaker.as_ref().and_then(|breaker| breaker.alarm.as_ref());
        let calendars = !self.calendars.is_empty();
        alarm.is_some() || calendars || !self.freezes.is_empty() || self.cutoff.is_some()
    }

    /// Whether Systems Manager stops what runs when an alarm goes off.
    pub(crate) fn hands_an_alarm_on(&self) -> bool {
        let alarm = self.breaker.as_ref().and_then(|breaker| breaker.alarm.as_ref());
        alarm.is_some_and(|alarm| alarm.is_handed)
    }
}

impl Draft {
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
            "policy": {
                "gone": wish.gone, "nothing_selected": "succeed",
                "unknown": wish.if_unknown.unknown, "denied": wish.if_unknown.denied,
                "offline": wish.offline, "at_cutoff": wish.cutoff.map_or("cancel", |(_, then)| then),
            },
            "budget": {
                "nodes": { "max_concurrency": wish.nodes.0, "max_errors": wish.nodes.1 },
                "locations": { "max_concurrency": wish.locations.0, "max_errors": wish.locations.1 },
            },
            "automation": match wish.sends_itself {
                true => json!({ "dispatch": "run-command" }),
                false => json!({ "pin": wish.pin }),
            },
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
        let by_tag = wish.label.map(|label| {
            let asked_of = json!({ "by": "tag:Service", "untagged": label.untagged });
            (asked_of, label)
        });
        let others = wish.other_labels.iter();
        let others = others.map(|(by, label)| (json!({ "by": by.key() }), *label));
        for (mut asked_of, label) in by_tag.into_iter().chain(others) {
            for (key, bound) in [("max_in_flight", label.in_flight), ("max_damaged", label.damaged)] {
                if let Some(bound) = bound {
                    asked_of[key] = json!(bound);
                }
            }
            match asked["budget"]["labels"].as_array_mut() {
                Some(labels) => labels.push(asked_of),
                None => asked["budget"]["labels"] = json!([asked_of]),
            }
        }
        if !wish.waves.is_empty() {
            let tags = [0, 1, 0, 2][self.seed as usize % 4];
            let waves = wish.waves.iter().zip(WAVES);
            asked["waves"] = waves.map(|(wave, name)| wave.asked(name, tags)).collect();
        }
        if let Some(breaker) = &wish.breaker {
            asked["breaker"] = breaker.asked();
        }
        if !wish.freezes.is_empty() {
            let freezes = wish.freezes.iter().enumerate();
            let freezes =
                freezes.map(|(index, freeze)| freeze.asked(&format!("freeze {index}"), self.start()));
            asked["freezes"] = freezes.collect();
        }
        if !wish.calendars.is_empty() {
            asked["change_calendars"] = (0..wish.calendars.len()).map(Calendar::name).collect();
        }
        asked
    }
}
