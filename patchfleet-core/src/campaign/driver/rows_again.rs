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
    /// Those in which the row of some node says no more than the log.
    pub(super) lost: Vec<StillUnread>,
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
            Some(Ok(_)) => {
                self.rows_doubted.clear();
                now == before
            }
            Some(Err(_)) => true,
            None => is_long,
        };
        self.rows_checked_at = is_seen.then_some(now);
    }

    /// Whether the look has as much time now as it ever has. A driver that stops for now soon leaves it to the next, which
    /// begins with it.
    fn has_time_for_rows(&self) -> bool {
        let now = self.now();
        self.stops_at.is_none_or(|stops_at| {
            let left = stops_at.duration_since(now);
            let gone = now.duration_since(self.opened_at);
            left >= CHECKED_WITHIN || left >= gone.saturating_mul(10)
        })
    }

    async fn mend_in_time(&mut self, locations: BTreeSet<Location>) -> Option<Result<Mended, DriveError>> {
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
    pub(super) async fn mend_all_rows(&mut self) -> Result<Mended, DriveError> {
        match self.state.finished() {
            Some(_) => self.mend_rows(self.settled_locations()).boxed().await,
            None => Ok(Mended::default()),
        }
    }

    fn settled_locations(&self) -> BTreeSet<Location> {
        let settled = self.state.locations().filter(|(.., at)| at.settled.is_some());
        settled.map(|(_, location, _)| location.clone()).collect()
    }

    /// Compares the rows that are kept of each location with what the log says. What is missing is read again and kept.
    async fn mend_rows(&mut self, locations: BTreeSet<Location>) -> Result<Mended, DriveError> {
        let campaign = self.state.campaign();
        let failed = |source| DriveError::Rows { campaign, source };
        let drive = &*self;
        let looks: Vec<_> = locations
            .iter()
            .map(|location| async move {
                let kept = drive.kept_patiently(location).await?;
                let lacks = !drive.lacking(location, &kept).is_empty();
                Ok(lacks.then(|| location.clone()))
            })
            .collect();
        let looks = stream::iter(looks).buffer_unordered(STORE_CALLS_AT_ONCE);
        let lacking: Vec<Option<Location>> = looks.try_collect().await.map_err(failed)?;
        let mut mended = Mended::default();
        for location in lacking.into_iter().flatten() {
            self.mend_location(location, &mut mended).await?;
        }
        Ok(mended)
    }

    async fn mend_location(&mut self, location: Location, mended: &mut Mended) -> Result<(), DriveError> {
        let campaign = self.state.campaign();
        let failed = |source| DriveError::Rows { campaign, source };
        let (mut left, mut lost) = (BTreeSet::new(), BTreeMap::new());
        let mut any = false;
        for _ in 0..LOOKS {
            let kept = self.kept_patiently(&location).await.map_err(failed)?;
            let mut lacking = self.lacking(&location, &kept);
            lacking.retain(|unit, _| !left.contains(unit));
            let mut new = vec![];
            for (unit, before) in lacking {
                let read = self.read_again(unit, &location).await;
                let rows = read.map_or_else(|_| vec![], |reading| reading.settlement.rows);
                let made = self.made_whole(unit, &location, rows, &before);
                if !made.is_whole {
                    left.insert(unit);
                }
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
            self.put_rows(&location, new, None).await.map_err(failed)?;
            // Somebody may have kept rows meanwhile, and these may lie over them.
            self.catch_up().await?;
        }
        let lost = lost.into_values().fold(0_u32, u32::saturating_add);
        if lost > 0 {
            let reason = format!(
                "the rows of {} were lost, and could not be read again",
                nodes(lost)
            );
            mended.lost.push(StillUnread { location, reason });
        } else if any && left.is_empty() {
            mended.whole.insert(location);
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
            if let Some(settled) = settled {
                let rows = own.remove(&id).unwrap_or_default();
                let says_less = rows.iter().any(is_by_the_log);
                if says_less || Fitted::to(&settled.nodes, rows.clone()).rest.total() > 0 {
                    lacking.insert(id, rows);
                }
            }
        }
        lacking
    }

    /// What was read, beside the rows from before that it does not have, as far as they agree with the log, and a row from the
    /// log for each node that has none.
    fn made_whole(
        &self,
        unit: UnitId,
        location: &Location,
        mut rows: Vec<NodeRow>,
        before: &[NodeRow],
    ) -> MadeWhole {
        let read: BTreeSet<NodeId> = rows.iter().map(|row| row.node.clone()).collect();
        rows.extend(before.iter().filter(|row| !read.contains(&row.node)).cloned());
        let units = self.state.units();
        let at = units.get(&unit).and_then(|unit| unit.locations.get(location));
        let log = at
            .and_then(|at| at.settled.as_ref())
            .map(|settled| &settled.nodes);
        let fitted = Fitted::to(log.unwrap_or(&Tally::default()), rows);
        let told: BTreeSet<NodeId> = fitted.rows.iter().map(|row| row.node.clone()).collect();
        let mut without = self.known_nodes(unit, location);
        without.extend(fitted.others.iter().map(|row| row.node.clone()));
        without.retain(|node| !told.contains(node));
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let outcomes: Vec<NodeOutcome> = fitted.rest.iter().map(|(outcome, _)| outcome).collect();
        let total = fitted.rest.total();
        let mut rows = fitted.rows;
        match *outcomes {
            [outcome] if count(without.len()) <= total => {
                rows.extend(without.into_iter().map(|node| by_the_log(node, outcome)));
            }
            // Nobody can say which of the nodes the log counts, or as what. A retry is refused while they have no row: one that
            // says something else than the log would have a node patched again that is done.
            _ => rows.extend(before.iter().filter(|row| !told.contains(&row.node)).cloned()),
        }
        let lost = count(rows.iter().filter(|row| is_by_the_log(row)).count()).max(total);
        rows.sort_by(|a, b| a.node.cmp(&b.node));
        let is_whole = total == 0;
        MadeWhole { rows, lost, is_whole }
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
    /// Whether all agree with the log without that.
    is_whole: bool,
}

/// Rows beside what the log counts.
struct Fitted {
    /// Those that it counts.
    rows: Vec<NodeRow>,
    /// Those that say what it does not.
    others: Vec<NodeRow>,
    /// What it counts beside them.
    rest: Tally,
}

impl Fitted {
    /// A row may say more than the log, which has the node as unknown then.
    fn to(log: &Tally, rows: Vec<NodeRow>) -> Self {
        let mut left: BTreeMap<NodeOutcome, u32> = log.iter().collect();
        let mut take = |outcome| {
            let n = left.get_mut(&outcome).filter(|n| **n > 0);
            n.map(|n| *n = n.saturating_sub(1)).is_some()
        };
        let (mut rows, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| take(row.outcome));
        let (more, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|row| {
            let says_more = !row.outcome.is_unknown();
            says_more && (take(NodeOutcome::Unknown) || take(NodeOutcome::RunningAtExpiry))
        });
        rows.extend(more);
        let mut rest = Tally::default();
        for (outcome, n) in left {
            rest.add(outcome, n);
        }
        Self { rows, others, rest }
    }
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
        detail: LOST.to_owned(),
        installed: None,
        missing: None,
        failed: None,
        patches: None,
    }
}
