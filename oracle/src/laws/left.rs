//! What a campaign left is tried again: all of it, or for a reason not, or there is nothing.
//!
//! What became of nodes is what the campaign's own rows say, of which other laws hold that it is true. Which of them are still there
//! and selected, what others have done by then, and what is damaged, is the simulator's own state.

use super::asked::Asked;
use super::bounded::comes_to;
use super::pair;
use crate::draft::{Again, Draft, RUNBOOK, Selector, WAVES};
use crate::run::{Done, Run, Tried, Try};
use crate::starts::{Pair, place, time};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::CampaignError;
use patchfleet_core::id::NodeId;
use patchfleet_core::outcome::{LocationOutcome, NodeOutcome, NodeRow};
use patchfleet_core::refusal::{RefusalCode, RefusalReason, SkipReason};
use patchfleet_core::request;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How long before a freeze in which nothing may be alive the last start is made, at most.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(48);
/// The same of a freeze in which what runs may finish.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(10);

/// A campaign that was to be tried again, and the world then.
struct Left<'a> {
    run: &'a Run,
    /// The first campaign, and all before the try. The last of them is tried again.
    first: &'a Asked,
    before: &'a [&'a Done],
    tried: &'a Try,
    now: Timestamp,
    nodes: BTreeMap<&'a str, &'a Value>,
}

/// What a location was said to come to.
struct Told<'a> {
    at: Pair,
    rows: &'a [NodeRow],
    outcome: Option<LocationOutcome>,
    /// How many nodes of it are accounted for.
    total: usize,
}

pub(super) fn is_tried(run: &Run, first: &Asked, before: &[&Done], tried: &Try) {
    let nodes = tried.at["nodes"].as_array().unwrap().iter();
    let left = Left {
        run,
        first,
        before,
        tried,
        now: time(&tried.at["now"]),
        nodes: nodes.map(|node| (node["id"].as_str().unwrap(), node)).collect(),
    };
    match &tried.came {
        Tried::Nothing => {
            let surely = left.surely_taken();
            assert!(
                surely.is_empty(),
                "nothing was left to be tried again by {:?}, and {surely:?} were",
                tried.which
            );
        }
        Tried::Ran(retry) => left.takes_all(retry),
        Tried::Refused(CampaignError::Refused(refusal)) => {
            for reason in &refusal.reasons {
                assert!(left.is_right(reason), "refused without a reason: {reason:?}");
            }
        }
        Tried::Refused(other) => panic!("a retry was not planned: {other}: {other:?}"),
    }
}

