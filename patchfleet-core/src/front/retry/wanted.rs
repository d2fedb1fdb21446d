//! The nodes that a campaign has left, by name.

use super::{Retry, left};
use crate::campaign::State;
use crate::front::{CampaignError, Campaigns};
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::PortErrorKind;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::slip::{Slip, slips};
use crate::text::{by_number, counted};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What a location has of nodes to try again.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) named: BTreeSet<NodeId>,
    /// How many were not reached and may be at work all the same, so that they get no second attempt.
    pub(super) unsure: usize,
    /// What the campaign says of its nodes.
    pub(super) ended: BTreeMap<NodeId, NodeOutcome>,
    /// Nothing was begun there, and which nodes it had was not written down: all that are selected today.
    pub(super) whole: bool,
    /// How many lost nodes are not tried as what was begun there may be at work, and until when at the latest.
    pub(super) late: Option<(usize, Timestamp)>,
}

impl Campaigns {
    /// The nodes that are tried again, by location.
    pub(super) async fn wanted(
        &self,
        of: &State,
        which: Retry,
    ) -> Result<BTreeMap<Location, Wanted>, CampaignError> {
        let store = self.watched_store();
        let (mut all, mut reasons) = (BTreeMap::new(), vec![]);
        let names = of.named_by_location();
        let now = self.now();
        for (location, at) in left(of) {
            let goal = of.goal_at(&location);
            if !at.has_any(goal, which) {
                continue;
            }
            let rows = match store.rows.rows(of.campaign(), &location).await {
                Err(error) if error.kind() == PortErrorKind::Incompatible => vec![],
                rows => rows?,
            };
            let may_run = |row: &NodeRow| row.may_run_until.filter(|until| *until > now);
            let late = rows.iter().filter(|row| which.takes(row.outcome, goal));
            let late: Vec<Timestamp> = late.filter_map(may_run).collect();
            let taken = rows.iter().filter(|row| which.takes(row.outcome, goal));
            let (named, unsure): (Vec<_>, Vec<_>) =
                taken.partition(|row| which != Retry::Unreached || row.away || slips(Slip::TakesWhatMayRun));
            let taken = named.len();
            let named = named.into_iter().filter(|row| may_run(row).is_none());
            let (named, unsure): (BTreeSet<NodeId>, usize) =
                (named.map(|row| row.node.clone()).collect(), unsure.len());
            let ended = rows.iter().map(|row| (row.node.clone(), row.outcome)).collect();
            let known = u32::try_from(taken.saturating_add(unsure)).unwrap_or(u32::MAX);
            let unnamed = at.count(which, goal).saturating_sub(known);
            let is_whole = at.is_unbegun && which != Retry::Unreached;
            let whole = is_whole && (unnamed > 0 || at.nodes.total() == 0);
            // Rows that say something else than the log would have nodes patched again that are done.
            let of_units = of.rows_by_unit(&location, &rows);
            let is_other = |unit: UnitId, rows: &[NodeRow]| {
                let settled = of
                    .units()
                    .get(&unit)
                    .and_then(|unit| unit.locations.get(&location)?.settled.as_ref());
                let by_log = settled.into_iter().flat_map(|settled| settled.nodes.iter());
                let mut outcomes = by_log
                    .map(|(outcome, _)| outcome)
                    .chain(rows.iter().map(|row| row.outcome));
                outcomes.any(|outcome| which.takes(outcome, goal)) && !of.has_rows(unit, &location, rows)
            };
            let other = of_units.iter().find(|(unit, rows)| is_other(**unit, rows));
            let surplus = known.saturating_sub(at.count(which, goal));
            // Nothing was begun there: where the rows do not say who would have had a turn, the plan does. Its nodes alone are taken, as those
            // that are selected today may be done.
            if let Some(named) = names.get(&location)
                && at.is_unbegun
                && which != Retry::Unreached
                && (unnamed > 0 || surplus > 0 || other.is_some() || at.nodes.total() == 0)
            {
                let ended = named.iter().map(|node| ((*node).clone(), NodeOutcome::NotRun));
                let wanted = Wanted {
                    ended: ended.collect(),
                    named: named.iter().copied().cloned().collect(),
                    ..Wanted::default()
                };
                all.insert(location, wanted);
                continue;
            }
            if at.nodes.total() == 0 && !whole {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "it did not end well, and nothing is known of its nodes: `patchfleet collect {}` reads them again",
                        of.campaign()
                    ),
                });
            }
            if unnamed > 0 && !whole {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "the names of {} are not known: `patchfleet collect {}` reads them again",
                        counted(unnamed, "node"),
                        of.campaign()
                    ),
                });
            }
            if let Some((unit, _)) = other.filter(|_| unnamed == 0 && !whole) {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "the rows of its nodes are not those that the log counts of unit {unit}: `patchfleet collect {}` reads them again",
                        of.campaign()
                    ),
                });
            }
            if surplus > 0 && other.is_none() && !whole {
                reasons.push(RefusalReason {
                    code: RefusalCode::NotRetried,
                    subject: location.to_string(),
                    detail: format!(
                        "the rows of {} say that they are left, and the log does not: `patchfleet collect {}` reads them again",
                        counted(surplus, "node"),
                        of.campaign()
                    ),
                });
            }
            all.insert(
                location,
                Wanted {
                    named,
                    unsure,
                    ended,
                    whole,
                    late: late.iter().max().map(|until| (late.len(), *until)),
                },
            );
        }
        match reasons.is_empty() {
            true => Ok(all),
            false => Err(CampaignError::Refused(Refusal { reasons })),
        }
    }
}

/// That lost nodes of a location are not tried again for now.
pub(super) fn may_run_on(of: &State, location: &Location, (n, until): (usize, Timestamp)) -> RefusalReason {
    let once = match of.plan().fleet.is_some() || !of.plan().labels.is_empty() {
        true => {
            ". Wait until then: the campaign has bounds on nodes, so it is retried once and no second time"
        }
        false => "",
    };
    RefusalReason {
        code: RefusalCode::NotRetried,
        subject: location.to_string(),
        detail: format!(
            "{} {} not tried again before {until:.0}: {} silent when the command ended, and what that had begun may run on until then. \
             Once {} again, `patchfleet collect {}` finds out what it came to{once}",
            counted(n, "lost node"),
            by_number(n, "is", "are"),
            by_number(n, "its agent was", "their agents were"),
            by_number(n, "it answers", "they answer"),
            of.campaign(),
        ),
    }
}
