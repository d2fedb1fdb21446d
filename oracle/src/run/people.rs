//! A person who looks every now and then whether the campaign waits for somebody.

use crate::campaign::Campaign;
use crate::draft::{Draft, Wave};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::{DriveError, LogKey, Rule, StopMode};
use patchfleet_core::id::WriterId;
use patchfleet_core::internals::{Driver, fold};

/// A person who may approve looks this often.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_mins(7);

/// What people did to a campaign so far.
#[derive(Default)]
pub(super) struct People {
    /// When a person approved of a wave, and of which.
    pub(super) approved: Vec<(Timestamp, String)>,
    /// When a person had it stopped, because nobody would approve.
    pub(super) stopped: Option<Timestamp>,
    /// When a person said to go on.
    pub(super) gone_on: Vec<Timestamp>,
    /// When the person who may approve looked last.
    looked: Option<Timestamp>,
}

impl People {
    pub(super) async fn look(&mut self, draft: &Draft, campaign: &Campaign) {
        let driver = Driver {
            writer: WriterId::from_uuid(uuid::Uuid::from_u128(u128::MAX)),
            ..campaign.driver.clone()
        };
        let now = driver.clock.now();
        let asks = |wave: &Wave| wave.approval || wave.gate.is_some();
        let is_soon = self
            .looked
            .is_some_and(|looked| now.duration_since(looked) < LOOKS_EVERY);
        if is_soon || self.stopped.is_some() || !draft.wish.waves.iter().any(asks) {
            return;
        }
        self.looked = Some(now);
        if draft.wish.approves {
            // It is refused as long as nobody is waited for.
            if let Ok(wave) = driver.approve(campaign.id, None, "somebody").await {
                self.approved.push((now, wave));
            }
            return;
        }
        let key = LogKey::Campaign(campaign.id);
        let state = fold(&driver.log.read(&key, 0).await.unwrap()).unwrap();
        let mut holds = state.holds(now).into_iter();
        if holds.any(|hold| matches!(hold.rule, Rule::Gate | Rule::Approval)) {
            self.stopped = Some(now);
            let stopped = driver
                .stop(campaign.id, StopMode::LetCommandsRun, "somebody")
                .await;
            // It is in the log. What cannot be looked for may run on, and a start in doubt keeps it open.
            let is_blind = matches!(stopped, Err(DriveError::Unsought { .. })) && draft.wish.sends_itself;
            assert!(
                is_blind || stopped.is_ok() || draft.course.is_rough(),
                "{stopped:?}"
            );
        }
    }
}
