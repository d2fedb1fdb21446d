//! Rows that are not those that the log counts: the store lacks some, or has others. Drivers that keep rows of one location at once
//! may write over each other's, as its rows are kept as one.

use super::read_results::named_until;
use super::{Drive, DriveError, StillUnread};
use crate::campaign::STORE_CALLS_AT_ONCE;
use crate::campaign::collect::{by, nodes};
use crate::campaign::notice::Tried;
use crate::campaign::polls::later;
use crate::campaign::state::{RowOwners, Settled};
use crate::id::{Location, NodeId, NodeSet, UnitId};
use crate::outcome::{NodeOutcome, NodeRow, Tally};
use crate::port::PortResult;
use crate::problem::chain;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// How often the rows of a location are looked at again after they were kept. Each further look means that somebody else
/// wrote over them meanwhile.
const LOOKS: usize = 5;

/// How long that look keeps a campaign that is over from being finished, at most. It is shorter if its driver stops for
/// now before. Without that, whoever drives it in short turns, as a function does, would never finish it. What is missing
/// then, `collect` reads.
const CHECKED_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// How many locations are looked at before what they lack is mended.
const LOOKED_AT_TOGETHER: usize = 1_000;

/// How long rows are mended where the driver stops for now, at most.
const MENDED_FOR_NOW_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// How many rows are looked at, at most, where each way is tried to deal out what the log counts. With 50 nodes these are 2,000 ways.
const MOST_DEALT: usize = 100_000;

/// Why a row says no more than the log.
const LOST: &str = "its row was lost, and its result could not be read again";

/// What came of a look at all rows.
#[derive(Default)]
pub(super) struct Mended {
    /// The locations that have a row of each node again.
    pub(super) whole: BTreeSet<Location>,
    /// Those in which nodes have no row, or one that says no more than the log.
    pub(super) lost: Vec<StillUnread>,
    /// Whether the store did not answer, so that not all was looked at.
    pub(super) has_failed: bool,
}

