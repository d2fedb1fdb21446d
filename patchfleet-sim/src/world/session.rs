//! Credentials that AssumeRole gave out.

use super::World;
use jiff::Timestamp;
use patchfleet_core::id::AccountId;

/// A role session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The role's account.
    pub account: AccountId,
    /// The role's name.
    pub role: String,
    /// The session's name.
    pub name: String,
    /// The account from which the role was first assumed.
    pub origin: AccountId,
    /// When it ends: in real time, since an SDK renews it by its own clock.
    pub expires: Timestamp,
}

impl Session {
    /// Whether it has ended at the real time `at`.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        at >= self.expires
    }

    /// Ends it now and for ever.
    pub(crate) fn revoke(&mut self) {
        self.expires = Timestamp::MIN;
    }
}

impl World {
    /// Opens a session and gives its access key id.
    pub(crate) fn open_session(&mut self, session: Session) -> String {
        let series = format!("session/{}/{}/{}", session.account, session.role, session.name);
        let number = self.count(&series).to_string();
        let hash = self.seed.number(&["session", &series, &number]);
        // Access keys of sessions are `ASIA` and 16 of A-Z and 2-7.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let tail: String = (0..16)
            .filter_map(|i| letters.get(usize::try_from((hash >> (i * 4)) & 0xf).ok()? + 16 * (i % 2)))
            .map(|byte| char::from(*byte))
            .collect();
        let key = format!("ASIA{tail}");
        self.sessions.insert(key.clone(), session);
        key
    }
}
