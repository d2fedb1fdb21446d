//! Client tokens: what each was used for.

use crate::world::{World, after, lookup::Lookup};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::Location;

/// What a client token was used for.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// The input without the token.
    pub(crate) content: String,
    pub(crate) execution: String,
    pub(crate) used: Timestamp,
}

/// Every client token, by the location where it was used.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Tokens {
    used: Lookup<(Location, String), Token>,
}

impl World {
    /// What a token was used for, as long as it is remembered.
    pub(crate) fn remembered(&self, key: &(Location, String)) -> Option<&Token> {
        let memory = self.rules.automation.token_memory_seconds.map(i64::from);
        let fresh = |token: &&Token| {
            memory.is_none_or(|seconds| self.now() < after(token.used, SignedDuration::from_secs(seconds)))
        };
        self.tokens.used.get(key).filter(fresh)
    }

    /// Remembers what a token was used for.
    pub(crate) fn remember(&mut self, key: (Location, String), token: Token) {
        self.tokens.used.insert(key, token);
    }
}