impl Drive<'_> {
    /// Sees before a campaign is finished that each node of a location that several units share has its row. Once the log
    /// has gone on, it is to be seen again.
    pub(super) async fn check_rows(&mut self) {
        let before = self.state.next_seq();
        let all = self.settled_locations();
        let is_likely = |at: &Location| self.rows_doubted.contains(at) || self.state.units_at(at).count() > 1;
        let (likely, mut others): (BTreeSet<_>, BTreeSet<_>) = all.into_iter().partition(is_likely);
        if !self.has_company {
            others.clear();
        }
        let is_long = self.has_time_for_rows();
        let mended = self.mend_in_time([likely, others].into()).await;
        let now = self.state.next_seq();
        let is_seen = match mended {
            Some(mended) if mended.has_failed => true,
            Some(_) => {
                self.rows_doubted.clear();
                now == before
            }
            None => is_long,
        };
        self.rows_checked_at = is_seen.then_some(now);
    }

    /// Whether the look has as much time now as it ever has. A driver that stops for now soon leaves it to the next, which
    /// begins with it.
    fn has_time_for_rows(&self) -> bool {
        let now = self.now();
        self.began_over == Some(true)
            || self.stops_at.is_none_or(|stops_at| {
                let left = stops_at.duration_since(now);
                let gone = now.duration_since(self.opened_at);
                left >= CHECKED_WITHIN || left >= gone.saturating_mul(10)
            })
    }

    /// What came of it, if all was looked at in time.
    async fn mend_in_time(&mut self, locations: Vec<BTreeSet<Location>>) -> Option<Mended> {
        let clock = self.driver.clock.clone();
        let until = named_until(clock.now(), CHECKED_WITHIN, self.stops_at);
        // In a box, as what is awaited below it is deep for whoever awaits a whole run.
        by(&*clock, until, self.mend_rows(locations).boxed()).await
    }

    /// Sees that nothing is lost under the rows that this driver kept while somebody else wrote into the log. The campaign is
    /// over, and whoever ended it may not have seen them.
    pub(super) async fn mend_doubted_rows(&mut self) {
        let locations = self.take_doubted();
        // What cannot be kept here, `collect` keeps.
        let _ = self.mend_in_time(vec![locations]).await;
    }

    /// The same where the driver stops for now: nobody else has its doubts.
    pub(super) async fn mend_doubted_for_now(&mut self) {
        let locations = self.take_doubted();
        if !locations.is_empty() {
            let clock = self.driver.clock.clone();
            let until = later(clock.now(), MENDED_FOR_NOW_WITHIN);
            let _ = by(&*clock, until, self.mend_rows(vec![locations]).boxed()).await;
        }
    }

    fn take_doubted(&mut self) -> BTreeSet<Location> {
        let mut locations = self.settled_locations();
        locations.retain(|at| self.rows_doubted.contains(at));
        self.rows_doubted.clear();
        locations
    }

    /// Sees, once a campaign is over, that each node has its row.
    pub(super) async fn mend_all_rows(&mut self) -> Mended {
        match self.state.finished() {
            Some(_) => self.mend_rows(vec![self.settled_locations()]).boxed().await,
            None => Mended::default(),
        }
    }

    fn settled_locations(&self) -> BTreeSet<Location> {
        let settled = self.state.locations().filter(|(.., at)| at.settled.is_some());
        settled.map(|(_, location, _)| location.clone()).collect()
    }

    /// Compares the rows that are kept of each location with what the log says, some after the others. What is missing is read again
    /// and kept. Once the store does not answer for a location, it is not asked about more of them.
    async fn mend_rows(&mut self, locations: Vec<BTreeSet<Location>>) -> Mended {
        let mut mended = Mended::default();
        let locations: Vec<Location> = locations.into_iter().flatten().collect();
        for some in locations.chunks(LOOKED_AT_TOGETHER) {
            if self.mend_some(some, &mut mended).await.is_break() {
                break;
            }
        }
        mended
    }

    async fn mend_some(&mut self, locations: &[Location], mended: &mut Mended) -> ControlFlow<()> {
        let drive = &*self;
        let looks: Vec<_> = locations
            .iter()
            .map(|location| async move {
                let kept = drive.kept_patiently(location).await;
                kept.map(|kept| (location, !drive.lacking(location, &kept).is_empty()))
                    .map_err(|error| (location, error))
            })
            .collect();
        let mut looks = stream::iter(looks).buffer_unordered(STORE_CALLS_AT_ONCE);
        let (mut lacking, mut goes_on) = (vec![], ControlFlow::Continue(()));
        while let Some(look) = looks.next().await {
            match look {
                Ok((location, lacks)) => lacking.extend(lacks.then(|| location.clone())),
                Err((location, error)) => {
                    mended.has_failed = true;
                    let (location, reason) = (location.clone(), error.chain());
                    mended.lost.push(StillUnread { location, reason });
                    if error.kind().is_transient() {
                        goes_on = ControlFlow::Break(());
                        break;
                    }
                }
            }
        }
        drop(looks);
        for location in lacking {
            if let Err(error) = self.mend_location(&location, mended).await {
                let reason = chain(&error);
                mended.has_failed = true;
                mended.lost.push(StillUnread { location, reason });
                return ControlFlow::Break(());
            }
        }
        goes_on
    }

    /// Sees that a location has its rows, and keeps them if it lacks some.
    pub(super) async fn mend_location(
        &mut self,
        location: &Location,
        mended: &mut Mended,
    ) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let failed = |source| DriveError::Rows { campaign, source };
        let (mut lost, mut others) = (BTreeMap::new(), BTreeSet::<UnitId>::new());
        let mut any = false;
        for look in 0..=LOOKS {
            let kept = self.kept_patiently(location).await.map_err(failed)?;
            let mut lacking = self.lacking(location, &kept);
            // What could not be made whole a moment ago cannot be now.
            lacking.retain(|unit, _| lost.get(unit).is_none_or(|lost| *lost == 0) && !others.contains(unit));
            let mut new = vec![];
            for (unit, before) in lacking {
                let mut made = None;
                if look < LOOKS {
                    let read = self.read_alone(unit, location).await;
                    let read = read.map_or_else(|_| vec![], |settlement| settlement.rows);
                    made = self.made_whole(unit, location, read, &before);
                }
                let Some(made) = made else {
                    others.insert(unit);
                    continue;
                };
                let by_log = made.iter().filter(|row| is_by_the_log(row)).count();
                lost.insert(unit, u32::try_from(by_log).unwrap_or(u32::MAX));
                if made != before {
                    new.push((unit, made));
                }
            }
            if new.is_empty() {
                break;
            }
            any = true;
            let new = new.iter().map(|(unit, rows)| (*unit, rows.as_slice())).collect();
            self.put_rows(location, new, None).await.map_err(failed)?;
            // Somebody may have kept rows meanwhile, and these may lie over them.
            self.catch_up().await?;
        }
        let lost = lost.into_values().fold(0_u32, u32::saturating_add);
        if lost > 0 || !others.is_empty() {
            let reason = match others.is_empty() {
                true => format!("the rows of {} were lost, and could not be read again", nodes(lost)),
                false => "rows of its nodes are missing or are not those that the log counts, and could not be read again".to_owned(),
            };
            let location = location.clone();
            mended.lost.push(StillUnread { location, reason });
        } else if any {
            mended.whole.insert(location.clone());
        }
        Ok(())
    }

    async fn kept_patiently(&self, location: &Location) -> PortResult<Vec<NodeRow>> {
        let subject = location.to_string();
        let patience = self.driver.patience(Tried::KeptRows, &subject);
        patience.call(|| self.kept(location), |_| false).await
    }

    /// The settled units of a location whose rows are not those that the log counts, or say no more than it, with those that are
    /// kept.
    fn lacking(&self, location: &Location, kept: &[NodeRow]) -> BTreeMap<UnitId, Vec<NodeRow>> {
        let mut lacking = self.state.rows_by_unit(location, kept);
        lacking.retain(|unit, rows| {
            let is_other = !self.state.has_rows(*unit, location, rows);
            is_other || rows.iter().any(is_by_the_log)
        });
        lacking
    }

    fn came_to(&self, unit: UnitId, location: &Location) -> Option<&Settled> {
        let unit = self.state.units().get(&unit)?;
        unit.locations.get(location)?.settled.as_ref()
    }

    /// The rows that the log counts, out of those from before and those that were read now.
    ///
    /// A row that says something else than the log would have a node patched again that is done. So nothing is guessed: rows
    /// are these only if the log's digest says so. A node whose result reads otherwise by now, or not at all, gets a row by the log
    /// if few enough ways are left to deal out what the log counts that all can be tried.
    pub(super) fn made_whole(
        &self,
        unit: UnitId,
        location: &Location,
        read: Vec<NodeRow>,
        before: &[NodeRow],
    ) -> Option<Vec<NodeRow>> {
        let log = self.came_to(unit, location)?;
        let digest = log.rows.as_ref()?;
        let is_it = |rows: &[NodeRow]| NodeRow::digest(rows).as_ref() == Some(digest);
        let kept: Vec<NodeRow> = before.iter().filter(|row| !is_by_the_log(row)).cloned().collect();
        // Of a node that the log does not have, such as one that was registered since, nothing is wanted.
        let mut read = read;
        read.retain(|row| log.nodes.count(row.outcome) > 0 || kept.iter().any(|one| one.node == row.node));
        let whole = [
            beside(&kept, &read),
            beside(&read, &kept),
            read.clone(),
            kept.clone(),
        ];
        if let Some(rows) = whole.into_iter().find(|rows| is_it(rows)) {
            return Some(rows);
        }
        let mut known = self.known_nodes(unit, location);
        known.extend(kept.iter().chain(&read).map(|row| row.node.clone()));
        let outcomes = |rows: &[NodeRow]| -> BTreeMap<NodeId, NodeOutcome> {
            rows.iter().map(|row| (row.node.clone(), row.outcome)).collect()
        };
        let (of_kept, of_read) = (outcomes(&kept), outcomes(&read));
        let mut agreed = beside(&kept, &read);
        agreed.retain(|row| {
            let is_same = |of: &BTreeMap<NodeId, NodeOutcome>| {
                of.get(&row.node).is_none_or(|outcome| *outcome == row.outcome)
            };
            is_same(&of_kept) && is_same(&of_read)
        });
        let dealt = [agreed, kept, read, vec![]]
            .into_iter()
            .find_map(|told| dealt(&log.nodes, told, &known, &is_it));
        let before_is_it = is_it(before).then(|| before.to_vec());
        dealt.or(before_is_it)
    }

    /// The nodes of a unit in a location, as far as the plan and the log name them.
    fn known_nodes(&self, unit: UnitId, location: &Location) -> BTreeSet<NodeId> {
        let named = self.state.units().get(&unit).map(|unit| unit.named.clone());
        let mut known = named.unwrap_or_default();
        if self.state.speaks_for(location) == Some(unit)
            && let Some(planned) = self.state.planned(location)
        {
            let owners = RowOwners::of(&self.state, location);
            let ids = planned.node_ids.as_ref().map(NodeSet::nodes).unwrap_or_default();
            let all = ids.into_iter().chain(planned.left_out.iter().cloned());
            known.extend(all.filter(|node| owners.owner(node) == Some(unit)));
        }
        known
    }
}

