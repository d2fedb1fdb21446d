//! Rows that the log counts and the store lacks. Drivers that keep rows of one location at once may write over each
//! other's, as its rows are kept as one.

use super::read_results::named_until;
use super::{Drive, DriveError, StillUnread};
use crate::campaign::collect::{by, nodes};
use crate::campaign::notice::Tried;
use crate::campaign::{STORE_CALLS_AT_ONCE, State};
use crate::id::{Location, NodeId, NodeSet, UnitId};
use crate::outcome::{NodeOutcome, NodeRow, Tally};
use crate::port::PortResult;
use crate::problem::chain;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// How often the rows of a location are looked at again after they were kept. Each further look means that somebody else
/// wrote over them meanwhile.
const LOOKS: usize = 5;

/// How long that look keeps a campaign that is over from being finished, at most. It is shorter if its driver stops for
/// now before: whoever drives it in short turns, as a function does, would never finish it otherwise. What is missing
/// then, `collect` reads.
const CHECKED_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// Why a row says no more than the log.
const LOST: &str = "its row was lost, and its result could not be read again";

/// Which unit of a location has the row of which node.
pub(super) struct Owners<'s> {
    named: BTreeMap<&'s NodeId, UnitId>,
    /// Has the nodes that none names.
    rest: Option<UnitId>,
}

impl<'s> Owners<'s> {
    pub(super) fn of(state: &'s State, location: &Location) -> Self {
        let there = state.units_at(location);
        let named = there.flat_map(|(id, unit)| unit.named.iter().map(move |node| (node, id)));
        Self {
            named: named.collect(),
            rest: state.speaks_for(location),
        }
    }

