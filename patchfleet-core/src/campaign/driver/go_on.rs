//! Going on after somebody else's cancel, once a person says so.
//!
//! A person accepts what can be seen. So everything that was cancelled is looked for once more, and what is
//! cancelled later is another stop. The same look tells which locations a cancelled execution never began:
//! they get units of their own.

use super::trouble::of_unit;
use super::{Drive, DriveError, Driver};
use crate::campaign::Appended;
use crate::campaign::notice::{Awaited, Tried};
use crate::campaign::observe::{self, Below, Observed};
use crate::campaign::polls::later;
use crate::campaign::{Event, LOOK_UP_AFTER, READS_AT_ONCE, Replacement, TurnedUp};
use crate::id::{CampaignId, Location, UnitId};
use crate::pack::pack;
use crate::port::{ExecutionStatus, PortError, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

impl Driver {
    /// Writes down that a person wants a campaign to go on that stopped because somebody else had
    /// cancelled something of it. If it was over it is open again, and has its request's name. Drive
    /// it with [`run`](Self::run).
    ///
    /// Each execution of which something was cancelled is looked at once more, with what runs in its
    /// locations. The person accepts what is seen to be cancelled by then. What is cancelled later is another
    /// stop, and so is the late effect of a cancel that was on its way.
    ///
    /// The locations that such an execution never began are begun in new units. Where that cannot be seen,
    /// or the execution is not over yet, they stay where they are, and a person may say so again. If a later wave
    /// would begin before them, nothing goes on until they can be seen. A location
    /// in which an execution turns up after all is open again, and its results are read. That an
    /// execution is over for so long that everything below it is listed ([`LOOK_UP_AFTER`]) is waited for.
    ///
    /// # Errors
    ///
    /// [`DriveError::NothingToGoOn`] if it did not stop for that reason and nothing is left of a cancelled
    /// execution, or something else keeps what is left from being begun; [`DriveError::Unseen`] if such a rest
    /// cannot be looked at, and nothing else is left or a later wave would begin before it; as [`run`](Self::run) otherwise.
    pub async fn go_on(&self, campaign: CampaignId, by: &str) -> Result<(), DriveError> {
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        let mut over = BTreeMap::new();
        let said = drive.state.times_gone_on();
        loop {
            if !drive.state.may_go_on() {
                // Of two persons who say so at once, the second finds it said.
                return match drive.state.times_gone_on() > said {
                    true => Ok(()),
                    false => Err(drive.nothing_to_go_on()),
                };
            }
            let looks = drive.look(&mut over).await?;
            let alarms = looks.iter().filter_map(|look| {
                let (observed, _) = look.observed.as_ref()?;
                observed.stopped_for_alarm(&drive.state, look.unit)
            });
            let alarms: Vec<Event> = alarms.collect();
            if !alarms.is_empty() {
                // Nobody cancelled it, and nothing goes on after that.
                let _ = drive.append(alarms).await?;
                continue;
            }
            let listed = over.values().max().map(|over| later(*over, LOOK_UP_AFTER));
            if let Some(listed) = listed.filter(|listed| *listed > drive.now()) {
                self.notices.waits(Awaited::Listed, "", listed, self.clock.now());
                self.clock.sleep_until(listed).await;
                drive.catch_up().await?;
                continue;
            }
            let mut events = drive.cancels(&looks).await;
            let Rest { begin, found, unseen } = drive.replacements(&looks).await;
            for one in &found {
                let cancelled = drive.cancelled_of(one.of, &[&one.location]).await;
                events.extend(cancelled.into_iter().map(|at| Event::CancelledElsewhere {
                    unit: one.of,
                    location: Some(at),
                }));
            }
            let says_nothing = begin.is_empty()
                && found.is_empty()
                && events.is_empty()
                && drive.state.stopped_units().is_empty();
            match unseen {
                // What comes after it must not be begun before it.
                Some((unit, location, source)) if says_nothing || drive.comes_before_others(unit) => {
                    return Err(DriveError::Unseen {
                        campaign,
                        location: Box::new(location),
                        source,
                    });
                }
                _ if says_nothing => return Err(drive.nothing_to_go_on()),
                _ => {}
            }
            if found.is_empty() && drive.state.keeps_the_rest(drive.now()).is_some() {
                return Err(drive.nothing_to_go_on());
            }
            events.push(Event::GoneOn {
                by: by.to_owned(),
                begin,
                found,
            });
            // The campaign has its name before it is open again, by a claim that was not there when others found the
            // name free. If another campaign of the name begins between the two, this one is open without its name:
            // whoever drives it looks at the claims first, and begins nothing until the other one is over.
            self.claim(campaign, &drive.state, None).await?;
            if drive.append(events).await? == Appended::Yes {
                return Ok(());
            }
        }
    }
}

/// A unit of which something was cancelled, as it is now.
struct Look {
    unit: UnitId,
    /// The execution, and what runs in its locations. `None`: it cannot be read, and the log says what became of
    /// everything in it.
    observed: Option<(Observed, Vec<Below>)>,
    /// The locations that it never began, unless something is found there.
    rest: BTreeSet<Location>,
}

/// What the locations come to that no execution seemed to have reached.
struct Rest {
    /// Units for those in which nothing was begun.
    begin: Vec<Replacement>,
    /// Executions that turned up in others.
    found: Vec<TurnedUp>,
    /// One in which that cannot be seen, and why.
    unseen: Option<(UnitId, Location, PortError)>,
}

impl Drive<'_> {
    /// Whether a unit of a later wave has not begun.
    fn comes_before_others(&self, unit: UnitId) -> bool {
        let wave = self.state.wave_of(unit);
        let mut units = self.state.units().iter();
        units.any(|(id, of)| self.state.wave_of(*id) > wave && !of.is_begun())
    }

    fn nothing_to_go_on(&self) -> DriveError {
        DriveError::NothingToGoOn {
            campaign: self.state.campaign(),
            ended: self.state.finished().map(|(outcome, _)| outcome),
            kept: self.state.keeps_the_rest(self.now()).map(Box::new),
        }
    }

    /// Looks at each execution of which something was cancelled. Notes in `over` when those that have a rest
    /// were first seen to be over.
    async fn look(&mut self, over: &mut BTreeMap<UnitId, Timestamp>) -> Result<Vec<Look>, DriveError> {
        let mut rest: BTreeMap<UnitId, BTreeSet<Location>> = BTreeMap::new();
        for (unit, location) in self.state.rest() {
            rest.entry(unit).or_default().insert(location.clone());
        }
        let stopped = self.state.stopped_units();
        let units: BTreeSet<UnitId> = stopped.iter().chain(rest.keys()).copied().collect();
        let mut looks = vec![];
        for unit in units {
            let observed = self.observed(unit, stopped.contains(&unit)).await?;
            let mut rest = rest.remove(&unit).unwrap_or_default();
            rest.retain(|location| {
                observed
                    .as_ref()
                    .is_some_and(|(seen, _)| was_not_reached(seen, location))
            });
            if !rest.is_empty() {
                let settled: Option<Vec<Timestamp>> =
                    rest.iter().map(|at| self.settled_at(unit, at)).collect();
                let known = settled.and_then(|all| all.into_iter().max());
                over.entry(unit).or_insert(known.unwrap_or(self.now()));
            }
            looks.push(Look { unit, observed, rest });
        }
        Ok(looks)
    }

    fn settled_at(&self, unit: UnitId, location: &Location) -> Option<Timestamp> {
        let at = self.state.units().get(&unit)?.locations.get(location)?;
        at.settled.as_ref().map(|settled| settled.at)
    }

    /// The unit's execution and its steps, as they are now. One that cannot be read keeps no person from
    /// going on, if the log says what became of everything in it and there is a stop to end.
    async fn observed(
        &mut self,
        id: UnitId,
        is_stop: bool,
    ) -> Result<Option<(Observed, Vec<Below>)>, DriveError> {
        let Some(unit) = self.state.units().get(&id) else {
            return Ok(None);
        };
        let Some(execution) = observe::execution_of(unit).cloned() else {
            return Ok(None);
        };
        let automation = &*self.driver.dispatcher(&self.state, id);
        let look = || observe::observe(automation, &execution);
        let observed = self.patiently(Tried::Execution, &of_unit(id), look).await;
        match observed {
            Ok(observed) => {
                let one_command = self.state.runs_own_runbook();
                let below =
                    observe::below_all(self.driver.results(automation), &observed, unit, one_command).await;
                self.memory.unit(id).parent = Some(observed.parent.clone());
                Ok(Some((observed, below)))
            }
            Err(source) if source.kind() == PortErrorKind::Credentials => Err(self.no_credentials(source)),
            Err(_) if is_stop && unit.is_over() => Ok(None),
            Err(source) => Err(DriveError::Observe {
                campaign: self.state.campaign(),
                execution,
                source,
            }),
        }
    }

    /// What was cancelled, and is not known to be.
    async fn cancels(&self, looks: &[Look]) -> Vec<Event> {
        let mut events = vec![];
        for look in looks {
            let unit = look.unit;
            let mut cancels = BTreeSet::new();
            if let Some((observed, below)) = &look.observed {
                cancels.extend(observed.cancels(&self.state, unit));
                let cancelled = below
                    .iter()
                    .filter(|below| below.cancel(&self.state, unit).is_some());
                cancels.extend(cancelled.map(|below| Some(below.location.clone())));
            }
            let locations = self
                .state
                .units()
                .get(&unit)
                .into_iter()
                .flat_map(|unit| &unit.locations);
            let open =
                locations.filter(|(location, at)| at.settled.is_none() && !look.rest.contains(*location));
            let open: Vec<&Location> = open.map(|(location, _)| location).collect();
            cancels.extend(self.cancelled_of(unit, &open).await.into_iter().map(Some));
            events.extend(
                cancels
                    .into_iter()
                    .map(|location| Event::CancelledElsewhere { unit, location }),
            );
        }
        events
    }

    /// Those of the locations in which what runs was cancelled, and is not known to be. What cannot be read
    /// is not accepted: it is another stop when it is seen.
    async fn cancelled_of(&self, unit: UnitId, locations: &[&Location]) -> Vec<Location> {
        let unknown = locations
            .iter()
            .copied()
            .filter(|location| !self.state.knows_cancel(unit, Some(location)));
        let automation = &*self.driver.dispatcher(&self.state, unit);
        let reads: Vec<_> = unknown
            .map(|location| async move {
                let look = || async move { self.job(automation, unit, location).cancelled().await };
                let read = self.patiently(Tried::Location, &location.to_string(), look).await;
                read.is_ok_and(|cancelled| cancelled).then(|| location.clone())
            })
            .collect();
        stream::iter(reads)
            .buffered(READS_AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// What the locations come to that no execution seemed to have reached.
    async fn replacements(&self, looks: &[Look]) -> Rest {
        let (mut begin, mut turned_up, mut unseen) = (vec![], vec![], None);
        for look in looks {
            let unit = look.unit;
            let automation = &*self.driver.dispatcher(&self.state, unit);
            let reads: Vec<_> = look
                .rest
                .iter()
                .map(|location| async move {
                    let look = || async move { self.job(automation, unit, location).begun().await };
                    let read = self.patiently(Tried::Location, &location.to_string(), look).await;
                    (location, read)
                })
                .collect();
            let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
            let mut rest = BTreeSet::new();
            for (location, begun) in read {
                match begun {
                    Ok(None) => {
                        rest.insert(location.clone());
                    }
                    Ok(Some(child)) => turned_up.push(TurnedUp {
                        of: unit,
                        location: location.clone(),
                        child,
                    }),
                    Err(error) => {
                        unseen.get_or_insert((unit, location.clone(), error));
                    }
                }
            }
            let planned = self.state.plan().unit(unit);
            let requests = planned.into_iter().flat_map(|planned| planned.parts(pack(&rest)));
            begin.extend(requests.map(|request| Replacement { of: unit, request }));
        }
        Rest {
            begin,
            found: turned_up,
            unseen,
        }
    }

    /// Makes a call again while what keeps it from an answer may pass by itself.
    pub(super) async fn patiently<T, F: Future<Output = PortResult<T>>>(
        &self,
        what: Tried,
        subject: &str,
        call: impl Fn() -> F,
    ) -> PortResult<T> {
        let lasts = |kind: PortErrorKind| !kind.is_transient();
        self.driver.patience(what, subject).call(call, lasts).await
    }
}

/// Whether an execution that is over did not reach a location. The steps were read after it was over, so they
/// are its last.
fn was_not_reached(observed: &Observed, location: &Location) -> bool {
    let idle =
        |status: &ExecutionStatus| matches!(status, ExecutionStatus::Pending | ExecutionStatus::Cancelled);
    let step = observed.steps.get(location);
    observed.parent.status.is_terminal() && step.is_none_or(|step| step.child.is_none() && idle(&step.status))
}
