//! For how long all nodes of a campaign get the same patches.

use super::Plan;
use crate::request::{Operation, PatchRequest};
use crate::runbook;
use jiff::{SignedDuration, Timestamp};

/// For how long AWS keeps the snapshot of a patch baseline: 3 days at most (User Guide, `SnapshotId` of AWS-RunPatchBaseline). All
/// nodes of a campaign are given one id. Those that are begun later get what the baseline approves by then.
pub(crate) const SNAPSHOT_LIVES: SignedDuration = SignedDuration::from_hours(72);

impl PatchRequest {
    /// Whether what a node gets follows from the snapshot of a baseline. A list of patches takes its place. A runbook of one's own
    /// may give its steps no snapshot.
    pub(crate) fn goes_by_snapshot(&self) -> bool {
        self.patch.install_override_list.is_none() && runbook::is_own(&self.automation.document)
    }
}

impl Plan {
    /// The warning about what begins when the snapshot of the first nodes has ended.
    pub(super) fn snapshot_warning(&self, now: Timestamp) -> Option<String> {
        if !self.request.goes_by_snapshot() {
            return None;
        }
        let (wave, why) = match self.first_after_soaks() {
            Some(wave) => (wave, "by the soaks alone".to_owned()),
            None => {
                let wave = self.expected_after(now, SNAPSHOT_LIVES)?;
                (wave, "as the forecast expects it".to_owned())
            }
        };
        let what = match self.request.waves.is_empty() {
            true => "a part of the campaign".to_owned(),
            false => format!("wave {wave} ({}), or a part of it,", self.request.wave_name(wave)),
        };
        let rather = match self.request.patch.operation {
            Operation::Install => {
                "; with patch.install_override_list all get the patches that the list names, and `patchfleet override-list` \
                 prints such a list of what nodes have installed"
            }
            Operation::Scan => "",
        };
        Some(format!(
            "{what} begins more than 3 days after the first {}, {why}. AWS keeps the snapshot of a patch baseline for 3 days at \
             most, so nodes that are begun later may get other patches than those before them{rather}",
            self.start_in_a_word()
        ))
    }

    /// The first wave before which soaks of more than three days lie.
    fn first_after_soaks(&self) -> Option<u32> {
        let mut before = SignedDuration::ZERO;
        for wave in self.waves() {
            if before > SNAPSHOT_LIVES {
                return Some(wave.number);
            }
            let soak = self.request.wave(wave.number).and_then(|wave| wave.soak);
            let soak = soak.map_or(SignedDuration::ZERO, crate::request::Soak::duration);
            before = before.saturating_add(soak);
        }
        None
    }
}
