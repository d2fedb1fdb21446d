//! Closing a campaign that AWS no longer knows, once a person says so.

use super::hidden::unseen_in_words;
use super::sweep::Lost;
use super::trouble::of_unit;
use super::{Drive, DriveError, Driver};
use crate::campaign::collect::Settlement;
use crate::campaign::notice::{Awaited, Tried};
use crate::campaign::polls::{A_DAY, TAGS_SEEN_WITHIN, later};
use crate::campaign::state::{RETENTION, StartState, State, UnitState};
use crate::campaign::{Appended, Event, READS_AT_ONCE, start};
use crate::fleet;
use crate::id::{CampaignId, ExecutionId, Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeRow};
use crate::port::{Automation, ExecutionStatus, ExecutionView, PortError, PortErrorKind, PortResult};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The status of an execution that AWS has forgotten.
const FORGOTTEN: &str = "Forgotten";

impl Driver {
    /// Closes a campaign that AWS no longer knows: what it began and is not over by its log is settled as unread, of
    /// its nodes nothing is known, what it had not begun is left out, and its request's name is free. It ends as
    /// halted. Starts nothing and stops nothing.
    ///
    /// Before that AWS is asked for everything that the campaign began and that is not over by its log: each
    /// execution in the central account and Region, those in the locations, and by its tag each start without an
    /// answer and each that is not in the log, whose end may be lost. What was lost just now is shown late, so for that
    /// AWS is asked once more [`TAGS_SEEN_WITHIN`] later. AWS has to answer that it knows none of them.
    /// A denial, a throttled call or a timeout is no such answer. And what may have been begun has to be past its
    /// end ([`State::may_run_until`]).
    ///
    /// A location that lets nobody look keeps nothing open for ever: its account may be gone. A command that patchfleet sent itself
    /// has expired by its time, and then a denial is an answer, and a day later any failure is. Where it cannot be seen whether the
    /// log has lost a command, that is so once all has expired that was sent before drivers said that they cannot look, or in the 30
    /// days after the log's last record. What Automation began is as good as forgotten 30 days after its end.
    ///
    /// What the log leaves no room for ([`DriveError::Strays`]) only has to be over by AWS, as no driver could go on beside it.
    /// Nothing is known of its nodes then.
    ///
    /// See first that the caller is in the account and Region from which the campaign was planned: from elsewhere AWS
    /// knows nothing of it. The [`Campaign`](crate::Campaign) of a front door has seen to that.
    ///
    /// # Errors
    ///
    /// [`DriveError::NotAbandoned`] with every reason at once; [`DriveError::Credentials`] if the caller's own
    /// credentials do not work; [`DriveError::Rows`] if the results of nodes cannot be kept; as
    /// [`run`](Self::run) otherwise. The log says nothing of it then. If somebody drives the campaign at the same
    /// time, rows that say `unknown` may have been kept of locations that have not settled; whoever settles those keeps
    /// the right ones in their place.
    pub async fn abandon(&self, campaign: CampaignId, by: &str) -> Result<State, DriveError> {
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        loop {
            let asked_at = drive.now();
            let lost = drive.may_be_abandoned().await?;
            // What the log lost was sent before it was opened, and AWS may show it so late. A look that began sooner does
            // not count, however long it took.
            let seen_by = later(drive.opened_at, TAGS_SEEN_WITHIN);
            if drive.may_have_lost_its_end() && asked_at < seen_by {
                self.notices
                    .waits(Awaited::LostEnd, "", seen_by, self.clock.now());
                self.clock.sleep_until(seen_by).await;
                continue;
            }
            let settlements = drive.settlements(&lost);
            let mut at: BTreeMap<&Location, Vec<(UnitId, &Settlement)>> = BTreeMap::new();
            for (unit, location, settlement) in &settlements {
                at.entry(location).or_default().push((*unit, settlement));
            }
            for (location, settlements) in at {
                let put = drive.put(location, settlements, None).await;
                put.map_err(|source| DriveError::Rows { campaign, source })?;
            }
            let events = drive.closing(by, settlements);
            if drive.append(events).await? == Appended::Yes {
                return Ok(drive.into_state());
            }
        }
    }
}

