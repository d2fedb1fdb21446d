//! Approving of a wave, by a person.

use super::{Drive, DriveError, Driver};
use crate::campaign::{Appended, Event};
use crate::id::{CampaignId, WaveName};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};

impl Driver {
    /// Writes down that a person approves of a wave that is over, so that the next one may begin. Whoever drives the
    /// campaign begins it. A campaign whose window closed first can still be approved of: the next retry or window then begins what it
    /// left. `wave` is its name; `None`: the wave whose approval is waited for, of several the first.
    ///
    /// Gives the name of the wave. A wave that has been approved of already stays so, and nothing is written.
    ///
    /// # Errors
    ///
    /// [`DriveError::NotApproved`] if no wave waits for an approval, or another one than this; as [`run`](Self::run)
    /// otherwise.
    pub async fn approve(
        &self,
        campaign: CampaignId,
        wave: Option<&WaveName>,
        by: &str,
    ) -> Result<String, DriveError> {
        let mut drive = self.look_up(campaign).await?;
        drive.require_writable()?;
        loop {
            let number = drive.may_approve(wave)?;
            let name = drive.state.plan().request.wave_name(number).to_owned();
            if drive.state.is_approved(number) {
                return Ok(name);
            }
            let approved = Event::Approved {
                wave: number,
                by: by.to_owned(),
            };
            if drive.append(vec![approved]).await? == Appended::Yes {
                return Ok(name);
            }
        }
    }
}

impl Drive<'_> {
    /// The number of the wave that a person may approve of.
    fn may_approve(&self, named: Option<&WaveName>) -> Result<u32, DriveError> {
        let state = &self.state;
        let refused = |detail: String| {
            let subject = format!("campaign {}", state.campaign());
            let reason = RefusalReason {
                code: RefusalCode::NotApproved,
                subject,
                detail,
            };
            DriveError::NotApproved(Refusal {
                reasons: vec![reason],
            })
        };
        if let Some((outcome, _)) = state.finished() {
            let is_meant =
                |wave: &u32| named.is_none_or(|name| state.plan().request.wave_name(*wave) == name.as_str());
            let waits = state.to_approve().filter(is_meant);
            let waits = waits.filter(|wave| state.may_approve_when_over(*wave));
            let approved = || {
                let mut all = (1..=state.plan().request.wave_count()).rev();
                all.find(|wave| state.is_approved(*wave) && is_meant(wave) && !state.has_begun_after(*wave))
            };
            return waits.or_else(approved).ok_or_else(|| {
                let outcome = outcome.as_str();
                refused(format!(
                    "it is over (outcome {outcome}), and no wave of it waits for an approval"
                ))
            });
        }
        if !state.is_under_way() {
            return Err(refused("nothing of it was begun yet".to_owned()));
        }
        if let Some(reason) = state.stop_reason_at(self.now()) {
            return Err(refused(format!("nothing more of it begins: {reason}")));
        }
        let request = &state.plan().request;
        let number = match named {
            Some(name) => {
                let mut waves = (1..).zip(&request.waves);
                let found = waves.find(|(_, wave)| wave.name == *name);
                let Some((number, _)) = found else {
                    return Err(refused(format!("its request names no wave {name}")));
                };
                number
            }
            None => match state.to_approve() {
                Some(wave) => wave,
                None => return Err(refused("no wave of it waits for an approval".to_owned())),
            },
        };
        if state.is_approved(number) || state.needs_approval(number) {
            return Ok(number);
        }
        let name = request.wave_name(number);
        Err(refused(match state.wave_ended(number) {
            None => format!("its wave {number} ({name}) is not over, so nobody can approve of it yet"),
            Some(_) => format!("its wave {number} ({name}) needs no approval"),
        }))
    }
}
