//! Sending a start again of which nobody knows whether it took effect, once a person says so.

use super::trouble::of_unit;
use super::{Drive, DriveError, Driver};
use crate::campaign::decide::forgotten_from;
use crate::campaign::notice::Tried;
use crate::campaign::polls::{TAGS_SEEN_WITHIN, later};
use crate::campaign::state::StartState;
use crate::campaign::{Appended, Event, start};
use crate::id::{CampaignId, ExecutionId, UnitId};
use crate::port::PortErrorKind;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use std::collections::BTreeSet;

/// What came of a person's word that starts are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SentAgain {
    /// Units that run after all, each with its execution: AWS shows it by now. They are not sent again.
    pub found: Vec<(UnitId, ExecutionId)>,
    /// Units of which the log says now that they are sent again. Whoever drives the campaign sends them.
    pub said: Vec<UnitId>,
}

impl Driver {
    /// Writes down that a person has starts sent again that are unresolved. Drive the campaign with
    /// [`run`](Self::run) then, which sends them: the same bytes, with the same client token.
    ///
    /// Each is looked for once more first, by its tag. What AWS shows by now is written down as started. A start
    /// without an answer that no driver has given up yet counts as unresolved, if it is too old to be sent again
    /// unasked.
    ///
    /// Of persons and drivers that do so at once, one sends, as its intent is in the log before; the others find
    /// that. So a unit is started twice only if its first start took effect, AWS does not show that within
    /// [`TAGS_SEEN_WITHIN`], nor just now, and AWS has forgotten the client token. Or if AWS has forgotten the token and
    /// a process stood still for minutes between its last look at the clock and its call.
    ///
    /// # Errors
    ///
    /// [`DriveError::NotSentAgain`] if a unit is not unresolved, or nothing more may be begun (all reasons at once);
    /// [`DriveError::Unlooked`] if one cannot be looked for. Nothing is said then, of any of them.
    /// As [`run`](Self::run) otherwise.
    pub async fn send_again(
        &self,
        campaign: CampaignId,
        units: &BTreeSet<UnitId>,
        by: &str,
    ) -> Result<SentAgain, DriveError> {
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        let mut sent = SentAgain::default();
        loop {
            let left: Vec<UnitId> = units
                .iter()
                .filter(|unit| !sent.found.iter().any(|(found, _)| found == *unit))
                .copied()
                .collect();
            drive.may_send_again(&left)?;
            let (mut found, mut events) = (vec![], vec![]);
            for unit in &left {
                match drive.seek(*unit).await? {
                    Some(execution) => {
                        found.push((*unit, execution.clone()));
                        events.push(Event::Started {
                            unit: *unit,
                            execution,
                        });
                    }
                    None => {
                        events.extend(drive.given_up(*unit));
                        let by = by.to_owned();
                        events.push(Event::SendAgain { unit: *unit, by });
                    }
                }
            }
            if events.is_empty() {
                return Ok(sent);
            }
            // Whether it may still be sent is asked again, as looking takes time.
            drive.may_send_again(&left)?;
            self.claim(campaign, &drive.state, None).await?;
            if drive.append(events).await? == Appended::Yes {
                sent.said = left;
                sent.said
                    .retain(|unit| found.iter().all(|(other, _)| other != unit));
                sent.found.extend(found);
                return Ok(sent);
            }
        }
    }
}

impl Drive<'_> {
    /// Sees that each of the units is unresolved and may be sent again.
    fn may_send_again(&self, units: &[UnitId]) -> Result<(), DriveError> {
        let reasons: Vec<RefusalReason> = units
            .iter()
            .filter_map(|unit| {
                Some(RefusalReason {
                    code: RefusalCode::NotSentAgain,
                    subject: format!("unit {unit} of campaign {}", self.state.campaign()),
                    detail: self.why_not_again(*unit)?,
                })
            })
            .collect();
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(DriveError::NotSentAgain(Refusal { reasons })),
        }
    }

    /// Why a unit is not sent again; `None`: it may be.
    fn why_not_again(&self, id: UnitId) -> Option<String> {
        let now = self.now();
        let campaign = self.state.campaign();
        if let Some((outcome, _)) = self.state.finished() {
            return Some(format!("the campaign is over (outcome {})", outcome.as_str()));
        }
        let Some(unit) = self.state.units().get(&id) else {
            let units = self.state.units().len();
            return Some(format!("there is no such unit: the campaign has {units}, from 1"));
        };
        match &unit.start {
            StartState::NotStarted => {
                return Some("nothing of it was sent, so whoever drives the campaign begins it".to_owned());
            }
            StartState::Started { execution, .. } => {
                return Some(format!("it was started, as execution {execution}"));
            }
            StartState::Refused { detail, .. } => return Some(format!("AWS refused its start: {detail}")),
            StartState::Intended(intent) => {
                let sendings = intent.in_doubt.first().zip(intent.in_doubt.last());
                let young = sendings.is_none_or(|(first, last)| {
                    forgotten_from(first).is_some_and(|from| now < from)
                        || now < later(last.at, TAGS_SEEN_WITHIN)
                });
                if young {
                    return Some(format!(
                        "its start is under way: `patchfleet resume {campaign}` finds out what became of it"
                    ));
                }
            }
            StartState::Unresolved { .. } => {}
        }
        let kept = self.state.keeps_beside_calendars(id, now)?;
        Some(format!("nothing more may be begun: {kept}"))
    }

    /// The execution that the unit's start began, if AWS shows one.
    async fn seek(&self, unit: UnitId) -> Result<Option<ExecutionId>, DriveError> {
        let Some(intent) = self.state.units().get(&unit).and_then(|unit| unit.intent()) else {
            return Ok(None);
        };
        let token = self.state.client_token(unit, intent.attempt);
        let automation = self.driver.dispatcher(&self.state, unit);
        let document = &intent.request.document_name;
        let look = || start::find(&*automation, document, token);
        let sought = self.patiently(Tried::LookUp, &of_unit(unit), look).await;
        sought.map_err(|source| match source.kind() {
            PortErrorKind::Credentials => self.no_credentials(source),
            _ => DriveError::Unlooked {
                campaign: self.state.campaign(),
                unit,
                source,
            },
        })
    }

    /// That a start is unresolved, if no driver has said so yet.
    fn given_up(&self, unit: UnitId) -> Option<Event> {
        let start = self.state.units().get(&unit).map(|unit| &unit.start);
        matches!(start, Some(StartState::Intended(_))).then(|| Event::StartUnresolved {
            unit,
            detail: match self.state.is_sent_once() {
                true => {
                    "the command has no answer, and no command in its location has its comment".to_owned()
                }
                false => "the start has no answer, and no execution has its tag".to_owned(),
            },
        })
    }
}
