//! Credentials that AssumeRole gave out.

use crate::world::{World, lookup::Lookup};
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
}

/// Every session, by its access key.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Sessions {
    by_key: Lookup<String, Session>,
}

impl World {
    /// The session of an access key.
    pub(crate) fn session(&self, key: &str) -> Option<&Session> {
        self.sessions.by_key.get(key)
    }

    /// Ends the session of an access key, now and for ever.
    pub(crate) fn revoke_session(&mut self, key: &str) {
        if let Some(session) = self.sessions.by_key.get_mut(key) {
            session.expires = Timestamp::MIN;
        }
    }

    /// Opens a session and gives its access key id.
    pub(crate) fn open_session(&mut self, session: Session) -> String {
        let series = format!("session/{}/{}/{}", session.account, session.role, session.name);
        let number = self.count(&series).to_string();
        let key = format!("ASIA{}", self.seed.letters(16, &["session", &series, &number]));
        self.sessions.by_key.insert(key.clone(), session);
        key
    }

    /// The session token that belongs to an access key.
    pub(crate) fn session_token(&self, key: &str) -> String {
        let part = |which: &str| self.seed.uuid(&[key, "token", which]).replace('-', "");
        [part("1"), part("2")].concat()
    }
}
