//! What changed between a saved plan and the same plan made anew.

use super::{Plan, PlannedLocation, Unit, set_timeout};
use crate::id::{Location, NodeId};
use crate::port::StartRequest;
use crate::refusal::Skip;
use crate::request::RunbookPin;
use crate::text::names;
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// How `newer` differs from this plan, one line for each difference, in the order of the locations. Without a line
    /// `newer` starts the same, and leaves out the same for the same reasons.
    ///
    /// Other words in details and warnings are no difference, since AWS may word them differently each time.
    #[must_use]
    pub fn differences(&self, newer: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.request != newer.request {
            lines.push("the request is another one".to_owned());
        }
        if self.central.account != newer.central.account || self.central.region != newer.central.region {
            lines.push(format!(
                "it would be started from {}/{}, not from {}/{}",
                newer.central.account, newer.central.region, self.central.account, self.central.region
            ));
        }
        lines.extend(self.other_runbook(newer));
        let (before, after) = (self.by_location(), newer.by_location());
        let all: BTreeSet<&Location> = before.keys().chain(after.keys()).collect();
        for location in all {
            let (was, is) = (before.get(location), after.get(location));
            if was != is {
                if let (Some(State::Planned(before)), Some(State::Planned(after))) = (was, is)
                    && before.wave != after.wave
                {
                    lines.push(format!(
                        "{location}: was in wave {} ({}), is in wave {} ({})",
                        before.wave,
                        self.request.wave_name(before.wave),
                        after.wave,
                        newer.request.wave_name(after.wave),
                    ));
                    let mut same_wave = (*after).clone();
                    same_wave.wave = before.wave;
                    if same_wave == **before {
                        continue;
                    }
                }
                if let Some(others) = other_nodes(was, is) {
                    lines.push(format!("{location}: {others}"));
                    continue;
                }
                let words = |state: Option<&State<'_>>| match state {
                    Some(state) => state.in_words(),
                    None => "not a candidate".to_owned(),
                };
                lines.push(format!(
                    "{location}: was {}, is {}{}",
                    words(was),
                    words(is),
                    who(was, is)
                ));
            }
        }
        lines.extend(self.other_values(newer));
        let cutoff = |plan: &Self| plan.lifetime.as_ref().and_then(|lifetime| lifetime.cutoff);
        if cutoff(self) != cutoff(newer) {
            let words = |plan| cutoff(plan).map_or_else(|| "none".to_owned(), |at| format!("{at:.0}"));
            lines.push(format!("the cutoff was {}, is {}", words(self), words(newer)));
        }
        if lines.is_empty() && self.starts_alike() != newer.starts_alike() {
            lines.push(format!(
                "the starts differ: {} were planned, {} would be made",
                self.units.len(),
                newer.units.len()
            ));
        }
        lines
    }

    /// Takes over the version of the runbook that `saved` pins. This plan was made later and names the version that is
    /// the default by now. But a person has approved the saved one.
    pub(crate) fn keep_pin_of(&mut self, saved: &Self) {
        if self.request.automation.pin != RunbookPin::Version {
            return;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.runbook, &saved.runbook) {
            mine.version.clone_from(&theirs.version);
            mine.digest.clone_from(&theirs.digest);
            mine.parameters.clone_from(&theirs.parameters);
        }
        // Every start of a plan runs the same version.
        if let Some(theirs) = saved.units.first() {
            for mine in &mut self.units {
                mine.start.document_version = theirs.start.document_version;
            }
        }
    }

    /// A pinned version runs whatever the default version is by now, and its content is compared before it is started.
    /// But nobody can compare a runbook that may not be read any more, pinned or not. A plan that starts nothing needs no
    /// runbook.
    fn other_runbook(&self, newer: &Self) -> Option<String> {
        let was = self.runbook.as_ref()?;
        let Some(is) = &newer.runbook else {
            return (!newer.is_empty()).then(|| {
                format!(
                    "the runbook {} could be read (version {}, digest {}) and no longer can, so nothing would notice \
                     if it says something else; ssm:GetDocument on it is needed",
                    was.name,
                    was.version,
                    was.digest.short()
                )
            });
        };
        let pinned = self.request.automation.pin == RunbookPin::Version;
        (!pinned && was.digest != is.digest).then(|| {
            format!(
                "the runbook {} says something else: it was version {} (digest {}), it is version {} (digest {})",
                was.name,
                was.version,
                was.digest.short(),
                is.version,
                is.digest.short()
            )
        })
    }

    /// The starts without what may differ between equal plans. That is the pinned version. If there is a cutoff or a
    /// freeze, it is also the life of the commands, which is shorter the later a plan is made.
    fn starts_alike(&self) -> Vec<StartRequest> {
        let depends_on_time = self.depends_on_time();
        let alike = |unit: &Unit| {
            let mut start = unit.start.clone();
            start.document_version = None;
            if depends_on_time {
                set_timeout(&mut start, None);
            }
            start
        };
        self.units.iter().map(alike).collect()
    }

    fn by_location(&self) -> BTreeMap<Location, State<'_>> {
        let planned = self
            .locations
            .iter()
            .map(|planned| (planned.location(), State::Planned(planned)));
        let skipped = self
            .skipped
            .iter()
            .map(|skip| (skip.location(), State::Skipped(skip)));
        planned.chain(skipped).collect()
    }
}