impl Drive<'_> {
    /// Sees that AWS knows nothing of what the campaign began, and that it is past its end. Gives the nodes that were patched by
    /// what the log has lost and leaves no room for, and what is over by AWS, and what nobody could look at.
    async fn may_be_abandoned(&self) -> Result<Lost, DriveError> {
        let campaign = self.state.campaign();
        let reason = |subject: String, detail: String| RefusalReason {
            code: RefusalCode::NotAbandoned,
            subject,
            detail,
        };
        let refuse = |reasons| Err(DriveError::NotAbandoned(Refusal { reasons }));
        let whole = |detail| refuse(vec![reason(format!("campaign {campaign}"), detail)]);
        if let Some((outcome, _)) = self.state.finished() {
            return whole(format!("it is over (outcome {})", outcome.as_str()));
        }
        let units = self.state.units();
        let is_open = |unit: &UnitState| unit.is_begun() && !unit.is_over();
        // No driver can go on beside what the log leaves no room for.
        let mut lost = self.lost().await?;
        let has_strays = !lost.reasons.is_empty() || !lost.nodes.is_empty();
        if units.values().any(UnitState::is_begun) && !units.values().any(is_open) && !has_strays {
            return whole(format!(
                "everything that it began is over by its log: `patchfleet resume {campaign}` goes on with it"
            ));
        }
        let mut reasons: Vec<RefusalReason> = std::mem::take(&mut lost.reasons)
            .into_iter()
            .map(|(subject, words)| reason(subject, words))
            .collect();
        if let Some(until) = self.state.may_run_until().filter(|until| self.now() < *until) {
            reasons.push(reason(
                format!("campaign {campaign}"),
                format!("what it began may run until {until:.0}, when the last of its commands has expired"),
            ));
        }
        // What seems not to have been begun may only be lost from the log.
        for (id, unit) in units.iter().filter(|(_, unit)| !unit.is_over()) {
            for (subject, known) in self.known(*id, unit, &mut lost).await? {
                reasons.push(reason(subject, known));
            }
        }
        if reasons.is_empty() {
            Ok(lost)
        } else {
            refuse(reasons)
        }
    }

    /// Whether a unit that seems not to have been begun may have been, as the log may have lost its end.
    fn may_have_lost_its_end(&self) -> bool {
        let mut units = self.state.units().values();
        units.any(|unit| !unit.is_over() && matches!(unit.start, StartState::NotStarted))
    }

    /// What AWS knows of a unit that is not over, or why that is not known: each with what it is about.
    async fn known(
        &self,
        id: UnitId,
        unit: &UnitState,
        lost: &mut Lost,
    ) -> Result<Vec<(String, String)>, DriveError> {
        let mut known = vec![];
        let is_hidden = unit.locations.keys().any(|at| lost.unseen.contains_key(at));
        if is_hidden && !unit.is_begun() {
            return Ok(known);
        }
        let over_from = self.state.command_over_from(id);
        let attempt = match (&unit.start, unit.intent()) {
            (_, Some(intent)) => Some(intent.attempt),
            (StartState::NotStarted, None) => Some(unit.refused_attempts.saturating_add(1)),
            _ => None,
        };
        if let Some(attempt) = attempt {
            let token = self.state.client_token(id, attempt);
            let automation = &*self.driver.dispatcher(&self.state, id);
            let document = &self.state.plan().request.automation.document;
            let look = || async move { known_of(start::find(automation, document, token).await) };
            let found = self.patiently(Tried::LookUp, &of_unit(id), look).await;
            let found = found.map(Option::flatten);
            let found = found.map(|found| found.map(|it| format!("AWS knows it as execution {it}")));
            let words = self.words(id, found, over_from, lost)?;
            known.extend(words.map(|words| (format!("the start of unit {id}"), words)));
        }
        let StartState::Started { execution, .. } = &unit.start else {
            return Ok(known);
        };
        let automation = &*self.driver.dispatcher(&self.state, id);
        let look = || async move { known_of(automation.execution(execution).await) };
        let parent = self.patiently(Tried::Execution, &of_unit(id), look).await;
        let in_words = |view: ExecutionView| format!("AWS knows it ({})", view.status.as_str());
        let parent = parent.map(|view| view.map(in_words));
        let words = self.words(id, parent, over_from, lost)?;
        known.extend(words.map(|words| (format!("execution {execution} of unit {id}"), words)));
        let open = unit.locations.iter().filter(|(_, at)| at.settled.is_none());
        let reads: Vec<_> = open
            .map(|(location, at)| async move {
                let child = at.child.as_ref();
                let look = || async move { known_of(child_of(automation, location, execution, child).await) };
                let child = self.patiently(Tried::Location, &location.to_string(), look).await;
                (location, child.map(Option::flatten))
            })
            .collect();
        let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
        // AWS keeps no execution for longer, whether or not anybody may look.
        let forgotten = || self.state.runs_until(id).map(|until| later(until, RETENTION));
        let over_from = over_from.or_else(forgotten);
        for (location, child) in read {
            let words = self.words(id, child, over_from, lost)?;
            known.extend(words.map(|words| (format!("what unit {id} began in {location}"), words)));
        }
        Ok(known)
    }

    /// What keeps the campaign from being closed, by this answer about what a unit began; `None`: AWS knows nothing of it, or it is
    /// over since then and nobody can look.
    fn words(
        &self,
        unit: UnitId,
        answer: PortResult<Option<String>>,
        over_from: Option<Timestamp>,
        lost: &mut Lost,
    ) -> Result<Option<String>, DriveError> {
        let error = match answer {
            Ok(known) => return Ok(known),
            Err(error) => error,
        };
        if over_from.is_some_and(|from| self.is_answer_enough(&error, from)) {
            lost.unread.insert(unit, error.reason());
            return Ok(None);
        }
        let words = self.cannot_be_seen(error)?;
        let is_soon = |from: &Timestamp| self.state.is_sent_once() && *from > self.now();
        Ok(match over_from.filter(is_soon) {
            Some(from) => {
                words.map(|words| format!("{words}; it is over by {from:.0}, whoever can see that"))
            }
            None => words,
        })
    }

    /// Whether a look that failed says enough of what is over since then: nobody may look, or nobody could for a day.
    pub(super) fn is_answer_enough(&self, error: &PortError, over_from: Timestamp) -> bool {
        let (kind, now) = (error.kind(), self.now());
        let lasts = !kind.is_transient() && now >= over_from;
        kind != PortErrorKind::Credentials && (lasts || now >= later(over_from, A_DAY))
    }

    /// That what AWS knows cannot be seen.
    pub(super) fn cannot_be_seen(&self, error: PortError) -> Result<Option<String>, DriveError> {
        if error.kind() == PortErrorKind::Credentials {
            return Err(self.no_credentials(error));
        }
        Ok(Some(format!(
            "whether AWS knows it cannot be seen: {}",
            error.reason()
        )))
    }

    /// What is said of each location that has not settled. Of units with `lost` nodes, and of those in locations that let nobody
    /// look, it is not said that they were not begun.
    fn settlements(&self, lost: &Lost) -> Vec<(UnitId, Location, Settlement)> {
        let open = self.state.locations().filter(|(.., at)| at.settled.is_none());
        open.map(|(id, location, _)| {
            let automation = self.driver.dispatcher(&self.state, id);
            let job = self.job(&*automation, id, location);
            let unit = self.state.units().get(&id);
            let has_lost = unit.is_some_and(|unit| !unit.named.is_disjoint(&lost.nodes));
            let settlement = match unit.map(|unit| &unit.start) {
                Some(StartState::Started { .. }) => job.unreadable(match lost.unread.get(&id) {
                    Some(why) => format!("what its unit began is over by now, and it cannot be read: {why}"),
                    None => "AWS no longer knows the execution of its unit".to_owned(),
                }),
                Some(StartState::Intended(_) | StartState::Unresolved { .. }) => job.counted(
                    LocationOutcome::Unresolved,
                    "nobody knows whether the start of its unit took effect".to_owned(),
                ),
                Some(StartState::Refused { detail, .. }) => {
                    job.counted(LocationOutcome::StartRefused, detail.clone())
                }
                Some(StartState::NotStarted) | None if has_lost => job.counted(
                    LocationOutcome::Unresolved,
                    "AWS shows what was begun for some of its nodes, and the log has lost it".to_owned(),
                ),
                Some(StartState::NotStarted) | None if let Some(why) = lost.unseen.get(location) => {
                    job.counted(LocationOutcome::Unresolved, unseen_in_words(why))
                }
                Some(StartState::NotStarted) | None => job.counted(
                    LocationOutcome::NotStarted,
                    "not begun: the campaign was closed".to_owned(),
                ),
            };
            (id, location.clone(), settlement)
        })
        .collect()
    }

    /// The record that closes the campaign.
    fn closing(&self, by: &str, settlements: Vec<(UnitId, Location, Settlement)>) -> Vec<Event> {
        let mut events = vec![Event::Abandoned { by: by.to_owned() }];
        events.extend(self.state.intended().map(|unit| Event::StartUnresolved {
            unit,
            detail: "nobody knows whether its start took effect".to_owned(),
        }));
        let units: Vec<UnitId> = self.state.waiting().collect();
        if !units.is_empty() {
            events.push(Event::LeftOut { units });
        }
        events.extend(
            settlements
                .into_iter()
                .map(|(unit, location, settlement)| Event::LocationSettled {
                    unit,
                    offline_before: settlement.offline_before(&self.state, &location),
                    location,
                    outcome: settlement.outcome,
                    not_well: self.state.not_well(&settlement.rows),
                    rows: NodeRow::digest(&settlement.rows),
                    nodes: settlement.nodes,
                    detail: settlement.detail,
                }),
        );
        let running = self
            .state
            .units()
            .iter()
            .filter(|(_, unit)| matches!(unit.start, StartState::Started { .. }) && unit.ended.is_none());
        events.extend(running.map(|(unit, _)| Event::UnitEnded {
            unit: *unit,
            status: ExecutionStatus::Other(FORGOTTEN.to_owned()),
        }));
        let outcome = FinishedOutcome::Halted;
        events.push(Event::Finished { outcome });
        events
    }
}

/// What AWS knows of the execution in a location.
async fn child_of(
    automation: &dyn Automation,
    location: &Location,
    parent: &ExecutionId,
    child: Option<&ExecutionId>,
) -> PortResult<Option<String>> {
    if let Some(child) = child {
        let view = automation.child(location, child).await?;
        let status = view.status.as_str();
        return Ok(Some(format!("AWS knows execution {child} there ({status})")));
    }
    let listed = |token| automation.children(location, parent, token);
    let found = fleet::first("the executions in a location", listed).await?;
    Ok(found.map(|child| format!("AWS knows execution {child} there")))
}

/// What AWS knows: that there is no such thing is an answer.
fn known_of<T>(answer: PortResult<T>) -> PortResult<Option<T>> {
    match answer {
        Err(error) if error.kind() == PortErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}