/// These rows, and those of other nodes.
fn beside(rows: &[NodeRow], others: &[NodeRow]) -> Vec<NodeRow> {
    let all = others.iter().chain(rows).map(|row| (&row.node, row));
    let all: BTreeMap<&NodeId, &NodeRow> = all.collect();
    all.into_values().cloned().collect()
}

/// The rows that the log means: these, and one by the log of each other node that is known. Where the log counts fewer nodes of an
/// outcome than there are rows, nobody can say which of these rows are true, and none of them is taken.
fn dealt(
    log: &Tally,
    mut told: Vec<NodeRow>,
    known: &BTreeSet<NodeId>,
    is_it: &impl Fn(&[NodeRow]) -> bool,
) -> Option<Vec<NodeRow>> {
    let all: Tally = told.iter().map(|row| row.outcome).collect();
    told.retain(|row| all.count(row.outcome) <= log.count(row.outcome));
    let all: Tally = told.iter().map(|row| row.outcome).collect();
    let mut rest: Vec<NodeOutcome> = vec![];
    for (outcome, n) in log.iter() {
        let n = usize::try_from(n.saturating_sub(all.count(outcome))).ok()?;
        rest.extend(std::iter::repeat_n(outcome, n));
    }
    let have: BTreeSet<&NodeId> = told.iter().map(|row| &row.node).collect();
    let without: Vec<NodeId> = known
        .iter()
        .filter(|node| !have.contains(node))
        .cloned()
        .collect();
    let mut most = MOST_DEALT / known.len().max(1);
    if rest.len() != without.len() || ways(&rest, most) > most {
        return None;
    }
    rest.sort_unstable();
    let firm = told.len();
    loop {
        let by_log = without.iter().zip(&rest);
        told.truncate(firm);
        told.extend(by_log.map(|(node, outcome)| by_the_log(node.clone(), *outcome)));
        if is_it(&told) {
            told.sort_by(|a, b| a.node.cmp(&b.node));
            return Some(told);
        }
        most = most.checked_sub(1)?;
        if !next_way(&mut rest) {
            return None;
        }
    }
}