/// The words for a location that has as many nodes as were planned, but not the same ones. `None` for any other.
fn other_nodes(was: Option<&State<'_>>, is: Option<&State<'_>>) -> Option<String> {
    let (Some(State::Planned(was)), Some(State::Planned(is))) = (was, is) else {
        return None;
    };
    let short = |planned: &PlannedLocation| Some(planned.nodes_digest.as_ref()?.short().to_owned());
    (was.nodes == is.nodes && was.nodes_digest != is.nodes_digest).then(|| {
        format!(
            "as many nodes as before, and not the same ones (digest {}, was {}){}",
            short(is).as_deref().unwrap_or("none"),
            short(was).as_deref().unwrap_or("none"),
            who(Some(&State::Planned(was)), Some(&State::Planned(is)))
        )
    })
}

/// Which nodes left and which came, where both plans name their nodes.
fn who(was: Option<&State<'_>>, is: Option<&State<'_>>) -> String {
    let ids = |state: Option<&State<'_>>| match state {
        Some(State::Planned(planned)) => Some(planned.node_ids.as_ref()?.nodes()),
        _ => None,
    };
    let (Some(was), Some(is)) = (ids(was), ids(is)) else {
        return String::new();
    };
    let list = |verb: &str, some: BTreeSet<&NodeId>| match some.is_empty() {
        true => String::new(),
        false => format!("; {verb}: {}", names(some)),
    };
    let (left, came) = (was.difference(&is).collect(), is.difference(&was).collect());
    list("left", left) + &list("came", came)
}

enum State<'a> {
    Planned(&'a PlannedLocation),
    Skipped(&'a Skip),
}

impl PartialEq for State<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Planned(a), Self::Planned(b)) => a == b,
            (Self::Skipped(a), Self::Skipped(b)) => (a.reason, a.cause) == (b.reason, b.cause),
            _ => false,
        }
    }
}

impl State<'_> {
    fn in_words(&self) -> String {
        match self {
            Self::Planned(planned) => {
                let nodes = match planned.nodes {
                    None => "nodes not counted".to_owned(),
                    Some(n) => format!(
                        "{} EC2 and {} hybrid, {} online, {} offline, {} unmanaged",
                        n.ec2, n.hybrid, n.online, n.offline, n.unmanaged
                    ),
                };
                match planned.kept {
                    None => format!("planned ({nodes})"),
                    Some(reason) => format!("planned though {}", reason.as_str()),
                }
            }
            Self::Skipped(skip) => match skip.cause {
                None => format!("skipped ({})", skip.reason.as_str()),
                Some(cause) => format!("skipped ({}: {})", skip.reason.as_str(), cause.as_str()),
            },
        }
    }
}