    pub(super) fn owner(&self, node: &NodeId) -> Option<UnitId> {
        self.named.get(node).copied().or(self.rest)
    }
}

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
        let mut locations = self.settled_locations();
        locations.retain(|at| self.rows_doubted.contains(at) || self.state.units_at(at).count() > 1);
        let is_long = self.has_time_for_rows();
        let mended = self.mend_in_time(locations).await;
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
    async fn mend_in_time(&mut self, locations: BTreeSet<Location>) -> Option<Mended> {
        let clock = self.driver.clock.clone();
        let until = named_until(clock.now(), CHECKED_WITHIN, self.stops_at);
        // In a box, as what is awaited below it is deep for whoever awaits a whole run.
        by(&*clock, until, self.mend_rows(locations).boxed()).await
    }

    /// Sees that nothing is lost under the rows that this driver kept while somebody else wrote into the log. The campaign is
    /// over, and whoever ended it may not have seen them.
    pub(super) async fn mend_doubted_rows(&mut self) {
        let mut locations = self.settled_locations();
        locations.retain(|at| self.rows_doubted.contains(at));
        self.rows_doubted.clear();
        // What cannot be kept here, `collect` keeps.
        let _ = self.mend_in_time(locations).await;
    }

    /// Sees, once a campaign is over, that each node has its row.
    pub(super) async fn mend_all_rows(&mut self) -> Mended {
        match self.state.finished() {
            Some(_) => self.mend_rows(self.settled_locations()).boxed().await,
            None => Mended::default(),
        }
    }

    fn settled_locations(&self) -> BTreeSet<Location> {
        let settled = self.state.locations().filter(|(.., at)| at.settled.is_some());
        settled.map(|(_, location, _)| location.clone()).collect()
    }

    /// Compares the rows that are kept of each location with what the log says. What is missing is read again and kept. A
    /// store that does not answer for one location is not asked about the next.
    async fn mend_rows(&mut self, locations: BTreeSet<Location>) -> Mended {
        let drive = &*self;
        let looks: Vec<_> = locations
            .iter()
            .map(|location| async move {
                let kept = drive.kept_patiently(location).await;
                let kept = kept.map_err(|error| StillUnread {
                    location: location.clone(),
                    reason: error.chain(),
                })?;
                let lacks = !drive.lacking(location, &kept).is_empty();
                Ok(lacks.then(|| location.clone()))
            })
            .collect();
        let looks = stream::iter(looks).buffer_unordered(STORE_CALLS_AT_ONCE);
        let lacking: Result<Vec<Option<Location>>, StillUnread> = looks.try_collect().await;
        let mut mended = Mended::default();
        let lacking = lacking.unwrap_or_else(|failed| {
            mended.has_failed = true;
            mended.lost.push(failed);
            vec![]
        });
        for location in lacking.into_iter().flatten() {
            if let Err(error) = self.mend_location(&location, &mut mended).await {
                let reason = chain(&error);
                mended.has_failed = true;
                mended.lost.push(StillUnread { location, reason });
                break;
            }
        }
        mended
    }

    async fn mend_location(&mut self, location: &Location, mended: &mut Mended) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let failed = |source| DriveError::Rows { campaign, source };
        let mut lost = BTreeMap::new();
        let mut any = false;
        for _ in 0..LOOKS {
            let kept = self.kept_patiently(location).await.map_err(failed)?;
            let mut lacking = self.lacking(location, &kept);
            // What could not be made whole a moment ago cannot be now.
            lacking.retain(|unit, _| lost.get(unit).is_none_or(|lost| *lost == 0));
            let mut new = vec![];
            for (unit, before) in lacking {
                let read = self.read_alone(unit, location).await;
                let rows = read.map_or_else(|_| vec![], |settlement| settlement.rows);
                let made = self.made_whole(unit, location, rows, &before);
                lost.insert(unit, made.lost);
                if made.rows != before {
                    new.push((unit, made.rows));
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
        if lost > 0 {
            let reason = format!(
                "the rows of {} were lost, and could not be read again",
                nodes(lost)
            );
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

    /// The settled units of a location of which rows are missing, with those that are kept.
    fn lacking(&self, location: &Location, kept: &[NodeRow]) -> BTreeMap<UnitId, Vec<NodeRow>> {
        let owners = Owners::of(&self.state, location);
        let mut own: BTreeMap<UnitId, Vec<NodeRow>> = BTreeMap::new();
        for row in kept {
            if let Some(unit) = owners.owner(&row.node) {
                own.entry(unit).or_default().push(row.clone());
            }
        }
        let mut lacking = BTreeMap::new();
        for (id, unit) in self.state.units_at(location) {
            let settled = unit.locations.get(location).and_then(|at| at.settled.as_ref());
            // Of nodes that were never begun and have no names there is no row.
            let settled = settled.filter(|_| unit.is_begun() || !unit.named.is_empty());
            if let Some(settled) = settled {
                let rows = own.remove(&id).unwrap_or_default();
                let fitted = Fitted::to(&settled.nodes, rows.clone());
                if rows.iter().any(is_by_the_log) || !fitted.fits || fitted.rest.total() > 0 {
                    lacking.insert(id, rows);
                }
            }
        }
        lacking
    }

    /// The rows from before, and those that were read of the nodes that have none, where they are just what the log counts
    /// beside them.
    ///
    /// A row that says something else than the log would have a node patched again that is done. So nothing is guessed: where
    /// what was read is not what the log counts, a node gets a row by the log only if there is one thing that it can have come
    /// to. All others have no row, and a retry is refused meanwhile.
    fn made_whole(
        &self,
        unit: UnitId,
        location: &Location,
        read: Vec<NodeRow>,
        before: &[NodeRow],
    ) -> MadeWhole {
        let units = self.state.units();
        let at = units.get(&unit).and_then(|unit| unit.locations.get(location));
        let log = at
            .and_then(|at| at.settled.as_ref())
            .map(|settled| settled.nodes.clone())
            .unwrap_or_default();
        let kept = before.iter().filter(|row| !is_by_the_log(row));
        let Fitted { rows: kept, rest, .. } = Fitted::to(&log, kept.cloned().collect());
        let whole = |mut rows: Vec<NodeRow>, lost: u32| {
            rows.sort_by(|a, b| a.node.cmp(&b.node));
            MadeWhole { rows, lost }
        };
        let told: BTreeSet<NodeId> = kept.iter().map(|row| row.node.clone()).collect();
        let fresh: Vec<NodeRow> = read.into_iter().filter(|row| !told.contains(&row.node)).collect();
        let mut rows = kept;
        if fresh.iter().map(|row| row.outcome).collect::<Tally>() == rest {
            rows.extend(fresh);
            return whole(rows, 0);
        }
        let mut without = self.known_nodes(unit, location);
        without.retain(|node| !told.contains(node));
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let are_all = count(rows.len().saturating_add(without.len())) == log.total();
        let outcomes: Vec<NodeOutcome> = rest.iter().map(|(outcome, _)| outcome).collect();
        // A row may say more than the log where that does not know, and then what is left is not what the others came to.
        if let ([outcome], true, 0) = (&*outcomes, are_all, log.unknown()) {
            rows.extend(without.into_iter().map(|node| by_the_log(node, *outcome)));
        }
        whole(rows, rest.total())
    }

    /// The nodes of a unit in a location, as far as the plan and the log name them.
    fn known_nodes(&self, unit: UnitId, location: &Location) -> BTreeSet<NodeId> {
        let named = self.state.units().get(&unit).map(|unit| unit.named.clone());
        let mut known = named.unwrap_or_default();
        if self.state.speaks_for(location) == Some(unit)
            && let Some(planned) = self.state.planned(location)
        {
            let owners = Owners::of(&self.state, location);
            let ids = planned.node_ids.as_ref().map(NodeSet::nodes).unwrap_or_default();
            let all = ids.into_iter().chain(planned.left_out.iter().cloned());
            known.extend(all.filter(|node| owners.owner(node) == Some(unit)));
        }
        known
    }
}

/// The rows of a unit in a location.
struct MadeWhole {
    rows: Vec<NodeRow>,
    /// How many nodes have no row, or one that says no more than the log.
    lost: u32,
}

/// Rows beside what the log counts.
struct Fitted {
    /// All if they fit. Otherwise those whose outcome the log counts at least as often: where it counts fewer nodes than there are
    /// rows, nobody can say which of the rows is true.
    rows: Vec<NodeRow>,
    /// Whether the log counts a node for each row.
    fits: bool,
    /// What the log counts beside them.
    rest: Tally,
}

impl Fitted {
    /// A row may say more than the log, which has the node as unknown then.
    fn to(log: &Tally, rows: Vec<NodeRow>) -> Self {
        let told: Tally = rows.iter().map(|row| row.outcome).collect();
        let surplus = |outcome| told.count(outcome).saturating_sub(log.count(outcome));
        let more: u32 = told.iter().map(|(outcome, _)| surplus(outcome)).sum();
        let says_less = told
            .iter()
            .any(|(outcome, _)| outcome.is_unknown() && surplus(outcome) > 0);
        let not_told = |outcome: NodeOutcome| log.count(outcome).saturating_sub(told.count(outcome));
        let unknown = not_told(NodeOutcome::Unknown).saturating_add(not_told(NodeOutcome::RunningAtExpiry));
        let fits = !says_less && more <= unknown;
        let rows: Vec<NodeRow> = rows
            .into_iter()
            .filter(|row| fits || surplus(row.outcome) == 0)
            .collect();
        let mut more = if fits { more } else { 0 };
        let told: Tally = rows.iter().map(|row| row.outcome).collect();
        let mut rest = Tally::default();
        for (outcome, n) in log.iter() {
            let mut left = n.saturating_sub(told.count(outcome));
            if outcome.is_unknown() {
                let known = left.min(more);
                (left, more) = (left.saturating_sub(known), more.saturating_sub(known));
            }
            if left > 0 {
                rest.add(outcome, left);
            }
        }
        Self { rows, fits, rest }
    }
}

/// Whether a row says no more than the log.
pub(super) fn is_by_the_log(row: &NodeRow) -> bool {
    row.detail == LOST
}

/// The row of a node of which nothing is kept.
fn by_the_log(node: NodeId, outcome: NodeOutcome) -> NodeRow {
    NodeRow {
        node,
        outcome,
        joined: false,
        away: false,
        detail: LOST.to_owned(),
        installed: None,
        missing: None,
        failed: None,
        patches: None,
    }
}
