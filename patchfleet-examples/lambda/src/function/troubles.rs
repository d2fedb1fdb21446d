//! What does not work while a campaign is driven.

use patchfleet_core::campaign::{Notice, Tried};
use patchfleet_core::text::one_line;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many troubles a failure names.
const NAMED: usize = 3;

/// What has not worked for a while during one call of the function, and has not worked since. Clones share it.
///
/// Each call begins anew, and so does a driver's count of what has failed how often. What fails for longer than a call
/// lasts would never be given up, and nobody would be told. So a call in which nothing moved because of it is a failure.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles(Arc<Mutex<BTreeMap<(Tried, String), String>>>);

impl Troubles {
    /// Takes in what a person wants to hear.
    pub(super) fn hear(&self, notice: &Notice) {
        // A panic elsewhere leaves what was heard as it is.
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match notice {
            Notice::Trouble(trouble) => {
                let words = one_line(&trouble.to_string());
                heard.insert((trouble.what, trouble.subject.clone()), words);
            }
            Notice::Over { what, .. } => heard.retain(|(tried, _), _| tried != what),
            _ => {}
        }
    }

    /// Whether something of a stop does not work, or the log does not.
    pub(super) fn is_of_a_stop(&self) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_a_stop = |tried: &Tried| {
            matches!(
                tried,
                Tried::Stop
                    | Tried::StopBelow
                    | Tried::Location
                    | Tried::LookUp
                    | Tried::LookBefore
                    | Tried::Log
            )
        };
        heard.keys().any(|(tried, _)| of_a_stop(tried))
    }

    /// What does not work, in words. `None` if all does.
    pub(super) fn words(&self) -> Option<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named: Vec<&str> = heard.values().take(NAMED).map(String::as_str).collect();
        let more = heard.len().saturating_sub(NAMED);
        match (named.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(named.join("; ")),
            (false, more) => Some(format!("{}; and {more} more", named.join("; "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_works_again_is_no_trouble_any_more() {
        let troubles = Troubles::default();
        assert_eq!(troubles.words(), None);
        let over = Notice::Over {
            what: Tried::Runbook,
            since: Timestamp::UNIX_EPOCH,
            at: Timestamp::UNIX_EPOCH,
        };
        troubles
            .0
            .lock()
            .unwrap()
            .insert((Tried::Runbook, "unit 1".to_owned()), "compares".to_owned());
        troubles
            .0
            .lock()
            .unwrap()
            .insert((Tried::Stop, "unit 2".to_owned()), "stops".to_owned());
        assert_eq!(troubles.words().as_deref(), Some("compares; stops"));
        troubles.hear(&over);
        assert_eq!(troubles.words().as_deref(), Some("stops"));
    }
}