/// How many ways there are to deal these out; more than `most` if there are more than that.
fn ways(outcomes: &[NodeOutcome], most: usize) -> usize {
    let tally: Tally = outcomes.iter().copied().collect();
    let (mut ways, mut places) = (1_usize, 0_usize);
    for (_, n) in tally.iter() {
        // Of each outcome, as many ways as there are to choose its places among those so far and its own.
        for chosen in 1..=usize::try_from(n).unwrap_or(usize::MAX) {
            places = places.saturating_add(1);
            ways = ways.saturating_mul(places) / chosen;
            if ways > most {
                return ways;
            }
        }
    }
    ways
}

/// The next order of these, by their own order; `false` if there is none.
fn next_way(outcomes: &mut [NodeOutcome]) -> bool {
    let Some(at) = outcomes
        .windows(2)
        .rposition(|two| matches!(two, [a, b] if a < b))
    else {
        return false;
    };
    let (head, tail) = outcomes.split_at_mut(at + 1);
    let Some(last) = head.last_mut() else {
        return false;
    };
    if let Some(larger) = tail.iter_mut().rev().find(|one| **one > *last) {
        std::mem::swap(last, larger);
    }
    tail.reverse();
    true
}

/// Whether a row says no more than the log.
fn is_by_the_log(row: &NodeRow) -> bool {
    row.detail == LOST
}

/// The row of a node of which nothing is kept.
fn by_the_log(node: NodeId, outcome: NodeOutcome) -> NodeRow {
    NodeRow {
        node,
        outcome,
        joined: false,
        away: false,
        may_run_until: None,
        detail: LOST.to_owned(),
        installed: None,
        missing: None,
        failed: None,
        patches: None,
    }
}