impl<'a> Left<'a> {
    fn of(&self) -> &'a Done {
        self.before[self.before.len() - 1]
    }

    fn told(&self) -> Vec<Told<'a>> {
        let ended = &self.of().ended;
        let reports = ended.report.locations.iter();
        let reports: BTreeMap<Pair, _> = reports
            .map(|one| ((one.account.to_string(), one.region.to_string()), one))
            .collect();
        let told = ended.rows.iter().map(|(location, rows)| {
            let at = pair(location);
            let report = reports.get(&at);
            Told {
                rows,
                outcome: report.and_then(|report| report.outcome),
                total: report.map_or(0, |report| report.nodes.total() as usize),
                at,
            }
        });
        told.collect()
    }

    /// Whether a node is still selected by the request, and registered.
    fn is_there(&self, id: &str) -> bool {
        let node = self.nodes[id];
        let is_selected = match self.run.draft.wish.selector {
            Selector::Group => {
                let groups = node["groups"].as_array().unwrap();
                groups.iter().any(|group| group == "Web") && !self.is_done("delete_group", |_| true)
            }
            Selector::Tags => node["tags"]["Env"] == "prod",
            Selector::AllManaged => true,
            Selector::NodeIds => self.run.draft.selected().iter().any(|(known, _)| known == id),
        };
        is_selected && node["managed"] == true
    }

    /// Whether others had done something of this kind by then, that touched something.
    fn is_done(&self, kind: &str, is_that: impl Fn(&Value) -> bool) -> bool {
        let mut changes = self.tried.at["changes"].as_array().unwrap().iter();
        changes.any(|one| {
            let change = &one["change"][kind];
            !change.is_null() && one["touched"] != 0 && is_that(change)
        })
    }

    /// Whether what was begun on a lost node may be at work still.
    fn may_run(&self, row: &NodeRow) -> bool {
        row.may_run_until.is_some_and(|until| until > self.now)
    }

    /// The nodes that have to be tried again, by what was said of them.
    fn surely_taken(&self) -> BTreeSet<String> {
        let which = self.tried.which;
        let mut surely = BTreeSet::new();
        for told in self.told() {
            let doing = self.first.at(&told.at);
            // What ran until the window closed may be left for another reason.
            let of_window = told.outcome == Some(LocationOutcome::NotStarted)
                && told.rows.iter().all(|row| row.outcome == NodeOutcome::NotRun);
            let takes = |row: &NodeRow| match (which, row.outcome) {
                (Again::Unreached, NodeOutcome::Unreached) => row.away,
                (Again::Unreached, _) => false,
                (Again::NotRun, NodeOutcome::NotRun) => of_window,
                (Again::NotRun, _) => false,
                (Again::Failed, outcome) => match outcome {
                    NodeOutcome::NotRun | NodeOutcome::Unreached | NodeOutcome::Failed => true,
                    NodeOutcome::Lost => !self.may_run(row),
                    NodeOutcome::PendingReboot => doing.installs && doing.reboot == "RebootIfNeeded",
                    _ => false,
                },
            };
            let named = told.rows.iter().filter(|row| takes(row));
            surely.extend(named.map(|row| row.node.to_string()));
            // Nothing was begun there, and nobody had read which nodes it has.
            let is_whole = told.outcome == Some(LocationOutcome::NotStarted) && told.rows.is_empty();
            if is_whole && which != Again::Unreached {
                let all = self.nodes.iter().filter(|(_, node)| place(node) == told.at);
                surely.extend(all.map(|(id, _)| (*id).to_owned()));
            }
        }
        surely.retain(|id| self.is_there(id));
        surely
    }

    /// A further campaign names every node that has to be tried again.
    fn takes_all(&self, retry: &Run) {
        let done = retry.result.as_ref().unwrap();
        let request::Selector::NodeIds(named) = &done.plan.request.targets.selector else {
            panic!("a further campaign names no nodes");
        };
        let named: BTreeSet<&str> = named.iter().map(NodeId::as_str).collect();
        // Which nodes are selected in a location of the last wave may not be told. The window of the others does not wait for that.
        let unread = done.plan.skipped.iter().filter(|skip| {
            let at = pair(&skip.location());
            let is_last = self
                .first
                .waves
                .get(&at)
                .is_none_or(|wave| *wave == self.run.draft.wish.waves.len());
            self.tried.which == Again::NotRun
                && skip.reason == SkipReason::Unknown
                && is_last
                && self.is_denied(&["resource-groups:ListGroupResources"])
        });
        let unread: BTreeSet<Pair> = unread.map(|skip| pair(&skip.location())).collect();
        for id in self.surely_taken() {
            assert!(
                named.contains(id.as_str()) || unread.contains(&place(self.nodes[id.as_str()])),
                "{id} is not tried again by {:?}: {:?} at {}",
                self.tried.which,
                self.told()
                    .iter()
                    .flat_map(|told| told.rows)
                    .find(|row| row.node.as_str() == id),
                self.now
            );
        }
    }

    /// Whether others had taken a role away by then, or one of its rights to these actions.
    fn is_denied(&self, actions: &[&str]) -> bool {
        self.is_done("role", |role| {
            let denied = role["deny"].as_array().into_iter().flatten();
            let mut denied = denied.filter_map(Value::as_str);
            role["state"] == "missing" || denied.any(|action| actions.contains(&action))
        })
    }

    fn is_right(&self, reason: &RefusalReason) -> bool {
        let (draft, wish) = (&self.run.draft, &self.run.draft.wish);
        match reason.code {
            RefusalCode::NotRetried => self.is_not_retried(reason),
            RefusalCode::Alarm => {
                let alarm = wish.breaker.as_ref().and_then(|breaker| breaker.alarm.as_ref());
                let mut periods = alarm.into_iter().flat_map(|alarm| alarm.goes_off(draft.start()));
                periods.any(|(from, to)| from <= self.now && self.now < to)
            }
            RefusalCode::Frozen => {
                let start = draft.start();
                let until = |span| self.now.checked_add(span).unwrap();
                wish.freezes.iter().any(|freeze| {
                    let span = if freeze.expires { LONGEST_LIFE } else { ON_ITS_WAY };
                    freeze.holds_between(start, self.now, until(span))
                })
            }
            RefusalCode::CensusUnknown => self.is_denied(&["resource-groups:ListGroupResources"]),
            RefusalCode::ResultsUnreadable => {
                self.is_denied(&["ssm:DescribeInstancePatchStates", "ssm:ListCommandInvocations"])
            }
            RefusalCode::RunbookMissing => self.is_done("delete_document", |of| of["name"] == RUNBOOK),
            RefusalCode::RunbookDiffers => {
                self.is_done("update_document", |of| of["document"]["name"] == RUNBOOK)
                    || self.is_done("create_document", |of| of["name"] == RUNBOOK)
            }
            RefusalCode::WaveEmpty => self.is_guard_gone(reason),
            RefusalCode::FleetBudget => self.is_fleet_used_up(),
            RefusalCode::LabelBudget => self.is_label_used_up(),
            _ => false,
        }
    }

    /// What was said of the locations of a wave.
    fn told_of(&self, wave: &str) -> Option<Vec<Told<'a>>> {
        let number = WAVES.iter().position(|name| *name == wave)?;
        let planned = self.of().plan.locations.iter();
        let of_wave = planned.filter(|one| one.wave as usize == number + 1);
        let there: BTreeSet<Pair> = of_wave.map(|one| pair(&one.location())).collect();
        let told = self.told().into_iter();
        Some(told.filter(|told| there.contains(&told.at)).collect())
    }

    /// Nothing of a wave is left that could be tried: each node that has to be tried again and answers is in another. And it did not do
    /// well.
    fn is_guard_gone(&self, reason: &RefusalReason) -> bool {
        let wave = reason.subject.strip_prefix("wave ");
        let Some(told) = wave.and_then(|wave| self.told_of(wave)) else {
            return false;
        };
        let is_bad = told.iter().any(|told| {
            let fine = |row: &NodeRow| matches!(row.outcome, NodeOutcome::Done | NodeOutcome::PendingReboot);
            told.total == 0 || told.rows.len() < told.total || !told.rows.iter().all(fine)
        });
        let surely = self.surely_taken();
        let mut answering = surely
            .iter()
            .filter(|id| self.nodes[id.as_str()]["online"] == true);
        let is_there = |id: &String| {
            let at = place(self.nodes[id.as_str()]);
            told.iter().any(|told| told.at == at)
        };
        is_bad && !answering.any(is_there)
    }

    /// Something of a wave did not do well, and is not tried again or does not answer. In a retry that was not run, what is left of the
    /// campaign before it did not do well either.
    fn is_not_proved(&self, wave: &str) -> bool {
        let Some(told) = self.told_of(wave) else {
            return false;
        };
        let surely = self.surely_taken();
        let is_tried = |row: &NodeRow| {
            surely.contains(row.node.as_str()) && self.nodes[row.node.as_str()]["online"] == true
        };
        told.iter().any(|told| {
            let is_bad = |row: &NodeRow| match row.outcome {
                NodeOutcome::Done | NodeOutcome::Unmanaged => false,
                NodeOutcome::NotRun => self.before.len() > 1,
                _ => true,
            };
            let mut left = told.rows.iter().filter(|row| is_bad(row) && !is_tried(row));
            left.next().is_some() || told.rows.len() < told.total || told.total == 0
        })
    }

    /// The names of some nodes are not known, a wave holds the later ones back, a location was skipped, or nobody knows whether what is
    /// left is at work.
    fn is_not_retried(&self, reason: &RefusalReason) -> bool {
        let told = self.told();
        if let Some(wave) = reason.subject.strip_prefix("wave ") {
            return self.is_not_proved(wave);
        }
        if reason.subject.starts_with("campaign ") {
            // Nothing can be tried, and on some nodes a command may be at work still.
            let mut rows = told.iter().flat_map(|told| told.rows);
            return self.surely_taken().is_empty() && rows.any(|row| row.outcome.is_unknown());
        }
        let is_it = |at: &Pair| reason.subject == format!("{}/{}", at.0, at.1);
        let Some(told) = told.iter().find(|told| is_it(&told.at)) else {
            let skipped = self.of().plan.skipped.iter();
            let mut skipped = skipped.map(|skip| (skip.account.to_string(), skip.region.to_string()));
            return self.before.len() > 1 && skipped.any(|at| is_it(&at));
        };
        let is_unknown = told.rows.len() < told.total || told.total == 0;
        is_unknown || told.rows.iter().any(|row| self.may_run(row))
    }

    /// The nodes that are damaged or may be, by the campaigns' rows. One that fails once more counts twice, which is cautious.
    fn damaged(&self) -> Vec<String> {
        let bad = |outcome| {
            matches!(
                outcome,
                NodeOutcome::Failed | NodeOutcome::Lost | NodeOutcome::Unknown | NodeOutcome::RunningAtExpiry
            )
        };
        let rows = self
            .before
            .iter()
            .flat_map(|done| done.ended.rows.values().flatten());
        let bad = rows.filter(|row| bad(row.outcome));
        bad.map(|row| row.node.to_string()).collect()
    }

    /// How many nodes are known by number alone.
    fn unnamed(&self) -> usize {
        let told = self.told();
        told.iter()
            .map(|told| told.total.saturating_sub(told.rows.len()))
            .sum()
    }

    fn listed(&self) -> impl Iterator<Item = String> {
        let first = self.before[0];
        let planned: BTreeSet<Pair> = first
            .plan
            .locations
            .iter()
            .map(|one| pair(&one.location()))
            .collect();
        let listed = self.run.draft.listed().into_iter();
        listed
            .filter(move |(_, place)| planned.contains(&Draft::location(*place)))
            .map(|(id, _)| id)
    }

    fn is_fleet_used_up(&self) -> bool {
        let Some(fleet) = self.run.draft.wish.fleet else {
            return false;
        };
        let (of, bad) = (self.listed().count(), self.damaged().len() + self.unnamed());
        let rows = self
            .before
            .iter()
            .flat_map(|done| done.ended.rows.values().flatten());
        let unreached = rows.filter(|row| row.outcome == NodeOutcome::Unreached).count();
        let is_unreached = fleet
            .unreached
            .is_some_and(|bound| unreached > comes_to(bound, of));
        let mut bounds = [fleet.damaged, fleet.in_flight].into_iter().flatten();
        is_unreached || bounds.any(|bound| bad >= comes_to(bound, of).max(1))
    }

    fn is_label_used_up(&self) -> bool {
        let Some(label) = self.run.draft.wish.label else {
            return false;
        };
        let value = |id: &str| self.nodes[id]["tags"]["Service"].as_str().unwrap_or("none");
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self.listed() {
            *all.entry(value(&id)).or_default() += 1;
        }
        let damaged = self.damaged();
        all.into_iter().any(|(service, of)| {
            let bad = damaged.iter().filter(|id| value(id) == service).count() + self.unnamed();
            let mut bounds = [label.damaged, label.in_flight].into_iter().flatten();
            bounds.any(|bound| bad >= comes_to(bound, of).max(1))
        })
    }
}
