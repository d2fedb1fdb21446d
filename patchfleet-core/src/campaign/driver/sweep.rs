//! Looking in one place for everything of a campaign that its log does not know, and what becomes of it.

use super::begun_before::{self, unseen_because, unseen_for};
use super::call_off::in_time;
use super::calls::Answer;
use super::{Drive, DriveError, Driver};
use crate::campaign::Event;
use crate::campaign::READS_AT_ONCE;
use crate::campaign::admission::admit_beside;
use crate::campaign::dispatch::{execution_of, sent_since};
use crate::campaign::notice::{Awaited, Tried};
use crate::campaign::polls::{Failures, LOOK_UP_AFTER, UNRESOLVED_EVERY, later};
use crate::campaign::start;
use crate::campaign::state::{RETENTION, StartState};
use crate::campaign::strays::{Fits, Place, Stray};
use crate::id::{CampaignId, DocumentName, ExecutionId, Location, NodeId, UnitId};
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult, Walk};
use crate::runbook;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl<'d> Drive<'d> {
    /// Looks in one place for what the log does not know.
    pub(super) fn sweep(&mut self, place: &Place) -> Option<BoxFuture<'d, Answer>> {
        let (driver, state) = (self.driver, &self.state);
        let off = self.calls.may_be_called_off(state.first_at(place)?);
        let (asked_at, campaign, known) = (self.now(), state.campaign(), state.known_executions().clone());
        let (document, since) = (
            state.plan().request.automation.document.clone(),
            sent_since(state.planned_at()),
        );
        let (place, subject) = (place.clone(), subject_of(place));
        Some(Box::pin(async move {
            let found = driver.found_in(&place, &document, campaign, since, &known);
            let found = async { found.await.map_err(unseen_for) };
            let found = in_time(driver, &subject, &off, found).await;
            Answer::Swept(place, asked_at, found)
        }))
    }

    /// What came of looking there, when that was.
    pub(super) fn learn_swept(
        &mut self,
        place: Place,
        asked_at: Timestamp,
        found: PortResult<Vec<Stray>>,
    ) -> Result<(), DriveError> {
        let (now, counts_from) = (self.now(), self.looks_count_from());
        let counts = asked_at >= counts_from;
        let waits = !self.memory.sweeps_permit_at_once || self.state.is_stopped(now);
        let before = self.memory.looks_failed;
        let sweep = self.memory.sweeps.entry(place.clone()).or_default();
        sweep.is_under_way = false;
        let error = match found {
            Ok(mut strays) => {
                // Most often the log knows all of it.
                strays.retain(|stray| self.state.fits(stray) != Fits::Known);
                strays.sort_by(|one, other| (one.at, &one.execution).cmp(&(other.at, &other.execution)));
                sweep.strays = strays;
                sweep.failures = Failures::default();
                sweep.said = Failures::default();
                sweep.failing_since = None;
                sweep.is_answered = true;
                sweep.is_done |= counts;
                sweep.next = (!counts).then(|| later(now, LOOK_UP_AFTER).max(counts_from));
                let next = sweep.next;
                self.memory.looks_failed = Failures::default();
                // Also where a start need not wait for it: what is never begun does.
                self.memory.still_looking = next.map(|_| None);
                if let Some(again) = next.filter(|_| waits) {
                    self.driver.notices.waits(Awaited::LostEnd, "", again, now);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        if sweep.failures == Failures::default() {
            sweep.failures = before;
        }
        sweep.failures.add(error.kind());
        let too_many = sweep.failures.are_too_many();
        let is_credentials = error.kind() == PortErrorKind::Credentials;
        if let Some(location) = place.as_ref().filter(|_| !is_credentials) {
            let because = unseen_because(&error);
            sweep.said.add(because);
            let over_from = self.state.lost_over_from(location, self.hidden_since);
            // A policy that is being rolled out, or an account that is being moved, is most often through by then.
            let failing = now.duration_since(*sweep.failing_since.get_or_insert(now));
            let is_lasting = self.is_called_again || failing >= UNRESOLVED_EVERY;
            if is_lasting && sweep.said.are_enough(because, over_from, now) {
                sweep.given_up = Some(error.reason());
                return Ok(());
            }
            if too_many || sweep.said.are_too_many() {
                // Whoever comes later counts from here.
                self.blind = Some((because, error.reason()));
            }
        }
        sweep.next = Some(match too_many {
            true => later(now, UNRESOLVED_EVERY),
            false => later(now, sweep.failures.backoff()),
        });
        self.memory.still_looking = Some(Some((error.kind(), error.reason())));
        // Where each location is asked by itself, the trouble of one is none of the others'.
        let goes_on = || self.has_other_work() || (self.is_called_again && place.is_some());
        if !too_many || ((place.is_some() || !is_credentials) && goes_on()) {
            return Ok(());
        }
        if is_credentials {
            return Err(self.no_credentials(error));
        }
        match self.state.first_at(&place) {
            Some(unit) => Err(DriveError::Unsought {
                campaign: self.state.campaign(),
                unit,
                source: error,
            }),
            None => Ok(()),
        }
    }

    /// Whether something of the campaign runs, is being sent, or may still be begun elsewhere.
    fn has_other_work(&self) -> bool {
        let aside = self.memory.put_aside(&self.state);
        let admitted = admit_beside(&self.state, &aside, self.now());
        let waits_for_time = admitted.hold.is_some_and(|hold| hold.until.is_some());
        let may_begin = admitted.begin.is_some() || admitted.divide.is_some() || !admitted.later.is_empty();
        let is_kept = self.memory.waits_for_looks(&self.state) || self.memory.has_strays(&self.state);
        self.follows_something() || ((may_begin || waits_for_time) && !is_kept)
    }

    /// What the log is to say next of what AWS shows and it does not know; `None`: nothing that can be said.
    pub(super) fn next_of_strays(&self) -> Option<Vec<Event>> {
        let mut strays = self.memory.sweeps.values().flat_map(|sweep| &sweep.strays);
        strays.find_map(|stray| self.said_of(stray))
    }

    fn said_of(&self, stray: &Stray) -> Option<Vec<Event>> {
        match self.state.fits(stray) {
            Fits::Unit(unit) => {
                let started = Event::Started {
                    unit,
                    execution: stray.execution.clone(),
                };
                let of = self.state.units().get(&unit)?;
                if !matches!(of.start, StartState::NotStarted) {
                    return Some(vec![started]);
                }
                let attempt = of.refused_attempts.saturating_add(1);
                // When it was sent is not known, so its command is said to live as long as if it was sent right after it was
                // planned.
                let request = start::request(&self.state, unit, attempt, self.state.planned_at())?;
                let intended = Event::StartIntended {
                    unit,
                    attempt,
                    request,
                };
                Some(vec![intended, started])
            }
            Fits::Part(unit) => Some(vec![Event::Divided {
                unit,
                keeps: stray.nodes.iter().cloned().collect(),
            }]),
            Fits::PutOff(unit) => Some(vec![Event::StartWithdrawn {
                unit,
                detail: format!("its nodes have another command, which the log has lost: {stray}"),
            }]),
            Fits::Known | Fits::Waits | Fits::Nowhere => None,
        }
    }

    /// That nothing more begins, as AWS shows what the log leaves no room for.
    pub(super) fn strays(&self) -> DriveError {
        let all = self.memory.sweeps.values().flat_map(|sweep| &sweep.strays);
        let unknown = all.filter(|stray| self.state.fits(stray) != Fits::Known);
        DriveError::Strays {
            campaign: self.state.campaign(),
            found: unknown.map(ToString::to_string).collect(),
        }
    }
}

/// A place, as notices name it.
pub(super) fn subject_of(place: &Place) -> String {
    place.as_ref().map_or_else(String::new, ToString::to_string)
}

/// What AWS shows of a campaign that is to be closed and its log does not know.
#[derive(Default)]
pub(super) struct Lost {
    /// What keeps the campaign from being closed: what each is about, and why.
    pub(super) reasons: Vec<(String, String)>,
    /// The nodes of what the log leaves no room for, and what is over by AWS.
    pub(super) nodes: BTreeSet<NodeId>,
    /// Where nobody can look, and everything is over that may have been sent there; with the words for that.
    pub(super) unseen: BTreeMap<Location, String>,
    /// The units of which something cannot be looked at that is over by its time, with why.
    pub(super) unread: BTreeMap<UnitId, String>,
}

impl Drive<'_> {
    /// Looks everywhere for what the log does not know. What may run still keeps the campaign from being closed, and so does
    /// what a driver would take up.
    pub(super) async fn lost(&self) -> Result<Lost, DriveError> {
        let mut lost = Lost::default();
        let places: BTreeSet<Place> = self
            .state
            .units()
            .keys()
            .filter_map(|unit| self.state.place_of(*unit))
            .collect();
        let document = &self.state.plan().request.automation.document;
        let (campaign, known) = (self.state.campaign(), self.state.known_executions());
        let since = sent_since(self.state.planned_at());
        for place in &places {
            let subject = subject_of(place);
            let look = || self.driver.found_in(place, document, campaign, since, known);
            let found = match self.patiently(Tried::LookBefore, &subject, look).await {
                Ok(found) => found,
                Err(error) => {
                    if let Some(location) = place.as_ref().filter(|at| self.has_expired_at(at, &error)) {
                        let why = begun_before::unseen(&error.reason());
                        lost.unseen.insert(location.clone(), why);
                        continue;
                    }
                    lost.reasons
                        .extend(self.cannot_be_seen(error)?.map(|words| (subject, words)));
                    continue;
                }
            };
            for stray in found {
                self.weigh(place, &stray, &mut lost).await?;
            }
        }
        Ok(lost)
    }

    /// Whether everything has expired that may have been sent in a location, where this keeps anybody from looking.
    fn has_expired_at(&self, location: &Location, error: &PortError) -> bool {
        let units = || self.state.units_at(location);
        let over_from = if units().any(|(_, unit)| !unit.is_begun() && !unit.is_over()) {
            // A person who closes it knows what became of its log in a month.
            let since = self.hidden_since.min(later(self.state.last_at(), RETENTION));
            self.state.lost_over_from(location, since)
        } else {
            // Nothing is left there that the log could have lost the start of.
            let over = units().filter_map(|(id, _)| self.state.command_over_from(id));
            over.max().unwrap_or(Timestamp::MIN)
        };
        self.is_answer_enough(error, over_from)
    }

    async fn weigh(&self, place: &Place, stray: &Stray, lost: &mut Lost) -> Result<(), DriveError> {
        let keep = |lost: &mut Lost, words: String| lost.reasons.push((stray.execution.to_string(), words));
        match self.state.fits(stray) {
            Fits::Known => return Ok(()),
            Fits::Unit(_) | Fits::Part(_) | Fits::PutOff(_) => {
                keep(
                    lost,
                    format!("AWS knows it, and the log has lost it: a driver takes it up ({stray})"),
                );
                return Ok(());
            }
            Fits::Waits | Fits::Nowhere => {}
        }
        let Some(unit) = self.state.first_at(place) else {
            return Ok(());
        };
        let automation = &*self.driver.dispatcher(&self.state, unit);
        let look = || automation.execution(&stray.execution);
        match self.patiently(Tried::Execution, &stray.unit, look).await {
            Ok(view) if view.status.is_terminal() => lost.nodes.extend(stray.nodes.iter().cloned()),
            Ok(view) => keep(
                lost,
                format!(
                    "AWS knows it ({}), and the log does not ({stray})",
                    view.status.as_str()
                ),
            ),
            Err(error) if error.kind() == PortErrorKind::NotFound => {}
            Err(error) => {
                if let Some(words) = self.cannot_be_seen(error)? {
                    keep(lost, words);
                }
            }
        }
        Ok(())
    }
}

impl Driver {
    /// What AWS shows of a campaign in a place, but for the executions that are known.
    async fn found_in(
        &self,
        place: &Place,
        document: &DocumentName,
        campaign: CampaignId,
        since: Timestamp,
        known: &BTreeSet<ExecutionId>,
    ) -> PortResult<Vec<Stray>> {
        match place {
            Some(location) => self.sent_in(location, campaign, since).await,
            None => self.begun_centrally(document, campaign, known).await,
        }
    }

    /// The commands that the campaign has sent in a location.
    pub(super) async fn sent_in(
        &self,
        location: &Location,
        campaign: CampaignId,
        since: Timestamp,
    ) -> PortResult<Vec<Stray>> {
        let document = runbook::command_document();
        let (mut found, mut walk) = (vec![], Walk::new("the commands of a campaign"));
        while let Some(token) = walk.next() {
            let page = self.commands.sent(location, &document, since, token).await?;
            for sent in page.items {
                let Some(unit) = sent.unit_of(campaign) else {
                    continue;
                };
                found.push(Stray {
                    execution: execution_of(&sent.id)?,
                    unit: unit.to_owned(),
                    locations: BTreeSet::from([location.clone()]),
                    nodes: sent.nodes.iter().cloned().collect(),
                    at: Some(sent.requested_at),
                });
            }
            walk.advance(page.next)?;
        }
        Ok(found)
    }

    /// The executions that the campaign has begun, without those that are known.
    async fn begun_centrally(
        &self,
        document: &DocumentName,
        campaign: CampaignId,
        known: &BTreeSet<ExecutionId>,
    ) -> PortResult<Vec<Stray>> {
        let key = runbook::campaign_tag_key(campaign);
        let (mut unknown, mut walk) = (vec![], Walk::new("the executions of a campaign"));
        while let Some(token) = walk.next() {
            let page = self.automation.find(document, &key, token).await?;
            unknown.extend(page.items.into_iter().filter(|id| !known.contains(id)));
            walk.advance(page.next)?;
        }
        let views = unknown.into_iter().map(|id| async move {
            let view = self.automation.execution(&id).await?;
            let unit = view
                .parameters
                .get(runbook::UNIT_ID)
                .and_then(|unit| unit.first());
            Ok(Stray {
                execution: id,
                unit: unit.cloned().unwrap_or_default(),
                locations: view.locations.clone().unwrap_or_default(),
                nodes: runbook::named_nodes(&view.parameters)
                    .into_iter()
                    .flatten()
                    .collect(),
                at: view.started_at,
            })
        });
        stream::iter(views).buffered(READS_AT_ONCE).try_collect().await
    }
}
